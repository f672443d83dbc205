/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/handler.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "extractor/store.h"
#include "invoke/answer.h"
#include "invoke/config.h"
#include "invoke/delegate.h"
#include "invoke/engine/engine.h"
#include "invoke/events/event.h"
#include "invoke/image.h"
#include "invoke/job.h"
#include "invoke/plan.h"
#include "invoke/prefetch.h"
#include "invoke/proxy.h"
#include "invoke/resident.h"
#include "invoke/run.h"
#include "invoke/staging.h"
#include "invoke/timeline.h"
#include "invoke/user.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/trace.h"

/* Between SIGTERM and SIGKILL, if there is that much time. */
#define GRACE_MS 500
/* Lambda ends an initialisation of 10 s and starts all over. */
#define INIT_PATIENCE_MS 8500

struct scar_invoke {
	const struct scar_invoke_config *config;
	const struct scar_engine_ops *engine;
	struct scar_images *images;
	struct scar_prefetch *prefetch; /* while it has the images; NULL: nobody pulls beforehand */
	char *state_dir; /* the engine's, for all invocations: it keeps what it has learnt of files */
	int stop_fd;     /* readable from scar_invoke_stop() on */
	struct scar_resident *
		server; /* under the mutex; of a mode in which the program stays, once it was needed */
	struct scar_image_use server_use;
	pthread_mutex_t mutex;
	pthread_cond_t idle;
	bool busy, stopping; /* under the mutex */
};

/* One invocation. */
struct work {
	struct scar_invoke *invoke;
	const struct scar_invocation *invocation;
	const struct scar_event *event;
	struct scar_job job;
	struct scar_image_use use;
	struct scar_user user;
	const struct limits *limits;
	bool delegated; /* nothing is run here, AWS Batch does it */
	struct scar_response *response;
	struct scar_answer *answer;
};

/* When to stop, and how long it may take. */
struct limits {
	int64_t stop_ms; /* epoch ms, 0: never */
	int64_t grace_ms;
	int64_t deliver_ms; /* epoch ms until which results may go to storage, 0: any time */
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
	pthread_mutex_init(&invoke->mutex, NULL);
	pthread_cond_init(&invoke->idle, NULL);
	invoke->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (invoke->stop_fd < 0) {
		scar_err_errno(err, errno, "cannot make an event descriptor");
		scar_invoke_close(invoke);
		return -1;
	}
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
	scar_resident_stop(invoke->server);
	scar_image_use_end(&invoke->server_use);
	scar_prefetch_end(invoke->prefetch);
	scar_images_close(invoke->images);
	free(invoke->state_dir);
	scar_cleanup_fd(&invoke->stop_fd);
	pthread_cond_destroy(&invoke->idle);
	pthread_mutex_destroy(&invoke->mutex);
	free(invoke);
}

/* @return whether the images are ours again */
static bool await_prefetch(struct scar_invoke *invoke, int64_t until_ms)
{
	if (!invoke->prefetch)
		return true;
	if (!scar_prefetch_wait(invoke->prefetch, until_ms))
		return false;
	scar_prefetch_end(scar_steal(invoke->prefetch));
	return true;
}

int scar_invoke_prepare(struct scar_invoke *invoke, struct scar_err *err)
{
	const struct scar_invoke_config *config = invoke->config;

	if (!scar_prefetch_is_wanted(config))
		return 0;
	if (scar_prefetch_start(invoke->images, config->image, &invoke->prefetch, err) < 0)
		return -1;
	if (!await_prefetch(invoke, scar_clock_epoch_ms() + INIT_PATIENCE_MS))
		scar_info("%s is still on its way: the pull goes on in the first invocation",
			  config->image);
	return 0;
}

/* As scar_images_get(), after what was begun at initialisation. */
static int get_image(struct scar_invoke *invoke, const char *reference, int64_t stop_ms,
		     struct scar_image_use *ret_use, struct scar_err *err)
{
	if (!await_prefetch(invoke, stop_ms))
		return scar_err_set(
			err, SCAR_ERR_TIMEOUT,
			"the image was not complete when the function's deadline was near (image "
			"%s: its pull goes on in the next invocation)",
			invoke->config->image);
	return scar_images_get(invoke->images, reference, stop_ms, ret_use, err);
}

void scar_invoke_stop(struct scar_invoke *invoke, int64_t patience_ms)
{
	int64_t until_ms = scar_clock_epoch_ms() + patience_ms;
	const struct timespec until = {.tv_sec = until_ms / 1000,
				       .tv_nsec = until_ms % 1000 * 1000000};

	pthread_mutex_lock(&invoke->mutex);
	invoke->stopping = true;
	(void)eventfd_write(invoke->stop_fd, 1);
	while (invoke->busy && pthread_cond_timedwait(&invoke->idle, &invoke->mutex, &until) == 0)
		;
	if (invoke->server)
		scar_resident_tell(invoke->server, patience_ms);
	pthread_mutex_unlock(&invoke->mutex);
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
		/* The answer needs some of what is left then. */
		.deliver_ms = deadline_ms - margin_ms / 8,
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

static bool wants_files(const struct scar_invoke_config *config)
{
	return config->output == SCAR_OUTPUT_FILES || config->output == SCAR_OUTPUT_ZIP;
}

/* What a program that failed leaves is no result; what one wrote that had no more time may be one. */
static bool is_worth_keeping(const struct scar_run_result *result)
{
	return result->timed_out || (result->status.exited && result->status.code == 0);
}

/* AWS Batch shall do this item. To the answer it is as if a program had said so and ended well. @return as run_plan() */
static int delegate_item(const struct work *work, size_t index, struct scar_err *err)
{
	const struct scar_invoke_config *config = work->invoke->config;
	const struct scar_delegation delegation = {
		.request_id = work->invocation->request_id,
		.event = &work->event->items[index].document,
		.script = config->script.len > 0 ? &config->script : NULL,
	};
	struct scar_run_result result = {.status.exited = true};
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_KIB(4));
	if (scar_delegate(config, &delegation, &text, err) < 0 ||
	    scar_answer_write(work->answer, text.data, text.len, err) < 0)
		return -1;
	return scar_answer_ran(work->answer, index, &result, -1, err);
}

static bool delegates_too_much(const struct work *work)
{
	return work->invoke->config->execution == SCAR_EXECUTION_LAMBDA_BATCH;
}

/* @return 1 to go on with the next item, 0 to stop, -1 */
static int run_plan(const struct work *work, size_t index, const struct scar_plan *plan,
		    const struct scar_workspace *workspace, struct scar_err *err)
{
	const struct scar_engine_spec spec = scar_plan_spec(plan, work->use.entry,
							    work->invoke->state_dir);
	const struct scar_run_options options = {
		.engine = work->invoke->engine,
		.spec = &spec,
		.input = plan->input->data,
		.input_len = plan->input->len,
		.sink = scar_answer_write,
		.sink_ctx = work->answer,
		.stderr_fd = STDERR_FILENO,
		.json_log = scar_log_is_json(),
		.deadline_ms = work->limits->stop_ms,
		.grace_ms = work->limits->grace_ms,
		.stop_fd = work->invoke->stop_fd,
		.marker = plan->marker,
	};
	scar_fd_auto int output_fd = -1;
	struct scar_run_result result;
	int64_t begin_us;

	if (scar_run(&options, &result, err) < 0)
		return -1;
	if (result.timed_out && delegates_too_much(work))
		return delegate_item(work, index, err);
	begin_us = scar_trace_begin();
	if (is_worth_keeping(&result) &&
	    scar_staging_deliver(work->invoke->config->storage, workspace, work->limits->deliver_ms,
				 err) < 0)
		return -1;
	scar_trace_end(begin_us, "outputs", NULL, 0);
	if (wants_files(work->invoke->config) &&
	    scar_workspace_open_output(workspace, &output_fd, err) < 0)
		return -1;
	return scar_answer_ran(work->answer, index, &result, output_fd, err);
}

static int run_with(const struct work *work, size_t index, const struct scar_workspace *workspace,
		    const char *input_path, struct scar_err *err)
{
	scar_plan_auto struct scar_plan plan = {0};
	const struct scar_plan_input input = {
		.config = work->invoke->config,
		.image = &work->use.image->config,
		.image_has_tmp = scar_image_use_has_tmp(&work->use),
		.invocation = work->invocation,
		.job = &work->job,
		.user = &work->user,
		.workspace = workspace,
		.event = work->event,
		.item = &work->event->items[index],
		.input_path = input_path,
	};

	if (scar_plan_make(&input, &plan, err) < 0 ||
	    scar_workspace_put_files(workspace, plan.payload, plan.script, err) < 0)
		return -1;
	return run_plan(work, index, &plan, workspace, err);
}

static int run_in(const struct work *work, size_t index, const struct scar_workspace *workspace,
		  struct scar_err *err)
{
	const struct scar_invoke_config *config = work->invoke->config;
	scar_free_auto char *input_path = NULL;
	int64_t begin_us = scar_trace_begin();

	if (config->download_input &&
	    scar_staging_fetch(config->storage, &work->event->items[index], workspace,
			       work->limits->stop_ms, &input_path, err) < 0)
		return -1;
	scar_trace_end(begin_us, "inputs", NULL, 0);
	return run_with(work, index, workspace, input_path, err);
}

static int run_item(const struct work *work, size_t index, struct scar_err *err)
{
	bool late = work->limits->stop_ms && scar_clock_left_ms(work->limits->stop_ms) == 0;
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;
	struct scar_err other;
	int result;

	if (work->delegated || (late && delegates_too_much(work)))
		return delegate_item(work, index, err);
	if (late)
		return scar_err_set(err, SCAR_ERR_TIMEOUT,
				    "there was no time left to begin with this record");
	if (scar_workspace_create(work->invoke->config->store_dir, work->invocation->request_id,
				  &workspace, err) < 0)
		return -1;
	result = run_in(work, index, &workspace, err);
	if (scar_workspace_remove(&workspace, &other) < 0)
		scar_warn("cannot clean up after the invocation: %s", other.msg);
	return result;
}

/* ---- programs that stay ---- */

/* @return what was there */
static struct scar_resident *set_server(struct scar_invoke *invoke, struct scar_resident *server)
{
	struct scar_resident *before;

	pthread_mutex_lock(&invoke->mutex);
	before = invoke->server;
	invoke->server = server;
	pthread_mutex_unlock(&invoke->mutex);
	return before;
}

static int start_resident(struct scar_invoke *invoke, bool is_runtime, int64_t stop_ms,
			  struct scar_err *err)
{
	const struct scar_resident_options options = {
		.config = invoke->config,
		.engine = invoke->engine,
		.state_dir = invoke->state_dir,
		.use = &invoke->server_use,
		.is_runtime = is_runtime,
		.port = invoke->config->port,
	};
	struct scar_resident *server = NULL;

	if (!invoke->server_use.entry &&
	    get_image(invoke, invoke->config->image, stop_ms, &invoke->server_use, err) < 0)
		return -1;
	if (scar_resident_start(&options, &server, err) < 0)
		return -1;
	set_server(invoke, server);
	return 0;
}

/* A server that has ended since the last invocation is started again. */
static int need_server(struct scar_invoke *invoke, struct scar_proxy_options *proxy,
		       struct scar_err *err)
{
	struct scar_err how;

	if (invoke->server && scar_resident_ended(invoke->server, &how)) {
		scar_warn("the image's server is started again: %s", how.msg);
		scar_resident_stop(set_server(invoke, NULL));
	}
	proxy->resident = invoke->server;
	if (invoke->server)
		return 0;
	if (start_resident(invoke, false, proxy->deadline_ms, err) < 0)
		return -1;
	proxy->resident = invoke->server;
	return scar_proxy_await(proxy, err);
}

/* A server's sockets are closed before its end is known: one that takes no connection is waited for, or started again. */
static int pass_to_server(struct scar_invoke *invoke, struct scar_proxy_options *proxy,
			  struct scar_err *err)
{
	int passed;

	if (need_server(invoke, proxy, err) < 0)
		return -1;
	passed = scar_proxy_pass(proxy, err);
	if (passed != SCAR_PROXY_NOT_SENT)
		return passed;
	if (scar_proxy_await(proxy, err) < 0 && err->kind == SCAR_ERR_TIMEOUT)
		return -1;
	if (need_server(invoke, proxy, err) < 0)
		return -1;
	return scar_proxy_pass(proxy, err) == 0 ? 0 : -1;
}

static int serve_item(const struct work *work, size_t index, struct scar_err *err)
{
	const struct scar_invoke_config *config = work->invoke->config;
	struct scar_proxy_options options = {
		.port = config->port,
		.health_path = config->health_path,
		.deadline_ms = work->limits->stop_ms,
		.request_id = work->invocation->request_id,
		.event = work->event,
		.index = index,
		.sink = scar_answer_write,
		.sink_ctx = work->answer,
	};
	/* To the answer it is as if a program had printed this and ended well. */
	struct scar_run_result result = {.status.exited = true};

	if (pass_to_server(work->invoke, &options, err) < 0)
		return -1;
	return scar_answer_ran(work->answer, index, &result, -1, err);
}

int scar_invoke_runtime(struct scar_invoke *invoke, struct scar_err *err)
{
	if (start_resident(invoke, true, 0, err) < 0)
		return -1;
	return scar_resident_wait(invoke->server, err);
}

/* What is logged after the answer's end is not returned with it. */
static int finish(struct scar_answer *answer, struct scar_err *err)
{
	scar_timeline_tell();
	return scar_answer_finish(answer, err);
}

/* One failed item is told in the answer; only an answer that cannot be given ends all. */
static int run_items(const struct work *work, struct scar_err *err)
{
	struct scar_err why;
	int go_on = 1;

	for (size_t i = 0; i < work->event->count && go_on > 0; i++) {
		go_on = work->invoke->config->mode == SCAR_MODE_SERVER ? serve_item(work, i, &why)
								       : run_item(work, i, &why);
		if (go_on < 0 && scar_response_finished(work->response)) {
			/* Nobody takes the answer any more. */
			*err = why;
			return -1;
		}
		if (go_on < 0)
			go_on = scar_answer_broke(work->answer, i, &why, err);
	}
	return go_on < 0 ? -1 : finish(work->answer, err);
}

/* What the event asks for: in its own keys, or by wish in those of an HTTP request's body. */
static int read_job(const struct scar_invoke_config *config,
		    const struct scar_invocation *invocation, const struct scar_event *event,
		    struct scar_job *job, struct scar_err *err)
{
	bool body = config->body_is_event && event->is_http && event->count == 1 &&
		    event->items[0].has_payload;
	const struct scar_buf *text = body ? &event->items[0].payload : &invocation->event;

	return scar_job_parse(text->data, text->len, job, err);
}

/* For Lambda, not for a larger machine. */
static bool is_too_much(const struct scar_err *err)
{
	return err->kind == SCAR_ERR_NOSPACE || err->kind == SCAR_ERR_LIMIT ||
	       err->kind == SCAR_ERR_TIMEOUT;
}

static int handle_event(struct work *work, struct scar_err *err)
{
	const struct scar_invoke_config *config = work->invoke->config;
	const char *reference = NULL;
	int64_t begin_us;

	/* Nothing to run is nothing to pull either. */
	if (work->event->count == 0)
		return finish(work->answer, err);
	if (config->mode == SCAR_MODE_SERVER)
		return run_items(work, err);
	work->delegated = config->execution == SCAR_EXECUTION_BATCH;
	if (work->delegated)
		return run_items(work, err);
	if (read_job(config, work->invocation, work->event, &work->job, err) < 0 ||
	    choose_image(config, &work->job, &reference, err) < 0)
		return -1;
	begin_us = scar_trace_begin();
	if (get_image(work->invoke, reference, work->limits->stop_ms, &work->use, err) < 0) {
		work->delegated = delegates_too_much(work) && is_too_much(err);
		if (work->delegated)
			scar_warn("%s: AWS Batch shall do it", err->msg);
		return work->delegated ? run_items(work, err) : -1;
	}
	scar_trace_end(begin_us, "image", NULL, work->use.entry->pulled_bytes);
	if (scar_user_resolve(work->use.entry->rootfs_fd, work->use.image->config.user, &work->user,
			      err) < 0)
		return -1;
	return run_items(work, err);
}

static void clear_work(struct work *work)
{
	scar_user_clear(&work->user);
	scar_image_use_end(&work->use);
	scar_job_clear(&work->job);
}

static struct scar_answer_options answer_options(const struct scar_invoke_config *config,
						 const struct scar_invocation *invocation,
						 const struct scar_event *event,
						 struct scar_response *response, int64_t deliver_ms)
{
	static const enum scar_answer_output outputs[] = {
		[SCAR_OUTPUT_STDOUT] = SCAR_ANSWER_STDOUT,
		[SCAR_OUTPUT_FILES] = SCAR_ANSWER_FILES,
		[SCAR_OUTPUT_ZIP] = SCAR_ANSWER_ZIP,
		[SCAR_OUTPUT_JSON] = SCAR_ANSWER_JSON,
	};
	char *const *environment = config->environment;
	/* The server's own answer, with its header fields, is ours. */
	bool server = config->mode == SCAR_MODE_SERVER;

	return (struct scar_answer_options){
		.response = response,
		.event = event,
		.mode = config->response_mode == SCAR_RESPOND_STREAMING ? SCAR_RESPONSE_STREAMING
									: SCAR_RESPONSE_BUFFERED,
		.output = server ? SCAR_ANSWER_STDOUT : outputs[config->output],
		.head = server || config->output_headers,
		.plain_text = config->http_text,
		.memory_bytes = (uint64_t)config->memory_mb << 20,
		.request_id = invocation->request_id,
		.log_group = scar_environment_get(environment, "AWS_LAMBDA_LOG_GROUP_NAME"),
		.log_stream = scar_environment_get(environment, "AWS_LAMBDA_LOG_STREAM_NAME"),
		.log_fd = STDERR_FILENO,
		.json_log = scar_log_is_json(),
		.overflow = {.storage = config->storage,
			     .dir_path = config->store_dir,
			     .request_id = invocation->request_id,
			     .deadline_ms = deliver_ms},
	};
}

/* A failure before any item ran is that of all; who asks over HTTP or for a batch is told in its own way. */
static int handle(struct scar_invoke *invoke, const struct scar_invocation *invocation,
		  struct scar_response *response, struct scar_err *err)
{
	const struct limits limits = limits_of(invoke->config, invocation->deadline_ms);
	scar_event_auto struct scar_event event = {0};
	scar_answer_auto struct scar_answer answer;
	struct work work = {.invoke = invoke,
			    .invocation = invocation,
			    .event = &event,
			    .limits = &limits,
			    .response = response,
			    .answer = &answer};
	struct scar_answer_options options;
	struct scar_err why;
	int failed;

	if (scar_event_read(invocation->event.data, invocation->event.len,
			    invoke->config->body_is_event, &event, err) < 0) {
		options = answer_options(invoke->config, invocation, NULL, response,
					 limits.deliver_ms);
		scar_answer_init(&answer, &options);
		return -1;
	}
	scar_debug("an event of %s with %zu items", event.source, event.count);
	options = answer_options(invoke->config, invocation, &event, response, limits.deliver_ms);
	scar_answer_init(&answer, &options);
	failed = handle_event(&work, &why);
	clear_work(&work);
	if (!failed)
		return 0;
	if (!event.is_http || scar_response_finished(response)) {
		scar_timeline_tell();
		*err = why;
		return -1;
	}
	if (scar_answer_broke(&answer, 0, &why, err) < 0)
		return -1;
	return finish(&answer, err);
}

static int begin(struct scar_invoke *invoke, struct scar_err *err)
{
	bool stopping;

	pthread_mutex_lock(&invoke->mutex);
	stopping = invoke->stopping;
	invoke->busy = !stopping;
	pthread_mutex_unlock(&invoke->mutex);
	return stopping
		       ? scar_err_set(err, SCAR_ERR_INTERRUPTED, "the environment is shutting down")
		       : 0;
}

static void end(struct scar_invoke *invoke)
{
	pthread_mutex_lock(&invoke->mutex);
	invoke->busy = false;
	pthread_cond_broadcast(&invoke->idle);
	pthread_mutex_unlock(&invoke->mutex);
}

int scar_invoke_handle(void *ctx, const struct scar_invocation *invocation,
		       struct scar_response *response, struct scar_err *err)
{
	struct scar_invoke *invoke = ctx;
	int result;

	if (begin(invoke, err) < 0)
		return -1;
	if (scar_timeline_is_wanted(invocation))
		scar_trace_start();
	result = handle(invoke, invocation, response, err);
	scar_trace_stop();
	end(invoke);
	return result;
}
