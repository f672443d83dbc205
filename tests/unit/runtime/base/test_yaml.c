/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

static struct scar_yaml *parse(const char *text)
{
	struct scar_yaml *root = NULL;
	struct scar_err err;

	if (scar_yaml_parse(text, strlen(text), "f", &root, &err) < 0)
		fail_msg("%s", err.msg);
	return root;
}

static void assert_json(const char *yaml, const char *json)
{
	scar_yaml_auto struct scar_yaml *root = parse(yaml);
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	scar_buf_init(&text, 65536);
	assert_int_equal(scar_yaml_print_json(root, &text, &err), 0);
	assert_string_equal(text.data, json);
}

static void assert_refused(const char *yaml, enum scar_err_kind kind, const char *message)
{
	struct scar_yaml *root = NULL;
	struct scar_err err;

	assert_int_equal(scar_yaml_parse(yaml, strlen(yaml), "f", &root, &err), -1);
	assert_null(root);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, kind);
}

static void plain_scalars_mean_what_yaml_1_1_says(void **state)
{
	(void)state;
	assert_json("[yes, No, ON, off, true, FALSE, y, n, yEs]",
		    "[true,false,true,false,true,false,\"y\",\"n\",\"yEs\"]");
	assert_json("[~, null, NULL, nULL, '', ]", "[null,null,null,\"nULL\",\"\"]");
	assert_json("[0, 010, 08, 0x1F, 0b101, -0b11, 1_000, 1:30, +7, 0o17, 190:20:30]",
		    "[0,8,\"08\",31,5,-3,1000,90,7,\"0o17\",685230]");
	assert_json("[1.5, 1e3, 1.0e+3, .5, -.5, 1., 1:30.5, 1_0.2_5]",
		    "[1.5,\"1e3\",1000,0.5,\"-.5\",1,90.5,10.25]");
	assert_json("[012345678901, 2018-01-01, =, 1.2.3, 0.1.0a, -, a]",
		    "[\"012345678901\",\"2018-01-01\",\"=\",\"1.2.3\",\"0.1.0a\",\"-\",\"a\"]");
	assert_json("[9223372036854775807, -9223372036854775808]",
		    "[9223372036854775807,-9223372036854775808]");
}

static void quotes_and_blocks_are_text(void **state)
{
	(void)state;
	assert_json("a: 'yes'\nb: \"1\"\nc: |\n  x\n  y\nd: >-\n  x\n  y\n",
		    "{\"a\":\"yes\",\"b\":\"1\",\"c\":\"x\\ny\\n\",\"d\":\"x y\"}");
}

static void tags_decide_where_they_are_known(void **state)
{
	(void)state;
	assert_json("[!!str 1, !!int '7', !!float 2, !!bool 'no', !!null '', !!map {}, !!seq []]",
		    "[\"1\",7,2,false,null,{},[]]");
	assert_refused("a: !!int x", SCAR_ERR_CONFIG,
		       "f: line 1, column 4: \"x\" is not what its tag says");
	assert_refused("a:\n - !!python/object/apply:os.nothing []", SCAR_ERR_CONFIG,
		       "f: line 2, column 4: no such type here: "
		       "tag:yaml.org,2002:python/object/apply:os.nothing");
	assert_refused("!!seq {}", SCAR_ERR_CONFIG,
		       "f: line 1, column 1: this is not what its tag says");
}

static void nodes_know_where_they_are_and_what_was_written(void **state)
{
	scar_yaml_auto struct scar_yaml *root = parse("a: 1\nb:\n  - x\n  -   1.10\n");
	const struct scar_yaml *item = scar_yaml_at(scar_yaml_get(root, "b"), 1);
	double number;

	(void)state;
	assert_int_equal(scar_yaml_line(item), 4);
	assert_int_equal(scar_yaml_column(item), 7);
	assert_string_equal(scar_yaml_text(item), "1.10");
	assert_null(scar_yaml_string(item));
	assert_int_equal(scar_yaml_double(item, &number), 0);
	assert_true(fabs(number - 1.1) < 1e-12);
	assert_int_equal(scar_yaml_line(scar_yaml_key_at(root, 1)), 2);
	assert_null(scar_yaml_get(root, "c"));
	assert_null(scar_yaml_get(item, "c"));
	assert_null(scar_yaml_at(root, 2));
}

static void accessors_take_only_their_type(void **state)
{
	scar_yaml_auto struct scar_yaml *root = parse("{t: yes, i: 3, s: x}");
	int64_t whole = 0;
	bool truth = false;

	(void)state;
	assert_int_equal(scar_yaml_bool(scar_yaml_get(root, "t"), &truth), 0);
	assert_true(truth);
	assert_int_equal(scar_yaml_bool(scar_yaml_get(root, "i"), &truth), -1);
	assert_int_equal(scar_yaml_int(scar_yaml_get(root, "i"), &whole), 0);
	assert_int_equal(whole, 3);
	assert_int_equal(scar_yaml_int(scar_yaml_get(root, "s"), &whole), -1);
	assert_int_equal(scar_yaml_int(NULL, &whole), -1);
	assert_string_equal(scar_yaml_string(scar_yaml_get(root, "s")), "x");
}

static void an_empty_stream_is_null(void **state)
{
	(void)state;
	assert_json("", "null");
	assert_json("# only a comment\n", "null");
	assert_json("---\n", "null");
}

static void aliases_and_merges_are_followed(void **state)
{
	(void)state;
	assert_json("a: &x {k: 1, l: 2}\nb: *x\n",
		    "{\"a\":{\"k\":1,\"l\":2},\"b\":{\"k\":1,\"l\":2}}");
	assert_json("- &x {k: 1, l: 2}\n- {<<: *x, k: 9}\n",
		    "[{\"k\":1,\"l\":2},{\"k\":9,\"l\":2}]");
	assert_json("- &x {k: 1}\n- &y {k: 2, l: 3}\n- {<<: [*x, *y]}\n- {'<<': *x}\n",
		    "[{\"k\":1},{\"k\":2,\"l\":3},{\"k\":1,\"l\":3},{\"<<\":{\"k\":1}}]");
	assert_refused("a: *x", SCAR_ERR_CONFIG,
		       "f: line 1, column 4: no anchor before this alias: x");
	assert_refused("a: &x [*x]", SCAR_ERR_CONFIG,
		       "f: line 1, column 8: this alias lies in what it stands for: x");
	assert_refused("[&x 1, &x 2]", SCAR_ERR_CONFIG,
		       "f: line 1, column 8: an anchor of this name exists: x");
	assert_refused("<<: 1", SCAR_ERR_CONFIG,
		       "f: line 1, column 5: only mappings can be merged, this is a whole number");
}

static void a_key_twice_is_refused_with_both_lines(void **state)
{
	(void)state;
	assert_refused("memory: 512\nname: x\nmemory: 1024\n", SCAR_ERR_CONFIG,
		       "f: line 3, column 1: key \"memory\" is there twice, first in line 1");
	assert_refused("? [a]\n: 1\n", SCAR_ERR_CONFIG,
		       "f: line 1, column 3: a key must be a scalar, this is a list");
}

static void wrong_text_is_refused_with_its_place(void **state)
{
	(void)state;
	assert_refused("a: [1,\nb: 2\n", SCAR_ERR_CONFIG,
		       "f: line 3, column 1: did not find expected ',' or ']'");
	assert_refused("a: 1\n---\nb: 2\n", SCAR_ERR_CONFIG,
		       "f: line 2, column 1: a second document begins");
	assert_refused("a: \"x\\0y\"", SCAR_ERR_CONFIG, "f: line 1, column 4: text with a NUL");
	assert_refused("a: 9223372036854775808", SCAR_ERR_CONFIG,
		       "f: line 1, column 4: \"9223372036854775808\" is not a number of 64 bits");
	assert_refused("a: 0x_", SCAR_ERR_CONFIG,
		       "f: line 1, column 4: \"0x_\" is not a number of 64 bits");
	assert_refused("a: \xff", SCAR_ERR_CONFIG, "f: byte 3: invalid leading UTF-8 octet");
}

static void infinities_are_numbers_but_not_json(void **state)
{
	scar_yaml_auto struct scar_yaml *root = parse("[-.inf]");
	scar_buf_auto struct scar_buf text;
	double number = 0;
	struct scar_err err;

	(void)state;
	scar_buf_init(&text, 100);
	assert_int_equal(scar_yaml_double(scar_yaml_at(root, 0), &number), 0);
	assert_true(isinf(number) && number < 0);
	assert_int_equal(scar_yaml_print_json(root, &text, &err), -1);
	assert_string_equal(err.msg, "line 1, column 2: JSON has no such number: -.inf");
}

static void laughter_is_bounded(void **state)
{
	struct scar_yaml *root = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	(void)state;
	scar_buf_init(&text, 65536);
	scar_buf_append_str(&text, "- &a0 [l,l,l,l,l,l,l,l,l,l]\n", &err);
	for (int i = 1; i < 10; i++)
		scar_buf_printf(&text, &err,
				"- &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i - 1,
				i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_int_equal(scar_yaml_parse(text.data, text.len, "f", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_string_equal(err.msg, "f: more than 20000 nodes with all aliases written out");
}

static void depth_is_bounded_through_aliases_too(void **state)
{
	struct scar_yaml *root = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	(void)state;
	scar_buf_init(&text, 65536);
	for (int i = 0; i <= SCAR_LIMIT_YAML_DEPTH; i++)
		scar_buf_append_char(&text, '[', &err);
	assert_int_equal(scar_yaml_parse(text.data, text.len, "f", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	scar_buf_reset(&text);
	scar_buf_append_str(&text, "- &a0 []\n", &err);
	for (int i = 1; i <= SCAR_LIMIT_YAML_DEPTH; i++)
		scar_buf_printf(&text, &err, "- &a%d [*a%d]\n", i, i - 1);
	assert_int_equal(scar_yaml_parse(text.data, text.len, "f", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_non_null(strstr(err.msg, "nested too deeply"));
}

static void size_is_bounded(void **state)
{
	static char text[SCAR_LIMIT_YAML_BYTES + 1];
	struct scar_yaml *root = NULL;
	struct scar_err err;

	(void)state;
	memset(text, ' ', sizeof text);
	assert_int_equal(scar_yaml_parse(text, sizeof text, "f", &root, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void a_node_becomes_a_json_tree(void **state)
{
	scar_yaml_auto struct scar_yaml *root = parse("a: {b: [1, x]}");
	scar_json_auto struct scar_json *json = NULL;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_yaml_to_json(scar_yaml_get(root, "a"), &json, &err), 0);
	assert_int_equal(scar_json_size(scar_json_get(json, "b")), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_mean_what_yaml_1_1_says),
		cmocka_unit_test(quotes_and_blocks_are_text),
		cmocka_unit_test(tags_decide_where_they_are_known),
		cmocka_unit_test(nodes_know_where_they_are_and_what_was_written),
		cmocka_unit_test(accessors_take_only_their_type),
		cmocka_unit_test(an_empty_stream_is_null),
		cmocka_unit_test(aliases_and_merges_are_followed),
		cmocka_unit_test(a_key_twice_is_refused_with_both_lines),
		cmocka_unit_test(wrong_text_is_refused_with_its_place),
		cmocka_unit_test(infinities_are_numbers_but_not_json),
		cmocka_unit_test(laughter_is_bounded),
		cmocka_unit_test(depth_is_bounded_through_aliases_too),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(a_node_becomes_a_json_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
