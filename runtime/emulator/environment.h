/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file environment.h
 * One execution environment of a function: a thread that starts the runtime in its sandbox, gives it
 * one invocation after the other, ends it when time is up, and starts it anew when it has ended.
 */
#ifndef SCAR_RUNTIME_EMULATOR_ENVIRONMENT_H
#define SCAR_RUNTIME_EMULATOR_ENVIRONMENT_H

#include <stddef.h>

struct scar_call;
struct scar_environment;
struct scar_err;
struct scar_function;

/** Invocations that may wait. */
#define SCAR_ENVIRONMENT_QUEUE 1000

/**
 * Starts the thread, which initialises the runtime at once. `function` is borrowed; log lines go to
 * log_fd, and what the sandbox lacks on this machine too.
 */
int scar_environment_create(const struct scar_function *function, int log_fd,
			    struct scar_environment **ret_environment, struct scar_err *err);
/**
 * Queues a call; the environment takes a reference of its own. SCAR_ERR_RATE_LIMIT: too many wait.
 * SCAR_ERR_INTERRUPTED: it is ending.
 */
int scar_environment_invoke(struct scar_environment *environment, struct scar_call *call,
			    struct scar_err *err);
/** Calls that wait here, and one more if the runtime works on one. */
size_t scar_environment_load(struct scar_environment *environment);
/** Kills the runtime and all it started, answers every waiting call with an error. Any thread. */
void scar_environment_stop(struct scar_environment *environment);
/** Stops, waits for the thread, and frees. */
void scar_environment_free(struct scar_environment *environment);

#endif
