/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

static void epoch_agrees_with_time(void **state)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now_ms = scar_clock_epoch_ms();

	(void)state;
	assert_true(now_ms >= before * 1000);
	assert_true(now_ms < (before + 60) * 1000);
}

static void no_deadline_leaves_for_ever(void **state)
{
	(void)state;
	assert_true(scar_clock_left_ms(0) == INT64_MAX);
}

static void a_deadline_counts_down_to_zero_and_stays_there(void **state)
{
	int64_t left = scar_clock_left_ms(scar_clock_epoch_ms() + 60000);

	(void)state;
	assert_true(left > 59000 && left <= 60000);
	assert_true(scar_clock_left_ms(scar_clock_epoch_ms() - 1) == 0);
	assert_true(scar_clock_left_ms(5000) == 0);
	assert_true(scar_clock_left_ms(INT64_MIN) == 0);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void a_signal_does_not_shorten_a_sleep(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_value = {.tv_usec = 10000},
				  .it_interval = {.tv_usec = 10000}};
	int64_t start;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	start = scar_clock_monotonic_us();
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	scar_clock_sleep_ms(60);
	memset(&timer, 0, sizeof timer);
	assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
	assert_true(alarms > 0);
	assert_true(scar_clock_monotonic_us() - start >= 60000);
	scar_clock_sleep_ms(-5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(epoch_agrees_with_time),
		cmocka_unit_test(no_deadline_leaves_for_ever),
		cmocka_unit_test(a_deadline_counts_down_to_zero_and_stays_there),
		cmocka_unit_test(a_signal_does_not_shorten_a_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
