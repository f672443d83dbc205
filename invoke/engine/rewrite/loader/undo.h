/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file undo.h
 * Sees to it that what the guest changes of its image can be put back (guest/undo.h).
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_UNDO_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_UNDO_H

#include <stdbool.h>
#include <stdint.h>

#include "invoke/engine/guest/path.h"

/** A directory of the image that was moved away for a rename. */
struct scar_undo_change {
	int dir_fd;
	const char *path;
	uint64_t ino; /**< 0: none */
};

/** True if an image is to be put back after this guest. */
bool scar_undo_is_on(void);

/**
 * A call with paths is about to run with these translated arguments (old forms have become new ones, handle.c). `is_magic`: the
 * first ends in a link of procfs.
 * @return 0 to run it, 1 if it was done in another way, or -errno
 */
long scar_undo_before(long nr, const long args[6], bool is_magic,
		      struct scar_undo_change *ret_change);
/** It ran, with this result. */
void scar_undo_after(long result, const struct scar_undo_change *change);

/** A file is about to be opened with these flags. @return 0 or -errno */
long scar_undo_opening(const struct scar_where *where, uint64_t flags);
/** A file was opened in a way that the kernel alone knows the place of. */
void scar_undo_opened(long fd, uint64_t flags);
/** A name is about to appear. @return 0 or -errno */
long scar_undo_creating(const struct scar_where *where);
/** Mode or times of an open file are about to change; owners of any. */
void scar_undo_changing(int dir_fd, const char *path, long flags);
/** fsetxattr(2), fremovexattr(2) */
long scar_call_attribute(long nr, const long args[6]);

#endif
