/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/image_builder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "runtime/base/err.h"

void image_init(struct image_builder *builder)
{
	memset(builder, 0, sizeof *builder);
	builder->image.layers = builder->layers;
	builder->image.config.diff_ids = builder->diff_ids;
}

void image_clear(struct image_builder *builder)
{
	size_t i;

	for (i = 0; i < builder->image.layer_count; i++)
		free(builder->blobs[i].data);
	image_init(builder);
}

uint8_t *image_gzip(const void *data, size_t len, size_t *ret_len)
{
	z_stream stream = {0};
	uint8_t *out;

	if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	*ret_len = deflateBound(&stream, len) + 32;
	out = malloc(*ret_len);
	if (!out)
		abort();
	stream.next_in = (Bytef *)(uintptr_t)data;
	stream.avail_in = (uInt)len;
	stream.next_out = out;
	stream.avail_out = (uInt)*ret_len;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	*ret_len = stream.total_out;
	deflateEnd(&stream);
	return out;
}

uint8_t *image_zstd(const void *data, size_t len, size_t *ret_len)
{
	size_t room = ZSTD_compressBound(len);
	uint8_t *out = malloc(room);

	if (!out)
		abort();
	*ret_len = ZSTD_compress(out, room, data, len, 3);
	if (ZSTD_isError(*ret_len))
		abort();
	return out;
}

static uint8_t *plain(const void *data, size_t len, size_t *ret_len)
{
	uint8_t *out = malloc(len + 1);

	if (!out)
		abort();
	if (len > 0)
		memcpy(out, data, len);
	*ret_len = len;
	return out;
}

void image_add(struct image_builder *builder, const void *tar, size_t len,
	       enum scar_layer_compression compression)
{
	size_t i = builder->image.layer_count++;
	struct image_blob *blob = &builder->blobs[i];
	struct scar_err err;

	if (i >= IMAGE_BUILDER_LAYERS)
		abort();
	blob->fail_after = blob->block_after = blob->damaged_byte = SIZE_MAX;
	switch (compression) {
	case SCAR_COMPRESSION_GZIP: blob->data = image_gzip(tar, len, &blob->len); break;
	case SCAR_COMPRESSION_ZSTD: blob->data = image_zstd(tar, len, &blob->len); break;
	case SCAR_COMPRESSION_PLAIN:
	case SCAR_COMPRESSION_UNKNOWN: blob->data = plain(tar, len, &blob->len); break;
	}
	builder->layers[i].size_bytes = blob->len;
	builder->image.layers_size_bytes += blob->len;
	if (scar_digest_of(SCAR_DIGEST_SHA256, blob->data, blob->len, &builder->layers[i].digest,
			   &err) < 0 ||
	    scar_digest_of(SCAR_DIGEST_SHA256, tar, len, &builder->diff_ids[i], &err) < 0)
		abort();
	builder->image.config.diff_id_count = builder->image.layer_count;
}

void image_add_tar(struct image_builder *builder, struct tar_builder *tar)
{
	tar_end(tar);
	image_add(builder, tar->data, tar->len, SCAR_COMPRESSION_GZIP);
	tar_clear(tar);
}

static int give(const struct image_blob *blob, size_t at, size_t n, scar_http_sink sink,
		void *sink_ctx, struct scar_err *err)
{
	uint8_t *piece;
	int result;

	if (blob->damaged_byte - at >= n)
		return sink(sink_ctx, blob->data + at, n, err);
	piece = plain(blob->data + at, n, &n);
	piece[blob->damaged_byte - at] ^= 0x55;
	result = sink(sink_ctx, piece, n, err);
	free(piece);
	return result;
}

int image_fetch(void *ctx, const struct scar_descriptor *layer, scar_http_sink sink, void *sink_ctx,
		struct scar_err *err)
{
	struct image_builder *builder = ctx;
	const struct image_blob *blob = &builder->blobs[layer - builder->layers];
	size_t piece = builder->piece_bytes ? builder->piece_bytes : 65536;
	size_t at, n;

	__atomic_add_fetch(&builder->fetches, 1, __ATOMIC_RELAXED);
	for (at = 0; at < blob->len; at += n) {
		if (at >= blob->fail_after)
			return scar_err_set(err, SCAR_ERR_NETWORK, "connection reset");
		while (at >= blob->block_after) {
			if (__atomic_load_n(&builder->cancel, __ATOMIC_RELAXED))
				return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
			usleep(1000);
		}
		n = blob->len - at < piece ? blob->len - at : piece;
		if (give(blob, at, n, sink, sink_ctx, err) < 0)
			return -1;
	}
	if (blob->damaged_byte != SIZE_MAX)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "digest does not match");
	return 0;
}
