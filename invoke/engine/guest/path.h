/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file path.h
 * From a path as the guest writes it to a place on the host, and back.
 *
 * The walk happens in the guest's name space: absolute links and ".." stay inside the root,
 * binds are crossed in both directions, a procfs' links to files are shown as the guest's.
 * The result names the last component under a directory that contains no link, so that a
 * system call given `dir_fd` and `path` resolves nothing but, if it follows links, that last
 * component - which the caller asked to have followed already.
 *
 * No C library is needed: this also runs inside guest processes, on a small stack.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_PATH_H
#define SCAR_INVOKE_ENGINE_GUEST_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/guest/config.h"

enum scar_path_follow {
	SCAR_PATH_NOFOLLOW = 0, /**< but "link/" means the directory */
	SCAR_PATH_FOLLOW = 1,
	/**
	 * As calls that make or remove a name: "link/" is the link. A last component "." or ".."
	 * stays as it is, so only calls that refuse those may use this.
	 */
	SCAR_PATH_PARENT = 2,
};

/** Where a guest path leads. */
struct scar_where {
	int dir_fd;     /**< the root's descriptor, or AT_FDCWD with an absolute path */
	bool read_only; /**< lies in a read-only bind */
	bool magic;     /**< path ends in a link of procfs that only the kernel can follow */
	bool fleeting; /**< a link of procfs was followed: another process, or later, may end elsewhere */
	uint8_t bind_flags; /**< of the bind it lies in, else 0 */
	/** Length of the canonical guest path in `guest`. */
	size_t guest_len;
	const char *path;                    /**< into `host`; never empty */
	char guest[SCAR_GUEST_PATH_MAX + 1]; /**< with room for a slash at the end */
	char host[SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX];
};

/** The process whose view counts: /proc/self/exe is shown as its program. */
struct scar_path_context {
	const struct scar_guest *guest;
	const char *exe;      /**< guest path of the running program */
	const char *exe_host; /**< host path that the kernel believes to be the program, or NULL */
	/**
	 * Program of the process that a procfs path "/<number>/..." names, for those whose program is
	 * exe_host; NULL: it is `exe` for all. @return length of the guest path in buf, or -errno
	 */
	int (*exe_of)(const char *process, char *buf, size_t size);
};

/**
 * Resolves `path` relative to dir_fd (AT_FDCWD allowed). A missing last component is no error.
 * @return 0 or -errno (ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES, EBADF, ...)
 */
int scar_path_resolve(const struct scar_path_context *ctx, int dir_fd, const char *path,
		      enum scar_path_follow follow, struct scar_where *ret_where);

/**
 * Fills in the rest for a canonical path in `guest` (guest_len counts). @return true if it is itself the
 * mount point of a bind, or lies in one
 */
bool scar_where_place(const struct scar_guest *guest, struct scar_where *where);

/** Host path of an absolute canonical guest path; buf of SCAR_GUEST_ROOT_MAX + _PATH_MAX bytes. */
void scar_path_to_host(const struct scar_guest *guest, const char *path, char *buf);

/**
 * Guest path of an absolute host path, in place (buf has `size` bytes).
 * @return its length, or -ENOENT if the guest has no name for it (buf unchanged), or
 * -ENAMETOOLONG
 */
int scar_path_to_guest(const struct scar_guest *guest, char *buf, size_t size);

/**
 * The one path that names a place to calls without a directory descriptor. Uses buf if it
 * must put a directory in front; too long a path goes through /proc/self/fd.
 */
const char *scar_where_flat(const struct scar_guest *guest, const struct scar_where *where,
			    char buf[SCAR_GUEST_PATH_MAX]);

/**
 * True if a relative path may be left to the kernel as far as binds and ".." are concerned:
 * none of its components is ".." or has the name of a bind's mount point.
 */
bool scar_path_is_plain(const struct scar_guest *guest, const char *path);

#endif
