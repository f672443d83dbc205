/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

/* As in the kernel (path_resolution(7)). */
#define MAX_LINKS 40

#define OPEN_DIR (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* ---- the walk that makes what is missing ---- */

struct walk {
	struct scar_rootfs *rootfs;
	int fd; /* where it stands; owned */
	unsigned links;
	struct scar_buf rest; /* components still to go */
};

static void walk_clear(struct walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	scar_buf_clear(&walk->rest);
}

static int stand_on(struct walk *walk, int fd, const char *name, struct scar_err *err)
{
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open directory %s", name);
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = fd;
	return 0;
}

static int to_root(struct walk *walk, struct scar_err *err)
{
	return stand_on(walk, openat(walk->rootfs->root_fd, ".", OPEN_DIR), "/", err);
}

/* The parent, but never that of the root. Only the targets of links still have a "..". */
static int step_up(struct walk *walk, struct scar_err *err)
{
	struct stat st;

	if (fstat(walk->fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory");
	if (st.st_ino == walk->rootfs->root_ino)
		return 0;
	return stand_on(walk, openat(walk->fd, "..", OPEN_DIR), "..", err);
}

/* Puts the target of a symbolic link before the rest of the way. */
static int step_into_link(struct walk *walk, const char *name, struct scar_err *err)
{
	char target[PATH_MAX];
	struct scar_buf rest;
	ssize_t len = readlinkat(walk->fd, name, target, sizeof target);

	if (len < 0)
		return scar_err_errno(err, errno, "cannot read symbolic link %s", name);
	if (++walk->links > MAX_LINKS)
		return scar_err_set(err, SCAR_ERR_IMAGE, "too many symbolic links, at %s", name);
	scar_buf_init(&rest, walk->rest.max_bytes);
	if (scar_buf_append(&rest, target, (size_t)len, err) < 0 ||
	    scar_buf_append_char(&rest, '/', err) < 0 ||
	    scar_buf_append(&rest, walk->rest.data, walk->rest.len, err) < 0) {
		scar_buf_clear(&rest);
		return -1;
	}
	scar_buf_clear(&walk->rest);
	walk->rest = rest;
	return target[0] == '/' ? to_root(walk, err) : 0;
}

/* There is no directory of that name: makes one, in the place of whatever else there is. */
static int make_and_step(struct walk *walk, const char *name, struct scar_err *err)
{
	struct stat st;
	struct scar_dir here = {.fd = walk->fd};

	if (fstat(walk->fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory");
	here.ino = st.st_ino;
	if (scar_remove(walk->rootfs, &here, name, SCAR_REMOVE_ALL, err) < 0)
		return -1;
	if (mkdirat(walk->fd, name, 0755) < 0)
		return scar_err_errno(err, errno, "cannot make directory %s", name);
	if (fstatat(walk->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "cannot look at directory %s", name);
	/* Not what umask or a set-group-ID parent made of it. */
	if ((st.st_mode & 07777) != 0755 && fchmodat(walk->fd, name, 0755, 0) < 0)
		return scar_err_errno(err, errno, "cannot set the mode of directory %s", name);
	scar_owner_table_forget(&walk->rootfs->owners, st.st_ino);
	scar_dir_times_forget(walk->rootfs, st.st_ino);
	if (scar_touched_add(walk->rootfs, here.ino, name, err) < 0)
		return -1;
	return stand_on(walk, openat(walk->fd, name, OPEN_DIR | O_NOFOLLOW), name, err);
}

static int step(struct walk *walk, const char *name, struct scar_err *err)
{
	struct stat st;

	if (strcmp(name, "") == 0 || strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return step_up(walk, err);
	if (fstatat(walk->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return scar_err_errno(err, errno, "cannot look at %s", name);
		return make_and_step(walk, name, err);
	}
	if (S_ISLNK(st.st_mode))
		return step_into_link(walk, name, err);
	if (!S_ISDIR(st.st_mode))
		return make_and_step(walk, name, err);
	return stand_on(walk, openat(walk->fd, name, OPEN_DIR | O_NOFOLLOW), name, err);
}

static int walk_and_make(struct scar_rootfs *rootfs, const char *path, int *ret_fd,
			 struct scar_err *err)
{
	struct walk walk = {.rootfs = rootfs, .fd = -1};
	char name[NAME_MAX + 1];
	int result = -1;

	scar_buf_init(&walk.rest, (size_t)2 * SCAR_LIMIT_PATH_BYTES);
	if (to_root(&walk, err) < 0 || scar_buf_append_str(&walk.rest, path, err) < 0)
		goto out;
	while (walk.rest.len > 0) {
		size_t n = strcspn(walk.rest.data, "/");

		if (n > NAME_MAX) {
			scar_err_set(err, SCAR_ERR_LIMIT, "a file name is longer than %d bytes",
				     NAME_MAX);
			goto out;
		}
		memcpy(name, walk.rest.data, n);
		name[n] = '\0';
		scar_buf_consume(&walk.rest, n < walk.rest.len ? n + 1 : n);
		if (step(&walk, name, err) < 0)
			goto out;
	}
	*ret_fd = scar_steal_fd(&walk.fd);
	result = 0;
out:
	walk_clear(&walk);
	return result;
}

/* ---- the cache ---- */

static void drop(struct scar_dir *dir)
{
	if (dir->fd >= 0)
		close(dir->fd);
	free(dir->path);
	*dir = (struct scar_dir){.fd = -1};
}

static struct scar_dir *find_cached(struct scar_rootfs *rootfs, const char *path)
{
	size_t i;

	for (i = 0; i < SCAR_DIR_CACHE; i++) {
		struct scar_dir *dir = &rootfs->dirs[i];

		if (dir->fd >= 0 && dir->generation == rootfs->generation &&
		    strcmp(dir->path, path) == 0)
			return dir;
	}
	return NULL;
}

/* The one that was not used for longest; so the one given out last is safe. */
static struct scar_dir *oldest(struct scar_rootfs *rootfs)
{
	struct scar_dir *found = &rootfs->dirs[0];
	size_t i;

	for (i = 1; i < SCAR_DIR_CACHE; i++) {
		if (rootfs->dirs[i].last_use < found->last_use)
			found = &rootfs->dirs[i];
	}
	return found;
}

static int keep(struct scar_rootfs *rootfs, const char *path, int fd,
		const struct scar_dir **ret_dir, struct scar_err *err)
{
	struct scar_dir *dir;
	struct stat st;
	char *copy;

	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at directory %s", path);
	copy = strdup(path);
	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	dir = oldest(rootfs);
	drop(dir);
	*dir = (struct scar_dir){
		.fd = fd,
		.ino = st.st_ino,
		.path = copy,
		.generation = rootfs->generation,
		.last_use = ++rootfs->uses,
	};
	*ret_dir = dir;
	return 0;
}

int scar_parents_get(struct scar_rootfs *rootfs, const char *path, bool create,
		     const struct scar_dir **ret_dir, struct scar_err *err)
{
	struct scar_dir *cached = find_cached(rootfs, path);
	scar_fd_auto int fd = -1;

	if (cached) {
		cached->last_use = ++rootfs->uses;
		*ret_dir = cached;
		return 1;
	}
	fd = scar_fs_open_in_root(rootfs->root_fd, *path ? path : ".", OPEN_DIR, 0);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return scar_err_errno(err, errno, "cannot open directory %s", path);
	if (fd < 0 && !create)
		return 0;
	if (fd < 0 && walk_and_make(rootfs, path, &fd, err) < 0)
		return -1;
	if (keep(rootfs, path, fd, ret_dir, err) < 0)
		return -1;
	scar_steal_fd(&fd);
	return 1;
}

void scar_parents_forget(struct scar_rootfs *rootfs)
{
	/* Descriptors stay open until their place is needed: somebody may be at work in one. */
	rootfs->generation++;
}

void scar_parents_clear(struct scar_rootfs *rootfs)
{
	size_t i;

	for (i = 0; i < SCAR_DIR_CACHE; i++)
		drop(&rootfs->dirs[i]);
}
