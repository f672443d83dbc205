/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/restore_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "extractor/name.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* The child of a directory of the image with that name, or NULL. */
static const struct scar_baseline_node *find_child(const struct scar_baseline *baseline,
						   const struct scar_baseline_node *directory,
						   const char *name)
{
	uint32_t low = directory->first, high = directory->first + directory->count;

	if (high > baseline->header->node_count || high < low)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(scar_baseline_name(baseline, &baseline->nodes[middle]), name);

		if (order == 0)
			return &baseline->nodes[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool is_image_dir(const struct scar_restoring *r, const struct stat *st)
{
	uint32_t node = scar_baseline_find(&r->baseline, st->st_ino);

	return node != SCAR_BASELINE_NONE && S_ISDIR(r->baseline.nodes[node].mode) &&
	       st->st_dev == r->header->dev;
}

/* Moves a directory to keep/: also one that its mode keeps from moving, since its ".." changes. */
static int set_aside(struct scar_restoring *r, int dirfd, const char *name, char prefix,
		     const struct stat *st, struct scar_err *err)
{
	char kept[SCAR_RESTORE_NAME_MAX];

	scar_restore_kept_name(prefix, st->st_ino, kept);
	if ((st->st_mode & S_IRWXU) != S_IRWXU && fchmodat(dirfd, name, 0700, 0) < 0)
		return scar_err_errno(err, errno, "cannot change the mode of %.128s", name);
	if (renameat(dirfd, name, r->keep_fd, kept) < 0)
		return scar_err_errno(err, errno, "cannot move %.128s away", name);
	return 0;
}

/*
 * Trees are taken apart piece by piece: a directory that is not empty becomes trash of its own, whatever its depth, so no
 * more than one is open at a time.
 */
static int discard(struct scar_restoring *r, int dirfd, const char *name, const struct stat *st,
		   struct scar_err *err)
{
	r->result.removed++;
	if (!S_ISDIR(st->st_mode)) {
		if (unlinkat(dirfd, name, 0) < 0)
			return scar_err_errno(err, errno, "cannot remove %.128s", name);
		return 0;
	}
	if (is_image_dir(r, st))
		return set_aside(r, dirfd, name, SCAR_BASELINE_KEEP_DIR, st, err);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return scar_err_errno(err, errno, "cannot remove %.128s", name);
	return set_aside(r, dirfd, name, SCAR_BASELINE_KEEP_TRASH, st, err);
}

static DIR *open_list(int fd, struct scar_err *err)
{
	scar_fd_auto int copy = openat(fd, ".", SCAR_RESTORE_OPEN);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;

	if (stream)
		scar_steal_fd(&copy);
	else
		scar_err_errno(err, errno, "cannot read a directory");
	return stream;
}

/* Discards what `node` (NULL: nothing at all) does not have there. */
static int purge_list(struct scar_restoring *r, int fd, const struct scar_baseline_node *node,
		      struct scar_err *err)
{
	scar_dir_auto DIR *stream = open_list(fd, err);
	const struct dirent *entry;

	if (!stream)
		return -1;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		const struct scar_baseline_node *child;
		struct stat st;

		if (scar_name_is_dots(entry->d_name))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return scar_err_errno(err, errno, "cannot look at %.128s", entry->d_name);
		child = node ? find_child(&r->baseline, node, entry->d_name) : NULL;
		if (child && child->ino == st.st_ino &&
		    (child->mode & S_IFMT) == (st.st_mode & S_IFMT))
			continue;
		if (discard(r, fd, entry->d_name, &st, err) < 0)
			return -1;
	}
	return errno ? scar_err_errno(err, errno, "cannot read a directory") : 0;
}

int scar_restore_purge(struct scar_restoring *r, int fd, uint32_t node, struct scar_err *err)
{
	return purge_list(r, fd, &r->baseline.nodes[node], err);
}

static int remove_trash(struct scar_restoring *r, const char *name, struct scar_err *err)
{
	scar_fd_auto int fd = scar_restore_open_dir(r->keep_fd, name);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open a directory to remove");
	if (purge_list(r, fd, NULL, err) < 0)
		return -1;
	if (unlinkat(r->keep_fd, name, AT_REMOVEDIR) < 0)
		return scar_err_errno(err, errno, "cannot remove a directory");
	return 0;
}

/* @return 1 if there was any, 0, -1 */
static int remove_some_trash(struct scar_restoring *r, struct scar_err *err)
{
	scar_dir_auto DIR *stream = open_list(r->keep_fd, err);
	const struct dirent *entry;
	int found = 0;

	if (!stream)
		return -1;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] != SCAR_BASELINE_KEEP_TRASH)
			continue;
		if (remove_trash(r, entry->d_name, err) < 0)
			return -1;
		found = 1;
	}
	return errno ? scar_err_errno(err, errno, "cannot read a directory") : found;
}

int scar_restore_empty_trash(struct scar_restoring *r, struct scar_err *err)
{
	int got;

	while ((got = remove_some_trash(r, err)) == 1)
		;
	return got;
}
