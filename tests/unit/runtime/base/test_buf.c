/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

static struct scar_err err;

static void an_empty_buffer_is_empty_text_and_allocates_nothing(void **state)
{
	struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 10);
	assert_string_equal(buf.data, "");
	assert_int_equal(buf.cap, 0);
	scar_buf_clear(&buf);
	assert_string_equal(buf.data, "");
}

static void appended_pieces_stay_one_text(void **state)
{
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 100);
	assert_int_equal(scar_buf_append(&buf, "abc", 2, &err), 0);
	assert_int_equal(scar_buf_append_str(&buf, "cd", &err), 0);
	assert_int_equal(scar_buf_append_char(&buf, 'e', &err), 0);
	assert_int_equal(scar_buf_append(&buf, NULL, 0, &err), 0);
	assert_int_equal(scar_buf_printf(&buf, &err, "-%d-", 42), 0);
	assert_string_equal(buf.data, "abcde-42-");
	assert_int_equal(buf.len, 9);
}

static void the_maximum_is_reached_but_not_passed(void **state)
{
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 4);
	assert_int_equal(scar_buf_append_str(&buf, "abcd", &err), 0);
	assert_int_equal(scar_buf_append_char(&buf, 'e', &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_int_equal(scar_buf_printf(&buf, &err, "%s", "e"), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_string_equal(buf.data, "abcd");
	assert_int_equal(buf.len, 4);
}

static void a_format_longer_than_the_room_is_written_whole(void **state)
{
	scar_buf_auto struct scar_buf buf;
	char text[3001];

	(void)state;
	memset(text, 't', 3000);
	text[3000] = '\0';
	scar_buf_init(&buf, 10000);
	assert_int_equal(scar_buf_append_str(&buf, "x", &err), 0);
	assert_int_equal(scar_buf_printf(&buf, &err, "<%s>", text), 0);
	assert_int_equal(buf.len, 3003);
	assert_memory_equal(buf.data + 2, text, 3000);
	assert_string_equal(buf.data + 3002, ">");
	/* A refused one leaves no trace. */
	buf.max_bytes = 4000;
	assert_int_equal(scar_buf_printf(&buf, &err, "<%s>", text), -1);
	assert_int_equal(buf.data[buf.len], '\0');
	assert_int_equal(buf.len, 3003);
}

static void sizes_that_overflow_are_refused(void **state)
{
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, SIZE_MAX);
	assert_int_equal(scar_buf_append_char(&buf, 'a', &err), 0);
	assert_int_equal(scar_buf_reserve(&buf, SIZE_MAX, &err), -1);
	assert_int_equal(scar_buf_reserve(&buf, SIZE_MAX - 1, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOMEM);
	assert_string_equal(buf.data, "a");
}

static void consuming_moves_the_rest_to_the_front(void **state)
{
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 100);
	scar_buf_consume(&buf, 0);
	assert_int_equal(scar_buf_append_str(&buf, "abcdef", &err), 0);
	scar_buf_consume(&buf, 2);
	assert_string_equal(buf.data, "cdef");
	scar_buf_consume(&buf, 4);
	assert_string_equal(buf.data, "");
}

static void stealing_gives_the_bytes_and_empties(void **state)
{
	scar_buf_auto struct scar_buf buf;
	char *text;

	(void)state;
	scar_buf_init(&buf, 100);
	text = scar_buf_steal(&buf);
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(scar_buf_append_str(&buf, "abc", &err), 0);
	text = scar_buf_steal(&buf);
	assert_string_equal(text, "abc");
	free(text);
	assert_int_equal(buf.len, 0);
	assert_int_equal(buf.max_bytes, 100);
	assert_int_equal(scar_buf_append_str(&buf, "again", &err), 0);
	assert_string_equal(buf.data, "again");
}

static void growing_is_linear_and_never_beyond_the_maximum(void **state)
{
	scar_buf_auto struct scar_buf buf;
	size_t growths = 0, cap = 0;

	(void)state;
	scar_buf_init(&buf, 100000);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(scar_buf_append_char(&buf, 'x', &err), 0);
		growths += buf.cap != cap;
		cap = buf.cap;
	}
	assert_true(growths < 16);
	assert_true(buf.cap <= 100001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_empty_text_and_allocates_nothing),
		cmocka_unit_test(appended_pieces_stay_one_text),
		cmocka_unit_test(the_maximum_is_reached_but_not_passed),
		cmocka_unit_test(a_format_longer_than_the_room_is_written_whole),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(consuming_moves_the_rest_to_the_front),
		cmocka_unit_test(stealing_gives_the_bytes_and_empties),
		cmocka_unit_test(growing_is_linear_and_never_beyond_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
