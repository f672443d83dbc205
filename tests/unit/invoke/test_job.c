/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/text.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static struct scar_err err;

static struct scar_job parsed(const char *event)
{
	struct scar_job job = {0};

	if (scar_job_parse(event, strlen(event), &job, &err) < 0)
		fail_msg("%s: %s", event, err.msg);
	return job;
}

static void refuses(const char *event, const char *key)
{
	struct scar_job job = {0};

	if (scar_job_parse(event, strlen(event), &job, &err) == 0)
		fail_msg("%s was accepted", event);
	assert_int_equal(err.kind, SCAR_ERR_EVENT);
	if (!strstr(err.msg, key))
		fail_msg("\"%s\" does not name %s", err.msg, key);
}

static bool asks_for_nothing(const struct scar_job *job)
{
	return !job->image && !job->has_script && !job->args && !job->has_input;
}

static void any_bytes_are_an_event(void **state)
{
	static const char *const events[] = {
		"",         "not JSON", "\xff\xfe",      "[1,2]",
		"\"text\"", "7",        "{\"cmd_args\"", "{\"other\": {\"image\": 1}}",
		"{}"};

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		scar_job_auto struct scar_job job = parsed(events[i]);

		assert_true(asks_for_nothing(&job));
	}
}

static void deep_nesting_is_input_and_no_crash(void **state)
{
	scar_free_auto char *event = malloc(100001);
	scar_job_auto struct scar_job job = {0};

	(void)state;
	assert_non_null(event);
	for (size_t i = 0; i + 5 <= 100000; i += 5)
		memcpy(event + i, "{\"a\":", 5);
	event[100000] = '\0';
	job = parsed(event);
	assert_true(asks_for_nothing(&job));
}

static void arguments_come_as_a_list_or_as_text_that_holds_one(void **state)
{
	static const char *const events[] = {
		"{\"cmd_args\": [\"a\", \"b c\", \"\"]}",
		" \n{\"cmd_args\": \"[\\\"a\\\", \\\"b c\\\", \\\"\\\"]\"}",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		scar_job_auto struct scar_job job = parsed(events[i]);

		assert_int_equal(scar_list_count(job.args), 3);
		assert_string_equal(job.args[0], "a");
		assert_string_equal(job.args[1], "b c");
		assert_string_equal(job.args[2], "");
	}
}

static void an_empty_list_is_no_arguments(void **state)
{
	scar_job_auto struct scar_job list = parsed("{\"cmd_args\": []}");
	scar_job_auto struct scar_job text = parsed("{\"cmd_args\": \"[]\", \"script\": null}");

	(void)state;
	assert_true(asks_for_nothing(&list));
	assert_true(asks_for_nothing(&text));
}

static void script_input_and_image_are_found(void **state)
{
	scar_job_auto struct scar_job job = parsed(
		"{\"script\": \"IyEvYmlu\\nL3NoCg==\", \"stdin\": \"AAEC\", \"image\": \"x:1\"}");

	(void)state;
	assert_true(job.has_script && job.has_input);
	assert_string_equal(job.script.data, "#!/bin/sh\n");
	assert_int_equal(job.input.len, 3);
	assert_memory_equal(job.input.data, "\0\1\2", 3);
	assert_string_equal(job.image, "x:1");
}

static void input_may_be_empty_by_wish(void **state)
{
	scar_job_auto struct scar_job job = parsed("{\"stdin\": \"\"}");

	(void)state;
	assert_true(job.has_input);
	assert_int_equal(job.input.len, 0);
}

static void what_is_wrong_is_refused_by_key(void **state)
{
	(void)state;
	refuses("{\"cmd_args\": 7}", "cmd_args");
	refuses("{\"cmd_args\": \"[1\"}", "cmd_args");
	refuses("{\"cmd_args\": \"a b\"}", "cmd_args");
	refuses("{\"cmd_args\": \"{}\"}", "cmd_args");
	refuses("{\"cmd_args\": [\"a\", 1]}", "cmd_args");
	refuses("{\"cmd_args\": {\"0\": \"a\"}}", "cmd_args");
	refuses("{\"script\": \"%%%\"}", "script");
	refuses("{\"script\": \"\"}", "script");
	refuses("{\"script\": [\"a\"]}", "script");
	refuses("{\"stdin\": true}", "stdin");
	refuses("{\"stdin\": \"A\"}", "stdin");
	refuses("{\"image\": {}}", "image");
}

/* `count` arguments of `len` bytes each. */
static int parse_many(size_t count, size_t len)
{
	scar_buf_auto struct scar_buf event;
	scar_job_auto struct scar_job job = {0};

	scar_buf_init(&event, SCAR_MIB(16));
	assert_int_equal(scar_buf_append_str(&event, "{\"cmd_args\":[", &err), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(scar_buf_append_str(&event, i ? ",\"" : "\"", &err), 0);
		for (size_t j = 0; j < len; j++)
			assert_int_equal(scar_buf_append_char(&event, 'x', &err), 0);
		assert_int_equal(scar_buf_append_char(&event, '"', &err), 0);
	}
	assert_int_equal(scar_buf_append_str(&event, "]}", &err), 0);
	return scar_job_parse(event.data, event.len, &job, &err);
}

static void arguments_beyond_what_the_kernel_takes_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse_many(SCAR_LIMIT_ARGS, 1), 0);
	assert_int_equal(parse_many(SCAR_LIMIT_ARGS + 1, 1), -1);
	assert_int_equal(err.kind, SCAR_ERR_EVENT);
	assert_int_equal(parse_many(1, SCAR_LIMIT_ARG_BYTES - 1), 0);
	assert_int_equal(parse_many(1, SCAR_LIMIT_ARG_BYTES), -1);
	assert_int_equal(parse_many(12, 100000), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_are_an_event),
		cmocka_unit_test(deep_nesting_is_input_and_no_crash),
		cmocka_unit_test(arguments_come_as_a_list_or_as_text_that_holds_one),
		cmocka_unit_test(an_empty_list_is_no_arguments),
		cmocka_unit_test(script_input_and_image_are_found),
		cmocka_unit_test(input_may_be_empty_by_wish),
		cmocka_unit_test(what_is_wrong_is_refused_by_key),
		cmocka_unit_test(arguments_beyond_what_the_kernel_takes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
