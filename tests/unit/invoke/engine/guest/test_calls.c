/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/engine/guest/calls.h"
#include "tests/unit/invoke/engine/guest/call_names.h"

#define HEADER "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
/* Numbers 337 to 423 are no call on any architecture that has them in common. */
#define UNUSED_FIRST 337
#define UNUSED_LAST 423

struct known {
	const char *name;
	int times;
	int has_path;
};

static struct known known[SCAR_CALLS_MAX];

static int read_names(void **state)
{
	(void)state;
#define WITH(nr, call)          \
	known[nr].name = #call; \
	known[nr].has_path = 1; \
	known[nr].times++;
#define WITHOUT(nr, call)       \
	known[nr].name = #call; \
	known[nr].times++;
	CALLS_WITH_PATHS(WITH)
	CALLS_WITHOUT_PATHS(WITHOUT)
	return 0;
}

static void every_number_of_the_table_is_known_once(void **state)
{
	(void)state;
	for (int nr = 0; nr < SCAR_CALLS_END; nr++) {
		const int want = nr < UNUSED_FIRST || nr > UNUSED_LAST;

		if (known[nr].times != want)
			fail_msg("call %d (%s) is listed %d times", nr,
				 known[nr].name ? known[nr].name : "?", known[nr].times);
	}
	for (int nr = SCAR_CALLS_END; nr < SCAR_CALLS_MAX; nr++)
		assert_int_equal(known[nr].times, 0);
}

static void a_call_with_a_path_is_never_passed_on_as_it_is(void **state)
{
	(void)state;
#if defined(__x86_64__)
	for (int nr = 0; nr < SCAR_CALLS_END; nr++)
		if (known[nr].has_path && scar_call_kinds[nr] == SCAR_CALL_PASS)
			fail_msg("%s (%d) takes a path and is passed on", known[nr].name, nr);
#else
	skip();
#endif
}

static void a_number_beyond_the_table_does_not_exist(void **state)
{
	(void)state;
	for (int nr = SCAR_CALLS_END; nr < SCAR_CALLS_MAX; nr++)
		assert_int_equal(scar_call_kinds[nr], SCAR_CALL_ENOSYS);
}

static void a_translated_call_has_a_row_and_no_other_has(void **state)
{
	static const struct scar_call none;

	(void)state;
	for (int nr = 0; nr < SCAR_CALLS_MAX; nr++) {
		const struct scar_call *row = &scar_call_rows[nr];

		if ((scar_call_kinds[nr] == SCAR_CALL_PATHS) != (row->paths[0].path_arg != 0))
			fail_msg("call %d: its kind and its row differ", nr);
		if (scar_call_kinds[nr] != SCAR_CALL_PATHS)
			assert_memory_equal(row, &none, sizeof(none));
		for (int i = 0; i < 2; i++) {
			assert_in_range(row->paths[i].path_arg, 0, 6);
			assert_in_range(row->paths[i].dir_arg, 0, 5);
			assert_in_range(row->paths[i].flags_arg, 0, 6);
		}
	}
}

/* What the machine's own headers add must be looked at by somebody before a guest may call it. */
static void the_headers_hold_no_call_that_nobody_has_looked_at(void **state)
{
	FILE *header = fopen(HEADER, "re");
	char line[256], name[128];
	int nr, seen = 0;

	(void)state;
	if (!header) {
		print_message("no %s on this machine\n", HEADER);
		skip();
	}
	while (fgets(line, sizeof(line), header)) {
		if (sscanf(line, "#define __NR_%127s %d", name, &nr) != 2)
			continue;
		seen++;
		if (nr < 0 || nr >= SCAR_CALLS_END || !known[nr].name)
			fail_msg("%s (%d) is in no list of call_names.h", name, nr);
		assert_string_equal(known[nr].name, name);
	}
	fclose(header);
	assert_true(seen > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_of_the_table_is_known_once),
		cmocka_unit_test(a_call_with_a_path_is_never_passed_on_as_it_is),
		cmocka_unit_test(a_number_beyond_the_table_does_not_exist),
		cmocka_unit_test(a_translated_call_has_a_row_and_no_other_has),
		cmocka_unit_test(the_headers_hold_no_call_that_nobody_has_looked_at),
	};

	return cmocka_run_group_tests(tests, read_names, NULL);
}
