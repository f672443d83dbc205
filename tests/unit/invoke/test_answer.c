/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/answer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "invoke/events/event.h"
#include "invoke/run.h"
#include "runtime/api/client.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "tests/support/http_script.h"

#define MEGABYTE (1 << 20)

static struct scar_err err;
static struct http_script service;
static struct scar_client *client;
static struct scar_response *response;
static struct scar_answer answer;
static struct scar_answer_options options;
static struct scar_event event;
static struct scar_run_result result;

/* What the Runtime API was sent. Written by its thread; read after http_script_stop(). */
static struct {
	char target[SCAR_ERR_MSG_MAX]; /* or why the request could not be read */
	char error_type[128];
	struct scar_buf body;
	struct scar_buf error_body; /* of trailers, decoded */
} sent;

static void keep(void *ctx, struct scar_http1 *conn, const struct scar_http1_message *request)
{
	struct scar_http1_message *message = (struct scar_http1_message *)request;
	struct scar_err e;
	const char *text;

	(void)ctx;
	snprintf(sent.target, sizeof sent.target, "%s", request->target);
	if (scar_http1_read_body_all(conn, message, &sent.body, 0, &e) < 0)
		snprintf(sent.target, sizeof sent.target, "%s", e.msg);
	text = scar_http1_field(message, "Lambda-Runtime-Function-Error-Type");
	snprintf(sent.error_type, sizeof sent.error_type, "%s", text ? text : "");
	text = scar_http1_field(message, "Lambda-Runtime-Function-Error-Body");
	if (text && scar_base64_decode(text, &sent.error_body, &e) < 0)
		snprintf(sent.target, sizeof sent.target, "%s", e.msg);
	http_script_head(conn, 202, "", 0);
}

static int begin(enum scar_response_mode mode)
{
	char api[32];
	struct scar_client_options client_options = {.api = api};

	scar_buf_init(&sent.body, 16 * MEGABYTE);
	scar_buf_init(&sent.error_body, MEGABYTE);
	http_script_start(&service, keep, NULL);
	snprintf(api, sizeof api, "127.0.0.1:%u", service.port);
	memset(&result, 0, sizeof result);
	result.status.exited = true;
	if (scar_client_create(&client_options, &client, &err) < 0 ||
	    scar_client_response(client, "id-1", &response, &err) < 0)
		return -1;
	options = (struct scar_answer_options){.response = response,
					       .mode = mode,
					       .request_id = "id-1",
					       .log_group = "/aws/lambda/f",
					       .log_stream = "stream",
					       .log_fd = -1};
	scar_answer_init(&answer, &options);
	return 0;
}

static int buffered(void **state)
{
	(void)state;
	return begin(SCAR_RESPONSE_BUFFERED);
}

static int streaming(void **state)
{
	(void)state;
	return begin(SCAR_RESPONSE_STREAMING);
}

static int teardown(void **state)
{
	(void)state;
	scar_answer_clear(&answer);
	scar_event_clear(&event);
	scar_response_free(response);
	scar_client_free(client);
	scar_buf_clear(&sent.body);
	scar_buf_clear(&sent.error_body);
	return 0;
}

static void write_output(const void *data, size_t len)
{
	result.stdout_bytes += len;
	if (scar_answer_write(&answer, data, len, &err) < 0)
		fail_msg("%s", err.msg);
}

/* The next program of the invocation has ended. @return whether another shall run */
static int ran(size_t index, int code, int output_fd)
{
	int go_on;

	result.status.code = code;
	go_on = scar_answer_ran(&answer, index, &result, output_fd, &err);
	if (go_on < 0)
		fail_msg("%s", err.msg);
	return go_on;
}

static void finish_answer(void)
{
	if (scar_answer_finish(&answer, &err) < 0)
		fail_msg("%s", err.msg);
	http_script_stop(&service);
}

static void finish(uint64_t memory_bytes)
{
	answer.options.memory_bytes = memory_bytes;
	ran(0, result.status.code, -1);
	finish_answer();
}

static struct scar_json *document(const struct scar_buf *text)
{
	struct scar_json *root = NULL;

	if (scar_json_parse(text->data, text->len, "document", &root, &err) < 0)
		fail_msg("%s: %s", err.msg, text->data);
	return root;
}

static void has_text(const struct scar_json *root, const char *key, const char *value)
{
	const char *text = scar_json_string(scar_json_get(root, key));

	assert_non_null(text);
	assert_string_equal(text, value);
}

static void has_number(const struct scar_json *root, const char *key, int64_t value)
{
	int64_t number = -1;

	assert_int_equal(scar_json_int(scar_json_get(root, key), &number), 0);
	assert_int_equal(number, value);
}

static void is_error(void)
{
	assert_string_equal(sent.target, "/2018-06-01/runtime/invocation/id-1/error");
}

static void is_response(void)
{
	assert_string_equal(sent.target, "/2018-06-01/runtime/invocation/id-1/response");
}

static void success_is_the_output_and_nothing_around_it(void **state)
{
	(void)state;
	write_output("a\0b", 3);
	write_output("\xff\n", 2);
	finish(0);
	is_response();
	assert_int_equal(sent.body.len, 5);
	assert_memory_equal(sent.body.data, "a\0b\xff\n", 5);
}

static void silence_is_an_empty_answer(void **state)
{
	(void)state;
	finish(0);
	is_response();
	assert_int_equal(sent.body.len, 0);
}

static void a_status_is_an_error_with_all_that_is_known(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	write_output("out\n", 4);
	result.status.code = 3;
	finish(0);
	is_error();
	root = document(&sent.body);
	has_text(root, "errorType", "Function.ExitError");
	has_text(root, "errorMessage", "the program exited with status 3");
	has_number(root, "exitCode", 3);
	has_text(root, "stdout", "b3V0Cg==");
	assert_null(scar_json_get(root, "stdoutTruncated"));
	assert_null(scar_json_get(root, "signal"));
}

static void the_tail_is_json_whatever_bytes_it_has(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	result.status.code = 1;
	result.stderr_tail_len = 8;
	memcpy(result.stderr_tail, "a\"\\\n\xff\x1b[m", 8);
	finish(0);
	root = document(&sent.body);
	has_text(root, "stderrTail", "a\"\\\n\xef\xbf\xbd\x1b[m");
}

static void much_output_of_a_failure_is_cut(void **state)
{
	static char large[SCAR_ANSWER_STDOUT_BYTES + 1];
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	write_output(large, sizeof large);
	result.status.code = 1;
	finish(0);
	root = document(&sent.body);
	assert_true(scar_json_bool(scar_json_get(root, "stdoutTruncated"), false));
	assert_int_equal(strlen(scar_json_string(scar_json_get(root, "stdout"))),
			 (SCAR_ANSWER_STDOUT_BYTES + 2) / 3 * 4);
}

static void a_signal_is_told_by_number_and_name(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	result.status = (struct scar_process_status){.signal = SIGSEGV};
	finish(0);
	is_error();
	root = document(&sent.body);
	has_text(root, "errorType", "Function.Signal");
	has_text(root, "signalName", "SIGSEGV");
	has_number(root, "signal", SIGSEGV);
	has_number(root, "exitCode", 128 + SIGSEGV);
}

static void a_kill_of_a_large_program_is_lack_of_memory(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	result.status = (struct scar_process_status){.signal = SIGKILL,
						     .max_rss_bytes = 480 * MEGABYTE};
	finish(512 * MEGABYTE);
	root = document(&sent.body);
	has_text(root, "errorType", "Function.OutOfMemory");
	has_number(root, "exitCode", 137);
}

static void a_kill_of_a_small_program_is_not(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	result.status = (struct scar_process_status){.signal = SIGKILL, .max_rss_bytes = MEGABYTE};
	finish(512 * MEGABYTE);
	root = document(&sent.body);
	has_text(root, "errorType", "Function.Signal");
}

static void a_time_out_is_one_however_the_program_took_it(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	result.timed_out = true;
	result.elapsed_ms = 2004;
	finish(0);
	is_error();
	root = document(&sent.body);
	has_text(root, "errorType", "Function.Timeout");
	has_number(root, "exitCode", 124);
	assert_non_null(strstr(scar_json_string(scar_json_get(root, "errorMessage")), "2004 ms"));
}

static char piece[MEGABYTE];

static void the_largest_answer_is_one(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		write_output(piece, sizeof piece);
	write_output(piece, 100);
	finish(0);
	is_response();
	assert_int_equal(sent.body.len, 6 * MEGABYTE + 100);
}

static void one_byte_more_is_an_error_that_tells_the_way_out(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const char *message;

	(void)state;
	for (int i = 0; i < 6; i++)
		write_output(piece, sizeof piece);
	write_output(piece, 101);
	write_output("more", 4);
	finish(0);
	is_error();
	root = document(&sent.body);
	has_text(root, "errorType", "Function.ResponseSizeTooLarge");
	message = scar_json_string(scar_json_get(root, "errorMessage"));
	assert_non_null(strstr(message, "6291561"));
	assert_non_null(strstr(message, "6291556"));
	assert_non_null(strstr(message, "SCAR_RESPONSE_MODE=streaming"));
}

static void a_stream_has_no_such_limit(void **state)
{
	(void)state;
	for (int i = 0; i < 7; i++)
		write_output(piece, sizeof piece);
	finish(0);
	is_response();
	assert_int_equal(sent.body.len, 7 * MEGABYTE);
	assert_string_equal(sent.error_type, "");
}

static void an_error_after_streamed_output_is_in_the_trailers(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	write_output("first\n", 6);
	result.status.code = 5;
	finish(0);
	is_response();
	assert_string_equal(sent.body.data, "first\n");
	assert_string_equal(sent.error_type, "Function.ExitError");
	root = document(&sent.error_body);
	has_number(root, "exitCode", 5);
	assert_null(scar_json_get(root, "stdout"));
}

static void an_error_before_any_output_is_no_stream(void **state)
{
	(void)state;
	result.status.code = 5;
	finish(0);
	is_error();
}

static void a_stream_without_output_ends_well(void **state)
{
	(void)state;
	finish(0);
	is_response();
	assert_int_equal(sent.body.len, 0);
	assert_string_equal(sent.error_type, "");
}

/* ---- over HTTP ---- */

static void asked_by(const char *sample)
{
	char path[128];
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, MEGABYTE);
	snprintf(path, sizeof path, "tests/fuzz/corpus/event/%s", sample);
	if (scar_fs_read_file(AT_FDCWD, path, &text, &err) < 0 ||
	    scar_event_read(text.data, text.len, false, &event, &err) < 0)
		fail_msg("%s", err.msg);
	answer.options.event = &event;
}

static void has_body(const struct scar_json *root, const void *bytes, size_t len)
{
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, 16 * MEGABYTE);
	assert_true(scar_json_bool(scar_json_get(root, "isBase64Encoded"), false));
	assert_int_equal(
		scar_base64_decode(scar_json_string(scar_json_get(root, "body")), &body, &err), 0);
	assert_int_equal(body.len, len);
	assert_memory_equal(body.data, bytes, len);
}

static void http_is_answered_as_scar_does(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_json *headers;

	(void)state;
	asked_by("api-gateway.json");
	write_output("a\0\xff", 3);
	finish(0);
	is_response();
	root = document(&sent.body);
	has_number(root, "statusCode", 200);
	has_body(root, "a\0\xff", 3);
	headers = scar_json_get(root, "headers");
	has_text(headers, "amz-lambda-request-id", "id-1");
	has_text(headers, "amz-log-group-name", "/aws/lambda/f");
	has_text(headers, "amz-log-stream-name", "stream");
	has_text(headers, "content-type", "application/octet-stream");
}

static void text_goes_out_as_text_by_wish(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("http-api.json");
	answer.options.plain_text = true;
	write_output("gr\xc3\xbc\xc3\x9f\"e\n", 9);
	finish(0);
	root = document(&sent.body);
	has_text(root, "body", "gr\xc3\xbc\xc3\x9f\"e\n");
	assert_false(scar_json_bool(scar_json_get(root, "isBase64Encoded"), true));
	has_text(scar_json_get(root, "headers"), "content-type", "text/plain; charset=utf-8");
}

static void a_failure_over_http_has_a_status_and_no_success(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("api-gateway.json");
	write_output("half", 4);
	result.status.code = 3;
	finish(0);
	is_response();
	root = document(&sent.body);
	has_number(root, "statusCode", 500);
	has_body(root,
		 "{\"exception\":\"the program exited with status 3\","
		 "\"errorType\":\"Function.ExitError\",\"exitCode\":3}",
		 94);
}

static void a_time_out_over_http_is_504(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("http-api.json");
	result.timed_out = true;
	finish(0);
	root = document(&sent.body);
	has_number(root, "statusCode", 504);
}

static void what_cannot_run_is_no_fault_of_the_client(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err why;

	(void)state;
	asked_by("http-api.json");
	scar_err_set(&why, SCAR_ERR_NOT_FOUND, "no such image");
	assert_int_equal(scar_answer_broke(&answer, 0, &why, &err), 1);
	finish_answer();
	root = document(&sent.body);
	has_number(root, "statusCode", 500);
}

static void a_program_tells_status_fields_and_cookies(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_json *headers;

	(void)state;
	asked_by("http-api.json");
	answer.options.head = true;
	write_output("Status: 404 Not Found\r\nContent-Type: text/x\r\nSet-Cookie: a=1\r\n", 62);
	write_output("Set-Cookie: b=2\r\nContent-Length: 7\r\n\r\nbody\0", 43);
	finish(0);
	root = document(&sent.body);
	headers = scar_json_get(root, "headers");
	has_number(root, "statusCode", 404);
	has_text(headers, "Content-Type", "text/x");
	assert_null(scar_json_get(headers, "content-type"));
	assert_null(scar_json_get(headers, "Content-Length"));
	assert_null(scar_json_get(headers, "Set-Cookie"));
	assert_int_equal(scar_json_size(scar_json_get(root, "cookies")), 2);
	has_body(root, "body\0", 5);
}

static void a_rest_api_gets_cookies_as_a_list(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_json *multi;

	(void)state;
	asked_by("api-gateway.json");
	answer.options.head = true;
	write_output("Set-Cookie: a=1\nSet-Cookie: b=2\nX: 1\nX: 2\n\n", 43);
	finish(0);
	root = document(&sent.body);
	multi = scar_json_get(root, "multiValueHeaders");
	assert_int_equal(scar_json_size(scar_json_get(multi, "Set-Cookie")), 2);
	has_text(scar_json_get(root, "headers"), "X", "1, 2");
}

static void a_load_balancer_gets_lists_if_it_sent_lists(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("alb.json");
	write_output("x", 1);
	finish(0);
	root = document(&sent.body);
	assert_null(scar_json_get(root, "headers"));
	assert_int_equal(scar_json_size(scar_json_get(scar_json_get(root, "multiValueHeaders"),
						      "content-type")),
			 1);
}

static void output_without_the_promised_fields_is_a_bad_gateway(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("http-api.json");
	answer.options.head = true;
	write_output("just text", 9);
	finish(0);
	root = document(&sent.body);
	has_number(root, "statusCode", 502);
}

static void base64_counts_towards_the_limit(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("http-api.json");
	for (int i = 0; i < 5; i++)
		write_output(piece, sizeof piece);
	finish(0);
	root = document(&sent.body);
	has_number(root, "statusCode", 500);
}

static void a_stream_over_http_begins_with_a_prelude(void **state)
{
	static const char body[] = "\x89PNG\r\n\x1a\n....";
	scar_json_auto struct scar_json *root = NULL;
	struct scar_buf prelude = {0};
	const char *end;

	(void)state;
	asked_by("function-url.json");
	write_output(body, sizeof body - 1);
	finish(0);
	is_response();
	end = memmem(sent.body.data, sent.body.len, "\0\0\0\0\0\0\0\0", 8);
	assert_non_null(end);
	prelude.data = sent.body.data;
	prelude.len = (size_t)(end - sent.body.data);
	root = document(&prelude);
	has_number(root, "statusCode", 200);
	has_text(scar_json_get(root, "headers"), "content-type", "image/png");
	assert_int_equal(sent.body.len - prelude.len - 8, sizeof body - 1);
	assert_memory_equal(end + 8, body, sizeof body - 1);
}

static void a_stream_waits_for_the_programs_fields(void **state)
{
	(void)state;
	asked_by("function-url.json");
	answer.options.head = true;
	write_output("Status: 201\nX-A", 15);
	write_output(": b\n\nrest", 9);
	write_output(" and more", 9);
	finish(0);
	assert_non_null(strstr(sent.body.data, "{\"statusCode\":201,"));
	assert_non_null(strstr(sent.body.data, "\"X-A\":\"b\""));
	assert_memory_equal(sent.body.data + sent.body.len - 13, "rest and more", 13);
}

static void a_failure_before_a_stream_is_a_status(void **state)
{
	(void)state;
	asked_by("function-url.json");
	result.status.code = 9;
	finish(0);
	is_response();
	assert_non_null(strstr(sent.body.data, "{\"statusCode\":500,"));
	assert_string_equal(sent.error_type, "");
}

static void a_failure_within_a_stream_is_in_the_trailers(void **state)
{
	(void)state;
	asked_by("function-url.json");
	write_output("some", 4);
	result.status.code = 9;
	finish(0);
	assert_non_null(strstr(sent.body.data, "{\"statusCode\":200,"));
	assert_string_equal(sent.error_type, "Function.ExitError");
}

/* ---- several items ---- */

static void failed_messages_are_named_and_the_rest_is_run(void **state)
{
	(void)state;
	asked_by("sqs.json");
	write_output("to the log\n", 11);
	assert_int_equal(ran(0, 1, -1), 1);
	assert_int_equal(ran(1, 0, -1), 1);
	finish_answer();
	is_response();
	assert_string_equal(sent.body.data,
			    "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"}]}");
}

static void a_batch_without_failures_says_so(void **state)
{
	(void)state;
	asked_by("sqs.json");
	ran(0, 0, -1);
	ran(1, 0, -1);
	finish_answer();
	assert_string_equal(sent.body.data, "{\"batchItemFailures\":[]}");
}

static void a_stream_of_records_stops_at_the_first_failure(void **state)
{
	(void)state;
	asked_by("kinesis.json");
	assert_int_equal(ran(0, 1, -1), 0);
	finish_answer();
	assert_non_null(strstr(sent.body.data,
			       "\"49590338271490256608559692538361571095921575989136588898\""));
	assert_non_null(strstr(sent.body.data,
			       "\"49590338271490256608559692540925702759324208523137515618\""));
}

static void files_of_one_message_fail_as_one(void **state)
{
	(void)state;
	asked_by("sqs-sns-s3.json");
	ran(0, 1, -1);
	ran(1, 1, -1);
	ran(2, 0, -1);
	finish_answer();
	assert_string_equal(sent.body.data,
			    "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"}]}");
}

static void the_first_failed_file_is_the_error_and_the_others_run(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("s3-two.json");
	assert_int_equal(ran(0, 7, -1), 1);
	assert_int_equal(ran(1, 0, -1), 1);
	finish_answer();
	is_error();
	root = document(&sent.body);
	has_number(root, "exitCode", 7);
}

/* ---- other contents ---- */

static void a_report_tells_all_and_is_no_error(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	answer.options.output = SCAR_ANSWER_JSON;
	write_output("\xff\0", 2);
	result.elapsed_ms = 12;
	result.stderr_tail_len = 2;
	memcpy(result.stderr_tail, "e\n", 2);
	result.status.code = 4;
	finish(0);
	is_response();
	root = document(&sent.body);
	has_number(root, "exitCode", 4);
	has_number(root, "durationMs", 12);
	has_number(root, "stdoutBytes", 2);
	has_text(root, "stdoutEncoding", "base64");
	has_text(root, "stdout", "/wA=");
	has_text(root, "stderrTail", "e\n");
	has_text(root, "errorType", "Function.ExitError");
	has_text(root, "requestId", "id-1");
}

static void reports_of_several_are_a_list(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	asked_by("s3-two.json");
	answer.options.output = SCAR_ANSWER_JSON;
	write_output("one", 3);
	ran(0, 0, -1);
	write_output("two", 3);
	ran(1, 0, -1);
	finish_answer();
	root = document(&sent.body);
	assert_int_equal(scar_json_size(root), 2);
	has_text(scar_json_first(root), "stdout", "one");
	has_text(scar_json_next(scar_json_first(root)), "stdout", "two");
}

static void with_files(const char *const *names)
{
	char dir[] = "/tmp/scar-test-XXXXXX";
	int fd;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mkdirat(fd, "sub", 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", fd, "link"), 0);
	for (; *names; names++)
		assert_int_equal(scar_fs_write_file(fd, *names, 0644, *names, strlen(*names), &err),
				 0);
	write_output("printed", 7);
	ran(0, 0, fd);
	close(fd);
	assert_int_equal(scar_fs_remove_tree(AT_FDCWD, dir, &err), 0);
	finish_answer();
	is_response();
}

static void no_file_is_the_output(void **state)
{
	(void)state;
	answer.options.output = SCAR_ANSWER_FILES;
	with_files((const char *[]){NULL});
	assert_string_equal(sent.body.data, "printed");
}

static void one_file_is_itself(void **state)
{
	(void)state;
	answer.options.output = SCAR_ANSWER_FILES;
	with_files((const char *[]){"sub/only", NULL});
	assert_string_equal(sent.body.data, "sub/only");
}

static void several_files_are_an_archive(void **state)
{
	(void)state;
	answer.options.output = SCAR_ANSWER_FILES;
	with_files((const char *[]){"b", "sub/a", NULL});
	assert_memory_equal(sent.body.data, "PK\3\4", 4);
	/* Two in the directory at its end; the link is not followed. */
	assert_int_equal(sent.body.data[sent.body.len - 12], 2);
	assert_non_null(memmem(sent.body.data, sent.body.len, "sub/a", 5));
}

static void a_stream_of_one_file_is_itself(void **state)
{
	(void)state;
	answer.options.output = SCAR_ANSWER_FILES;
	with_files((const char *[]){"only", NULL});
	assert_string_equal(sent.body.data, "only");
}

#define BUFFERED(test) cmocka_unit_test_setup_teardown(test, buffered, teardown)
#define STREAMING(test) cmocka_unit_test_setup_teardown(test, streaming, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUFFERED(success_is_the_output_and_nothing_around_it),
		BUFFERED(silence_is_an_empty_answer),
		BUFFERED(a_status_is_an_error_with_all_that_is_known),
		BUFFERED(the_tail_is_json_whatever_bytes_it_has),
		BUFFERED(much_output_of_a_failure_is_cut),
		BUFFERED(a_signal_is_told_by_number_and_name),
		BUFFERED(a_kill_of_a_large_program_is_lack_of_memory),
		BUFFERED(a_kill_of_a_small_program_is_not),
		BUFFERED(a_time_out_is_one_however_the_program_took_it),
		BUFFERED(the_largest_answer_is_one),
		BUFFERED(one_byte_more_is_an_error_that_tells_the_way_out),
		STREAMING(a_stream_has_no_such_limit),
		STREAMING(an_error_after_streamed_output_is_in_the_trailers),
		STREAMING(an_error_before_any_output_is_no_stream),
		STREAMING(a_stream_without_output_ends_well),
		BUFFERED(http_is_answered_as_scar_does),
		BUFFERED(text_goes_out_as_text_by_wish),
		BUFFERED(a_failure_over_http_has_a_status_and_no_success),
		BUFFERED(a_time_out_over_http_is_504),
		BUFFERED(what_cannot_run_is_no_fault_of_the_client),
		BUFFERED(a_program_tells_status_fields_and_cookies),
		BUFFERED(a_rest_api_gets_cookies_as_a_list),
		BUFFERED(a_load_balancer_gets_lists_if_it_sent_lists),
		BUFFERED(output_without_the_promised_fields_is_a_bad_gateway),
		BUFFERED(base64_counts_towards_the_limit),
		STREAMING(a_stream_over_http_begins_with_a_prelude),
		STREAMING(a_stream_waits_for_the_programs_fields),
		STREAMING(a_failure_before_a_stream_is_a_status),
		STREAMING(a_failure_within_a_stream_is_in_the_trailers),
		BUFFERED(failed_messages_are_named_and_the_rest_is_run),
		BUFFERED(a_batch_without_failures_says_so),
		BUFFERED(a_stream_of_records_stops_at_the_first_failure),
		BUFFERED(files_of_one_message_fail_as_one),
		BUFFERED(the_first_failed_file_is_the_error_and_the_others_run),
		BUFFERED(a_report_tells_all_and_is_no_error),
		BUFFERED(reports_of_several_are_a_list),
		BUFFERED(no_file_is_the_output),
		BUFFERED(one_file_is_itself),
		BUFFERED(several_files_are_an_archive),
		STREAMING(a_stream_of_one_file_is_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
