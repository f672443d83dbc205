/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define READ_STEP SCAR_KIB(16)
#define THROUGH_BYTES SCAR_KIB(32)
#define TEMP_NAME_TRIES 16

int scar_fs_write_all(int fd, const void *data, size_t len, const char *what, struct scar_err *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "write %s", what);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static ssize_t read_some(int fd, void *data, size_t size)
{
	ssize_t n;

	do
		n = read(fd, data, size);
	while (n < 0 && errno == EINTR);
	return n;
}

int scar_fs_read_through(int fd, const char *what,
			 int (*sink)(void *ctx, const void *data, size_t len, struct scar_err *err),
			 void *ctx, struct scar_err *err)
{
	char chunk[THROUGH_BYTES];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, sizeof chunk, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "read %s", what);
		if (sink(ctx, chunk, (size_t)n, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

int scar_fs_read_all(int fd, const char *what, struct scar_buf *buf, struct scar_err *err)
{
	for (;;) {
		size_t room = buf->max_bytes - buf->len;
		char beyond;
		ssize_t n;

		if (room > READ_STEP)
			room = READ_STEP;
		if (scar_buf_reserve(buf, room, err) < 0)
			return scar_err_wrap(err, "read %s", what);
		/* All that is allocated serves; a full buffer is fine if the file ends here, too. */
		if (room > 0)
			room = buf->cap - 1 - buf->len;
		n = read_some(fd, room > 0 ? buf->data + buf->len : &beyond, room > 0 ? room : 1);
		if (n < 0)
			return scar_err_errno(err, errno, "read %s", what);
		if (n == 0)
			return 0;
		if (room == 0)
			return scar_err_set(err, SCAR_ERR_LIMIT, "read %s: more than %zu bytes",
					    what, buf->max_bytes);
		buf->len += (size_t)n;
		buf->data[buf->len] = '\0';
	}
}

int scar_fs_read_at(int fd, uint64_t offset, void *data, size_t size, size_t *ret_len,
		    struct scar_err *err)
{
	ssize_t got;

	do
		got = pread(fd, data, size, (off_t)offset);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return scar_err_errno(err, errno, "cannot read a file");
	if (got == 0)
		return scar_err_set(err, SCAR_ERR_IO, "a file became shorter while it was read");
	*ret_len = (size_t)got;
	return 0;
}

int scar_fs_read_file(int dirfd, const char *path, struct scar_buf *buf, struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		scar_err_errno(err, ENOENT, "open %s", path);
		err->kind = SCAR_ERR_NOT_FOUND;
		return -1;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "open %s", path);
	/* Only a hint: files of /proc say 0, and a file may grow. */
	if (S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= buf->max_bytes - buf->len &&
	    scar_buf_reserve(buf, (size_t)st.st_size, err) < 0)
		return scar_err_wrap(err, "read %s", path);
	return scar_fs_read_all(fd, path, buf, err);
}

/* "<folder of path>/.<random>.tmp" */
static int temp_name(const char *path, char *name, size_t size, struct scar_err *err)
{
	const char *slash = strrchr(path, '/');
	int folder_len = slash ? (int)(slash + 1 - path) : 0;
	uint64_t random;
	int len;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return scar_err_errno(err, errno, "getrandom");
	len = snprintf(name, size, "%.*s.%016llx.tmp", folder_len, path,
		       (unsigned long long)random);
	if (len < 0 || (size_t)len >= size)
		return scar_err_errno(err, ENAMETOOLONG, "write %s", path);
	return 0;
}

/* Creates a file under a new name beside path. */
static int create_temp(int dirfd, const char *path, mode_t mode, char *name, size_t size,
		       int *ret_fd, struct scar_err *err)
{
	for (int i = 0; i < TEMP_NAME_TRIES; i++) {
		int fd;

		if (temp_name(path, name, size, err) < 0)
			return -1;
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    mode);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != EEXIST)
			return scar_err_errno(err, errno, "create %s", name);
	}
	return scar_err_errno(err, EEXIST, "create %s", name);
}

/* No fsync(2): a crash of this process loses nothing, and /tmp does not outlive the machine. */
int scar_fs_write_file(int dirfd, const char *path, mode_t mode, const void *data, size_t len,
		       struct scar_err *err)
{
	char name[SCAR_LIMIT_PATH_BYTES];
	scar_fd_auto int fd = -1;
	int status;

	if (create_temp(dirfd, path, mode, name, sizeof name, &fd, err) < 0)
		return -1;
	status = scar_fs_write_all(fd, data, len, path, err);
	if (status == 0 && close(scar_steal_fd(&fd)) < 0)
		status = scar_err_errno(err, errno, "close %s", path);
	if (status == 0 && renameat(dirfd, name, dirfd, path) < 0)
		status = scar_err_errno(err, errno, "rename to %s", path);
	if (status < 0)
		unlinkat(dirfd, name, 0);
	return status;
}

static int is_dir(int dirfd, const char *path)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, 0) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return 0;
}

static int make_dir(int dirfd, const char *path, mode_t mode)
{
	if (mkdirat(dirfd, path, mode) == 0)
		return 0;
	/* A read-only parent of an existing directory gives EROFS or EACCES. */
	if (errno == EEXIST || errno == EROFS || errno == EACCES || errno == EPERM) {
		int errnum = errno;

		if (is_dir(dirfd, path) == 0)
			return 0;
		if (errno == ENOENT)
			errno = errnum;
	}
	return -1;
}

int scar_fs_mkdir_p(int dirfd, const char *path, mode_t mode, struct scar_err *err)
{
	char prefix[SCAR_LIMIT_PATH_BYTES];
	size_t len = strlen(path);

	if (len >= sizeof prefix)
		return scar_err_errno(err, ENAMETOOLONG, "mkdir %.64s...", path);
	if (make_dir(dirfd, path, mode) == 0)
		return 0;
	if (errno != ENOENT)
		return scar_err_errno(err, errno, "mkdir %s", path);
	memcpy(prefix, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
			continue;
		prefix[i] = '\0';
		if (make_dir(dirfd, prefix, mode) < 0)
			return scar_err_errno(err, errno, "mkdir %s", prefix);
		prefix[i] = path[i];
	}
	return len > 0 ? 0 : scar_err_errno(err, ENOENT, "mkdir of an empty path");
}

int scar_fs_open_dir(int dirfd, const char *path, bool readable, int *ret_fd, struct scar_err *err)
{
	int fd = openat(dirfd, path, O_DIRECTORY | O_CLOEXEC | (readable ? O_RDONLY : O_PATH));

	if (fd < 0)
		return scar_err_errno(err, errno, "open directory %s", path);
	*ret_fd = fd;
	return 0;
}

static uint64_t saturated_product(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

int scar_fs_space(int fd, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes, struct scar_err *err)
{
	struct statvfs space;

	if (fstatvfs(fd, &space) < 0)
		return scar_err_errno(err, errno, "fstatvfs");
	*ret_free_bytes = saturated_product(space.f_bavail, space.f_frsize);
	*ret_total_bytes = saturated_product(space.f_blocks, space.f_frsize);
	return 0;
}

int scar_fs_temp_file(const char *dir_path, int *ret_fd, struct scar_err *err)
{
	int fd = open(dir_path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[SCAR_LIMIT_PATH_BYTES];
	int len;

	/* A file system without O_TMPFILE says EOPNOTSUPP, a kernel without it EISDIR. */
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return scar_err_errno(err, errno, "temporary file in %s", dir_path);
	if (fd < 0) {
		len = snprintf(name, sizeof name, "%s/.scar-XXXXXX", dir_path);
		if (len < 0 || (size_t)len >= sizeof name)
			return scar_err_errno(err, ENAMETOOLONG, "temporary file in %s", dir_path);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd < 0)
			return scar_err_errno(err, errno, "temporary file in %s", dir_path);
		unlink(name);
	}
	*ret_fd = fd;
	return 0;
}
