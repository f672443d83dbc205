/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#ifndef SYS_openat2
#define SYS_openat2 437 /* the same on every architecture */
#endif

/* path_resolution(7): the kernel follows as many symbolic links in one path. */
#define LINKS_MAX 40
/* openat2(2) gives up when the tree is being renamed below it; the walk does not. */
#define RACE_TRIES 8

#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool makes_file(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

/* openat2(2) refuses what openat(2) ignores. */
static int open_by_kernel(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags & O_PATH ? flags & PATH_FLAGS : flags),
		.mode = makes_file(flags) ? mode & 07777 : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACE_TRIES; i++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

/* A path on its way from the root: `fd` is where it is, `rest` what is still to go. */
struct walk {
	int root_fd;
	int fd;
	int links;
	char rest[2 * SCAR_LIMIT_PATH_BYTES];
	char *next;
};

static int go_to(struct walk *walk, int fd)
{
	if (fd < 0)
		return -1;
	close(walk->fd);
	walk->fd = fd;
	return 0;
}

static int go_to_root(struct walk *walk)
{
	return go_to(walk, openat(walk->root_fd, ".", PATH_FLAGS));
}

/* ".." of the root is the root. */
static int go_up(struct walk *walk)
{
	struct stat here, root;

	if (fstat(walk->fd, &here) < 0 || fstat(walk->root_fd, &root) < 0)
		return -1;
	if (here.st_dev == root.st_dev && here.st_ino == root.st_ino)
		return 0;
	return go_to(walk, openat(walk->fd, "..", PATH_FLAGS));
}

/*
 * The links of /proc that jump to an object instead of a path: their text is absolute or
 * no path at all ("pipe:[1]"), whereas the ordinary links there are relative.
 */
static bool is_magic(const struct walk *walk, const char *target)
{
	struct statfs fs;

	return (target[0] == '/' || strstr(target, ":[")) && fstatfs(walk->fd, &fs) == 0 &&
	       fs.f_type == PROC_SUPER_MAGIC;
}

/* Puts a link's target before what is still to go. */
static int follow(struct walk *walk, const char *target, size_t len)
{
	size_t rest_len = strlen(walk->next);

	if (++walk->links > LINKS_MAX || is_magic(walk, target)) {
		errno = ELOOP;
		return -1;
	}
	if (len == 0 || len + 1 + rest_len >= sizeof walk->rest) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	memmove(walk->rest + len + 1, walk->next, rest_len + 1);
	memcpy(walk->rest, target, len);
	/* Without a slash after it the last component stays one that need not be a directory. */
	walk->rest[len] = rest_len > 0 ? '/' : '\0';
	walk->next = walk->rest;
	return target[0] == '/' ? go_to_root(walk) : 0;
}

/* Takes the next component. @return its text, NULL at the end of the path */
static const char *take(struct walk *walk, char name[SCAR_LIMIT_PATH_BYTES], bool *ret_last)
{
	size_t len;

	walk->next += strspn(walk->next, "/");
	len = strcspn(walk->next, "/");
	if (len == 0)
		return NULL;
	if (len >= SCAR_LIMIT_PATH_BYTES)
		len = SCAR_LIMIT_PATH_BYTES - 1; /* the kernel will say ENAMETOOLONG */
	memcpy(name, walk->next, len);
	name[len] = '\0';
	walk->next += len;
	*ret_last = *walk->next == '\0';
	return name;
}

/* One component. @return 1 and *ret_fd if it was the last, 0 to go on, -1 */
static int step(struct walk *walk, const char *name, bool last, int flags, mode_t mode, int *ret_fd)
{
	char target[SCAR_LIMIT_PATH_BYTES];
	bool follows = !last || !(flags & O_NOFOLLOW);
	ssize_t len;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(walk);
	/* open(2) never makes what has a slash after its name, and does not look. */
	if (!last && (flags & O_CREAT) && walk->next[strspn(walk->next, "/")] == '\0') {
		errno = EISDIR;
		return -1;
	}
	/* O_CREAT with O_EXCL is told of a link by EEXIST. */
	if (last && (flags & O_CREAT) && (flags & O_EXCL))
		follows = false;
	if (follows) {
		len = readlinkat(walk->fd, name, target, sizeof target - 1);
		if (len >= 0) {
			target[len] = '\0';
			return follow(walk, target, (size_t)len);
		}
		if (errno != EINVAL && !(last && errno == ENOENT))
			return -1;
	}
	if (!last)
		return go_to(walk, openat(walk->fd, name, PATH_FLAGS));
	*ret_fd = openat(walk->fd, name, flags | O_NOFOLLOW, mode);
	return *ret_fd < 0 ? -1 : 1;
}

static int walk_path(struct walk *walk, int flags, mode_t mode)
{
	char name[SCAR_LIMIT_PATH_BYTES];
	bool last = false;

	while (take(walk, name, &last)) {
		int fd = -1;
		int status = step(walk, name, last, flags, mode, &fd);

		if (status != 0)
			return status < 0 ? -1 : fd;
	}
	/* The path ended with ".", ".." or a slash: what it names is where the walk is. */
	return openat(walk->fd, ".", flags & ~O_NOFOLLOW, mode);
}

static int open_by_walk(int root_fd, const char *path, int flags, mode_t mode)
{
	struct walk walk = {.root_fd = root_fd};
	size_t len = strlen(path);
	int fd, errnum;

	if (len == 0 || len >= SCAR_LIMIT_PATH_BYTES) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return -1;
	}
	walk.fd = openat(root_fd, ".", PATH_FLAGS);
	if (walk.fd < 0)
		return -1;
	memcpy(walk.rest, path, len + 1);
	walk.next = walk.rest;
	fd = walk_path(&walk, flags, mode);
	errnum = errno;
	close(walk.fd);
	errno = errnum;
	return fd;
}

int scar_fs_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
	const char *no_openat2 = getenv("SCAR_NO_OPENAT2");
	int fd;

	flags |= O_CLOEXEC;
	if (!no_openat2 || strcmp(no_openat2, "1") != 0) {
		fd = open_by_kernel(root_fd, path, flags, mode);
		/* ENOSYS: before Linux 5.6; EPERM: a filter older than the call; EAGAIN: renames. */
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EAGAIN))
			return fd;
	}
	return open_by_walk(root_fd, path, flags, mode);
}
