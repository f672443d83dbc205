/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file clone_internal.h
 * Copies single files for clone.c. Private to it.
 */
#ifndef SCAR_EXTRACTOR_CLONE_INTERNAL_H
#define SCAR_EXTRACTOR_CLONE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct scar_err;

/** All zero, but for the block. */
struct scar_clone_copier {
	char *block;     /**< of SCAR_CLONE_BLOCK_BYTES */
	bool no_reflink; /**< the file system was asked */
	uint64_t bytes;  /**< copied so far */
};

#define SCAR_CLONE_BLOCK_BYTES ((size_t)256 * 1024)

/** The content of a regular file, `st`, into an empty one; blocks are shared where that can be, holes stay holes. */
int scar_clone_content(struct scar_clone_copier *copier, int from, int to, const struct stat *st,
		       struct scar_err *err);
/** Extended attributes user.*, mode and time of an open file or directory, `st`. */
int scar_clone_attributes(int from, int to, const struct stat *st, struct scar_err *err);
/** Makes a symbolic link or fifo like the one of that name, `st`, in the other directory. */
int scar_clone_special(int from_dirfd, int to_dirfd, const char *name, const struct stat *st,
		       struct scar_err *err);

#endif
