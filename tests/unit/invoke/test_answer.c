/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/answer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/run.h"
#include "runtime/api/client.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "tests/support/http_script.h"

#define MEGABYTE (1 << 20)

static struct scar_err err;
static struct http_script service;
static struct scar_client *client;
static struct scar_response *response;
static struct scar_answer answer;
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
	struct scar_client_options options = {.api = api};

	scar_buf_init(&sent.body, 16 * MEGABYTE);
	scar_buf_init(&sent.error_body, MEGABYTE);
	http_script_start(&service, keep, NULL);
	snprintf(api, sizeof api, "127.0.0.1:%u", service.port);
	memset(&result, 0, sizeof result);
	result.status.exited = true;
	if (scar_client_create(&options, &client, &err) < 0 ||
	    scar_client_response(client, "id-1", &response, &err) < 0)
		return -1;
	scar_answer_init(&answer, response, mode);
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

static void finish(uint64_t memory_bytes)
{
	if (scar_answer_finish(&answer, &result, memory_bytes, &err) < 0)
		fail_msg("%s", err.msg);
	http_script_stop(&service);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
