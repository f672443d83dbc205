/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "deployer/local_config.h"
#include "deployer/result.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/environment.h"
#include "runtime/emulator/frontend.h"
#include "runtime/emulator/pool.h"

#define PIECE_MAX SCAR_MIB(8)

static const char common_help[] =
	"Options:\n"
	"  --engine NAME      auto, rewrite, ptrace or native: how the image's programs are run\n"
	"  --memory MB        memory of the function (512)\n"
	"  --tmp-size MB      size of its /tmp, which holds the image (512)\n"
	"  --timeout S        seconds that an invocation may take (300)\n"
	"  -e, --env K=V      a variable of the function; may be repeated\n"
	"  --plain-http       use http:// for registries that are not on this machine\n"
	"  --name NAME        name of the function (scar)\n"
	"  --bootstrap PATH   the runtime; default: bootstrap beside this program\n"
	"  --no-jail          without the restrictions of Lambda\n"
	"Variables of the environment:\n"
	"  SCAR_*, SSL_CERT_FILE   handed to the function, e.g. SCAR_REGISTRY_USERNAME, SCAR_REGISTRY_PASSWORD\n"
	"  SCAR_JAIL               on, off, kernel-5.10, kernel-4.14: which kernel the function seems to meet\n";

static const char run_help[] =
	"usage: scar local run [OPTION...] IMAGE [--] [ARGUMENT...]\n"
	"\n"
	"Runs IMAGE once as a Lambda function on this machine: pulled by the function itself, without\n"
	"privilege, in a sandbox that refuses what Lambda refuses. Prints what the program prints, and\n"
	"exits as it does. IMAGE is [HOST[:PORT]/]NAME[:TAG][@DIGEST], oci:DIR[:TAG] or\n"
	"docker-archive:FILE; the arguments take the place of the image's command.\n"
	"\n"
	"  --script FILE      run this script in the image instead of its command\n"
	"  --stdin FILE       the program's standard input; - is this program's own\n";

static const char serve_help[] =
	"usage: scar local serve [--port N] [OPTION...] [IMAGE]\n"
	"\n"
	"Keeps a function on this machine that AWS clients can invoke:\n"
	"  aws lambda invoke --endpoint-url http://127.0.0.1:9001 --function-name scar out\n"
	"IMAGE may be left out if events name one (SCAR_ALLOW_EVENT_IMAGE=1).\n"
	"\n"
	"  --port N           port on the loopback interface (9001)\n"
	"  --concurrency N    environments that may work at once (1)\n";

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
	return err->kind == SCAR_ERR_CONFIG ? EX_USAGE : scar_err_info(err->kind)->exit_code;
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

static int invoke_once(struct scar_environment *environment, const struct scar_buf *event,
		       struct scar_call **ret_call, struct scar_err *err)
{
	const struct scar_call_request request = {
		.event = event->data,
		.event_len = event->len,
		.stream = true,
	};

	if (scar_call_create(&request, ret_call, err) < 0)
		return -1;
	if (scar_environment_invoke(environment, *ret_call, err) < 0)
		return -1;
	return print_answer(*ret_call, err);
}

static int run(const struct scar_local_config *config)
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
	if (invoke_once(guard.environment, &event, &call, &err) < 0)
		code = complain(&err);
	else
		code = exit_code_of(call, &err);
	end_guard(&guard);
	scar_call_unref(call);
	scar_environment_free(guard.environment);
	return atomic_load(&guard.signum) ? 128 + atomic_load(&guard.signum) : code;
}

/* ---- serve ---------------------------------------------------------------------------------- */

static int serve(const struct scar_local_config *config)
{
	struct guard guard = {0};
	struct scar_err err;
	int code = 0;

	if (scar_frontend_open(config->port, &guard.frontend, &err) < 0)
		return complain(&err);
	if (scar_pool_create(&config->function, config->concurrency, STDERR_FILENO, &guard.pool,
			     &err) < 0) {
		scar_frontend_free(guard.frontend);
		return complain(&err);
	}
	if (start_guard(&guard, &err) == 0) {
		fprintf(stderr, "scar: function %s at http://127.0.0.1:%u\n", config->function.name,
			(unsigned)config->port);
		if (scar_frontend_run(guard.frontend, guard.pool, &err) < 0)
			code = complain(&err);
		end_guard(&guard);
	} else {
		code = complain(&err);
	}
	scar_pool_stop(guard.pool);
	scar_frontend_free(guard.frontend);
	scar_pool_free(guard.pool);
	return code;
}

int scar_local_command(bool serving, char **args, char **environment)
{
	struct scar_local_config config;
	struct scar_err err;
	int code;

	if (scar_local_config_parse(serving, args, environment, &config, &err) < 0) {
		fprintf(stderr, "scar: %s\nTry: scar local %s --help\n", err.msg,
			serving ? "serve" : "run");
		return err.kind == SCAR_ERR_CONFIG ? EX_USAGE : scar_err_info(err.kind)->exit_code;
	}
	if (config.help) {
		printf("%s%s", serving ? serve_help : run_help, common_help);
		scar_local_config_clear(&config);
		return 0;
	}
	block_signals();
	code = serving ? serve(&config) : run(&config);
	scar_local_config_clear(&config);
	return code;
}
