/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

/*
 * A tree may be deeper than we have descriptors (a program can nest directories beyond
 * PATH_MAX): what lies deeper than this is moved to the top and removed from there.
 */
#define DEPTH_MAX 32
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct removal {
	int top_fd; /* borrowed; -1 until the top is open */
	dev_t device;
	unsigned long moved;
	unsigned long removed;
};

static int remove_dir(struct removal *removal, int parent_fd, const char *name, unsigned depth,
		      struct scar_err *err);

/* chmod(2) of a directory that cannot be opened for reading; by descriptor, so never through a link. */
static int make_accessible(int parent_fd, const char *name)
{
	scar_fd_auto int fd = openat(parent_fd, name,
				     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char path[64];

	if (fd < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return chmod(path, 0700);
}

static int open_writable(int parent_fd, const char *name, struct stat *st)
{
	int fd = openat(parent_fd, name, DIR_FLAGS);

	if (fd < 0 && errno == EACCES && make_accessible(parent_fd, name) == 0)
		fd = openat(parent_fd, name, DIR_FLAGS);
	if (fd < 0)
		return -1;
	/* If the directory is not ours this fails, and the removal inside tells the reason. */
	if (fstat(fd, st) == 0 && (st->st_mode & 0700) != 0700)
		(void)!fchmod(fd, 0700);
	return fd;
}

static int move_to_top(struct removal *removal, int parent_fd, const char *name,
		       struct scar_err *err)
{
	char moved[64];
	struct stat st;
	/* Another parent means another "..", which takes write permission on the directory. */
	int fd = open_writable(parent_fd, name, &st);

	scar_cleanup_fd(&fd);
	for (;;) {
		snprintf(moved, sizeof moved, ".scar-deep-%lu", removal->moved++);
		/* This replaces nothing but an empty directory. */
		if (renameat(parent_fd, name, removal->top_fd, moved) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return scar_err_errno(err, errno, "move %s", name);
	}
}

static int remove_entry(struct removal *removal, int parent_fd, const struct dirent *entry,
			unsigned depth, struct scar_err *err)
{
	if (entry->d_type != DT_DIR) {
		if (unlinkat(parent_fd, entry->d_name, 0) == 0) {
			removal->removed++;
			return 0;
		}
		if (errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return scar_err_errno(err, errno, "remove %s", entry->d_name);
	}
	if (depth >= DEPTH_MAX)
		return move_to_top(removal, parent_fd, entry->d_name, err);
	return remove_dir(removal, parent_fd, entry->d_name, depth, err);
}

/* One pass over the entries. Takes fd. */
static int empty_dir(struct removal *removal, int fd, unsigned depth, struct scar_err *err)
{
	scar_dir_auto DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int errnum = errno;

		close(fd);
		return scar_err_errno(err, errnum, "fdopendir");
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_entry(removal, fd, entry, depth + 1, err) < 0)
			return -1;
	}
	return errno == 0 ? 0 : scar_err_errno(err, errno, "readdir");
}

static int open_child(struct removal *removal, int parent_fd, const char *name, int *ret_fd,
		      struct scar_err *err)
{
	struct stat st;
	scar_fd_auto int fd = open_writable(parent_fd, name, &st);

	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "open directory %s", name);
	if (removal->top_fd < 0)
		removal->device = st.st_dev;
	if (st.st_dev != removal->device)
		return scar_err_errno(err, EXDEV, "remove %s", name);
	*ret_fd = scar_steal_fd(&fd);
	return 0;
}

static int remove_dir(struct removal *removal, int parent_fd, const char *name, unsigned depth,
		      struct scar_err *err)
{
	bool is_top = removal->top_fd < 0;

	/* Again while there is progress: entries are moved here, and others may be adding some. */
	for (;;) {
		unsigned long removed = removal->removed, moved = removal->moved;
		int fd = -1, status;

		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0) {
			removal->removed++;
			return 0;
		}
		if (errno != ENOTEMPTY && errno != EEXIST)
			return errno == ENOENT ? 0 : scar_err_errno(err, errno, "remove %s", name);
		if (open_child(removal, parent_fd, name, &fd, err) < 0)
			return -1;
		if (is_top)
			removal->top_fd = fd;
		status = empty_dir(removal, fd, depth, err);
		if (is_top)
			removal->top_fd = -1;
		if (status < 0)
			return scar_err_wrap(err, "%s", name);
		if (removal->removed == removed && removal->moved == moved)
			return scar_err_errno(err, ENOTEMPTY, "remove %s", name);
	}
}

int scar_fs_remove_tree(int dirfd, const char *path, struct scar_err *err)
{
	struct removal removal = {.top_fd = -1};

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return scar_err_errno(err, errno, "remove %s", path);
	return remove_dir(&removal, dirfd, path, 0, err);
}
