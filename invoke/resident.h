/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file resident.h
 * A program that is started once and kept across invocations: the server of an image that listens on a port, or the runtime of an image
 * that was built for Lambda. A thread of its own runs it to its end, as run.h does, and hands its output to the log.
 */
#ifndef SCAR_INVOKE_RESIDENT_H
#define SCAR_INVOKE_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "invoke/run.h"

struct scar_engine_ops;
struct scar_err;
struct scar_image_use;
struct scar_invoke_config;
struct scar_resident;

struct scar_resident_options {
	const struct scar_invoke_config *config;
	const struct scar_engine_ops *engine;
	const char *state_dir;
	const struct scar_image_use *use; /**< borrowed until it has ended */
	bool is_runtime; /**< it speaks the Runtime API: it gets Lambda's own variables */
	int64_t port;    /**< PORT of its environment; 0: none */
};

/** Starts it. A program that cannot be started is found out by scar_resident_ended(). */
int scar_resident_start(const struct scar_resident_options *options,
			struct scar_resident **ret_resident, struct scar_err *err);
/** True if it has ended, or could not be started; `err` then says how. */
bool scar_resident_ended(struct scar_resident *resident, struct scar_err *err);
/** Tells it to end, from any thread, and waits for that at most timeout_ms. */
void scar_resident_tell(struct scar_resident *resident, int64_t timeout_ms);
/** Ends it, waits for that, and frees. NULL is fine. */
void scar_resident_stop(struct scar_resident *resident);
/** Waits until it ends. @return its exit status, 128 + N for a signal, -1 if it could not be started; err says how it ended */
int scar_resident_wait(struct scar_resident *resident, struct scar_err *err);

#endif
