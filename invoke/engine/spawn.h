/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file spawn.h
 * What every engine does alike: the child's surroundings, and hearing from it that the
 * program started or why it did not.
 */
#ifndef SCAR_INVOKE_ENGINE_SPAWN_H
#define SCAR_INVOKE_ENGINE_SPAWN_H

#include <stdbool.h>

#include "invoke/engine/engine.h"

/** What a child writes down the status pipe; smaller than PIPE_BUF, so whole or not at all. */
struct scar_spawn_failure {
	int errnum;
	int is_engine; /**< the engine failed, not the program */
	char path[1024];
	char reason[256]; /**< "" if errnum says all */
};

/** Descriptor of the status pipe in the child. Programs start with 0, 1 and 2 only. */
#define SCAR_SPAWN_STATUS_FD 3

/**
 * Runs in the child after fork: async-signal-safe, must exec or return the failure by
 * scar_spawn_fail(). `ctx` is the engine's.
 */
typedef void (*scar_spawn_child)(const struct scar_engine_spec *spec, void *ctx);

/**
 * Forks; the child leads a new session, has the spec's descriptors as 0, 1, 2, the status pipe
 * as 3 and no other, default signal dispositions and an empty mask. Waits until the pipe
 * closes (success) or tells a failure.
 */
int scar_spawn(const struct scar_engine_spec *spec, scar_spawn_child child, void *ctx,
	       struct scar_process *ret_process, struct scar_err *err);

/** In the child: reports and ends it. */
void scar_spawn_fail(bool is_engine, int errnum, const char *path, const char *reason)
	__attribute__((noreturn));

#endif
