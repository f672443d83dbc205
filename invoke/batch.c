/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/batch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "invoke/config.h"
#include "invoke/engine/engine.h"
#include "invoke/events/event.h"
#include "invoke/job.h"
#include "invoke/plan.h"
#include "invoke/run.h"
#include "invoke/staging.h"
#include "invoke/text.h"
#include "invoke/user.h"
#include "invoke/variables.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

/* Batch kills 30 s after SIGTERM; what is left then is for the outputs. */
#define GRACE_MS 10000
#define ID_VARIABLE "AWS_LAMBDA_REQUEST_ID"

/* What is ours, and no business of the script. */
static const struct {
	const char *name, *as;
} taken[] = {
	{"SCRIPT", "SCAR_SCRIPT"}, {"FUNCTION_CONFIG", "FDL"}, {"EVENT", NULL}, {"CONTEXT", NULL}};

struct job {
	struct scar_invoke_config config;
	struct scar_image_config container; /* env: the container's own variables */
	struct scar_invocation invocation;
	struct scar_event event;
	struct scar_user user;
	int stop_fd;
	int exit_code;
};

bool scar_batch_is_job(char *const *environment)
{
	const char *api = scar_environment_get(environment, "AWS_LAMBDA_RUNTIME_API");
	const char *script = scar_environment_get(environment, "SCRIPT");
	const char *config = scar_environment_get(environment, "FUNCTION_CONFIG");

	return !(api && *api) && ((script && *script) || (config && *config));
}

/* ---- what there is to do ---- */

/* The settings under the names that a function has them, and what is left for the script. */
static int split_environment(char *const *environment, struct scar_list *settings,
			     struct scar_list *rest, struct scar_err *err)
{
	for (; *environment; environment++) {
		size_t len = strcspn(*environment, "="), i = 0;

		while (i < sizeof taken / sizeof taken[0] &&
		       (strlen(taken[i].name) != len ||
			strncmp(taken[i].name, *environment, len) != 0))
			i++;
		if (i == sizeof taken / sizeof taken[0]) {
			if (scar_list_add(settings, *environment, err) < 0 ||
			    scar_list_add(rest, *environment, err) < 0)
				return -1;
		} else if (taken[i].as &&
			   scar_list_set_variable(settings, taken[i].as, strlen(taken[i].as),
						  *environment + len + 1, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int load_config(char *const *environment, struct job *job, struct scar_err *err)
{
	scar_list_auto struct scar_list settings = {0}, rest = {0};

	if (split_environment(environment, &settings, &rest, err) < 0 ||
	    scar_invoke_config_load(settings.items, &job->config, err) < 0)
		return -1;
	return scar_list_steal(&rest, &job->container.env, err);
}

static int read_event(char *const *environment, struct job *job, struct scar_err *err)
{
	const char *text = scar_environment_get(environment, "EVENT");
	const char *id = scar_environment_get(environment, ID_VARIABLE);

	if (!id || !*id)
		id = scar_environment_get(environment, "AWS_BATCH_JOB_ID");
	if (scar_text_copy(id && *id ? id : "job", &job->invocation.request_id, err) < 0)
		return -1;
	if (text && *text) {
		if (scar_buf_append_str(&job->invocation.event, text, err) < 0)
			return -1;
	} else if (!isatty(STDIN_FILENO) && scar_fs_read_all(STDIN_FILENO, "standard input",
							     &job->invocation.event, err) < 0) {
		return -1;
	}
	return scar_event_read(job->invocation.event.data, job->invocation.event.len, false,
			       &job->event, err);
}

static int know_user(char *const *environment, struct scar_user *user, struct scar_err *err)
{
	const char *home = scar_environment_get(environment, "HOME");

	user->uid = getuid();
	user->gid = getgid();
	return scar_text_copy(home && *home ? home : "/", &user->home, err);
}

/* ---- one run ---- */

static int print(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	(void)ctx;
	return scar_fs_write_all(STDOUT_FILENO, data, len, "standard output", err);
}

static int run_plan(struct job *job, const struct scar_plan *plan,
		    const struct scar_workspace *workspace, struct scar_err *err)
{
	const struct scar_engine_spec spec = {
		.argv = plan->argv, .envp = plan->envp, .cwd = NULL, .rootfs_fd = -1};
	const struct scar_run_options options = {
		.engine = &scar_engine_direct,
		.spec = &spec,
		.input = plan->input->data,
		.input_len = plan->input->len,
		.sink = print,
		.stderr_fd = STDERR_FILENO,
		.json_log = scar_log_is_json(),
		.grace_ms = GRACE_MS,
		.stop_fd = job->stop_fd,
		.marker = plan->marker,
	};
	struct scar_run_result result;
	bool good;

	if (scar_run(&options, &result, err) < 0)
		return -1;
	good = result.status.exited && result.status.code == 0;
	if (!good)
		job->exit_code = result.status.exited ? result.status.code
						      : 128 + result.status.signal;
	return good || result.interrupted
		       ? scar_staging_deliver(job->config.storage, workspace, 0, err)
		       : 0;
}

static int run_in(struct job *job, const struct scar_job *wishes, size_t index,
		  const struct scar_workspace *workspace, struct scar_err *err)
{
	scar_plan_auto struct scar_plan plan = {0};
	scar_free_auto char *input_path = NULL;
	struct scar_plan_input input = {
		.config = &job->config,
		.image = &job->container,
		.invocation = &job->invocation,
		.job = wishes,
		.user = &job->user,
		.workspace = workspace,
		.event = &job->event,
		.item = &job->event.items[index],
	};

	if (job->config.download_input &&
	    scar_staging_fetch(job->config.storage, input.item, workspace, 0, &input_path, err) < 0)
		return -1;
	input.input_path = input_path;
	if (scar_plan_make(&input, &plan, err) < 0 ||
	    scar_workspace_put_files(workspace, plan.payload, plan.script, err) < 0)
		return -1;
	return run_plan(job, &plan, workspace, err);
}

static int run_item(struct job *job, const struct scar_job *wishes, size_t index,
		    struct scar_err *err)
{
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;
	struct scar_err other;
	int failed;

	if (scar_workspace_create_here(&workspace, err) < 0)
		return -1;
	failed = run_in(job, wishes, index, &workspace, err);
	if (scar_workspace_remove(&workspace, &other) < 0)
		scar_warn("cannot clean up: %s", other.msg);
	return failed;
}

static int run_items(struct job *job, struct scar_err *err)
{
	scar_job_auto struct scar_job wishes = {0};
	int failed = 0;

	if (scar_job_parse(job->invocation.event.data, job->invocation.event.len, &wishes, err) < 0)
		return -1;
	for (size_t i = 0; i < job->event.count && !failed && !job->exit_code; i++)
		failed = run_item(job, &wishes, i, err);
	return failed;
}

/* ---- the whole ---- */

static int watch_signals(int *ret_fd, struct scar_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return *ret_fd < 0 ? scar_err_errno(err, errno, "cannot watch for signals") : 0;
}

static void clear(struct job *job)
{
	scar_invoke_config_clear(&job->config);
	scar_list_free(job->container.env);
	scar_invocation_clear(&job->invocation);
	scar_event_clear(&job->event);
	scar_user_clear(&job->user);
	scar_cleanup_fd(&job->stop_fd);
}

static int run(char *const *environment, struct job *job, struct scar_err *err)
{
	struct scar_log_options log = {.program = "bootstrap"};

	if (load_config(environment, job, err) < 0)
		return -1;
	log.level = (enum scar_log_level)job->config.log_level;
	log.json = job->config.log_format == SCAR_LOG_FORMAT_JSON;
	scar_log_setup(&log);
	if (watch_signals(&job->stop_fd, err) < 0 || read_event(environment, job, err) < 0 ||
	    know_user(environment, &job->user, err) < 0)
		return -1;
	return run_items(job, err);
}

int scar_batch_run(char *const *environment)
{
	struct job job = {.stop_fd = -1};
	struct scar_err err;
	int exit_code;

	scar_invocation_init(&job.invocation);
	scar_buf_init(&job.config.script, SCAR_LIMIT_EVENT_BYTES);
	if (run(environment, &job, &err) < 0) {
		scar_error("%s", err.msg);
		exit_code = job.exit_code ? job.exit_code : scar_err_info(err.kind)->exit_code;
	} else {
		exit_code = job.exit_code;
	}
	clear(&job);
	return exit_code;
}
