/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/json_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

static void writes_documents(void **state)
{
	static const char *const list[] = {"a", "b", NULL}, *const none[] = {NULL};
	static const char node_text[] = "{\"k\":[1,null]}";
	scar_json_auto struct scar_json *node = NULL;
	scar_buf_auto struct scar_buf buf;
	struct scar_json_writer w;
	struct scar_err err;

	(void)state;
	scar_buf_init(&buf, 1000);
	assert_int_equal(scar_json_parse(node_text, strlen(node_text), "node", &node, &err), 0);
	scar_json_writer_init(&w, &buf, &err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "s", "\"q\"");
	scar_json_write_string(&w, "absent", NULL);
	scar_json_write_int(&w, "n", INT64_MIN);
	scar_json_write_bool(&w, "b", false);
	scar_json_write_strings(&w, "list", list);
	scar_json_write_strings(&w, "none", none);
	scar_json_write_strings(&w, "absent", NULL);
	scar_json_write_base64(&w, "data", "\xff\x00", 2);
	scar_json_write_node(&w, "node", node);
	scar_json_write_node(&w, "absent", NULL);
	scar_json_write_open(&w, "e", '{');
	scar_json_write_close(&w, '}');
	scar_json_write_open(&w, "a", '[');
	scar_json_write_int(&w, NULL, 1);
	scar_json_write_open(&w, NULL, '[');
	scar_json_write_close(&w, ']');
	scar_json_write_close(&w, ']');
	scar_json_write_close(&w, '}');
	assert_int_equal(scar_json_writer_end(&w), 0);
	assert_string_equal(
		buf.data,
		"{\"s\":\"\\\"q\\\"\",\"n\":-9223372036854775808,\"b\":false,\"list\":[\"a\",\"b\"],"
		"\"none\":[],\"data\":\"/wA=\",\"node\":{\"k\":[1,null]},\"e\":{},\"a\":[1,[]]}");
}

static void keeps_the_first_failure(void **state)
{
	scar_buf_auto struct scar_buf buf;
	struct scar_json_writer w;
	struct scar_err err;

	(void)state;
	scar_buf_init(&buf, 8);
	scar_json_writer_init(&w, &buf, &err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "long", "longer");
	err.msg[0] = '\0';
	scar_json_write_int(&w, "n", 1);
	scar_json_write_close(&w, '}');
	assert_int_equal(scar_json_writer_end(&w), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_string_equal(err.msg, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_documents),
		cmocka_unit_test(keeps_the_first_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
