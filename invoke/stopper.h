/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stopper.h
 * Ends a running program at a deadline, or when a descriptor becomes readable: SIGTERM to its process group, after a grace SIGKILL. A
 * thread of its own, since whoever takes the program's output may be held up by a slow receiver just then.
 */
#ifndef SCAR_INVOKE_STOPPER_H
#define SCAR_INVOKE_STOPPER_H

#include <stdint.h>

struct scar_err;
struct scar_process;
struct scar_stopper;

enum scar_stopper_reason {
	SCAR_STOPPER_NOT_STOPPED,
	SCAR_STOPPER_DEADLINE,
	SCAR_STOPPER_INTERRUPTED
};

struct scar_stopper_options {
	const struct scar_process
		*process;    /**< borrowed, not to be reaped before scar_stopper_end() */
	int64_t deadline_ms; /**< epoch ms; 0: none */
	int64_t grace_ms;
	int stop_fd; /**< -1: none. Nothing is read from it. */
};

int scar_stopper_start(const struct scar_stopper_options *options,
		       struct scar_stopper **ret_stopper, struct scar_err *err);
/** Frees it; afterwards it sends nothing more. NULL is fine. @return why it stopped the program, if it did */
enum scar_stopper_reason scar_stopper_end(struct scar_stopper *stopper);

#endif
