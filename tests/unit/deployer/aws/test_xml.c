/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static struct scar_xml *parse(const char *text)
{
	struct scar_xml *root = NULL;
	struct scar_err err;

	assert_int_equal(scar_xml_parse(text, strlen(text), "answer", &root, &err), 0);
	return root;
}

static enum scar_err_kind refusal(const char *text, size_t len)
{
	struct scar_xml *root = NULL;
	struct scar_err err;

	assert_int_equal(scar_xml_parse(text, len, "answer", &root, &err), -1);
	assert_null(root);
	assert_memory_equal(err.msg, "answer: ", 8);
	return err.kind;
}

static void makes_a_tree_of_elements_and_text(void **state)
{
	scar_xml_auto struct scar_xml *root = parse(
		"<?xml version=\"1.0\"?>\n<r xmlns=\"http://x/\" xmlns:i=\"http://i/\">\n <!-- no -->"
		"<a i:type=\"t\">1</a><b> <c>x&amp;y&lt;z&#233;</c> </b><i:a>2</i:a><s>  </s>"
		"<e/></r>");
	const struct scar_xml *a = scar_xml_first(root, "a");

	(void)state;
	assert_string_equal(scar_xml_name(root), "r");
	assert_string_equal(scar_xml_text(root), "");
	assert_string_equal(scar_xml_text(a), "1");
	assert_string_equal(scar_xml_text(scar_xml_next(a, "a")), "2");
	assert_null(scar_xml_next(scar_xml_next(a, "a"), "a"));
	assert_string_equal(scar_xml_text_at(root, "b/c"), "x&y<z\xc3\xa9");
	assert_string_equal(scar_xml_text_at(root, "s"), "  ");
	assert_string_equal(scar_xml_text_at(root, "e"), "");
	assert_null(scar_xml_at(root, "b/d"));
	assert_null(scar_xml_at(NULL, "b"));
	assert_null(scar_xml_text_at(NULL, "b"));
}

static void prints_what_it_read(void **state)
{
	static const char text[] = "<r><a>x&amp;&lt;&gt;&quot;&#13;</a><b><c></c></b></r>";
	scar_xml_auto struct scar_xml *root = parse(text);
	scar_buf_auto struct scar_buf out;
	struct scar_err err;

	(void)state;
	scar_buf_init(&out, 200);
	assert_int_equal(scar_xml_print(root, &out, &err), 0);
	assert_string_equal(out.data, text);
}

static void refuses_what_is_no_xml(void **state)
{
	static const char *const bad[] = {"", "x", "<a>", "<a></b>", "<a/><b/>", "<a>&nbsp;</a>"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(refusal(bad[i], strlen(bad[i])), SCAR_ERR_PROTOCOL);
}

static void expands_no_entity(void **state)
{
	static const char laughs[] =
		"<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
	static const char outside[] = "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>";

	(void)state;
	assert_int_equal(refusal(laughs, sizeof laughs - 1), SCAR_ERR_PROTOCOL);
	assert_int_equal(refusal(outside, sizeof outside - 1), SCAR_ERR_PROTOCOL);
}

static void bounds_depth_and_number(void **state)
{
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	(void)state;
	scar_buf_init(&text, 2000000);
	for (int i = 0; i < 65; i++)
		assert_int_equal(scar_buf_append_str(&text, "<a>", &err), 0);
	assert_int_equal(refusal(text.data, text.len), SCAR_ERR_LIMIT);
	scar_buf_reset(&text);
	assert_int_equal(scar_buf_append_str(&text, "<r>", &err), 0);
	for (int i = 0; i < 200000; i++)
		assert_int_equal(scar_buf_append_str(&text, "<a/>", &err), 0);
	assert_int_equal(refusal(text.data, text.len), SCAR_ERR_LIMIT);
}

static void writes_no_character_that_xml_lacks(void **state)
{
	scar_buf_auto struct scar_buf out;
	struct scar_err err;

	(void)state;
	scar_buf_init(&out, 200);
	assert_int_equal(scar_xml_append_element(&out, "a", "x\x01y", &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	scar_buf_reset(&out);
	assert_int_equal(scar_xml_append_element(&out, "a", NULL, &err), 0);
	assert_string_equal(out.data, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_a_tree_of_elements_and_text),
		cmocka_unit_test(prints_what_it_read),
		cmocka_unit_test(refuses_what_is_no_xml),
		cmocka_unit_test(expands_no_entity),
		cmocka_unit_test(bounds_depth_and_number),
		cmocka_unit_test(writes_no_character_that_xml_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
