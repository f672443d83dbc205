/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/handler.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "extractor/store.h"
#include "invoke/answer.h"
#include "invoke/config.h"
#include "invoke/engine/engine.h"
#include "invoke/image.h"
#include "invoke/job.h"
#include "invoke/plan.h"
#include "invoke/run.h"
#include "invoke/user.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

/* Between SIGTERM and SIGKILL, if there is that much time. */
#define GRACE_MS 500

struct scar_invoke {
	const struct scar_invoke_config *config;
	const struct scar_engine_ops *engine;
	struct scar_images *images;
	char *state_dir; /* the engine's, for all invocations: it keeps what it has learnt of files */
};

/* When to stop, and how long it may take. */
struct limits {
	int64_t stop_ms; /* epoch ms, 0: never */
	int64_t grace_ms;
};

static int make_state_dir(struct scar_invoke *invoke, struct scar_err *err)
{
	if (asprintf(&invoke->state_dir, "%s/engine", invoke->config->store_dir) < 0) {
		invoke->state_dir = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	}
	return scar_fs_mkdir_p(AT_FDCWD, invoke->state_dir, 0700, err);
}

int scar_invoke_open(const struct scar_invoke_config *config, struct scar_invoke **ret_invoke,
		     struct scar_err *err)
{
	struct scar_invoke *invoke = calloc(1, sizeof *invoke);

	if (!invoke)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	invoke->config = config;
	/* The store first: it sees to the mode and owner of the directory that all share. */
	if (scar_images_open(config, &invoke->images, err) < 0 ||
	    scar_workspace_sweep(config->store_dir, err) < 0 || make_state_dir(invoke, err) < 0 ||
	    scar_engine_choose(config->engine, &invoke->engine, err) < 0) {
		scar_invoke_close(invoke);
		return -1;
	}
	scar_info("engine %s", invoke->engine->name);
	*ret_invoke = invoke;
	return 0;
}

void scar_invoke_close(struct scar_invoke *invoke)
{
	if (!invoke)
		return;
	scar_images_close(invoke->images);
	free(invoke->state_dir);
	free(invoke);
}

/* ---- one invocation ---- */

static struct limits limits_of(const struct scar_invoke_config *config, int64_t deadline_ms)
{
	int64_t left_ms = scar_clock_left_ms(deadline_ms), margin_ms = config->threshold_ms;

	if (!deadline_ms)
		return (struct limits){.grace_ms = GRACE_MS};
	if (margin_ms > left_ms / 2)
		margin_ms = left_ms / 2;
	return (struct limits){
		.stop_ms = deadline_ms - margin_ms,
		.grace_ms = margin_ms / 2 < GRACE_MS ? margin_ms / 2 : GRACE_MS,
	};
}

static int choose_image(const struct scar_invoke_config *config, const struct scar_job *job,
			const char **ret_reference, struct scar_err *err)
{
	if (!job->image && !config->image)
		return scar_err_set(
			err, SCAR_ERR_EVENT,
			"no image to run: set SCAR_IMAGE, or name one in the event's key \"image\"");
	if (job->image && config->image && !config->allow_event_image)
		return scar_err_set(
			err, SCAR_ERR_EVENT,
			"the event names an image, which SCAR_ALLOW_EVENT_IMAGE does not allow");
	*ret_reference = job->image ? job->image : config->image;
	return 0;
}

static int prepare(const struct scar_workspace *workspace, const struct scar_invocation *invocation,
		   const struct scar_plan *plan, struct scar_err *err)
{
	if (scar_workspace_put_event(workspace, invocation->event.data, invocation->event.len,
				     err) < 0)
		return -1;
	if (!plan->script)
		return 0;
	return scar_workspace_put_script(workspace, plan->script->data, plan->script->len, err);
}

static int run_plan(const struct scar_invoke *invoke, const struct scar_plan *plan,
		    const struct scar_store_entry *rootfs, const struct limits *limits,
		    struct scar_response *response, struct scar_err *err)
{
	const struct scar_engine_spec spec = {
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
		.state_dir = invoke->state_dir,
		.owners_path = rootfs->owners_path,
		.undo_dir = rootfs->undo_dir,
	};
	scar_answer_auto struct scar_answer answer;
	const struct scar_run_options options = {
		.engine = invoke->engine,
		.spec = &spec,
		.input = plan->input->data,
		.input_len = plan->input->len,
		.sink = scar_answer_write,
		.sink_ctx = &answer,
		.stderr_fd = STDERR_FILENO,
		.deadline_ms = limits->stop_ms,
		.grace_ms = limits->grace_ms,
		.marker = plan->marker,
	};
	struct scar_run_result result;

	scar_answer_init(&answer, response,
			 invoke->config->response_mode == SCAR_RESPOND_STREAMING
				 ? SCAR_RESPONSE_STREAMING
				 : SCAR_RESPONSE_BUFFERED);
	if (scar_run(&options, &result, err) < 0)
		return -1;
	return scar_answer_finish(&answer, &result, (uint64_t)invoke->config->memory_mb << 20, err);
}

static int handle_in(const struct scar_invoke *invoke, const struct scar_invocation *invocation,
		     const struct scar_job *job, const struct scar_image_use *use,
		     const struct scar_workspace *workspace, const struct limits *limits,
		     struct scar_response *response, struct scar_err *err)
{
	const struct scar_image_config *image = &use->image->config;
	scar_user_auto struct scar_user user = {0};
	scar_plan_auto struct scar_plan plan = {0};
	const struct scar_plan_input input = {
		.config = invoke->config,
		.image = image,
		.invocation = invocation,
		.job = job,
		.user = &user,
		.workspace = workspace,
	};

	if (scar_user_resolve(use->entry->rootfs_fd, image->user, &user, err) < 0 ||
	    scar_plan_make(&input, &plan, err) < 0 ||
	    prepare(workspace, invocation, &plan, err) < 0)
		return -1;
	return run_plan(invoke, &plan, use->entry, limits, response, err);
}

int scar_invoke_handle(void *ctx, const struct scar_invocation *invocation,
		       struct scar_response *response, struct scar_err *err)
{
	struct scar_invoke *invoke = ctx;
	const struct scar_invoke_config *config = invoke->config;
	const struct limits limits = limits_of(config, invocation->deadline_ms);
	scar_job_auto struct scar_job job = {0};
	scar_image_use_auto struct scar_image_use use = {0};
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;
	const char *reference = NULL;
	struct scar_err other;
	int failed;

	if (scar_job_parse(invocation->event.data, invocation->event.len, &job, err) < 0 ||
	    choose_image(config, &job, &reference, err) < 0 ||
	    scar_images_get(invoke->images, reference, limits.stop_ms, &use, err) < 0 ||
	    scar_workspace_create(config->store_dir, invocation->request_id, &workspace, err) < 0)
		return -1;
	failed = handle_in(invoke, invocation, &job, &use, &workspace, &limits, response, err);
	if (scar_workspace_remove(&workspace, &other) < 0)
		scar_warn("cannot clean up after the invocation: %s", other.msg);
	return failed;
}
