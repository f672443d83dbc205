/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/session.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/aws/aws.h"
#include "deployer/environment.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"

/* The one thing that a signal handler can reach. */
static volatile int interrupted;

static void interrupt(int signum)
{
	/* Who asks twice does not want to wait. */
	if (interrupted)
		_exit(128 + signum);
	interrupted = signum;
}

const volatile int *scar_session_interrupted(void)
{
	return &interrupted;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static enum scar_format format_of(const struct scar_arguments *arguments)
{
	const char *name = scar_arguments_get(arguments, SCAR_OPTION_OUTPUT);

	if (scar_arguments_has(arguments, SCAR_OPTION_JSON))
		return SCAR_FORMAT_JSON;
	if (!name || strcmp(name, "table") == 0)
		return SCAR_FORMAT_TABLE;
	if (strcmp(name, "json") == 0)
		return SCAR_FORMAT_JSON;
	return strcmp(name, "yaml") == 0 ? SCAR_FORMAT_YAML : SCAR_FORMAT_NAME;
}

static bool takes_colours(char *const *environment)
{
	const char *term = scar_environment_value(environment, "TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 &&
	       !scar_environment_value(environment, "NO_COLOR");
}

int scar_session_open(const struct scar_arguments *arguments, char **environment,
		      struct scar_session *ret_session, struct scar_err *err)
{
	const struct scar_aws_options options = {
		.environment = environment,
		.profile = scar_arguments_get(arguments, SCAR_OPTION_PROFILE),
		.region = scar_arguments_get(arguments, SCAR_OPTION_REGION),
		.endpoint_url = scar_arguments_get(arguments, SCAR_OPTION_ENDPOINT_URL),
		.cancel = &interrupted,
	};
	struct scar_session session = {
		.arguments = arguments,
		.environment = environment,
		.format = format_of(arguments),
		.verbose = scar_arguments_has(arguments, SCAR_OPTION_VERBOSE),
		.colour = takes_colours(environment),
		.terminal = isatty(STDERR_FILENO) == 1,
	};

	catch_signals();
	if (scar_aws_open(&options, &session.aws, err) < 0)
		return -1;
	*ret_session = session;
	return 0;
}

void scar_session_close(struct scar_session *session)
{
	scar_aws_close(session->aws);
	session->aws = NULL;
}

int scar_session_fail(const struct scar_session *session, const struct scar_err *err)
{
	const struct scar_aws_failure *failure = session->aws ? scar_aws_failure(session->aws)
							      : NULL;
	const char *red = session->colour ? "\033[31m" : "";
	const char *plain = session->colour ? "\033[0m" : "";

	if (interrupted) {
		fprintf(stderr, "scar: interrupted: %s\n", err->msg);
		return 128 + interrupted;
	}
	fprintf(stderr, "scar: %serror:%s %s\n", red, plain, err->msg);
	/* Only if it is that call's failure that is told of. */
	if (failure && failure->hint && *failure->code && strstr(err->msg, failure->code))
		fprintf(stderr, "scar: %s\n", failure->hint);
	return scar_err_info(err->kind)->exit_code;
}

static void say(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

static void say(const char *fmt, va_list args)
{
	fputs("scar: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void scar_session_note(const struct scar_session *session, const char *fmt, ...)
{
	va_list args;

	(void)session;
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void scar_session_detail(const struct scar_session *session, const char *fmt, ...)
{
	va_list args;

	if (!session->verbose)
		return;
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}
