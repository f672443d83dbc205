/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file clock.h
 * Time in milliseconds or microseconds. Lambda freezes the environment between
 * invocations: CLOCK_MONOTONIC jumps over a freeze here, CLOCK_REALTIME always does, so a
 * deadline is compared to the real time clock (as Lambda gives it) and a duration is
 * measured within one invocation.
 */
#ifndef SCAR_RUNTIME_BASE_CLOCK_H
#define SCAR_RUNTIME_BASE_CLOCK_H

#include <stdint.h>

/** Milliseconds since the epoch (CLOCK_REALTIME). */
int64_t scar_clock_epoch_ms(void);
/** Microseconds of CLOCK_MONOTONIC. */
int64_t scar_clock_monotonic_us(void);
/**
 * Milliseconds left until `deadline_ms` (epoch ms), at least 0; INT64_MAX if deadline_ms is 0
 * (no deadline).
 */
int64_t scar_clock_left_ms(int64_t deadline_ms);
/** Sleeps; goes on after EINTR. */
void scar_clock_sleep_ms(int64_t ms);

#endif
