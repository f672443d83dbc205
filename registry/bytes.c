/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/source.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

struct scar_bytes {
	const struct scar_bytes_ops *ops;
	void *impl;
	uint64_t size_bytes;
	const volatile int *cancel;
	/* What small reads have fetched. */
	char *window;
	uint64_t window_first;
	size_t window_len;
};

uint64_t scar_bytes_size(const struct scar_bytes *bytes)
{
	return bytes->size_bytes;
}

void scar_bytes_close(struct scar_bytes *bytes)
{
	if (!bytes)
		return;
	bytes->ops->close(bytes->impl);
	free(bytes->window);
	free(bytes);
}

static int check_range(const struct scar_bytes *bytes, uint64_t first, uint64_t len,
		       struct scar_err *err)
{
	if (first > bytes->size_bytes || len > bytes->size_bytes - first)
		return scar_err_set(err, SCAR_ERR_IMAGE, "the archive is cut short");
	return 0;
}

int scar_bytes_copy(struct scar_bytes *bytes, const char *what, uint64_t first, uint64_t size_bytes,
		    scar_http_sink sink, void *ctx, struct scar_err *err)
{
	if (size_bytes == 0)
		return 0;
	if (check_range(bytes, first, size_bytes, err) < 0)
		return -1;
	return bytes->ops->copy(bytes->impl, first, size_bytes, bytes->cancel, sink, ctx, err) < 0
		       ? scar_err_wrap(err, "read %s", what)
		       : 0;
}

/* ---- small reads ---- */

struct fill {
	char *data;
	size_t len, size;
};

static int fill_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct fill *fill = ctx;

	if (len > fill->size - fill->len)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "more bytes than asked for");
	memcpy(fill->data + fill->len, data, len);
	fill->len += len;
	return 0;
}

static bool has(const struct scar_bytes *bytes, uint64_t first, size_t len)
{
	return bytes->window && first >= bytes->window_first &&
	       first + len <= bytes->window_first + bytes->window_len;
}

/* Of bytes whose end is not known no more is asked for than is wanted: there may be no more. */
static int move_window(struct scar_bytes *bytes, uint64_t first, size_t len, struct scar_err *err)
{
	size_t want = len < bytes->ops->ahead ? bytes->ops->ahead : len;
	struct fill fill = {0};

	if (bytes->size_bytes == SCAR_BYTES_UNKNOWN)
		want = len;
	else if (want > bytes->size_bytes - first)
		want = (size_t)(bytes->size_bytes - first);
	free(bytes->window);
	bytes->window_len = 0;
	bytes->window = fill.data = malloc(want);
	if (!fill.data)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	fill.size = want;
	if (bytes->ops->copy(bytes->impl, first, want, bytes->cancel, fill_sink, &fill, err) < 0)
		return -1;
	bytes->window_first = first;
	bytes->window_len = want;
	return 0;
}

int scar_bytes_read(struct scar_bytes *bytes, uint64_t first, void *data, size_t len,
		    struct scar_err *err)
{
	if (check_range(bytes, first, len, err) < 0)
		return -1;
	if (!has(bytes, first, len) && move_window(bytes, first, len, err) < 0)
		return -1;
	memcpy(data, bytes->window + (first - bytes->window_first), len);
	return 0;
}

int scar_bytes_make(const struct scar_bytes_ops *ops, void *impl, uint64_t size_bytes,
		    const volatile int *cancel, struct scar_bytes **ret_bytes, struct scar_err *err)
{
	scar_bytes_auto struct scar_bytes *bytes = calloc(1, sizeof *bytes);
	char magic[4] = {0};
	bool gzip, zstd;

	if (!bytes) {
		ops->close(impl);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	*bytes = (struct scar_bytes){
		.ops = ops, .impl = impl, .size_bytes = size_bytes, .cancel = cancel};
	if (size_bytes != SCAR_BYTES_UNKNOWN && size_bytes >= sizeof magic &&
	    scar_bytes_read(bytes, 0, magic, sizeof magic, err) < 0)
		return -1;
	gzip = memcmp(magic, "\x1f\x8b", 2) == 0;
	zstd = memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0;
	if (gzip || zstd)
		return scar_bytes_unpack(scar_steal(bytes), zstd, cancel, ret_bytes, err);
	*ret_bytes = scar_steal(bytes);
	return 0;
}

/* ---- files ---- */

static int file_copy(void *impl, uint64_t first, uint64_t size_bytes, const volatile int *cancel,
		     scar_http_sink sink, void *ctx, struct scar_err *err)
{
	return scar_source_copy_file(*(int *)impl, "the archive", first, size_bytes, cancel, sink,
				     ctx, err);
}

static void file_close(void *impl)
{
	close(*(int *)impl);
	free(impl);
}

static const struct scar_bytes_ops file_ops = {
	.copy = file_copy, .close = file_close, .ahead = SCAR_KIB(4)};

int scar_bytes_open_file(const char *path, const volatile int *cancel,
			 struct scar_bytes **ret_bytes, struct scar_err *err)
{
	/* O_NONBLOCK: a FIFO must not hold us up before it is seen to be one. */
	scar_fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int *impl;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there is no file %s", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
				    "%s is no regular file, which an archive must be", path);
	impl = malloc(sizeof *impl);
	if (!impl)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	*impl = scar_steal_fd(&fd);
	return scar_bytes_make(&file_ops, impl, (uint64_t)st.st_size, cancel, ret_bytes, err);
}
