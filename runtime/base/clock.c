/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/clock.h"

#include <errno.h>
#include <time.h>

int64_t scar_clock_epoch_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t scar_clock_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t scar_clock_left_ms(int64_t deadline_ms)
{
	int64_t left;

	if (deadline_ms == 0)
		return INT64_MAX;
	if (__builtin_sub_overflow(deadline_ms, scar_clock_epoch_ms(), &left) || left < 0)
		return 0;
	return left;
}

void scar_clock_sleep_ms(int64_t ms)
{
	struct timespec left;

	if (ms <= 0)
		return;
	left.tv_sec = (time_t)(ms / 1000);
	left.tv_nsec = (long)(ms % 1000) * 1000000;
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		continue;
}
