/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/resident.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "extractor/store.h"
#include "invoke/config.h"
#include "invoke/failure.h"
#include "invoke/image.h"
#include "invoke/job.h"
#include "invoke/plan.h"
#include "invoke/tail.h"
#include "invoke/user.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#define GRACE_MS 500
#define NAME "resident"

struct scar_resident {
	struct scar_resident_options options;
	struct scar_workspace workspace;
	struct scar_user user;
	struct scar_job job;
	struct scar_invocation invocation;
	struct scar_plan plan;
	struct scar_tail log; /* of standard output */
	pthread_t thread;
	bool started;
	int end_fd;  /* readable: it has ended */
	int stop_fd; /* readable: it shall end */
	/* good once end_fd is readable */
	int failed; /* -1: why says what kept it from running */
	struct scar_err why;
	struct scar_run_result result;
};

/* A runtime of the image knows the function's log format, and the request that a line belongs to, itself. */
static bool is_json_log(const struct scar_resident_options *options)
{
	return !options->is_runtime && scar_log_is_json();
}

static int log_output(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	(void)err;
	scar_tail_add(ctx, data, len);
	return 0;
}

static void *run(void *ctx)
{
	struct scar_resident *resident = ctx;
	const struct scar_plan *plan = &resident->plan;
	const struct scar_engine_spec spec = scar_plan_spec(plan, resident->options.use->entry,
							    resident->options.state_dir);
	const struct scar_run_options options = {
		.engine = resident->options.engine,
		.spec = &spec,
		.input = "",
		.sink = log_output,
		.sink_ctx = &resident->log,
		.stderr_fd = STDERR_FILENO,
		.json_log = is_json_log(&resident->options),
		.grace_ms = GRACE_MS,
		.stop_fd = resident->stop_fd,
		.marker = plan->marker,
	};

	resident->failed = scar_run(&options, &resident->result, &resident->why);
	scar_tail_finish(&resident->log);
	(void)eventfd_write(resident->end_fd, 1);
	return NULL;
}

static int prepare(struct scar_resident *resident, struct scar_err *err)
{
	const struct scar_resident_options *options = &resident->options;
	const struct scar_plan_input input = {
		.config = options->config,
		.image = &options->use->image->config,
		.image_has_tmp = scar_image_use_has_tmp(options->use),
		.invocation = &resident->invocation,
		.job = &resident->job,
		.user = &resident->user,
		.workspace = &resident->workspace,
		.resident = options->is_runtime ? SCAR_PLAN_RUNTIME : SCAR_PLAN_SERVER,
		.port = options->port,
	};

	if (scar_user_resolve(options->use->entry->rootfs_fd, options->use->image->config.user,
			      &resident->user, err) < 0 ||
	    scar_workspace_create(options->config->store_dir, NAME, &resident->workspace, err) <
		    0 ||
	    scar_plan_make(&input, &resident->plan, err) < 0)
		return -1;
	if (!resident->plan.script)
		return 0;
	return scar_workspace_put_script(&resident->workspace, resident->plan.script->data,
					 resident->plan.script->len, err);
}

static int start_thread(struct scar_resident *resident, struct scar_err *err)
{
	int errnum;

	resident->end_fd = eventfd(0, EFD_CLOEXEC);
	resident->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (resident->end_fd < 0 || resident->stop_fd < 0)
		return scar_err_errno(err, errno, "cannot make an event descriptor");
	errnum = pthread_create(&resident->thread, NULL, run, resident);
	if (errnum)
		return scar_err_errno(err, errnum, "cannot start a thread");
	resident->started = true;
	return 0;
}

int scar_resident_start(const struct scar_resident_options *options,
			struct scar_resident **ret_resident, struct scar_err *err)
{
	struct scar_resident *resident = calloc(1, sizeof *resident);

	if (!resident)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	resident->options = *options;
	resident->workspace = SCAR_WORKSPACE_NONE;
	resident->end_fd = resident->stop_fd = -1;
	scar_invocation_init(&resident->invocation);
	scar_tail_init(&resident->log, STDERR_FILENO, is_json_log(options));
	if (scar_job_parse("", 0, &resident->job, err) < 0 || prepare(resident, err) < 0 ||
	    start_thread(resident, err) < 0) {
		scar_resident_stop(resident);
		return -1;
	}
	*ret_resident = resident;
	return 0;
}

/* Once it has ended. @return exit status, or -1 */
static int describe(const struct scar_resident *resident, struct scar_err *err)
{
	struct scar_failure failure;

	if (resident->failed) {
		*err = resident->why;
		return -1;
	}
	if (scar_failure_of_run(&resident->result, 0, &failure)) {
		scar_err_set(err, SCAR_ERR_EXIT, "%s", failure.message);
		return failure.exit_code;
	}
	scar_err_set(err, SCAR_ERR_EXIT, "the program ended by itself, with status 0");
	return 0;
}

/* timeout_ms -1: as long as it takes. @return whether it ended within that time */
static bool wait_for_end(const struct scar_resident *resident, int timeout_ms)
{
	struct pollfd fd = {.fd = resident->end_fd, .events = POLLIN};
	int got;

	do {
		got = poll(&fd, 1, timeout_ms);
	} while (got < 0 && errno == EINTR);
	return got > 0;
}

void scar_resident_tell(struct scar_resident *resident, int64_t timeout_ms)
{
	(void)eventfd_write(resident->stop_fd, 1);
	(void)wait_for_end(resident, (int)timeout_ms);
}

bool scar_resident_ended(struct scar_resident *resident, struct scar_err *err)
{
	if (!wait_for_end(resident, 0))
		return false;
	(void)describe(resident, err);
	return true;
}

static void join(struct scar_resident *resident)
{
	if (!resident->started)
		return;
	(void)eventfd_write(resident->stop_fd, 1);
	pthread_join(resident->thread, NULL);
	resident->started = false;
}

int scar_resident_wait(struct scar_resident *resident, struct scar_err *err)
{
	(void)wait_for_end(resident, -1);
	join(resident);
	return describe(resident, err);
}

void scar_resident_stop(struct scar_resident *resident)
{
	struct scar_err err;

	if (!resident)
		return;
	join(resident);
	if (scar_workspace_remove(&resident->workspace, &err) < 0)
		scar_warn("cannot clean up after the program: %s", err.msg);
	scar_plan_clear(&resident->plan);
	scar_user_clear(&resident->user);
	scar_job_clear(&resident->job);
	scar_invocation_clear(&resident->invocation);
	scar_cleanup_fd(&resident->end_fd);
	scar_cleanup_fd(&resident->stop_fd);
	free(resident);
}
