/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

static struct scar_ini *parse(const char *text)
{
	struct scar_ini *ini = NULL;
	struct scar_err err;

	assert_int_equal(scar_ini_parse(text, strlen(text), "file", &ini, &err), 0);
	return ini;
}

static void reads_what_people_write(void **state)
{
	scar_ini_auto struct scar_ini *ini = parse(
		"\xef\xbb\xbf# comment\n[default]\r\nRegion = eu-west-1 \r\n; another\n"
		"aws_secret_access_key=a=b;c #d\n\n[profile  \"my  own\"] # why\nx =\ty z\n"
		"[empty]\n");

	(void)state;
	assert_string_equal(scar_ini_get(ini, "default", "region"), "eu-west-1");
	assert_string_equal(scar_ini_get(ini, "default", "aws_secret_access_key"), "a=b;c #d");
	assert_null(scar_ini_get(ini, "default", "Region"));
	assert_null(scar_ini_get(ini, "nowhere", "region"));
	assert_true(scar_ini_has(ini, "empty"));
	assert_string_equal(scar_ini_get(ini, "profile my  own", "x"), "y z");
	assert_false(scar_ini_has(ini, "emp"));
	assert_null(scar_ini_get(NULL, "default", "region"));
}

static void takes_the_last_of_what_is_said_twice(void **state)
{
	scar_ini_auto struct scar_ini *ini = parse("[a]\nk=1\nk=2\n[b]\nk=3\n[a]\nk=4\n");

	(void)state;
	assert_string_equal(scar_ini_get(ini, "a", "k"), "4");
	assert_string_equal(scar_ini_get(ini, "b", "k"), "3");
}

static void takes_sections_that_are_indented_as_a_whole(void **state)
{
	scar_ini_auto struct scar_ini *ini = parse(
		"[a]\n  k = 1\n  s3 =\n    style = path\n  l = 2\n\t[b]\n\tk = 3\n");

	(void)state;
	assert_string_equal(scar_ini_get(ini, "a", "k"), "1");
	assert_string_equal(scar_ini_get(ini, "a", "l"), "2");
	assert_string_equal(scar_ini_get_below(ini, "a", "s3", "style"), "path");
	assert_string_equal(scar_ini_get(ini, "b", "k"), "3");
}

static void keeps_indented_keys_below_their_own(void **state)
{
	scar_ini_auto struct scar_ini *ini = parse(
		"[services dev]\ns3 =\n  endpoint_url = http://a\n\tother=1\nlambda =\n"
		"    endpoint_url = http://b\nplain = x\n  goes on = here\n");

	(void)state;
	assert_string_equal(scar_ini_get_below(ini, "services dev", "s3", "endpoint_url"),
			    "http://a");
	assert_string_equal(scar_ini_get_below(ini, "services dev", "lambda", "endpoint_url"),
			    "http://b");
	assert_null(scar_ini_get(ini, "services dev", "endpoint_url"));
	assert_string_equal(scar_ini_get(ini, "services dev", "plain"), "x");
	assert_null(scar_ini_get_below(ini, "services dev", "plain", "goes on"));
}

static void refuses_what_it_cannot_read_and_tells_the_line_only(void **state)
{
	static const struct {
		const char *text;
		const char *line;
	} cases[] = {
		{"k = 1\n", "line 1"},
		{"[a]\nSECRET\n", "line 2"},
		{"[a\n", "line 1"},
		{"[ ]\n", "line 1"},
		{"[a]\n\n = SECRET\n", "line 3"},
		{"[a]\nk=\n  SECRET\n", "line 3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct scar_ini *ini = NULL;
		struct scar_err err;

		assert_int_equal(
			scar_ini_parse(cases[i].text, strlen(cases[i].text), "file", &ini, &err),
			-1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
		assert_non_null(strstr(err.msg, "file, "));
		assert_non_null(strstr(err.msg, cases[i].line));
		assert_null(strstr(err.msg, "SECRET"));
		assert_null(ini);
	}
}

static void refuses_bytes_that_are_no_text(void **state)
{
	struct scar_ini *ini = NULL;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_ini_parse("[a]\0k=1\n", 8, "file", &ini, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_people_write),
		cmocka_unit_test(takes_the_last_of_what_is_said_twice),
		cmocka_unit_test(takes_sections_that_are_indented_as_a_whole),
		cmocka_unit_test(keeps_indented_keys_below_their_own),
		cmocka_unit_test(refuses_what_it_cannot_read_and_tells_the_line_only),
		cmocka_unit_test(refuses_bytes_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
