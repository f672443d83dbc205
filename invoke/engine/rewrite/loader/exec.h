/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exec.h
 * The guest's execve: finds the program as the kernel would, then executes the loader for it.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_EXEC_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_EXEC_H

#include <stdint.h>

/** What kept a program from starting. */
struct scar_exec_failure {
	const char *reason; /**< static text, or "" */
};

/**
 * Executes `path` (guest, relative to dir_fd) with flags of execveat(2). Returns only if it
 * fails: -errno, with *ret_failure (may be NULL) saying more.
 */
long scar_exec(int dir_fd, const char *path, char *const *argv, char *const *envp, int flags,
	       struct scar_exec_failure *ret_failure);

/** A process or thread with these clone(2) flags is about to start. */
void scar_exec_cloned(uint64_t flags);

#endif
