/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file watchdog.h
 * Sets a flag when a point in time comes, from a thread of its own: what cancels a pull whose transfers wait for a slow registry.
 */
#ifndef SCAR_INVOKE_WATCHDOG_H
#define SCAR_INVOKE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_watchdog;

/** `deadline_ms`: epoch ms. `flag` is borrowed until stop. */
int scar_watchdog_start(int64_t deadline_ms, volatile int *flag,
			struct scar_watchdog **ret_watchdog, struct scar_err *err);
/** Ends the thread and frees; NULL is fine. @return whether it set the flag */
bool scar_watchdog_stop(struct scar_watchdog *watchdog);

#endif
