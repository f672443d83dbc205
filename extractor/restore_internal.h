/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file restore_internal.h
 * What the files behind restore.h share. Private to them.
 */
#ifndef SCAR_EXTRACTOR_RESTORE_INTERNAL_H
#define SCAR_EXTRACTOR_RESTORE_INTERNAL_H

#include <fcntl.h>

#include "extractor/restore.h"
#include "runtime/base/baseline.h"

#define SCAR_RESTORE_OPEN (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define SCAR_RESTORE_NAME_MAX 24

struct scar_restoring {
	void *data; /* the baseline, mapped */
	size_t size;
	struct scar_baseline baseline;
	struct scar_baseline_header *header;
	uint8_t *marks;
	int root_fd, keep_fd;
	struct scar_restore_result result;
};

/** Name in keep/; prefix '\0' is that of a file. */
const char *scar_restore_kept_name(char prefix, uint64_t ino, char name[SCAR_RESTORE_NAME_MAX]);
/** Opens a directory, taking the permission to. @return it, or -1 and errno */
int scar_restore_open_dir(int dirfd, const char *name);

/* ---- restore_purge.c ---- */

/** Takes out of a directory of the image what is not the image's: it goes, or waits in keep/ as trash. */
int scar_restore_purge(struct scar_restoring *r, int fd, uint32_t node, struct scar_err *err);
/** Removes the trash; directories of the image that are found in it stay in keep/. */
int scar_restore_empty_trash(struct scar_restoring *r, struct scar_err *err);

#endif
