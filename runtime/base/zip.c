/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/zip.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define CHUNK_BYTES 16384
#define ENTRIES_MAX 65535
#define LOCAL_HEAD_BYTES 30
#define VERSION 20     /* deflate */
#define MADE_BY 0x0314 /* on Unix */
#define FLAG_UTF8 0x0800
#define METHOD_DEFLATE 8

struct entry {
	uint32_t crc, packed, size;
	uint16_t time, date;
	uint32_t offset;
};

static void put16(unsigned char *at, unsigned value)
{
	at[0] = (unsigned char)value;
	at[1] = (unsigned char)(value >> 8);
}

static void put32(unsigned char *at, uint32_t value)
{
	put16(at, value & 0xffff);
	put16(at + 2, value >> 16);
}

/* In UTC; a time that DOS cannot tell is its first. */
static void set_time(struct entry *entry, time_t modified)
{
	struct tm tm;

	entry->date = 1 << 5 | 1;
	if (!gmtime_r(&modified, &tm) || tm.tm_year < 80 || tm.tm_year > 207)
		return;
	entry->date = (uint16_t)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
	entry->time = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
}

void scar_zip_begin(struct scar_zip *zip, struct scar_buf *out)
{
	*zip = (struct scar_zip){.out = out, .start = out->len};
	scar_buf_init(&zip->directory, SCAR_LIMIT_RESPONSE_BYTES);
}

void scar_zip_begin_spilling(struct scar_zip *zip, struct scar_buf *out,
			     const struct scar_zip_spill *spill)
{
	scar_zip_begin(zip, out);
	zip->spill = spill;
}

/* Of the next byte in the archive. */
static uint64_t offset_of(const struct scar_zip *zip)
{
	return zip->spilled + (zip->out->len - zip->start);
}

static int put(struct scar_zip *zip, const void *data, size_t len, struct scar_err *err)
{
	if (offset_of(zip) + len > UINT32_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "a zip archive of 4 GiB or more");
	if (scar_buf_append(zip->out, data, len, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_LIMIT || !zip->spill)
		return -1;
	if (zip->spill->append(zip->spill->ctx, zip->out->data, zip->out->len, err) < 0)
		return -1;
	zip->spilled += zip->out->len;
	scar_buf_reset(zip->out);
	return scar_buf_append(zip->out, data, len, err);
}

/* What was put with one call lies in one place. */
static int patch(struct scar_zip *zip, uint64_t at, const void *data, size_t len,
		 struct scar_err *err)
{
	if (at < zip->spilled)
		return zip->spill->patch(zip->spill->ctx, at, data, len, err);
	memcpy(zip->out->data + zip->start + (at - zip->spilled), data, len);
	return 0;
}

void scar_zip_clear(struct scar_zip *zip)
{
	scar_buf_clear(&zip->directory);
}

/* From `version needed` to the length of the name: the same in the local head and in the directory. */
static void put_common(unsigned char at[24], const struct entry *entry, size_t name_len)
{
	put16(at, VERSION);
	put16(at + 2, FLAG_UTF8);
	put16(at + 4, METHOD_DEFLATE);
	put16(at + 6, entry->time);
	put16(at + 8, entry->date);
	put32(at + 10, entry->crc);
	put32(at + 14, entry->packed);
	put32(at + 18, entry->size);
	put16(at + 22, (unsigned)name_len);
}

static int drain(z_stream *stream, int flush, struct scar_zip *zip, struct scar_err *err)
{
	unsigned char packed[CHUNK_BYTES];

	do {
		stream->next_out = packed;
		stream->avail_out = sizeof packed;
		if (deflate(stream, flush) == Z_STREAM_ERROR)
			return scar_err_set(err, SCAR_ERR_INTERNAL, "cannot compress");
		if (put(zip, packed, sizeof packed - stream->avail_out, err) < 0)
			return -1;
	} while (stream->avail_out == 0);
	return 0;
}

/* Bytes at hand, or (fd not negative) of a file. */
struct source {
	int fd;
	const unsigned char *data;
	size_t len;
};

/* The next bytes, at most CHUNK_BYTES of them in `chunk`. @return how many, 0 at the end, -1 */
static ssize_t next_bytes(struct source *source, unsigned char *chunk, struct scar_err *err)
{
	ssize_t n;

	if (source->fd < 0) {
		n = (ssize_t)(source->len < CHUNK_BYTES ? source->len : CHUNK_BYTES);
		memcpy(chunk, source->data, (size_t)n);
		source->data += n;
		source->len -= (size_t)n;
		return n;
	}
	do
		n = read(source->fd, chunk, CHUNK_BYTES);
	while (n < 0 && errno == EINTR);
	return n < 0 ? scar_err_errno(err, errno, "cannot read a file for a zip archive") : n;
}

static int deflate_source(z_stream *stream, struct source *source, struct scar_zip *zip,
			  struct entry *entry, struct scar_err *err)
{
	unsigned char chunk[CHUNK_BYTES];
	uint64_t size = 0;
	ssize_t n;

	while ((n = next_bytes(source, chunk, err)) != 0) {
		if (n < 0)
			return -1;
		size += (uint64_t)n;
		if (size > UINT32_MAX)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "a file of 4 GiB or more for a zip archive");
		entry->crc = (uint32_t)crc32(entry->crc, chunk, (unsigned)n);
		stream->next_in = chunk;
		stream->avail_in = (unsigned)n;
		if (drain(stream, Z_NO_FLUSH, zip, err) < 0)
			return -1;
	}
	entry->size = (uint32_t)size;
	return drain(stream, Z_FINISH, zip, err);
}

static int pack(struct scar_zip *zip, struct source *source, struct entry *entry,
		struct scar_err *err)
{
	uint64_t before = offset_of(zip);
	z_stream stream = {0};
	int result;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for compression");
	result = deflate_source(&stream, source, zip, entry, err);
	deflateEnd(&stream);
	entry->packed = (uint32_t)(offset_of(zip) - before);
	return result;
}

static int add_to_directory(struct scar_zip *zip, const struct entry *entry, const char *name,
			    unsigned mode, struct scar_err *err)
{
	unsigned char head[46] = {'P', 'K', 1, 2};

	put16(head + 4, MADE_BY);
	put_common(head + 6, entry, strlen(name));
	/* A regular file (S_IFREG) with its permissions. */
	put32(head + 38, (uint32_t)(0100000 | (mode & 0777)) << 16);
	put32(head + 42, entry->offset);
	if (scar_buf_append(&zip->directory, head, sizeof head, err) < 0)
		return -1;
	return scar_buf_append_str(&zip->directory, name, err);
}

static int add(struct scar_zip *zip, const char *name, struct source *source, unsigned mode,
	       time_t modified, struct scar_err *err)
{
	unsigned char head[LOCAL_HEAD_BYTES] = {'P', 'K', 3, 4};
	uint64_t at = offset_of(zip);
	struct entry entry = {.offset = (uint32_t)at};

	if (zip->entries == ENTRIES_MAX || strlen(name) > UINT16_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "too many files for a zip archive");
	set_time(&entry, modified);
	if (put(zip, head, sizeof head, err) < 0 || put(zip, name, strlen(name), err) < 0 ||
	    pack(zip, source, &entry, err) < 0)
		return -1;
	/* Sizes are known now. */
	put_common(head + 4, &entry, strlen(name));
	if (patch(zip, at, head, sizeof head, err) < 0)
		return -1;
	zip->entries++;
	return add_to_directory(zip, &entry, name, mode, err);
}

int scar_zip_add(struct scar_zip *zip, const char *name, int fd, unsigned mode, time_t modified,
		 struct scar_err *err)
{
	struct source source = {.fd = fd};

	return add(zip, name, &source, mode, modified, err);
}

int scar_zip_add_data(struct scar_zip *zip, const char *name, const void *data, size_t len,
		      unsigned mode, time_t modified, struct scar_err *err)
{
	struct source source = {.fd = -1, .data = data, .len = len};

	return add(zip, name, &source, mode, modified, err);
}

int scar_zip_end(struct scar_zip *zip, struct scar_err *err)
{
	unsigned char end[22] = {'P', 'K', 5, 6};

	put16(end + 8, zip->entries);
	put16(end + 10, zip->entries);
	put32(end + 12, (uint32_t)zip->directory.len);
	put32(end + 16, (uint32_t)offset_of(zip));
	if (put(zip, zip->directory.data, zip->directory.len, err) < 0)
		return -1;
	return put(zip, end, sizeof end, err);
}
