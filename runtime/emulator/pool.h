/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pool.h
 * The execution environments of one function: as many as invocations come at once, up to a limit. An invocation goes to an environment that
 * is idle; if there is none and the limit is reached, it waits at the one where the fewest wait. Any thread may call.
 */
#ifndef SCAR_RUNTIME_EMULATOR_POOL_H
#define SCAR_RUNTIME_EMULATOR_POOL_H

#include <stddef.h>

struct scar_call;
struct scar_err;
struct scar_function;
struct scar_pool;

#define SCAR_POOL_MAX 100

/** Starts the first environment. `function` is borrowed; limit: from 1 to SCAR_POOL_MAX. */
int scar_pool_create(const struct scar_function *function, size_t limit, int log_fd,
		     struct scar_pool **ret_pool, struct scar_err *err);
/** As scar_environment_invoke(). */
int scar_pool_invoke(struct scar_pool *pool, struct scar_call *call, struct scar_err *err);
/** Stops all environments; later invocations are refused. */
void scar_pool_stop(struct scar_pool *pool);
/** Stops, waits and frees. NULL is fine. */
void scar_pool_free(struct scar_pool *pool);

#endif
