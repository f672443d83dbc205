/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file undo.h
 * Keeps what a guest is about to change of its image, so that the image can be put back afterwards
 * (runtime/base/baseline.h tells what is owed, extractor/restore.h puts it back).
 *
 * Each function is called with the place on the host that a system call of the guest is about to change. What is
 * not the image's costs one or two stat(2). No C library is needed. Safe in any thread and process of the guest at once.
 *
 * As with overlayfs, which containers usually have: a file of the image that is opened for writing gets another
 * inode, so one that has it open for reading goes on reading the old content, and its hard links keep that.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_UNDO_H
#define SCAR_INVOKE_ENGINE_GUEST_UNDO_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/baseline.h"

/** Longest path of the directory with the baseline. */
#define SCAR_UNDO_DIR_MAX 1024

struct scar_undo {
	struct scar_baseline baseline;
	struct scar_baseline_header *header; /**< mapped for writing, with the marks */
	const char *dir;                     /**< that holds the baseline and keep/; borrowed */
	/** A file of the image got a copy: what is remembered of the one inode counts for the other. May be NULL. */
	void (*copied)(uint64_t ino, uint64_t copy);
};

/** Maps the baseline in `dir`. @return 0 or -errno */
int scar_undo_open(struct scar_undo *undo, const char *dir);

/** Unmaps; fine if it never was mapped. */
void scar_undo_close(struct scar_undo *undo);

/** A name is about to appear, or one that is no directory's to go or be replaced. @return 0 or -errno */
long scar_undo_name(const struct scar_undo *undo, int dir_fd, const char *path);

/**
 * A directory is about to be removed, or replaced by rename(2): one of the image is moved away if it is empty.
 * @return 1 if it was and the name is free now, 0 if the call shall run, or -errno
 */
long scar_undo_directory(const struct scar_undo *undo, int dir_fd, const char *path);
/** What was to replace that directory did not: it comes back. */
void scar_undo_directory_back(const struct scar_undo *undo, int dir_fd, const char *path,
			      uint64_t ino);

/** Mode, times or links of a file are about to change. `flags` as for fstatat(2). */
void scar_undo_attributes(const struct scar_undo *undo, int dir_fd, const char *path, long flags);

/**
 * Content is about to change: a file of the image becomes a copy of it, an empty one unless `keep` is set.
 * Does not follow a link at the end. @return 0 or -errno
 */
long scar_undo_content(const struct scar_undo *undo, int dir_fd, const char *path, bool keep);

/** Something of a file changes that cannot be put back: if it is of the image, the image will be pulled again. */
void scar_undo_spoil(const struct scar_undo *undo, int dir_fd, const char *path, long flags);

/** A guest runs whose changes nobody marks. */
void scar_undo_untracked(const struct scar_undo *undo);

/** Inode of a directory of the image at that place; 0 if there is none. */
uint64_t scar_undo_directory_at(const struct scar_undo *undo, int dir_fd, const char *path);

#endif
