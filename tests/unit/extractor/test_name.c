/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

static struct scar_name name;
static struct scar_err err;

static void must_be(const char *text, const char *parent, const char *base,
		    enum scar_name_kind kind)
{
	if (scar_name_parse(text, &name, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(name.parent, parent);
	assert_string_equal(name.base, base);
	assert_int_equal(name.kind, kind);
}

static void must_fail(const char *text, enum scar_err_kind kind)
{
	assert_int_equal(scar_name_parse(text, &name, &err), -1);
	assert_int_equal(err.kind, kind);
}

static void names_are_cleaned(void **state)
{
	(void)state;
	must_be("a", "", "a", SCAR_NAME_PLAIN);
	must_be("./a/b/", "a", "b", SCAR_NAME_PLAIN);
	must_be("//a//./b///c", "a/b", "c", SCAR_NAME_PLAIN);
	must_be("a/b/../c", "a", "c", SCAR_NAME_PLAIN);
	must_be("..a/...", "..a", "...", SCAR_NAME_PLAIN);
}

static void nothing_is_above_the_root(void **state)
{
	(void)state;
	must_be("../a", "", "a", SCAR_NAME_PLAIN);
	must_be("a/../../../b/c", "b", "c", SCAR_NAME_PLAIN);
	must_be("", "", "", SCAR_NAME_PLAIN);
	must_be(".", "", "", SCAR_NAME_PLAIN);
	must_be("/", "", "", SCAR_NAME_PLAIN);
	must_be("a/..", "", "", SCAR_NAME_PLAIN);
}

static void whiteouts_are_told_apart(void **state)
{
	(void)state;
	must_be("a/.wh.b", "a", "b", SCAR_NAME_WHITEOUT);
	must_be(".wh.b", "", "b", SCAR_NAME_WHITEOUT);
	must_be(".wh..hidden", "", ".hidden", SCAR_NAME_WHITEOUT);
	must_be("a/.wh..wh..opq", "a", ".wh..wh..opq", SCAR_NAME_OPAQUE);
	must_be(".wh..wh.plnk", "", ".wh..wh.plnk", SCAR_NAME_META);
	must_be(".wh..wh.plnk/1.2", ".wh..wh.plnk", "1.2", SCAR_NAME_META);
	must_be("a/.wh..wh.x/b/.wh.c", "a/.wh..wh.x/b", ".wh.c", SCAR_NAME_META);
	must_be(".white", "", ".white", SCAR_NAME_PLAIN);
	must_be("a.wh.b", "", "a.wh.b", SCAR_NAME_PLAIN);
}

static void whiteouts_of_nothing_are_refused(void **state)
{
	(void)state;
	must_fail(".wh.", SCAR_ERR_IMAGE);
	must_fail("a/.wh..", SCAR_ERR_IMAGE);
	must_fail("a/.wh...", SCAR_ERR_IMAGE);
}

static void the_longest_path_fits_and_no_longer_one(void **state)
{
	char text[SCAR_LIMIT_PATH_BYTES + 2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof text; i++)
		text[i] = i % 64 == 63 ? '/' : 'x';
	text[4095] = '\0';
	assert_int_equal(scar_name_parse(text, &name, &err), 0);
	assert_int_equal(strlen(name.parent) + 1 + strlen(name.base), 4095);
	text[4095] = 'x';
	text[4096] = '\0';
	must_fail(text, SCAR_ERR_LIMIT);
	memset(text, 'x', 256);
	text[256] = '\0';
	must_fail(text, SCAR_ERR_LIMIT);
	text[255] = '\0';
	assert_int_equal(scar_name_parse(text, &name, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cleaned),
		cmocka_unit_test(nothing_is_above_the_root),
		cmocka_unit_test(whiteouts_are_told_apart),
		cmocka_unit_test(whiteouts_of_nothing_are_refused),
		cmocka_unit_test(the_longest_path_fits_and_no_longer_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
