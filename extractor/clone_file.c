/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/clone_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#define XATTRS_MAX_BYTES ((size_t)64 * 1024)

/* ---- content ---- */

static ssize_t read_some(int fd, char *block, size_t len, off_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, block, len, offset);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int write_all(int fd, const char *data, size_t len, off_t offset, struct scar_err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "cannot write");
		data += n;
		offset += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_range(struct scar_clone_copier *copier, int from, int to, off_t at, off_t end,
		      struct scar_err *err)
{
	while (at < end) {
		size_t want = end - at < (off_t)SCAR_CLONE_BLOCK_BYTES ? (size_t)(end - at)
								       : SCAR_CLONE_BLOCK_BYTES;
		ssize_t n = read_some(from, copier->block, want, at);

		if (n < 0)
			return scar_err_errno(err, errno, "cannot read");
		if (n == 0)
			return scar_err_set(err, SCAR_ERR_INTEGRITY, "the file became shorter");
		if (write_all(to, copier->block, (size_t)n, at, err) < 0)
			return -1;
		at += n;
		copier->bytes += (uint64_t)n;
	}
	return 0;
}

static int copy_sparse(struct scar_clone_copier *copier, int from, int to, off_t size,
		       struct scar_err *err)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* nothing but a hole */
		if (data < 0)
			return scar_err_errno(err, errno, "cannot look for holes");
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return scar_err_errno(err, errno, "cannot look for holes");
		if (copy_range(copier, from, to, data, hole < size ? hole : size, err) < 0)
			return -1;
		at = hole;
	}
	if (ftruncate(to, size) < 0)
		return scar_err_errno(err, errno, "cannot set the size");
	return 0;
}

int scar_clone_content(struct scar_clone_copier *copier, int from, int to, const struct stat *st,
		       struct scar_err *err)
{
	if (st->st_size == 0)
		return 0;
	if (!copier->no_reflink) {
		if (ioctl(to, FICLONE, from) == 0)
			return 0;
		/* Whatever the reason: copying tells whether it was one that matters. */
		copier->no_reflink = true;
	}
	if ((uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size)
		return copy_sparse(copier, from, to, st->st_size, err);
	return copy_range(copier, from, to, 0, st->st_size, err);
}

/* ---- attributes ---- */

static int copy_xattr(int from, int to, const char *name, struct scar_err *err)
{
	scar_free_auto char *value = malloc(XATTRS_MAX_BYTES);
	ssize_t len;

	if (!value)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an attribute");
	len = fgetxattr(from, name, value, XATTRS_MAX_BYTES);
	if (len < 0 || fsetxattr(to, name, value, (size_t)len, 0) < 0)
		return scar_err_errno(err, errno, "cannot copy extended attribute %.64s", name);
	return 0;
}

static int copy_xattrs(int from, int to, struct scar_err *err)
{
	ssize_t len = flistxattr(from, NULL, 0);
	scar_free_auto char *names = NULL;

	/* None, or none on this file system. */
	if (len <= 0)
		return 0;
	names = malloc((size_t)len);
	if (!names)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for attributes");
	len = flistxattr(from, names, (size_t)len);
	if (len < 0)
		return scar_err_errno(err, errno, "cannot list extended attributes");
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		if (strncmp(name, "user.", 5) == 0 && copy_xattr(from, to, name, err) < 0)
			return -1;
	}
	return 0;
}

int scar_clone_attributes(int from, int to, const struct stat *st, struct scar_err *err)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	struct stat made;

	if (copy_xattrs(from, to, err) < 0)
		return -1;
	if (fstat(to, &made) < 0)
		return scar_err_errno(err, errno, "cannot look at the copy");
	/* Umask took bits away, or writing the set-user-ID bit. */
	if (made.st_mode != st->st_mode && fchmod(to, st->st_mode & 07777) < 0)
		return scar_err_errno(err, errno, "cannot set the mode");
	if (futimens(to, times) < 0)
		return scar_err_errno(err, errno, "cannot set the time");
	return 0;
}

/* ---- what has no content ---- */

static int copy_symlink(int from_dirfd, int to_dirfd, const char *name, struct scar_err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from_dirfd, name, target, sizeof target);

	if (len < 0)
		return scar_err_errno(err, errno, "cannot read link %.128s", name);
	if ((size_t)len == sizeof target)
		return scar_err_set(err, SCAR_ERR_LIMIT, "link %.128s is too long", name);
	target[len] = '\0';
	if (symlinkat(target, to_dirfd, name) < 0)
		return scar_err_errno(err, errno, "cannot make link %.128s", name);
	return 0;
}

static int copy_fifo(int to_dirfd, const char *name, const struct stat *st, struct scar_err *err)
{
	if (mkfifoat(to_dirfd, name, st->st_mode & 07777) < 0 ||
	    fchmodat(to_dirfd, name, st->st_mode & 07777, 0) < 0)
		return scar_err_errno(err, errno, "cannot make fifo %.128s", name);
	return 0;
}

int scar_clone_special(int from_dirfd, int to_dirfd, const char *name, const struct stat *st,
		       struct scar_err *err)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	int result;

	if (S_ISLNK(st->st_mode))
		result = copy_symlink(from_dirfd, to_dirfd, name, err);
	else if (S_ISFIFO(st->st_mode))
		result = copy_fifo(to_dirfd, name, st, err);
	else
		result = scar_err_set(err, SCAR_ERR_INTEGRITY, "%.128s is of no type an image has",
				      name);
	if (result < 0)
		return -1;
	if (utimensat(to_dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "cannot set the time of %.128s", name);
	return 0;
}
