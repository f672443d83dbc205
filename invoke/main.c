/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootstrap: the custom runtime. Takes invocations of Lambda's Runtime API and runs each as a program of a container image.
 *
 * Arguments do not matter: as AWS_LAMBDA_EXEC_WRAPPER of a managed runtime it is started with that runtime's command line, and takes
 * its place. In a container of AWS Batch it is the supervisor of a job (batch.h).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "invoke/batch.h"
#include "invoke/config.h"
#include "invoke/handler.h"
#include "invoke/workers.h"
#include "runtime/api/loop.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/version.h"

static void set_up_log(enum scar_log_level level, bool json)
{
	const struct scar_log_options options = {
		.level = level, .json = json, .program = "bootstrap"};

	scar_log_setup(&options);
}

/* Tells Lambda why this runtime cannot work, as far as there is a Lambda. */
static int give_up(const char *api, const struct scar_err *err)
{
	const struct scar_function_error error = scar_function_error_from(err);
	struct scar_err other;

	scar_error("%s", err->msg);
	if (api && *api && scar_loop_init_error(api, &error, &other) < 0)
		scar_error("cannot tell the Runtime API: %s", other.msg);
	return 1;
}

static void tell_unknown(const char *name, void *ctx)
{
	(void)ctx;
	scar_warn("there is no setting %s; it has no effect", name);
}

/* Lambda kills 300 ms or more after SIGTERM (with extensions 2 s); a container's supervisor after 10 s. */
#define STOP_PATIENCE_MS 1500

static void block_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	/* Threads inherit it; the program gets a mask of its own. */
	pthread_sigmask(SIG_BLOCK, ret_set, NULL);
}

/* The end of the environment must be that of the program too, which is in a session of its own. */
static void *wait_for_signals(void *ctx)
{
	sigset_t set;
	int sig = 0;

	block_signals(&set);
	while (sigwait(&set, &sig) != 0)
		;
	scar_info("stopping for signal %d", sig);
	scar_invoke_stop(ctx, STOP_PATIENCE_MS);
	_exit(0);
}

static int start_signal_thread(struct scar_invoke *invoke, struct scar_err *err)
{
	pthread_t thread;
	int errnum = pthread_create(&thread, NULL, wait_for_signals, invoke);

	if (errnum)
		return scar_err_errno(err, errnum, "cannot start a thread");
	pthread_detach(thread);
	return 0;
}

/* The image's own runtime is at work; Lambda sees its end as ours. */
static int be_runtime(const struct scar_invoke_config *config, struct scar_invoke *invoke)
{
	struct scar_err err;
	int status = scar_invoke_runtime(invoke, &err);

	if (status < 0)
		return give_up(config->runtime_api, &err);
	scar_error("the image's runtime has ended: %s", err.msg);
	scar_invoke_close(invoke);
	return status;
}

static int serve(const struct scar_invoke_config *config)
{
	struct scar_loop_options loop = {.api = config->runtime_api, .handler = scar_invoke_handle};
	struct scar_invoke *invoke = NULL;
	struct scar_err err;
	sigset_t set;
	int worker = 1;

	/* A server, or a runtime of the image, handles its own concurrency. */
	if (config->concurrency > 1 && config->mode == SCAR_MODE_PROGRAM)
		worker = scar_workers_run(config->concurrency, &err);
	if (worker < 0)
		return give_up(config->runtime_api, &err);
	if (worker == 0)
		return 0;
	/* Before there is any thread. */
	block_signals(&set);
	if (scar_invoke_open(config, &invoke, &err) < 0 || start_signal_thread(invoke, &err) < 0)
		return give_up(config->runtime_api, &err);
	if (config->mode == SCAR_MODE_RUNTIME)
		return be_runtime(config, invoke);
	if (scar_invoke_prepare(invoke, &err) < 0)
		return give_up(config->runtime_api, &err);
	loop.ctx = invoke;
	/* Only ever returns because there is nobody left to work for. */
	(void)scar_loop_run(&loop, &err);
	scar_error("%s", err.msg);
	scar_invoke_close(invoke);
	return scar_err_info(err.kind)->exit_code;
}

int main(int argc, char **argv)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};
	struct scar_err err;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("bootstrap (SCAR) %s\n", SCAR_VERSION) < 0;
	/* A program that does not read its input, or a peer that goes away, is an error of a call and not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	set_up_log(SCAR_LOG_INFO, false);
	if (scar_batch_is_job(environ))
		return scar_batch_run(environ);
	if (scar_invoke_config_load(environ, &config, &err) < 0 ||
	    scar_invoke_config_need_api(&config, &err) < 0)
		return give_up(scar_environment_get(environ, "AWS_LAMBDA_RUNTIME_API"), &err);
	set_up_log((enum scar_log_level)config.log_level,
		   config.log_format == SCAR_LOG_FORMAT_JSON);
	scar_invoke_config_unknown(environ, tell_unknown, NULL);
	return serve(&config);
}
