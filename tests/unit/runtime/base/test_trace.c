/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/trace.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static char text[SCAR_KIB(4) + 1];

static const char *told(void)
{
	scar_buf_auto struct scar_buf line;
	struct scar_err err;

	scar_buf_init(&line, SCAR_KIB(4));
	assert_int_equal(scar_trace_write(&line, &err), 0);
	memcpy(text, line.data, line.len + 1);
	return text;
}

static void nothing_is_noted_while_nobody_wants_it(void **state)
{
	(void)state;
	assert_int_equal(scar_trace_begin(), 0);
	scar_trace_end(0, "token", NULL, 0);
	assert_string_equal(told(), SCAR_TRACE_MARK);
}

static void spans_are_told_with_their_bytes(void **state)
{
	int64_t begin;

	(void)state;
	scar_trace_start();
	begin = scar_trace_begin();
	assert_true(begin > 0);
	scar_trace_end(begin, "download", "0123456789abcdef", 77);
	scar_trace_end(begin, "a name, \"quoted\"", NULL, 0);
	scar_trace_stop();
	scar_trace_end(begin, "late", NULL, 0);
	assert_non_null(strstr(told(), SCAR_TRACE_MARK "download:0123456789ab "));
	assert_non_null(strstr(text, " 77,a_name___quoted_ "));
	assert_null(strstr(text, "late"));
}

static void a_span_of_an_earlier_invocation_is_not_of_the_next(void **state)
{
	int64_t begin;

	(void)state;
	scar_trace_start();
	begin = scar_trace_begin();
	for (volatile int i = 0; i < 1000000; i++)
		;
	scar_trace_start();
	if (begin < scar_trace_begin())
		scar_trace_end(begin, "old", NULL, 0);
	assert_null(strstr(told(), "old"));
	scar_trace_stop();
}

static void *note_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		scar_trace_end(scar_trace_begin(), "an-exceedingly-long-name-of-a-span",
			       "and-a-long-detail", UINT64_MAX);
	return NULL;
}

static void many_threads_fill_no_more_than_a_line_of_lambdas_log(void **state)
{
	pthread_t threads[4];
	size_t spans = 1;

	(void)state;
	scar_trace_start();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, note_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (const char *c = told(); *c; c++)
		spans += *c == ',';
	assert_int_equal(spans, SCAR_TRACE_SPANS);
	scar_trace_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_noted_while_nobody_wants_it),
		cmocka_unit_test(spans_are_told_with_their_bytes),
		cmocka_unit_test(a_span_of_an_earlier_invocation_is_not_of_the_next),
		cmocka_unit_test(many_threads_fill_no_more_than_a_line_of_lambdas_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
