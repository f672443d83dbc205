/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/decoder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/decoder_formats.h"
#include "runtime/base/err.h"

#define MAGIC_BYTES 6

struct scar_decoder {
	const struct scar_decoder_sink *sink;
	const struct scar_decoder_format *format; /* NULL until enough bytes are seen */
	void *state;
	uint8_t magic[MAGIC_BYTES];
	size_t magic_len;
};

static void *plain_create(const struct scar_decoder_sink *sink, struct scar_err *err)
{
	(void)sink, (void)err;
	return NULL;
}

static void plain_free(void *state)
{
	(void)state;
}

static int plain_push(void *state, const struct scar_decoder_sink *sink, const uint8_t *data,
		      size_t len, struct scar_err *err)
{
	uint8_t *room;
	size_t size;

	(void)state;
	while (len > 0) {
		if (sink->reserve(sink->ctx, &room, &size, err) < 0)
			return -1;
		if (size > len)
			size = len;
		memcpy(room, data, size);
		sink->commit(sink->ctx, size);
		data += size;
		len -= size;
	}
	return 0;
}

static int plain_finish(void *state, const struct scar_decoder_sink *sink, struct scar_err *err)
{
	(void)state, (void)sink, (void)err;
	return 0;
}

static const struct scar_decoder_format plain = {
	.compression = SCAR_COMPRESSION_PLAIN,
	.create = plain_create,
	.free = plain_free,
	.push = plain_push,
	.finish = plain_finish,
};

static bool begins(const struct scar_decoder *decoder, const char *magic, size_t len)
{
	return decoder->magic_len >= len && memcmp(decoder->magic, magic, len) == 0;
}

static const struct scar_decoder_format *sniff(const struct scar_decoder *decoder,
					       struct scar_err *err)
{
	const uint8_t *magic = decoder->magic;

	if (begins(decoder, "\x1f\x8b", 2))
		return &scar_decoder_gzip;
	if (begins(decoder, "\x28\xb5\x2f\xfd", 4))
		return &scar_decoder_zstd;
	/* RFC 8878, 3.1.2: 0x184D2A5? little-endian; a zstd layer may begin with a skippable frame. */
	if (decoder->magic_len >= 4 && (magic[0] & 0xf0) == 0x50 &&
	    memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0)
		return &scar_decoder_zstd;
	if (begins(decoder,
		   "\xfd"
		   "7zXZ\0",
		   6))
		scar_err_set(err, SCAR_ERR_UNSUPPORTED,
			     "layers compressed with xz are not supported");
	else if (begins(decoder, "BZh", 3))
		scar_err_set(err, SCAR_ERR_UNSUPPORTED,
			     "layers compressed with bzip2 are not supported");
	else if (begins(decoder, "\x04\x22\x4d\x18", 4))
		scar_err_set(err, SCAR_ERR_UNSUPPORTED,
			     "layers compressed with lz4 are not supported");
	else
		return &plain;
	return NULL;
}

struct scar_decoder *scar_decoder_create(const struct scar_decoder_sink *sink, struct scar_err *err)
{
	struct scar_decoder *decoder = calloc(1, sizeof *decoder);

	if (!decoder) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a decoder");
		return NULL;
	}
	decoder->sink = sink;
	return decoder;
}

void scar_decoder_free(struct scar_decoder *decoder)
{
	if (!decoder)
		return;
	if (decoder->format)
		decoder->format->free(decoder->state);
	free(decoder);
}

/* Chooses the format and hands it the bytes that were kept back. */
static int choose(struct scar_decoder *decoder, struct scar_err *err)
{
	const struct scar_decoder_format *format = sniff(decoder, err);
	void *state;

	if (!format)
		return -1;
	state = format->create(decoder->sink, err);
	if (!state && format != &plain)
		return -1;
	decoder->format = format;
	decoder->state = state;
	return format->push(state, decoder->sink, decoder->magic, decoder->magic_len, err);
}

int scar_decoder_push(struct scar_decoder *decoder, const void *data, size_t len,
		      struct scar_err *err)
{
	const uint8_t *bytes = data;

	if (!decoder->format) {
		size_t take = MAGIC_BYTES - decoder->magic_len;

		if (take > len)
			take = len;
		if (take > 0)
			memcpy(decoder->magic + decoder->magic_len, bytes, take);
		decoder->magic_len += take;
		bytes += take;
		len -= take;
		if (decoder->magic_len < MAGIC_BYTES)
			return 0;
		if (choose(decoder, err) < 0)
			return -1;
	}
	return len ? decoder->format->push(decoder->state, decoder->sink, bytes, len, err) : 0;
}

int scar_decoder_finish(struct scar_decoder *decoder, struct scar_err *err)
{
	if (!decoder->format && choose(decoder, err) < 0)
		return -1;
	return decoder->format->finish(decoder->state, decoder->sink, err);
}

enum scar_layer_compression scar_decoder_compression(const struct scar_decoder *decoder)
{
	return decoder->format ? decoder->format->compression : SCAR_COMPRESSION_UNKNOWN;
}
