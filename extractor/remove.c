/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/name.h"
#include "runtime/base/err.h"

#define OPEN_LIST (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Names listed at once in all directories on the way down. */
#define NAMES_MAX_BYTES ((size_t)256 << 20)

/*
 * A tree can be deeper than there are descriptors: links let a layer build it piece by piece. So only the directory at work
 * is open; the way back up is "..", checked by inode.
 */
struct level {
	uint64_t ino;
	size_t names_at; /* this directory's names begin here in `names` */
	size_t next;     /* the name to look at */
	size_t name;     /* of the directory itself, in the names of the level above */
	bool keep;
};

struct walk {
	struct scar_rootfs *rootfs;
	enum scar_remove_scope scope;
	int fd; /* the directory of the deepest level; owned */
	struct level *levels;
	size_t depth, room;
	struct scar_buf names; /* NUL-terminated, each after its d_type */
};

static void walk_clear(struct walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	free(walk->levels);
	scar_buf_clear(&walk->names);
}

static int list(struct walk *walk, struct scar_err *err)
{
	scar_dir_auto DIR *stream = NULL;
	scar_fd_auto int copy = openat(walk->fd, ".", OPEN_LIST);
	const struct dirent *entry;

	if (copy < 0)
		return scar_err_errno(err, errno, "cannot open a directory to remove");
	stream = fdopendir(copy);
	if (!stream)
		return scar_err_errno(err, errno, "cannot read a directory to remove");
	scar_steal_fd(&copy);
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		if (scar_name_is_dots(entry->d_name))
			continue;
		if (scar_buf_append_char(&walk->names, (char)entry->d_type, err) < 0 ||
		    scar_buf_append(&walk->names, entry->d_name, strlen(entry->d_name) + 1, err) <
			    0)
			return -1;
	}
	if (errno)
		return scar_err_errno(err, errno, "cannot read a directory to remove");
	return 0;
}

/* Takes fd: the directory that becomes the deepest level. */
static int descend(struct walk *walk, int fd, size_t name, bool keep, struct scar_err *err)
{
	struct stat st;
	struct level *level;

	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory to remove");
	if (walk->depth == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 16;

		level = reallocarray(walk->levels, room, sizeof *level);
		if (!level)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a deep tree");
		walk->levels = level;
		walk->room = room;
	}
	level = &walk->levels[walk->depth++];
	*level = (struct level){
		.ino = st.st_ino,
		.names_at = walk->names.len,
		.next = walk->names.len,
		.name = name,
		.keep = keep,
	};
	return list(walk, err);
}

/* Removes what is no directory. Its inode may be used again at once, so nothing may be remembered of it. */
static int unlink_file(struct scar_rootfs *rootfs, int dirfd, const char *name,
		       struct scar_err *err)
{
	struct stat st = {0};

	if (rootfs->owners.map.used > 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_nlink <= 1)
		scar_owner_table_forget(&rootfs->owners, st.st_ino);
	if (unlinkat(dirfd, name, 0) < 0)
		return scar_err_errno(err, errno, "cannot remove %s", name);
	return 0;
}

static int unlink_dir(struct walk *walk, int dirfd, const char *name, uint64_t ino,
		      struct scar_err *err)
{
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0) {
		scar_owner_table_forget(&walk->rootfs->owners, ino);
		scar_dir_times_forget(walk->rootfs, ino);
		return 0;
	}
	/* It holds something that this layer brought. */
	if (walk->scope == SCAR_REMOVE_LOWER && (errno == ENOTEMPTY || errno == EEXIST))
		return 0;
	return scar_err_errno(err, errno, "cannot remove directory %s", name);
}

/* The deepest level is done: up, and off with it. */
static int ascend(struct walk *walk, struct scar_err *err)
{
	struct level done = walk->levels[--walk->depth];
	const struct level *above = &walk->levels[walk->depth - 1];
	struct stat st;
	int fd = openat(walk->fd, "..", OPEN_LIST);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot go up in a tree to remove");
	close(walk->fd);
	walk->fd = fd;
	if (fstat(fd, &st) < 0 || st.st_ino != above->ino)
		return scar_err_set(err, SCAR_ERR_IO, "the rootfs changes while it is unpacked");
	if (!done.keep && unlink_dir(walk, fd, walk->names.data + done.name, done.ino, err) < 0)
		return -1;
	walk->names.len = done.names_at;
	return 0;
}

static int is_directory(int dirfd, const char *name, unsigned char type, bool *ret_is,
			struct scar_err *err)
{
	struct stat st;

	if (type == DT_UNKNOWN) {
		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return scar_err_errno(err, errno, "cannot look at %s", name);
		*ret_is = S_ISDIR(st.st_mode);
	} else {
		*ret_is = type == DT_DIR;
	}
	return 0;
}

static int visit(struct walk *walk, struct scar_err *err)
{
	struct level *level = &walk->levels[walk->depth - 1];
	unsigned char type = (unsigned char)walk->names.data[level->next];
	size_t at = level->next + 1;
	const char *name = walk->names.data + at;
	bool directory = false, keep;
	int fd;

	level->next = at + strlen(name) + 1;
	if (is_directory(walk->fd, name, type, &directory, err) < 0)
		return -1;
	keep = walk->scope == SCAR_REMOVE_LOWER && scar_touched_has(walk->rootfs, level->ino, name);
	if (!directory)
		return keep ? 0 : unlink_file(walk->rootfs, walk->fd, name, err);
	fd = openat(walk->fd, name, OPEN_LIST);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open directory %s", name);
	return descend(walk, fd, at, keep, err);
}

/* Empties the directory fd (taken), and below. */
static int empty(struct scar_rootfs *rootfs, int fd, enum scar_remove_scope scope,
		 struct scar_err *err)
{
	struct walk walk = {.rootfs = rootfs, .scope = scope, .fd = -1};
	int result = -1;

	scar_buf_init(&walk.names, NAMES_MAX_BYTES);
	if (descend(&walk, fd, 0, true, err) < 0)
		goto out;
	for (;;) {
		if (walk.levels[walk.depth - 1].next < walk.names.len) {
			if (visit(&walk, err) < 0)
				goto out;
		} else if (walk.depth == 1) {
			break;
		} else if (ascend(&walk, err) < 0) {
			goto out;
		}
	}
	result = 0;
out:
	walk_clear(&walk);
	scar_parents_forget(rootfs);
	return result;
}

int scar_remove(struct scar_rootfs *rootfs, const struct scar_dir *dir, const char *name,
		enum scar_remove_scope scope, struct scar_err *err)
{
	bool keep = scope == SCAR_REMOVE_LOWER && scar_touched_has(rootfs, dir->ino, name);
	struct walk walk = {.rootfs = rootfs, .scope = scope};
	struct stat st;
	int fd;

	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		/* ENOTDIR cannot be: dir is one. */
		return errno == ENOENT ? 0 : scar_err_errno(err, errno, "cannot look at %s", name);
	}
	if (!S_ISDIR(st.st_mode)) {
		if (keep)
			return 0;
		if (S_ISLNK(st.st_mode))
			scar_parents_forget(rootfs);
		return unlink_file(rootfs, dir->fd, name, err);
	}
	fd = openat(dir->fd, name, OPEN_LIST);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open directory %s", name);
	if (empty(rootfs, fd, scope, err) < 0)
		return -1;
	return keep ? 0 : unlink_dir(&walk, dir->fd, name, st.st_ino, err);
}

int scar_remove_lower_children(struct scar_rootfs *rootfs, const struct scar_dir *dir,
			       struct scar_err *err)
{
	int fd = openat(dir->fd, ".", OPEN_LIST);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open directory %s", dir->path);
	return empty(rootfs, fd, SCAR_REMOVE_LOWER, err);
}
