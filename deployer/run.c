/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/commands.h"
#include "deployer/fanout.h"
#include "deployer/functions.h"
#include "deployer/plan.h"
#include "deployer/print.h"
#include "deployer/report_line.h"
#include "deployer/result.h"
#include "deployer/run_event.h"
#include "deployer/timeline.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

/* SCAR's answer. */
static int print_json(const char *name, const struct scar_lambda_result *result,
		      struct scar_err *err)
{
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf text;
	scar_buf_auto struct scar_buf pretty;
	struct scar_json_writer writer;
	char group[128];

	scar_buf_init(&text, SCAR_MIB(32));
	scar_buf_init(&pretty, SCAR_MIB(64));
	snprintf(group, sizeof group, "/aws/lambda/%s", name);
	scar_json_writer_init(&writer, &text, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_open(&writer, "LambdaOutput", '{');
	scar_json_write_int(&writer, "StatusCode", result->status);
	scar_json_write_string(&writer, "Payload", result->payload);
	scar_json_write_string(&writer, "LogGroupName", group);
	scar_json_write_string(&writer, "RequestId", result->request_id);
	scar_json_write_string(&writer, "FunctionError", result->function_error);
	scar_json_write_close(&writer, '}');
	scar_json_write_close(&writer, '}');
	if (scar_json_writer_end(&writer) < 0 ||
	    scar_json_parse(text.data, text.len, "answer", &document, err) < 0 ||
	    scar_print_json(document, &pretty, err) < 0)
		return -1;
	return scar_print_text(&pretty, err);
}

static int write_answer(const struct scar_session *session, const void *data, size_t len,
			struct scar_err *err)
{
	const char *path = scar_arguments_get(session->arguments, SCAR_OPTION_OUTPUT_FILE);

	if (path)
		return scar_fs_write_file(AT_FDCWD, path, 0644, data, len, err);
	return scar_fs_write_all(STDOUT_FILENO, data, len, "standard output", err);
}

/* What the program printed before it failed is still its output. */
static int print_failure(const struct scar_session *session,
			 const struct scar_lambda_result *answer, struct scar_err *err)
{
	struct scar_buf document = {.data = answer->payload, .len = answer->payload_len};
	scar_buf_auto struct scar_buf output;
	struct scar_result result;

	scar_buf_init(&output, SCAR_LIMIT_RESPONSE_BYTES);
	scar_result_parse(answer->function_error, &document, &result, &output);
	if (write_answer(session, output.data, output.len, err) < 0)
		return -1;
	if (result.has_exit_code)
		scar_session_note(session, "%s: %s (exit status %d)", result.type, result.message,
				  result.exit_code);
	else
		scar_session_note(session, "%s: %s", result.type, result.message);
	return SCAR_EXIT_FUNCTION;
}

static void tell_report(const struct scar_session *session, const struct scar_lambda_result *result)
{
	struct scar_report_line line;
	char text[256];

	if (session->verbose && result->log_tail)
		fputs(result->log_tail, stderr);
	if (result->log_tail && scar_report_line_parse(result->log_tail, &line))
		scar_session_note(session, "%s: %s", result->request_id,
				  scar_report_line_format(&line, text, sizeof text));
	else
		scar_session_note(session, "request %s", result->request_id);
}

static int finish(const struct scar_session *session, const char *name,
		  const struct scar_lambda_result *result, struct scar_err *err)
{
	int code = 0;

	if (session->format == SCAR_FORMAT_JSON) {
		if (print_json(name, result, err) < 0)
			return -1;
		code = result->function_error ? SCAR_EXIT_FUNCTION : 0;
	} else if (result->function_error) {
		code = print_failure(session, result, err);
	} else if (write_answer(session, result->payload, result->payload_len, err) < 0) {
		return -1;
	}
	if (code >= 0)
		tell_report(session, result);
	return code;
}

static int print_piece(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	(void)ctx;
	return scar_fs_write_all(STDOUT_FILENO, data, len, "standard output", err);
}

/* What cannot be meant together. */
static int check(const struct scar_session *session, struct scar_err *err)
{
	if (scar_arguments_has(session->arguments, SCAR_OPTION_STREAM) &&
	    (scar_arguments_has(session->arguments, SCAR_OPTION_ASYNCHRONOUS) ||
	     scar_arguments_has(session->arguments, SCAR_OPTION_OUTPUT_FILE) ||
	     session->format == SCAR_FORMAT_JSON))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "--stream prints the answer as it comes: it goes neither with "
				    "--asynchronous nor with --output-file or --json");
	return scar_timeline_check(session->arguments, err);
}

static int run_once(struct scar_session *session, const char *name, struct scar_err *err)
{
	bool asynchronous = scar_arguments_has(session->arguments, SCAR_OPTION_ASYNCHRONOUS);
	bool stream = scar_arguments_has(session->arguments, SCAR_OPTION_STREAM);
	scar_lambda_result_auto struct scar_lambda_result result = {0};
	scar_buf_auto struct scar_buf event;
	struct scar_lambda_call call = {
		.function = name,
		.type = asynchronous ? SCAR_LAMBDA_ASYNC : SCAR_LAMBDA_SYNC,
		.log_tail = !asynchronous,
		.client_context = scar_timeline_context(session->arguments),
	};
	int code;

	scar_buf_init(&event, SCAR_LIMIT_EVENT_BYTES);
	if (check(session, err) < 0 || scar_run_event_write(session->arguments, &event, err) < 0)
		return -1;
	call.payload = event.data;
	call.payload_len = event.len;
	if ((stream ? scar_lambda_invoke_stream(session->aws, &call, print_piece, NULL, &result,
						err)
		    : scar_lambda_invoke(session->aws, &call, &result, err)) < 0)
		return -1;
	if (asynchronous && session->format != SCAR_FORMAT_JSON) {
		scar_session_note(session, "request %s: function %s is on its way",
				  result.request_id, name);
		return 0;
	}
	code = finish(session, name, &result, err);
	if (code >= 0 && scar_timeline_save(session->arguments, name, result.log_tail, err) < 0)
		return -1;
	return code;
}

/* Several functions of one file: one after the other. */
static int run_all(struct scar_session *session, struct scar_err *err)
{
	bool many = scar_fanout_is_wanted(session->arguments);
	struct scar_fdl_list names = {0};
	int code = 0;

	if (scar_functions_names(session, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count && code >= 0; i++) {
		int one = many ? scar_fanout_run(session, names.items[i], err)
			       : run_once(session, names.items[i], err);

		if (one != 0)
			code = one;
	}
	scar_fdl_list_clear(&names);
	return code;
}

int scar_run_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_err err;
	int code = -1;

	if (scar_session_open(arguments, environment, &session, &err) == 0)
		code = run_all(&session, &err);
	return code < 0 ? scar_session_fail(&session, &err) : code;
}
