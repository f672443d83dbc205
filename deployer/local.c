/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/commands.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/local_config.h"
#include "deployer/local_trigger.h"
#include "deployer/result.h"
#include "deployer/timeline.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/environment.h"
#include "runtime/emulator/frontend.h"
#include "runtime/emulator/pool.h"

#define PIECE_MAX SCAR_MIB(8)

/* ---- signals -------------------------------------------------------------------------------- */

/* Ends an environment when the user asks for the end. */
struct guard {
	struct scar_environment *environment; /**< of run */
	struct scar_pool *pool;               /**< of serve, as is the frontend */
	struct scar_frontend *frontend;
	pthread_t thread;
	atomic_int signum; /**< 0: none came */
};

static void guarded_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	/* Sent by ourselves: no more to guard. */
	sigaddset(set, SIGUSR1);
}

static void *watch(void *arg)
{
	struct guard *guard = arg;
	sigset_t set;
	int signum = 0;

	guarded_set(&set);
	while (sigwait(&set, &signum) != 0)
		;
	if (signum == SIGUSR1)
		return NULL;
	atomic_store(&guard->signum, signum);
	if (guard->environment)
		scar_environment_stop(guard->environment);
	if (guard->pool)
		scar_pool_stop(guard->pool);
	if (guard->frontend)
		scar_frontend_stop(guard->frontend);
	return NULL;
}

/* Before any thread starts, so that all of them leave the signals to the guard. */
static void block_signals(void)
{
	sigset_t set;

	guarded_set(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int start_guard(struct guard *guard, struct scar_err *err)
{
	int result = pthread_create(&guard->thread, NULL, watch, guard);

	return result == 0 ? 0 : scar_err_errno(err, result, "cannot start a thread");
}

static void end_guard(struct guard *guard)
{
	pthread_kill(guard->thread, SIGUSR1);
	pthread_join(guard->thread, NULL);
}

/* ---- run ------------------------------------------------------------------------------------ */

static int complain(const struct scar_err *err)
{
	fprintf(stderr, "scar: %s\n", err->msg);
	return err->kind == SCAR_ERR_CONFIG ? SCAR_EXIT_USAGE : scar_err_info(err->kind)->exit_code;
}

/* Prints while it comes. */
static int print_answer(struct scar_call *call, struct scar_err *err)
{
	scar_buf_auto struct scar_buf piece;
	int got;

	scar_buf_init(&piece, PIECE_MAX);
	while ((got = scar_call_read(call, &piece, err)) > 0) {
		if (scar_fs_write_all(STDOUT_FILENO, piece.data, piece.len, "standard output",
				      err) < 0) {
			scar_call_leave(call);
			return -1;
		}
	}
	return got;
}

static int exit_code_of(const struct scar_call *call, struct scar_err *err)
{
	const char *type = scar_call_error_type(call);
	scar_buf_auto struct scar_buf output;
	struct scar_result result;

	scar_buf_init(&output, SCAR_LIMIT_RESPONSE_BYTES);
	if (!type)
		return 0;
	scar_result_parse(type, scar_call_error_document(call), &result, &output);
	if (scar_fs_write_all(STDOUT_FILENO, output.data, output.len, "standard output", err) < 0)
		return complain(err);
	/* Of a program that ended by itself its own words are enough. */
	if (!result.has_exit_code || (strcmp(result.type, "Function.ExitError") != 0 &&
				      strcmp(result.type, "Function.Signal") != 0))
		fprintf(stderr, "scar: %s: %s\n", result.type, result.message);
	return result.exit_code;
}

static int invoke_once(const struct scar_local_config *config, struct scar_environment *environment,
		       const struct scar_buf *event, struct scar_call **ret_call,
		       struct scar_err *err)
{
	const struct scar_call_request request = {
		.event = event->data,
		.event_len = event->len,
		.stream = true,
		.client_context = config->client_context,
	};

	if (scar_call_create(&request, ret_call, err) < 0)
		return -1;
	if (scar_environment_invoke(environment, *ret_call, err) < 0)
		return -1;
	return print_answer(*ret_call, err);
}

static int run(const struct scar_local_config *config, const struct scar_arguments *arguments)
{
	struct guard guard = {0};
	scar_buf_auto struct scar_buf event;
	struct scar_call *call = NULL;
	struct scar_err err;
	int code;

	scar_buf_init(&event, SCAR_LIMIT_EVENT_BYTES);
	if (scar_local_config_event(config, &event, &err) < 0 ||
	    scar_environment_create(&config->function, STDERR_FILENO, &guard.environment, &err) < 0)
		return complain(&err);
	if (start_guard(&guard, &err) < 0) {
		scar_environment_free(guard.environment);
		return complain(&err);
	}
	if (invoke_once(config, guard.environment, &event, &call, &err) < 0)
		code = complain(&err);
	else
		code = exit_code_of(call, &err);
	end_guard(&guard);
	if (call && scar_timeline_save(arguments, config->function.name,
				       scar_call_log_tail(call)->data, &err) < 0) {
		int missing = complain(&err);

		code = code ? code : missing;
	}
	scar_call_unref(call);
	scar_environment_free(guard.environment);
	return atomic_load(&guard.signum) ? 128 + atomic_load(&guard.signum) : code;
}

/* ---- serve ---------------------------------------------------------------------------------- */

/* Serves until somebody asks for the end. */
static int serve_pool(const struct scar_local_config *config, char **environment,
		      struct guard *guard, struct scar_err *err)
{
	struct scar_local_trigger *trigger = NULL;
	int code = 0;

	if ((config->s3_trigger &&
	     scar_local_trigger_start(config->definition, environment, guard->pool,
				      config->concurrency, &trigger, err) < 0) ||
	    start_guard(guard, err) < 0) {
		code = complain(err);
	} else {
		fprintf(stderr, "scar: function %s at http://%s:%u\n", config->function.name,
			config->host, (unsigned)config->port);
		if (scar_frontend_run(guard->frontend, guard->pool, err) < 0)
			code = complain(err);
		end_guard(guard);
	}
	scar_pool_stop(guard->pool);
	scar_local_trigger_stop(trigger);
	return code;
}

static int serve(const struct scar_local_config *config, char **environment)
{
	struct guard guard = {0};
	struct scar_err err;
	int code;

	if (scar_frontend_open(config->host, config->port, &guard.frontend, &err) < 0)
		return complain(&err);
	if (scar_pool_create(&config->function, config->concurrency, STDERR_FILENO, &guard.pool,
			     &err) < 0) {
		scar_frontend_free(guard.frontend);
		return complain(&err);
	}
	code = serve_pool(config, environment, &guard, &err);
	scar_frontend_free(guard.frontend);
	scar_pool_free(guard.pool);
	return code;
}

static int start(bool serving, const struct scar_arguments *arguments, char **environment)
{
	struct scar_local_config config;
	struct scar_err err;
	int code;

	if (scar_local_config_read(serving, arguments, environment, &config, &err) < 0) {
		fprintf(stderr, "scar: %s\nTry: scar %s --help\n", err.msg,
			arguments->command->name);
		return err.kind == SCAR_ERR_CONFIG ? SCAR_EXIT_USAGE
						   : scar_err_info(err.kind)->exit_code;
	}
	block_signals();
	code = serving ? serve(&config, environment) : run(&config, arguments);
	scar_local_config_clear(&config);
	return code;
}

int scar_local_run_command(const struct scar_arguments *arguments, char **environment)
{
	return start(false, arguments, environment);
}

int scar_local_serve_command(const struct scar_arguments *arguments, char **environment)
{
	return start(true, arguments, environment);
}
