/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bytes.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define SIZE ((size_t)3 << 20)
#define READERS 6

enum packing { PLAIN, GZIP, ZSTD, PACKINGS };

/* Compressible, and different everywhere. */
static unsigned char *content(void)
{
	unsigned char *data = malloc(SIZE);

	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(((uint32_t)i * 2654435761U) >> 24 &
					  (i >> 12 & 1 ? 0xff : 3));
	return data;
}

static size_t gzip(unsigned char *data, size_t len, unsigned char *to, size_t room)
{
	z_stream state = {
		.next_in = data, .avail_in = (uInt)len, .next_out = to, .avail_out = (uInt)room};

	assert_int_equal(deflateInit2(&state, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&state, Z_FINISH), Z_STREAM_END);
	deflateEnd(&state);
	return room - state.avail_out;
}

static int as_file(const void *data, size_t len)
{
	int fd = memfd_create("bytes", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

/* Two members or frames, one after the other, are one content. */
static int packed_file(unsigned char *data, enum packing how)
{
	size_t room = 2 * ZSTD_compressBound(SIZE) + 1024, first = SIZE / 3, len;
	unsigned char *packed;
	int fd;

	if (how == PLAIN)
		return as_file(data, SIZE);
	packed = malloc(room);
	assert_non_null(packed);
	if (how == GZIP) {
		len = gzip(data, first, packed, room);
		len += gzip(data + first, SIZE - first, packed + len, room - len);
	} else {
		len = ZSTD_compress(packed, room, data, first, 1);
		len += ZSTD_compress(packed + len, room - len, data + first, SIZE - first, 1);
	}
	fd = as_file(packed, len);
	free(packed);
	return fd;
}

static struct scar_bytes *opened(int fd, const volatile int *cancel)
{
	struct scar_bytes *bytes = NULL;
	struct scar_err err;
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (scar_bytes_open_file(path, cancel, &bytes, &err) < 0)
		fail_msg("%s", err.msg);
	return bytes;
}

static int append(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

static bool gives(struct scar_bytes *bytes, const unsigned char *data, size_t first, size_t len)
{
	scar_buf_auto struct scar_buf got;
	struct scar_err err;

	scar_buf_init(&got, SIZE);
	return scar_bytes_copy(bytes, "it", first, len, append, &got, &err) == 0 &&
	       got.len == len && (len == 0 || memcmp(got.data, data + first, len) == 0);
}

static void gives_any_part_in_any_order(void **state)
{
	unsigned char *data = content();

	(void)state;
	for (enum packing how = PLAIN; how < PACKINGS; how++) {
		scar_fd_auto int fd = packed_file(data, how);
		scar_bytes_auto struct scar_bytes *bytes = opened(fd, NULL);
		unsigned char small[1000];
		unsigned seed = 1;
		struct scar_err err;

		assert_true(scar_bytes_size(bytes) == (how == PLAIN ? SIZE : SCAR_BYTES_UNKNOWN));
		assert_true(gives(bytes, data, 0, SIZE));
		assert_true(gives(bytes, data, SIZE - 5, 5));
		assert_true(gives(bytes, data, 7, 0));
		for (int i = 0; i < 30; i++) {
			size_t first = (seed = seed * 1103515245U + 12345U) % SIZE;

			assert_true(gives(bytes, data, first, (seed >> 7) % (SIZE - first)));
			if (SIZE - first < sizeof small)
				continue;
			assert_int_equal(scar_bytes_read(bytes, first, small, sizeof small, &err),
					 0);
			assert_memory_equal(small, data + first, sizeof small);
		}
	}
	free(data);
}

struct reader {
	struct scar_bytes *bytes;
	const unsigned char *data;
	size_t first;
	bool good;
};

static void *read_part(void *ctx)
{
	struct reader *reader = ctx;

	reader->good = true;
	for (int i = 0; i < 10 && reader->good; i++)
		reader->good = gives(reader->bytes, reader->data, reader->first, SIZE / 8);
	return NULL;
}

static void serves_several_threads(void **state)
{
	unsigned char *data = content();

	(void)state;
	for (enum packing how = GZIP; how < PACKINGS; how++) {
		scar_fd_auto int fd = packed_file(data, how);
		scar_bytes_auto struct scar_bytes *bytes = opened(fd, NULL);
		struct reader readers[READERS];
		pthread_t threads[READERS];

		for (size_t i = 0; i < READERS; i++) {
			readers[i] = (struct reader){bytes, data, i * (SIZE / 8), false};
			assert_int_equal(pthread_create(&threads[i], NULL, read_part, &readers[i]),
					 0);
		}
		for (size_t i = 0; i < READERS; i++) {
			pthread_join(threads[i], NULL);
			assert_true(readers[i].good);
		}
	}
	free(data);
}

static void says_where_there_is_no_more(void **state)
{
	unsigned char *data = content();

	(void)state;
	for (enum packing how = PLAIN; how < PACKINGS; how++) {
		scar_fd_auto int fd = packed_file(data, how);
		scar_bytes_auto struct scar_bytes *bytes = opened(fd, NULL);
		scar_buf_auto struct scar_buf got;
		struct scar_err err;
		char byte;

		scar_buf_init(&got, SIZE);
		assert_int_equal(scar_bytes_copy(bytes, "it", SIZE - 10, 11, append, &got, &err),
				 -1);
		assert_int_equal(err.kind, SCAR_ERR_IMAGE);
		assert_non_null(strstr(err.msg, "cut short"));
		assert_int_equal(scar_bytes_read(bytes, SIZE, &byte, 1, &err), -1);
		/* It is still good for what there is. */
		assert_true(gives(bytes, data, 100, 1000));
	}
	free(data);
}

static void stops_when_told(void **state)
{
	unsigned char *data = content();
	volatile int cancel = 0;
	scar_fd_auto int fd = packed_file(data, GZIP);
	scar_bytes_auto struct scar_bytes *bytes = opened(fd, &cancel);
	scar_buf_auto struct scar_buf got;
	struct scar_err err;

	(void)state;
	scar_buf_init(&got, SIZE);
	cancel = 1;
	assert_int_equal(scar_bytes_copy(bytes, "it", 0, SIZE, append, &got, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTERRUPTED);
	free(data);
}

static void names_what_is_not_there(void **state)
{
	struct scar_bytes *bytes = NULL;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_bytes_open_file("/nonexistent/x", NULL, &bytes, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOT_FOUND);
	assert_int_equal(scar_bytes_open_file("/dev/null", NULL, &bytes, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_any_part_in_any_order),
		cmocka_unit_test(serves_several_threads),
		cmocka_unit_test(says_where_there_is_no_more),
		cmocka_unit_test(stops_when_told),
		cmocka_unit_test(names_what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
