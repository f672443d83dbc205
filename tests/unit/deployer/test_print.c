/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

static const char document[] =
	"{\"a\":\"plain\",\"b\":\"yes\",\"c\":\"1\",\"d\":[1,{\"e\":null,\"f\":[]},\"x: y\"],\"g\":{},"
	"\"h\":\"line\\nbreak \\u00e9\",\"i: j\":true,\"k\":\"\",\"l\":\"- no list\",\"m\":\"null\"}";

static struct scar_json *parsed(const char *text, size_t len)
{
	struct scar_json *root = NULL;
	struct scar_err err = {0};

	if (scar_json_parse(text, len, "document", &root, &err) < 0)
		fail_msg("%s", err.msg);
	return root;
}

/* The compact text of a node tells whether two are the same. */
static void same(const struct scar_json *node)
{
	scar_buf_auto struct scar_buf text;
	scar_json_auto struct scar_json *expected = parsed(document, strlen(document));
	scar_buf_auto struct scar_buf wanted;
	struct scar_err err;

	scar_buf_init(&text, SCAR_MIB(1));
	scar_buf_init(&wanted, SCAR_MIB(1));
	assert_int_equal(scar_json_print(node, &text, &err), 0);
	assert_int_equal(scar_json_print(expected, &wanted, &err), 0);
	assert_string_equal(text.data, wanted.data);
}

static void what_is_printed_as_json_reads_back_the_same(void **state)
{
	scar_json_auto struct scar_json *root = parsed(document, strlen(document));
	scar_json_auto struct scar_json *back = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	(void)state;
	scar_buf_init(&text, SCAR_MIB(1));
	assert_int_equal(scar_print_json(root, &text, &err), 0);
	assert_int_equal(text.data[text.len - 1], '\n');
	back = parsed(text.data, text.len);
	same(back);
}

static void what_is_printed_as_yaml_reads_back_the_same(void **state)
{
	scar_json_auto struct scar_json *root = parsed(document, strlen(document));
	scar_yaml_auto struct scar_yaml *yaml = NULL;
	scar_json_auto struct scar_json *back = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_err err = {0};

	(void)state;
	scar_buf_init(&text, SCAR_MIB(1));
	assert_int_equal(scar_print_yaml(root, &text, &err), 0);
	if (scar_yaml_parse(text.data, text.len, "yaml", &yaml, &err) < 0)
		fail_msg("%s\n%s", err.msg, text.data);
	assert_int_equal(scar_yaml_to_json(yaml, &back, &err), 0);
	same(back);
}

static void empty_documents_are_documents(void **state)
{
	static const char *const empty[] = {"{}\n", "[]\n"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		scar_json_auto struct scar_json *root = parsed(empty[i], 2);
		scar_buf_auto struct scar_buf text;
		struct scar_err err;

		scar_buf_init(&text, SCAR_MIB(1));
		assert_int_equal(scar_print_yaml(root, &text, &err), 0);
		assert_int_equal(scar_print_json(root, &text, &err), 0);
		assert_int_equal(text.len, 6);
		assert_memory_equal(text.data + 3, empty[i], 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_as_json_reads_back_the_same),
		cmocka_unit_test(what_is_printed_as_yaml_reads_back_the_same),
		cmocka_unit_test(empty_documents_are_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
