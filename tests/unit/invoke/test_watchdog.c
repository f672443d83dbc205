/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"

static volatile int flag;
static struct scar_err err;

static struct scar_watchdog *started(int64_t deadline_ms)
{
	struct scar_watchdog *watchdog = NULL;

	flag = 0;
	if (scar_watchdog_start(deadline_ms, &flag, &watchdog, &err) < 0)
		fail_msg("%s", err.msg);
	return watchdog;
}

static void it_sets_the_flag_when_the_time_comes(void **state)
{
	int64_t start_ms = scar_clock_epoch_ms();
	struct scar_watchdog *watchdog = started(start_ms + 100);

	(void)state;
	while (!__atomic_load_n(&flag, __ATOMIC_RELAXED) && scar_clock_epoch_ms() - start_ms < 5000)
		scar_clock_sleep_ms(1);
	assert_true(scar_clock_epoch_ms() - start_ms >= 99);
	assert_true(scar_watchdog_stop(watchdog));
	assert_int_equal(flag, 1);
}

static void stopped_before_it_leaves_the_flag(void **state)
{
	int64_t start_ms = scar_clock_epoch_ms();

	(void)state;
	assert_false(scar_watchdog_stop(started(start_ms + 60000)));
	assert_int_equal(flag, 0);
	assert_true(scar_clock_epoch_ms() - start_ms < 5000);
}

static void a_time_in_the_past_is_now(void **state)
{
	struct scar_watchdog *watchdog = started(1);

	(void)state;
	for (int i = 0; i < 5000 && !__atomic_load_n(&flag, __ATOMIC_RELAXED); i++)
		scar_clock_sleep_ms(1);
	assert_true(scar_watchdog_stop(watchdog));
}

static void none_is_no_error(void **state)
{
	(void)state;
	assert_false(scar_watchdog_stop(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_sets_the_flag_when_the_time_comes),
		cmocka_unit_test(stopped_before_it_leaves_the_flag),
		cmocka_unit_test(a_time_in_the_past_is_now),
		cmocka_unit_test(none_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
