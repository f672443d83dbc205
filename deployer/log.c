/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/batch.h"
#include "deployer/aws/logs.h"
#include "deployer/commands.h"
#include "deployer/functions.h"
#include "deployer/plan.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define BATCH_GROUP "/aws/batch/job"

struct printer {
	const char *request_id;       /* only what this invocation wrote; or NULL */
	struct scar_fdl_list streams; /* where it is under way */
	size_t printed;
};

static void leave(struct scar_fdl_list *streams, const char *stream)
{
	for (size_t i = 0; i < streams->count; i++) {
		if (strcmp(streams->items[i], stream) == 0) {
			free(streams->items[i]);
			streams->items[i] = streams->items[--streams->count];
			return;
		}
	}
}

/* Lambda's own line, in either form of the log. */
static bool is_mark(const char *message, const char *text, const char *type)
{
	return strncmp(message, text, strlen(text)) == 0 ||
	       (*message == '{' && strstr(message, type) != NULL);
}

/*
 * What a program prints need not name the request: it is what stands between START and REPORT of the request in its
 * environment's stream. @return 1 to print, 0 not, -1
 */
static int is_wanted(struct printer *printer, const struct scar_logs_event *event,
		     struct scar_err *err)
{
	const char *id = printer->request_id;
	bool names_it;

	if (!id)
		return 1;
	names_it = strstr(event->message, id) != NULL;
	if (names_it && is_mark(event->message, "START ", "\"platform.start\""))
		return scar_fdl_list_add(&printer->streams, event->stream, err) < 0 ? -1 : 1;
	if (names_it && is_mark(event->message, "REPORT ", "\"platform.report\"")) {
		leave(&printer->streams, event->stream);
		return 1;
	}
	return names_it || scar_fdl_list_has(&printer->streams, event->stream);
}

static int print_event(void *ctx, const struct scar_logs_event *event, struct scar_err *err)
{
	struct printer *printer = ctx;
	size_t len = strlen(event->message);
	int wanted = is_wanted(printer, event, err);

	if (wanted <= 0)
		return wanted;
	printer->printed++;
	if (printf("%s%s", event->message, len && event->message[len - 1] == '\n' ? "" : "\n") <
		    0 ||
	    fflush(stdout))
		return scar_err_set(err, SCAR_ERR_IO, "cannot write to standard output");
	return 0;
}

/* "90s", "15m", "2h", "3d": then is that long ago. */
static int parse_since(const char *text, int64_t *ret_ms, struct scar_err *err)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	char *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (!errno && end != text && *end == units[i].unit && !end[1] && number >= 0 &&
		    number < 100000) {
			*ret_ms = scar_clock_epoch_ms() - number * units[i].ms;
			return 0;
		}
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "--since takes 90s, 15m, 2h or 3d, not \"%.50s\"",
			    text);
}

/* The log of a Batch job, whatever became of it. */
static int print_job(struct scar_session *session, const char *id, struct printer *printer,
		     struct scar_err *err)
{
	scar_json_auto struct scar_json *job = NULL;
	const char *stream, *status;

	if (scar_batch_get_job(session->aws, id, &job, err) < 0)
		return -1;
	status = scar_json_string(scar_json_get(job, "status"));
	scar_session_note(session, "Batch job status: %s", status ? status : "unknown");
	stream = scar_json_string(scar_json_get(scar_json_get(job, "container"), "logStreamName"));
	printer->request_id = NULL;
	return stream ? scar_logs_get_stream(session->aws, BATCH_GROUP, stream, print_event,
					     printer, err)
		      : 0;
}

static int read_log(struct scar_session *session, const struct scar_logs_query *query,
		    struct printer *printer, struct scar_err *err)
{
	int ret;

	if (scar_arguments_has(session->arguments, SCAR_OPTION_FOLLOW)) {
		ret = scar_logs_follow(session->aws, query, print_event, printer, err);
		/* That is how one ends it. */
		return ret < 0 && err->kind == SCAR_ERR_INTERRUPTED ? 0 : ret;
	}
	ret = scar_logs_filter(session->aws, query, print_event, printer, err);
	if (ret < 0 && err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (printer->request_id && printer->printed == 0)
		return print_job(session, printer->request_id, printer, err) < 0 &&
				       err->kind != SCAR_ERR_NOT_FOUND
			       ? -1
			       : 0;
	if (ret < 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND,
				    "%s does not exist: the function was not invoked yet",
				    query->group);
	return 0;
}

static int run(struct scar_session *session, struct scar_err *err)
{
	const struct scar_arguments *arguments = session->arguments;
	const char *since = scar_arguments_get(arguments, SCAR_OPTION_SINCE);
	struct printer printer = {
		.request_id = scar_arguments_get(arguments, SCAR_OPTION_REQUEST_ID)};
	scar_free_auto char *name = NULL;
	char group[128];
	struct scar_logs_query query = {
		.group = group, .stream = scar_arguments_get(arguments, SCAR_OPTION_LOG_STREAM)};
	int ret;

	if (since && parse_since(since, &query.since_ms, err) < 0)
		return -1;
	if (scar_functions_name(session, &name, err) < 0)
		return -1;
	snprintf(group, sizeof group, "/aws/lambda/%s", name);
	ret = read_log(session, &query, &printer, err);
	scar_fdl_list_clear(&printer.streams);
	return ret;
}

int scar_log_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    run(&session, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}
