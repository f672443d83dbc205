/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/plan.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "extractor/store.h"
#include "invoke/config.h"
#include "invoke/event_variables.h"
#include "invoke/events/event.h"
#include "invoke/job.h"
#include "invoke/text.h"
#include "invoke/variables.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define SHELL "/bin/sh"
/* The path of a workspace is that of no other invocation, whatever request ids a service hands out. */
#define MARKER "SCAR_WORKSPACE"

static const struct scar_buf *choose_script(const struct scar_plan_input *input)
{
	if (input->job->has_script)
		return &input->job->script;
	if (!input->job->args && input->config->script.len > 0)
		return &input->config->script;
	return NULL;
}

static bool starts_itself(const struct scar_buf *script)
{
	return (script->len >= 2 && memcmp(script->data, "#!", 2) == 0) ||
	       (script->len >= 4 && memcmp(script->data, "\177ELF", 4) == 0);
}

static int add_program(const struct scar_plan_input *input, const struct scar_buf *script,
		       struct scar_list *argv, struct scar_err *err)
{
	if (!script)
		return scar_list_add_all(argv, input->image->entrypoint, err);
	if (!starts_itself(script) && scar_list_add(argv, SHELL, err) < 0)
		return -1;
	return scar_list_add(argv, SCAR_GUEST_SCRIPT, err);
}

static int make_argv(const struct scar_plan_input *input, const struct scar_buf *script,
		     char ***ret_argv, struct scar_err *err)
{
	scar_list_auto struct scar_list argv = {0};
	char *const *args = input->job->args;

	if (!args && !script)
		args = input->image->cmd;
	if (add_program(input, script, &argv, err) < 0 || scar_list_add_all(&argv, args, err) < 0)
		return -1;
	if (argv.count == 0 || argv.items[0][0] == '\0')
		return scar_err_set(
			err, SCAR_ERR_EXEC,
			"no command to run: the image has neither Entrypoint nor Cmd, and the event has neither "
			"\"script\" nor \"cmd_args\"");
	return scar_list_steal(&argv, ret_argv, err);
}

/* An event that the kernel would not take as a variable is in the file and on standard input only. */
static const char *event_variable(const struct scar_buf *event)
{
	bool fits = event->len + sizeof "EVENT=" < SCAR_LIMIT_ARG_BYTES;

	return event->len > 0 && fits && !memchr(event->data, 0, event->len) ? event->data : NULL;
}

/* The document of what this run is for. */
static const struct scar_buf *choose_document(const struct scar_plan_input *input)
{
	return input->item ? &input->item->document : &input->invocation->event;
}

static const struct scar_buf *choose_payload(const struct scar_plan_input *input)
{
	return input->item && input->item->has_payload ? &input->item->payload
						       : choose_document(input);
}

/* Of one invocation. */
static int make_envp(const struct scar_plan_input *input, const struct scar_variable *variables,
		     char ***ret_envp, struct scar_err *err)
{
	scar_list_auto struct scar_list event = {0};
	struct scar_variables_input sources = {
		.image = input->image->env,
		.function = input->config->environment,
		.home = input->user->home,
		.invocation = variables,
		.no_credentials = !input->config->pass_credentials,
	};

	if (scar_event_variables(input->event, choose_payload(input)->len, &event, err) < 0)
		return -1;
	sources.event = event.items;
	return scar_variables_make(&sources, ret_envp, err);
}

static int make_once_envp(const struct scar_plan_input *input, char ***ret_envp,
			  struct scar_err *err)
{
	const struct scar_invocation *invocation = input->invocation;
	const struct scar_event_item *item = input->item;
	const struct scar_variable variables[] = {
		{MARKER, input->workspace->path},
		{"REQUEST_ID", invocation->request_id},
		{"AWS_LAMBDA_REQUEST_ID", invocation->request_id},
		{"_X_AMZN_TRACE_ID", invocation->trace_id},
		{"TMP_INPUT_DIR", SCAR_GUEST_INPUT},
		{"TMP_OUTPUT_DIR", SCAR_GUEST_OUTPUT},
		{"INPUT_FILE_PATH", input->input_path ? input->input_path : SCAR_GUEST_EVENT},
		{"STORAGE_OBJECT_KEY", item ? item->object.key : NULL},
		{"EVENT_TIME", item ? item->time : NULL},
		{"EVENT", event_variable(choose_document(input))},
		{NULL, NULL},
	};

	return make_envp(input, variables, ret_envp, err);
}

/* Of all of them. */
static int make_resident_envp(const struct scar_plan_input *input, char ***ret_envp,
			      struct scar_err *err)
{
	char *const *function = input->config->environment;
	const char *api = scar_environment_get(function, "AWS_LAMBDA_RUNTIME_API");
	const char *handler = scar_environment_get(function, "_HANDLER");
	bool runtime = input->resident == SCAR_PLAN_RUNTIME;
	char port[32];
	const struct scar_variable variables[] = {
		{MARKER, input->workspace->path},
		{"AWS_LAMBDA_RUNTIME_API", runtime ? api : NULL},
		/* Images name their handler in Cmd; those that do not take the function's. */
		{"_HANDLER", runtime && !input->image->cmd ? handler : NULL},
		{"PORT", !runtime && input->port ? port : NULL},
		{NULL, NULL},
	};

	snprintf(port, sizeof port, "%lld", (long long)input->port);
	return make_envp(input, variables, ret_envp, err);
}

static int choose_cwd(const struct scar_image_config *image, const char **ret_cwd,
		      struct scar_err *err)
{
	const char *dir = image->working_dir;

	if (!dir || !*dir) {
		*ret_cwd = "/";
		return 0;
	}
	if (*dir != '/' || strlen(dir) >= SCAR_LIMIT_PATH_BYTES)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the image's WorkingDir \"%.200s\" is not an absolute path",
				    dir);
	*ret_cwd = dir;
	return 0;
}

/* SCAR's extra payload is part of the function's package, which the program then sees where Lambda has it. */
static void bind_extra_payload(const struct scar_plan_input *input, struct scar_plan *plan)
{
	const char *wanted = scar_environment_get(input->config->environment, "EXTRA_PAYLOAD");
	const char *root = scar_environment_get(input->config->environment, "LAMBDA_TASK_ROOT");

	if (wanted && *wanted && root && *root == '/')
		plan->binds[plan->bind_count++] = (struct scar_bind){root, root, true};
}

/* Most images leave /tmp empty: then it is a directory of the invocation alone. Else it is the image's, clean as all of it. */
static struct scar_bind bind_tmp(const struct scar_plan_input *input)
{
	return input->image_has_tmp
		       ? (struct scar_bind){input->workspace->scar_path, SCAR_GUEST_SCAR, false}
		       : (struct scar_bind){input->workspace->tmp_path, SCAR_GUEST_TMP, false};
}

static const char *find_marker(char *const *envp)
{
	const char *value = scar_environment_get(envp, MARKER);

	return value ? value - sizeof MARKER : NULL;
}

int scar_plan_make(const struct scar_plan_input *input, struct scar_plan *ret_plan,
		   struct scar_err *err)
{
	scar_plan_auto struct scar_plan plan = {
		.uid = input->user->uid,
		.gid = input->user->gid,
		.groups = input->user->groups,
		.group_count = input->user->group_count,
		.binds = {bind_tmp(input), {input->workspace->shm_path, SCAR_GUEST_SHM, false}},
		.bind_count = 2,
		.image_tmp = input->image_has_tmp,
		.script = choose_script(input),
		.payload = choose_payload(input),
		.input = input->job->has_input ? &input->job->input : choose_payload(input),
	};

	bind_extra_payload(input, &plan);
	if (choose_cwd(input->image, &plan.cwd, err) < 0 ||
	    make_argv(input, plan.script, &plan.argv, err) < 0 ||
	    (input->resident == SCAR_PLAN_ONCE ? make_once_envp(input, &plan.envp, err)
					       : make_resident_envp(input, &plan.envp, err)) < 0)
		return -1;
	plan.marker = find_marker(plan.envp);
	*ret_plan = plan;
	plan.argv = plan.envp = NULL;
	return 0;
}

void scar_plan_clear(struct scar_plan *plan)
{
	scar_list_free(plan->argv);
	scar_list_free(plan->envp);
	*plan = (struct scar_plan){0};
}

struct scar_engine_spec scar_plan_spec(const struct scar_plan *plan,
				       const struct scar_store_entry *rootfs, const char *state_dir)
{
	return (struct scar_engine_spec){
		.rootfs = rootfs->rootfs_path,
		.rootfs_fd = rootfs->rootfs_fd,
		.argv = plan->argv,
		.envp = plan->envp,
		.cwd = plan->cwd,
		.uid = plan->uid,
		.gid = plan->gid,
		.groups = plan->groups,
		.group_count = plan->group_count,
		.binds = plan->binds,
		.bind_count = plan->bind_count,
		.image_tmp = plan->image_tmp,
		.state_dir = state_dir,
		.owners_path = rootfs->owners_path,
		.undo_dir = rootfs->undo_dir,
	};
}
