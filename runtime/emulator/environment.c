/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/environment.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/api/protocol.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/function.h"
#include "runtime/emulator/jail.h"
#include "runtime/emulator/output.h"
#include "runtime/emulator/runtime_server.h"

/* Lambda gives initialisation 10 s, then tries again with the first invocation. */
#define INIT_US (10 * 1000000LL)
#define THREAD_STACK_BYTES SCAR_MIB(1)
#define ARN_BYTES 512

struct scar_environment {
	const struct scar_function *function;
	struct scar_output *output;
	char arn[ARN_BYTES];
	char **variables;
	struct scar_runtime_server server;
	pthread_t thread;
	bool thread_started;

	/* Of the thread alone. */
	bool initialised;     /**< the runtime has asked for an invocation */
	int64_t init_us;      /**< how long that took; 0: told already */
	char end_reason[128]; /**< why the runtime ended, in the service's words */
	bool told_missing;
	bool frozen;

	/* Shared. */
	pthread_mutex_t mutex;
	struct scar_jail *jail; /**< NULL: no runtime */
	bool stopping;
	bool busy; /**< the thread has taken a call */
	int wake_fd;
	struct scar_call *queue[SCAR_ENVIRONMENT_QUEUE];
	size_t first;
	size_t waiting;
};

static bool is_stopping(struct scar_environment *env)
{
	bool stopping;

	pthread_mutex_lock(&env->mutex);
	stopping = env->stopping;
	pthread_mutex_unlock(&env->mutex);
	return stopping;
}

static void sample(void *ctx)
{
	struct scar_environment *env = ctx;

	pthread_mutex_lock(&env->mutex);
	if (env->jail)
		scar_jail_sample(env->jail);
	pthread_mutex_unlock(&env->mutex);
}

/* ---- the runtime's process ------------------------------------------------------------------ */

static void tell_missing(struct scar_environment *env, unsigned missing)
{
	if (env->told_missing)
		return;
	env->told_missing = true;
	for (unsigned bit = 1; bit <= missing; bit <<= 1) {
		if (missing & bit)
			scar_output_line(env->output, "scar: the jail lacks %s on this machine",
					 scar_jail_missing_text((enum scar_jail_missing)bit));
	}
}

static int start_runtime(struct scar_environment *env, struct scar_err *err)
{
	const struct scar_function *function = env->function;
	const struct scar_jail_options options = {
		.off = function->no_jail,
		.kernel = function->kernel,
		.memory_bytes = (uint64_t)function->memory_mb << 20,
		.tmp_bytes = (uint64_t)function->tmp_mb << 20,
		.program = function->bootstrap,
		.envp = env->variables,
		.binds = function->binds,
		.task = function->task,
		.layers = function->layers,
		.stdout_fd = scar_output_fd(env->output),
		.stderr_fd = scar_output_fd(env->output),
	};
	struct scar_jail *jail;

	scar_runtime_server_reset(&env->server);
	env->initialised = false;
	if (scar_jail_start(&options, &jail, err) < 0)
		return -1;
	pthread_mutex_lock(&env->mutex);
	env->jail = jail;
	if (env->stopping)
		scar_jail_kill(jail);
	pthread_mutex_unlock(&env->mutex);
	tell_missing(env, scar_jail_missing(jail));
	return 0;
}

static void describe_end(struct scar_environment *env, const struct scar_jail_exit *end)
{
	char *text = env->end_reason;
	size_t size = sizeof(env->end_reason);
	int status = end->status;

	if (end->killed || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		snprintf(text, size, "Runtime exited with error: signal: killed");
	else if (WIFSIGNALED(status))
		snprintf(text, size, "Runtime exited with error: signal: %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(text, size, "Runtime exited with error: exit status %d",
			 WEXITSTATUS(status));
	else
		snprintf(text, size, "Runtime exited without providing a reason");
}

/* Between invocations nothing inside runs, where that is wanted. */
static void freeze(struct scar_environment *env, bool on)
{
	if (env->jail && env->frozen != on && env->function->freeze) {
		scar_jail_freeze(env->jail, on);
		env->frozen = on;
	}
}

/* The runtime has ended or must end: nothing of it is left afterwards. */
static void end_runtime(struct scar_environment *env, bool kill_it)
{
	struct scar_jail_exit end = {.killed = true};
	struct scar_jail *jail;
	struct scar_err err;

	if (!env->jail)
		return;
	freeze(env, false);
	if (kill_it)
		scar_jail_kill(env->jail);
	if (scar_jail_wait(env->jail, &end, &err) < 0)
		end.killed = true;
	describe_end(env, &end);
	pthread_mutex_lock(&env->mutex);
	jail = env->jail;
	env->jail = NULL;
	pthread_mutex_unlock(&env->mutex);
	scar_jail_free(jail);
	env->initialised = false;
}

/* Serves the runtime until something happens. @return false when the runtime has ended */
static bool step(struct scar_environment *env, int64_t deadline_us)
{
	struct scar_err err;
	int ready = scar_runtime_server_step(&env->server, scar_jail_fd(env->jail), env->wake_fd,
					     deadline_us, &err);
	uint64_t count;

	if (ready > 0 && (ready & 2))
		(void)!read(env->wake_fd, &count, sizeof(count));
	return ready >= 0 && !(ready & 1);
}

/* Until the runtime asks for its first invocation. */
static int initialise(struct scar_environment *env, int64_t deadline_us, struct scar_err *err)
{
	int64_t start_us = scar_clock_monotonic_us();

	if (start_runtime(env, err) < 0)
		return -1;
	while (env->server.waiting < 0) {
		if (!step(env, deadline_us)) {
			end_runtime(env, false);
			return scar_err_set(err, SCAR_ERR_EXEC, "%s", env->end_reason);
		}
		if (scar_clock_monotonic_us() >= deadline_us) {
			end_runtime(env, true);
			return scar_err_set(err, SCAR_ERR_TIMEOUT, "initialisation took too long");
		}
	}
	env->initialised = true;
	env->init_us = scar_clock_monotonic_us() - start_us;
	return 0;
}

/* ---- one invocation ------------------------------------------------------------------------- */

/* What the service itself says; its words name the request. */
static void fail_call(struct scar_call *call, const char *type, const char *message)
{
	scar_buf_auto struct scar_buf document;
	struct scar_err err;
	char text[SCAR_ERR_MSG_MAX + 128];

	snprintf(text, sizeof(text), "RequestId: %s Error: %s", scar_call_id(call), message);
	scar_buf_init(&document, SCAR_KIB(64));
	if (scar_buf_printf(&document, &err, "{\"errorType\":\"%s\",\"errorMessage\":", type) < 0 ||
	    scar_json_append_string(&document, text, strlen(text), &err) < 0 ||
	    scar_buf_append_char(&document, '}', &err) < 0)
		scar_call_fail(call, type, "{}");
	else
		scar_call_fail(call, type, document.data);
}

/* An initialisation that failed: the runtime's own words, if it left any. */
static void fail_init(struct scar_environment *env, struct scar_call *call,
		      const struct scar_err *err)
{
	if (env->server.init_error_type[0])
		scar_call_fail(call, env->server.init_error_type, env->server.init_error.data);
	else if (err->kind == SCAR_ERR_EXEC && env->end_reason[0])
		fail_call(call, SCAR_API_TYPE_EXIT, env->end_reason);
	else
		fail_call(call, "Runtime.InvalidEntrypoint", err->msg);
}

static bool timed_out(struct scar_environment *env, struct scar_call *call, int64_t deadline_us)
{
	char message[64];

	if (scar_clock_monotonic_us() < deadline_us)
		return false;
	end_runtime(env, true);
	snprintf(message, sizeof(message), "Task timed out after %u.00 seconds",
		 env->function->timeout_s);
	scar_output_line(env->output, "%s %s", scar_call_id(call), message);
	fail_call(call, SCAR_API_TYPE_TIMEOUT, message);
	return true;
}

/* Until the runtime asks for the next invocation, ends, or is out of time. */
static void await_answer(struct scar_environment *env, struct scar_call *call, int64_t deadline_us)
{
	while (!(env->server.answered && env->server.waiting >= 0)) {
		bool alive = step(env, deadline_us);

		if (is_stopping(env)) {
			end_runtime(env, true);
			fail_call(call, SCAR_API_TYPE_EXIT, "the environment was stopped");
			return;
		}
		if (!alive) {
			end_runtime(env, false);
			scar_output_line(env->output, "RequestId: %s Error: %s", scar_call_id(call),
					 env->end_reason);
			if (!env->server.answered)
				fail_call(call, SCAR_API_TYPE_EXIT, env->end_reason);
			return;
		}
		if (timed_out(env, call, deadline_us))
			return;
	}
}

static void answer(struct scar_environment *env, struct scar_call *call, int64_t start_us)
{
	int64_t deadline_us = start_us + (int64_t)env->function->timeout_s * 1000000;
	int64_t deadline_ms;
	struct scar_err err;

	/* The runtime has ended since: initialisation now counts as a part of the invocation. */
	if (!env->initialised && initialise(env, deadline_us, &err) < 0) {
		if (err.kind != SCAR_ERR_TIMEOUT || !timed_out(env, call, deadline_us))
			fail_init(env, call, &err);
		return;
	}
	deadline_ms = scar_clock_epoch_ms() + (deadline_us - scar_clock_monotonic_us()) / 1000;
	if (scar_runtime_server_deliver(&env->server, call, deadline_ms, &err) < 0) {
		end_runtime(env, true);
		fail_call(call, SCAR_API_TYPE_EXIT, err.msg);
		return;
	}
	await_answer(env, call, deadline_us);
	env->server.call = NULL;
	env->server.answered = false;
}

static unsigned peak_mb(struct scar_environment *env, uint64_t before)
{
	uint64_t bytes = before;

	pthread_mutex_lock(&env->mutex);
	if (env->jail) {
		scar_jail_sample(env->jail);
		if (scar_jail_peak_bytes(env->jail) > bytes)
			bytes = scar_jail_peak_bytes(env->jail);
	}
	pthread_mutex_unlock(&env->mutex);
	return (unsigned)((bytes + SCAR_MIB(1) - 1) >> 20);
}

static void report(struct scar_environment *env, const struct scar_call *call, int64_t took_us,
		   int64_t init_us, unsigned used_mb)
{
	char init[48] = "";

	if (init_us)
		snprintf(init, sizeof(init), "Init Duration: %.2f ms\t", (double)init_us / 1000);
	scar_output_line(env->output, "END RequestId: %s", scar_call_id(call));
	scar_output_line(env->output,
			 "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %" PRId64
			 " ms\tMemory Size: %u MB\tMax Memory Used: %u MB\t%s",
			 scar_call_id(call), (double)took_us / 1000,
			 (took_us + init_us + 999) / 1000, env->function->memory_mb,
			 used_mb ? used_mb : 1, init);
}

static void serve_call(struct scar_environment *env, struct scar_call *call)
{
	int64_t init_us = env->initialised ? env->init_us : 0;
	int64_t start_us = scar_clock_monotonic_us();
	scar_buf_auto struct scar_buf tail;
	struct scar_err err;

	scar_buf_init(&tail, SCAR_OUTPUT_TAIL_BYTES);
	freeze(env, false);
	scar_output_mark(env->output);
	scar_output_line(env->output, "START RequestId: %s Version: %s", scar_call_id(call),
			 SCAR_FUNCTION_VERSION);
	answer(env, call, start_us);
	env->init_us = 0;
	report(env, call, scar_clock_monotonic_us() - start_us, init_us, peak_mb(env, 0));
	if (scar_output_tail(env->output, &tail, &err) < 0)
		scar_buf_clear(&tail);
	/* Whoever sees the end and invokes again finds it idle. */
	pthread_mutex_lock(&env->mutex);
	env->busy = false;
	pthread_mutex_unlock(&env->mutex);
	scar_call_finish(call, &tail);
	scar_call_unref(call);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static struct scar_call *take(struct scar_environment *env)
{
	struct scar_call *call = NULL;

	pthread_mutex_lock(&env->mutex);
	env->busy = env->waiting > 0;
	if (env->waiting > 0) {
		call = env->queue[env->first];
		env->first = (env->first + 1) % SCAR_ENVIRONMENT_QUEUE;
		env->waiting--;
	}
	pthread_mutex_unlock(&env->mutex);
	return call;
}

static void idle(struct scar_environment *env)
{
	struct scar_err err;
	uint64_t count;

	if (env->jail) {
		if (env->server.waiting >= 0)
			freeze(env, true);
		if (!step(env, 0)) {
			end_runtime(env, false);
			if (!is_stopping(env))
				scar_output_line(env->output, "scar: between invocations: %s",
						 env->end_reason);
		}
		return;
	}
	/* A dead environment waits for a reason to live. */
	if (scar_runtime_server_step(&env->server, -1, env->wake_fd, 0, &err) > 0)
		(void)!read(env->wake_fd, &count, sizeof(count));
}

static void refuse_waiting(struct scar_environment *env)
{
	struct scar_call *call;

	while ((call = take(env)) != NULL) {
		fail_call(call, SCAR_API_TYPE_EXIT, "the environment was stopped");
		scar_call_finish(call, NULL);
		scar_call_unref(call);
	}
}

static void *live(void *arg)
{
	struct scar_environment *env = arg;
	struct scar_err err;

	if (initialise(env, scar_clock_monotonic_us() + INIT_US, &err) < 0 && !is_stopping(env))
		scar_output_line(env->output, "INIT_REPORT Status: error\t%s", err.msg);
	while (!is_stopping(env)) {
		struct scar_call *call = take(env);

		if (call)
			serve_call(env, call);
		else
			idle(env);
	}
	end_runtime(env, true);
	refuse_waiting(env);
	return NULL;
}

static int start_thread(struct scar_environment *env, struct scar_err *err)
{
	pthread_attr_t attr;
	int result;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	result = pthread_create(&env->thread, &attr, live, env);
	pthread_attr_destroy(&attr);
	if (result != 0)
		return scar_err_errno(err, result, "cannot start a thread");
	env->thread_started = true;
	return 0;
}

static int set_up(struct scar_environment *env, int log_fd, struct scar_err *err)
{
	env->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (env->wake_fd < 0)
		return scar_err_errno(err, errno, "eventfd");
	if (scar_runtime_server_open(&env->server, env->arn, err) < 0 ||
	    scar_function_environment(env->function, env->server.port, &env->variables, err) < 0 ||
	    scar_output_create(log_fd, sample, env, &env->output, err) < 0)
		return -1;
	return start_thread(env, err);
}

int scar_environment_create(const struct scar_function *function, int log_fd,
			    struct scar_environment **ret_environment, struct scar_err *err)
{
	struct scar_environment *env = calloc(1, sizeof(*env));

	if (!env)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	env->function = function;
	env->wake_fd = -1;
	env->server.listen_fd = -1;
	pthread_mutex_init(&env->mutex, NULL);
	snprintf(env->arn, sizeof(env->arn),
		 "arn:aws:lambda:" SCAR_FUNCTION_REGION ":" SCAR_FUNCTION_ACCOUNT ":function:%s",
		 function->name);
	if (set_up(env, log_fd, err) < 0) {
		scar_environment_free(env);
		return -1;
	}
	*ret_environment = env;
	return 0;
}

static void wake(const struct scar_environment *env)
{
	const uint64_t one = 1;

	(void)!write(env->wake_fd, &one, sizeof(one));
}

int scar_environment_invoke(struct scar_environment *env, struct scar_call *call,
			    struct scar_err *err)
{
	int result = 0;

	pthread_mutex_lock(&env->mutex);
	if (env->stopping) {
		result = scar_err_set(err, SCAR_ERR_INTERRUPTED, "the environment is ending");
	} else if (env->waiting == SCAR_ENVIRONMENT_QUEUE) {
		result = scar_err_set(err, SCAR_ERR_RATE_LIMIT, "too many invocations wait");
	} else {
		env->queue[(env->first + env->waiting) % SCAR_ENVIRONMENT_QUEUE] = scar_call_ref(
			call);
		env->waiting++;
	}
	pthread_mutex_unlock(&env->mutex);
	if (result == 0)
		wake(env);
	return result;
}

size_t scar_environment_load(struct scar_environment *env)
{
	size_t load;

	pthread_mutex_lock(&env->mutex);
	load = env->waiting + (env->busy ? 1 : 0);
	pthread_mutex_unlock(&env->mutex);
	return load;
}

void scar_environment_stop(struct scar_environment *env)
{
	pthread_mutex_lock(&env->mutex);
	env->stopping = true;
	if (env->jail)
		scar_jail_kill(env->jail);
	pthread_mutex_unlock(&env->mutex);
	wake(env);
}

void scar_environment_free(struct scar_environment *env)
{
	if (!env)
		return;
	if (env->thread_started) {
		scar_environment_stop(env);
		pthread_join(env->thread, NULL);
	}
	scar_output_free(env->output);
	scar_runtime_server_close(&env->server);
	scar_function_environment_free(env->variables);
	if (env->wake_fd >= 0)
		close(env->wake_fd);
	pthread_mutex_destroy(&env->mutex);
	free(env);
}
