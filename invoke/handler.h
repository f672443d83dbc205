/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file handler.h
 * One invocation from event to answer: job, image, and for each item of the event workspace, plan and run; answer. What fails on the way
 * becomes the error document of this invocation, and nothing of it is left for the next.
 */
#ifndef SCAR_INVOKE_HANDLER_H
#define SCAR_INVOKE_HANDLER_H

#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_invocation;
struct scar_invoke;
struct scar_invoke_config;
struct scar_response;

/** Chooses the engine, opens the store and sweeps what killed processes left. `config` is borrowed. */
int scar_invoke_open(const struct scar_invoke_config *config, struct scar_invoke **ret_invoke,
		     struct scar_err *err);
/**
 * Pulls the image beforehand where settings ask for it. Returns when it is there, or when the time for initialisation is nearly over: then the pull goes on.
 */
int scar_invoke_prepare(struct scar_invoke *invoke, struct scar_err *err);
/** NULL is fine. */
void scar_invoke_close(struct scar_invoke *invoke);
/** Handles one invocation; `invoke` is a struct scar_invoke. As runtime/api/loop.h wants a handler. */
int scar_invoke_handle(void *invoke, const struct scar_invocation *invocation,
		       struct scar_response *response, struct scar_err *err);

/**
 * SCAR_MODE=runtime: pulls the image and runs its program, which takes the invocations itself, to its end.
 * @return its exit status; -1 if it could not be started
 */
int scar_invoke_runtime(struct scar_invoke *invoke, struct scar_err *err);
/**
 * Ends what runs, from another thread: the program is told to, and killed after half of patience_ms. Returns when the invocation has
 * been answered, or after patience_ms. Later invocations are refused.
 */
void scar_invoke_stop(struct scar_invoke *invoke, int64_t patience_ms);

#endif
