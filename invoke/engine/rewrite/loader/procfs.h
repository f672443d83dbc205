/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file procfs.h
 * What of a procfs tells a guest about the host: the text of some files, the engine's descriptor, and
 * /proc/PID/exe, which is the loader for every process of a guest.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_PROCFS_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_PROCFS_H

#include <stdint.h>

#include "invoke/engine/guest/path.h"
#include "invoke/engine/rewrite/loader/handle.h"

/**
 * The guest has opened `path` (only its last component counts) as fd: if that is a file which names
 * the host, the descriptor becomes one of a text for the guest.
 * @return fd, or -errno after closing it
 */
long scar_procfs_opened(long fd, const char *path, uint64_t flags);

/** getdents(2): the engine's descriptor does not show in /proc/self/fd. */
long scar_call_list(struct scar_regs *regs);

/** True if the place is an entry of the engine's descriptor. */
bool scar_procfs_is_hidden(const struct scar_where *where);

/** Program of a process; see struct scar_path_context. */
int scar_procfs_exe_of(const char *process, char *buf, size_t size);

#endif
