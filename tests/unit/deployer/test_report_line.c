/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/report_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LAMBDA                                                                                    \
	"START RequestId: 1\nEND RequestId: 1\nREPORT RequestId: 1\tDuration: 411.52 ms\tBilled " \
	"Duration: 592 ms\tMemory Size: 512 MB\tMax Memory Used: 96 MB\tInit Duration: 179.62 ms\t\n"

static void every_field_of_lambdas_line_is_read(void **state)
{
	struct scar_report_line line;
	char text[256];

	(void)state;
	assert_true(scar_report_line_parse(LAMBDA, &line));
	assert_true(line.duration_ms > 411.5 && line.duration_ms < 411.6);
	assert_true(line.billed_ms > 591.9 && line.billed_ms < 592.1);
	assert_true(line.init_ms > 179.6 && line.init_ms < 179.7);
	assert_int_equal(line.memory_mb, 512);
	assert_int_equal(line.used_mb, 96);
	assert_string_equal(scar_report_line_format(&line, text, sizeof text),
			    "412 ms (billed 592 ms, init 180 ms), memory 96 of 512 MB, at most "
			    "$0.0000051");
}

static void the_order_of_fields_does_not_matter(void **state)
{
	struct scar_report_line line;

	(void)state;
	assert_true(scar_report_line_parse("REPORT RequestId: 1\tInit Duration: 5 ms\tDuration: 7 "
					   "ms\tBilled Duration: 12 ms",
					   &line));
	assert_int_equal((int)line.init_ms, 5);
	assert_int_equal((int)line.duration_ms, 7);
	assert_int_equal((int)line.billed_ms, 12);
	assert_int_equal(line.memory_mb, 0);
}

static void the_last_line_counts_and_none_is_none(void **state)
{
	struct scar_report_line line = {0};

	(void)state;
	assert_true(scar_report_line_parse("REPORT RequestId: 1\tDuration: 1 ms\nREPORT "
					   "RequestId: 2\tDuration: 2 ms\n",
					   &line));
	assert_int_equal((int)line.duration_ms, 2);
	assert_false(scar_report_line_parse("a program's own words\n", &line));
	assert_false(scar_report_line_parse("", &line));
}

static void a_second_of_a_gigabyte_has_its_list_price(void **state)
{
	const struct scar_report_line line = {.billed_ms = 1000, .memory_mb = 1024};

	(void)state;
	assert_true(scar_report_line_cost(&line) > 0.0000168);
	assert_true(scar_report_line_cost(&line) < 0.0000170);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_lambdas_line_is_read),
		cmocka_unit_test(the_order_of_fields_does_not_matter),
		cmocka_unit_test(the_last_line_counts_and_none_is_none),
		cmocka_unit_test(a_second_of_a_gigabyte_has_its_list_price),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
