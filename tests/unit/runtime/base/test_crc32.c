/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/crc32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void gives_the_known_sums(void **state)
{
	(void)state;
	assert_int_equal(scar_crc32("", 0), 0);
	assert_int_equal(scar_crc32("123456789", 9), 0xcbf43926);
	assert_int_equal(scar_crc32("\0\0\0\0", 4), 0x2144df1c);
	assert_int_equal(scar_crc32("\xff\xff\xff\xff", 4), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_known_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
