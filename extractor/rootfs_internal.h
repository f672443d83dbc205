/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rootfs_internal.h
 * What the files behind rootfs.h share. Private to them.
 */
#ifndef SCAR_EXTRACTOR_ROOTFS_INTERNAL_H
#define SCAR_EXTRACTOR_ROOTFS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "extractor/inode_map.h"
#include "extractor/owners.h"
#include "extractor/rootfs.h"
#include "runtime/base/buf.h"

/** An open directory of the rootfs. */
struct scar_dir {
	int fd; /**< O_PATH; -1: unused */
	uint64_t ino;
	char *path; /**< as entries spell it; owned */
	uint64_t generation;
	uint64_t last_use;
};

#define SCAR_DIR_CACHE 16

struct scar_rootfs {
	int root_fd;
	uint64_t root_ino;
	unsigned layer; /**< of those begun, from 1 */
	uint64_t entries;
	uint64_t bytes;
	bool told_xattr;

	/* parents.c */
	struct scar_dir dirs[SCAR_DIR_CACHE];
	uint64_t generation; /**< entries of `dirs` with another one are stale */
	uint64_t uses;

	/* touched.c: hashes of (directory, name) that this layer brought */
	struct scar_inode_map touched;
	uint64_t seed;

	/* dir_times.c */
	struct scar_inode_map dir_times;
	struct scar_buf dir_paths;

	struct scar_owner_table owners;
};

/* ---- parents.c ---- */

/**
 * The directory `path` (cleaned by name.h; "" is the root), symbolic links resolved in the root. With `create`,
 * makes what is missing. Valid over one more call of this function. @return 1 found, 0 absent (only without create), -1
 */
int scar_parents_get(struct scar_rootfs *rootfs, const char *path, bool create,
		     const struct scar_dir **ret_dir, struct scar_err *err);
/** A directory or symbolic link went away: what is cached may not be what a path means now. */
void scar_parents_forget(struct scar_rootfs *rootfs);
void scar_parents_clear(struct scar_rootfs *rootfs);

/* ---- touched.c ---- */

/** Notes that this layer brought `name` in the directory with that inode. */
int scar_touched_add(struct scar_rootfs *rootfs, uint64_t dir_ino, const char *name,
		     struct scar_err *err);
bool scar_touched_has(const struct scar_rootfs *rootfs, uint64_t dir_ino, const char *name);

/* ---- remove.c ---- */

enum scar_remove_scope {
	SCAR_REMOVE_ALL,
	SCAR_REMOVE_LOWER /**< keep what this layer brought, and the directories that hold it */
};

/** Removes dir/name, a tree of any depth, following nothing. Absent is fine. */
int scar_remove(struct scar_rootfs *rootfs, const struct scar_dir *dir, const char *name,
		enum scar_remove_scope scope, struct scar_err *err);
/** Removes what layers below have in the directory. */
int scar_remove_lower_children(struct scar_rootfs *rootfs, const struct scar_dir *dir,
			       struct scar_err *err);

/* ---- dir_times.c ---- */

/** The modification time that the directory gets at the end; path is parent/base as entries spell it. */
int scar_dir_times_set(struct scar_rootfs *rootfs, uint64_t ino, const struct timespec *mtime,
		       const char *parent, const char *base, struct scar_err *err);
void scar_dir_times_forget(struct scar_rootfs *rootfs, uint64_t ino);
void scar_dir_times_apply(struct scar_rootfs *rootfs);

/* ---- attributes.c ---- */

struct scar_tar;
struct scar_tar_entry;

/** The bits that a file of that type gets on disk: what the image says and what the owner needs. */
mode_t scar_disk_mode(mode_t type, mode_t mode);
/**
 * Remembers in the owner table how `st` (of the file on disk) differs from what the entry says, or forgets the inode if
 * it does not.
 */
int scar_remember_owner(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			const struct stat *st, struct scar_err *err);
/** Mode, time and extended attributes of the open file that was just written. */
int scar_set_file_attributes(struct scar_rootfs *rootfs, struct scar_tar *tar,
			     const struct scar_tar_entry *entry, int fd, struct scar_err *err);
/** The same of what is not opened: a directory (its time comes last), symbolic link or fifo. */
int scar_set_node_attributes(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			     int dirfd, const char *name, struct stat *ret_st,
			     struct scar_err *err);
/** Keeps the entry's user.* attributes. */
void scar_set_xattrs(struct scar_rootfs *rootfs, struct scar_tar *tar, int fd);

#endif
