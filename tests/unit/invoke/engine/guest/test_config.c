/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/engine/guest/config.h"
#include "invoke/engine/guest/shebang.h"

static struct scar_guest sample(void)
{
	struct scar_guest g = {
		.root = "/r:o,o\nt", .root_len = 8, .state_dir = "/s", .flags = 3, .host_uid = 993};

	g.ids.euid = 4294967295u;
	g.ids.group_count = 2;
	g.ids.groups[1] = 27;
	assert_int_equal(scar_guest_bind_add(&g, "/proc/", "/proc", SCAR_BIND_PROC), 0);
	assert_int_equal(scar_guest_bind_add(&g, "/h", "/g/", 0), 0);
	return g;
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
	char text[SCAR_GUEST_TEXT_MAX];
	struct scar_guest g = sample(), back;

	(void)state;
	assert_true(scar_guest_encode(&g, text, sizeof(text)) > 0);
	assert_int_equal(scar_guest_decode(&back, text), 0);
	assert_string_equal(back.root, "/r:o,o\nt");
	assert_int_equal(back.ids.euid, 4294967295u);
	assert_int_equal(back.ids.groups[1], 27);
	assert_int_equal(back.bind_count, 2);
	assert_string_equal(back.binds[0].host, "/proc");
	assert_string_equal(back.binds[1].guest, "/g");
	assert_int_equal(back.binds[0].flags, SCAR_BIND_PROC);
}

static void every_cut_of_the_text_is_refused(void **state)
{
	char text[SCAR_GUEST_TEXT_MAX], cut[SCAR_GUEST_TEXT_MAX];
	struct scar_guest g = sample(), back;
	int len = scar_guest_encode(&g, text, sizeof(text));

	(void)state;
	for (int i = 0; i < len; i++) {
		memcpy(cut, text, (size_t)i);
		cut[i] = '\0';
		assert_int_equal(scar_guest_decode(&back, cut), -EINVAL);
	}
	assert_int_equal(scar_guest_encode(&g, cut, (size_t)len), -E2BIG);
}

static void a_later_bind_takes_the_place_of_an_earlier(void **state)
{
	struct scar_guest g = sample();

	(void)state;
	assert_int_equal(scar_guest_bind_add(&g, "/other", "/g", 1), 0);
	assert_int_equal(g.bind_count, 2);
	assert_string_equal(g.binds[1].host, "/other");
	assert_int_equal(scar_guest_bind_add(&g, "/x", "/", 0), -EINVAL);
	assert_int_equal(scar_guest_bind_add(&g, "x", "/y", 0), -EINVAL);
}

static int shebang(const char *line, struct scar_shebang *s, char buf[257])
{
	size_t len = strlen(line);

	len = len > 256 ? 256 : len;
	memcpy(buf, line, len);
	buf[len] = '\0';
	return scar_shebang_parse(buf, len, s);
}

static void a_script_line_splits_into_interpreter_and_one_argument(void **state)
{
	struct scar_shebang s;
	char buf[257], longest[300];

	(void)state;
	assert_int_equal(shebang("#! /bin/sh -e  x \t\nrest", &s, buf), 0);
	assert_string_equal(s.interpreter, "/bin/sh");
	assert_string_equal(s.argument, "-e  x");
	assert_int_equal(shebang("#!/bin/sh", &s, buf), 0);
	assert_string_equal(s.interpreter, "/bin/sh");
	assert_null(s.argument);
	assert_int_equal(shebang("#! \t\n/bin/sh", &s, buf), -ENOEXEC);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "#!/", 3);
	longest[299] = '\0';
	assert_int_equal(shebang(longest, &s, buf), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_decodes_to_the_same),
		cmocka_unit_test(every_cut_of_the_text_is_refused),
		cmocka_unit_test(a_later_bind_takes_the_place_of_an_earlier),
		cmocka_unit_test(a_script_line_splits_into_interpreter_and_one_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
