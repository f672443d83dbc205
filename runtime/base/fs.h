/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fs.h
 * File-system helpers that work on a directory descriptor and a relative path.
 * Every descriptor returned is O_CLOEXEC. EINTR is handled inside.
 */
#ifndef SCAR_RUNTIME_BASE_FS_H
#define SCAR_RUNTIME_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct scar_buf;
struct scar_err;

/** write(2) until all is written. `what` names the file in the error. */
int scar_fs_write_all(int fd, const void *data, size_t len, const char *what, struct scar_err *err);
/** Reads up to EOF into buf (bounded by it). */
int scar_fs_read_all(int fd, const char *what, struct scar_buf *buf, struct scar_err *err);
/** Hands all bytes of a regular file, from its beginning, to `sink`, whose failure ends it. `what` names the file in errors. The file's own position stays. */
int scar_fs_read_through(int fd, const char *what,
			 int (*sink)(void *ctx, const void *data, size_t len, struct scar_err *err),
			 void *ctx, struct scar_err *err);
/** Reads at least one byte and at most `size` from offset on; a file that ends before is SCAR_ERR_IO. */
int scar_fs_read_at(int fd, uint64_t offset, void *data, size_t size, size_t *ret_len,
		    struct scar_err *err);
/** Reads the file path below dirfd (AT_FDCWD allowed). A missing file is SCAR_ERR_NOT_FOUND. */
int scar_fs_read_file(int dirfd, const char *path, struct scar_buf *buf, struct scar_err *err);
/**
 * Writes a file atomically: temporary name in the same directory, then renameat(2). A
 * reader sees the old content or the new, a crash leaves no partial file under the name.
 */
int scar_fs_write_file(int dirfd, const char *path, mode_t mode, const void *data, size_t len,
		       struct scar_err *err);
/** mkdir -p; existing directories are fine. */
int scar_fs_mkdir_p(int dirfd, const char *path, mode_t mode, struct scar_err *err);
/** Opens a directory (O_PATH unless `readable`). */
int scar_fs_open_dir(int dirfd, const char *path, bool readable, int *ret_fd, struct scar_err *err);
/**
 * Removes a tree without following symbolic links and without crossing to another device;
 * makes directories writable where needed (we may own read-only ones). A missing path is success.
 */
int scar_fs_remove_tree(int dirfd, const char *path, struct scar_err *err);
/**
 * Opens `path` below root_fd as if root_fd were "/": absolute links and ".." stay inside.
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) where the kernel has it, else a component
 * walk with the same result (`SCAR_NO_OPENAT2=1` forces the walk, for tests).
 * @return the descriptor, or -1 with errno set (the guest may need it) and no err
 */
int scar_fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode);
/** Free and total bytes for an unprivileged user of the file system that holds fd. */
int scar_fs_space(int fd, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes,
		  struct scar_err *err);
/** An anonymous, unlinked, writable file in dir_path (memfd is not certain in Lambda). */
int scar_fs_temp_file(const char *dir_path, int *ret_fd, struct scar_err *err);

#endif
