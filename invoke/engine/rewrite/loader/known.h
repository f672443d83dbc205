/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file known.h
 * Directories that the guest has named lately, and where they really are.
 *
 * Finding "/lib/x86_64-linux-gnu" means a look at each of its components, for each might be a link. What was
 * found holds until some process of the guest makes, removes or moves a link, or moves or removes a directory;
 * the ledger counts those, for all processes. Nothing is kept of what lies in a bind: others change that too.
 * The working directory is kept as well, until this process changes it.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_KNOWN_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_KNOWN_H

#include <stdbool.h>

#include "invoke/engine/guest/path.h"

/** What scar_known_resolve returns when it has the answer; 0: the path has to be walked. */
#define SCAR_KNOWN 1

/**
 * As scar_path_resolve, if the directory of the path is known or can be learned.
 * @return SCAR_KNOWN, 0 or -errno
 */
int scar_known_resolve(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where);

/**
 * True if the kernel itself, from the guest's working directory or with a leading slash taken away from our
 * root's descriptor, finds what this path means: no link and no bind is on its way. The last component may
 * be a link. False if that is not certain.
 */
bool scar_known_is_straight(int dir_fd, const char *path);

/** True if this call, not yet made, may lead names elsewhere; arguments as the kernel gets them. */
bool scar_known_is_changed_by(long nr, const long args[6]);
/** Such a call has succeeded. */
void scar_known_changed(void);
/** This process has another working directory. */
void scar_known_moved(void);
/** A process with these clone(2) flags is about to start. */
void scar_known_cloned(uint64_t flags);

#endif
