/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static struct scar_err err;

static int parse(const char *text, struct scar_json **ret_root)
{
	return scar_json_parse(text, strlen(text), "doc", ret_root, &err);
}

static void members_are_found_by_exact_name_and_type(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	assert_int_equal(
		parse(" {\"a\":\"x\",\"A\":\"y\",\"n\":null,\"t\":true,\"i\":-7}\n", &root), 0);
	assert_int_equal(scar_json_type(root), SCAR_JSON_OBJECT);
	assert_int_equal(scar_json_size(root), 5);
	assert_string_equal(scar_json_string(scar_json_get(root, "a")), "x");
	assert_string_equal(scar_json_string(scar_json_get(root, "A")), "y");
	assert_null(scar_json_get(root, "b"));
	assert_int_equal(scar_json_type(scar_json_get(root, "n")), SCAR_JSON_NULL);
	assert_true(scar_json_bool(scar_json_get(root, "t"), false));
	assert_true(scar_json_bool(scar_json_get(root, "i"), true));
	assert_null(scar_json_string(scar_json_get(root, "i")));
	assert_null(scar_json_get(scar_json_get(root, "a"), "b"));
	assert_null(scar_json_get(NULL, "a"));
	assert_null(scar_json_string(NULL));
	assert_false(scar_json_bool(NULL, false));
}

static void arrays_are_walked_in_order(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_json *node;
	int64_t expected = 1, value = 0;

	(void)state;
	assert_int_equal(parse("[1,2,3]", &root), 0);
	assert_int_equal(scar_json_size(root), 3);
	for (node = scar_json_first(root); node; node = scar_json_next(node)) {
		assert_int_equal(scar_json_int(node, &value), 0);
		assert_int_equal(value, expected++);
		assert_null(scar_json_key(node));
	}
	assert_int_equal(expected, 4);
	assert_null(scar_json_first(scar_json_first(root)));
}

static void only_whole_exact_numbers_are_integers(void **state)
{
	static const struct {
		const char *text;
		int status;
		int64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"1e3", 0, 1000},
		{"9007199254740991", 0, 9007199254740991},
		{"-9007199254740991", 0, -9007199254740991},
		{"9007199254740992", -1, 0},
		{"9007199254740993", -1, 0},
		{"-9223372036854775808", -1, 0},
		{"9223372036854775808", -1, 0},
		{"1234567890123456789.5", -1, 0},
		{"1.5", -1, 0},
		{"1e400", -1, 0},
		{"\"1\"", -1, 0},
		{"true", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		scar_json_auto struct scar_json *root = NULL;
		int64_t value = 0;

		assert_int_equal(parse(cases[i].text, &root), 0);
		assert_int_equal(scar_json_int(root, &value), cases[i].status);
		assert_int_equal(value, cases[i].value);
	}
}

static void what_is_not_json_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"{",
		"[1,",
		"[1,]",
		"{\"a\":1,}",
		"{\"a\"}",
		"{a:1}",
		"[1 2]",
		"1 2",
		"[] []",
		"]",
		"[}",
		"01",
		"1.",
		".5",
		"+1",
		"-",
		"1e",
		"0x10",
		"NaN",
		"nul",
		"nulll",
		"True",
		"\"",
		"\"\\\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\ud800\"",
		"\"a\nb\"",
		"\"\t\"",
		"\"\xff\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"'a'",
		"/*c*/1",
		"\xef\xbb\xbf{}",
		"\v1",
		"{\"a\" 1}",
		"{1:2}",
		"[\"a\"\"b\"]",
		",",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct scar_json *root = NULL;

		scar_err_clear(&err);
		if (parse(texts[i], &root) == 0)
			fail_msg("accepted: %s", texts[i]);
		assert_null(root);
		assert_int_equal(err.kind, SCAR_ERR_PROTOCOL);
		assert_memory_equal(err.msg, "doc: ", 5);
	}
}

static void a_nul_is_refused_in_any_disguise(void **state)
{
	struct scar_json *root = NULL;

	(void)state;
	assert_int_equal(parse("\"a\\u0000b\"", &root), -1);
	assert_int_equal(parse("{\"a\\u0000b\":1}", &root), -1);
	assert_int_equal(scar_json_parse("\"a\0b\"", 5, "doc", &root, &err), -1);
	assert_int_equal(scar_json_parse("1\0", 2, "doc", &root, &err), -1);
	assert_int_equal(scar_json_parse("\0", 1, "doc", &root, &err), -1);
	assert_null(root);
}

static void the_text_needs_no_nul_at_its_end(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	char *text = malloc(3);
	int64_t value = 0;

	(void)state;
	/* On the heap, so that a sanitizer sees one byte too many. */
	memcpy(text, "123", 3);
	assert_int_equal(scar_json_parse(text, 3, "doc", &root, &err), 0);
	free(text);
	assert_int_equal(scar_json_int(root, &value), 0);
	assert_int_equal(value, 123);
}

static void depth_is_bounded(void **state)
{
	struct scar_json *root = NULL;
	char text[2 * (SCAR_LIMIT_JSON_DEPTH + 1)];
	size_t depth = SCAR_LIMIT_JSON_DEPTH;

	(void)state;
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	assert_int_equal(scar_json_parse(text, 2 * depth, "doc", &root, &err), 0);
	scar_json_free(root);
	depth++;
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	assert_int_equal(scar_json_parse(text, 2 * depth, "doc", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void size_and_number_of_values_are_bounded(void **state)
{
	struct scar_json *root = NULL;
	size_t len = SCAR_LIMIT_JSON_BYTES + 1;
	char *text = malloc(len);

	(void)state;
	memset(text, ' ', len);
	text[0] = '1';
	assert_int_equal(scar_json_parse(text, len, "doc", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	for (size_t i = 0; i < len; i++)
		text[i] = i % 2 ? '0' : ',';
	text[0] = '[';
	assert_int_equal(scar_json_parse(text, SCAR_LIMIT_JSON_BYTES, "doc", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	free(text);
}

static void needed_members_are_named_in_the_error(void **state)
{
	scar_json_auto struct scar_json *root = NULL;
	const char *text = "old";
	int64_t value = 5;

	(void)state;
	assert_int_equal(parse("{\"s\":\"x\",\"n\":1.5}", &root), 0);
	assert_int_equal(scar_json_need_string(root, "s", "doc", &text, &err), 0);
	assert_string_equal(text, "x");
	assert_int_equal(scar_json_need_string(root, "n", "doc", &text, &err), -1);
	assert_string_equal(err.msg, "doc: key 'n' is not a string");
	assert_string_equal(text, "x");
	assert_int_equal(scar_json_need_string(root, "m", "doc", &text, &err), -1);
	assert_string_equal(err.msg, "doc: key 'm' is missing");
	assert_int_equal(err.kind, SCAR_ERR_PROTOCOL);
	assert_int_equal(scar_json_need_int(root, "n", "doc", &value, &err), -1);
	assert_string_equal(err.msg, "doc: key 'n' is not a whole number");
	assert_int_equal(value, 5);
}

static void printing_gives_back_what_was_parsed(void **state)
{
	static const char text[] =
		"{\"12\":[\"\\\"9\",1234567890123456789,{\"n\":-0.12345678901234567891}],"
		"\"a\":[1,-2.5,\"\\\"\\\\\\n\xc3\xa9\",true,null],\"b\":{},\"t\":1767225600123,"
		"\"u\":18446744073709551616}";
	scar_json_auto struct scar_json *root = NULL;
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 1000);
	assert_int_equal(parse(text, &root), 0);
	assert_int_equal(scar_json_print(root, &buf, &err), 0);
	assert_string_equal(buf.data, text);
	buf.max_bytes = buf.len;
	assert_int_equal(scar_json_print(root, &buf, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void strings_of_any_bytes_are_written_as_json(void **state)
{
	static const char bytes[] = "q\"b\\ \n\r\t\x01\0\x7f\xc3\xa9\xff\xc3";
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 1000);
	assert_int_equal(scar_json_append_string(&buf, bytes, sizeof bytes - 1, &err), 0);
	assert_string_equal(buf.data, "\"q\\\"b\\\\ \\n\\r\\t\\u0001\\u0000\x7f\xc3\xa9"
				      "\xef\xbf\xbd\xef\xbf\xbd\"");
	scar_buf_reset(&buf);
	assert_int_equal(scar_json_append_string(&buf, "", 0, &err), 0);
	assert_string_equal(buf.data, "\"\"");
}

static void every_utf8_form_is_told_from_its_neighbours(void **state)
{
	static const char *const good[] = {
		"\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const wrong[] = {"\x80",
					    "\xc1\xbf",
					    "\xdf",
					    "\xe0\x9f\xbf",
					    "\xed\xa0\x80",
					    "\xe1\x80",
					    "\xf0\x8f\xbf\xbf",
					    "\xf4\x90\x80\x80",
					    "\xf5\x80\x80\x80",
					    "\xf1\x80\x80\x41"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0] + sizeof wrong / sizeof wrong[0]; i++) {
		size_t goods = sizeof good / sizeof good[0];
		scar_json_auto struct scar_json *root = NULL;
		scar_buf_auto struct scar_buf buf;

		scar_buf_init(&buf, 100);
		assert_int_equal(scar_buf_printf(&buf, &err, "\"%s\"",
						 i < goods ? good[i] : wrong[i - goods]),
				 0);
		assert_int_equal(parse(buf.data, &root), i < goods ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_exact_name_and_type),
		cmocka_unit_test(arrays_are_walked_in_order),
		cmocka_unit_test(only_whole_exact_numbers_are_integers),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(a_nul_is_refused_in_any_disguise),
		cmocka_unit_test(the_text_needs_no_nul_at_its_end),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_and_number_of_values_are_bounded),
		cmocka_unit_test(needed_members_are_named_in_the_error),
		cmocka_unit_test(printing_gives_back_what_was_parsed),
		cmocka_unit_test(strings_of_any_bytes_are_written_as_json),
		cmocka_unit_test(every_utf8_form_is_told_from_its_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
