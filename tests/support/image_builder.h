/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file image_builder.h
 * Images made in memory from tar bytes, with true digests, and a fetch function that serves them - or fails as told.
 */
#ifndef SCAR_TESTS_SUPPORT_IMAGE_BUILDER_H
#define SCAR_TESTS_SUPPORT_IMAGE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "registry/manifest.h"
#include "runtime/base/http.h"
#include "tests/support/tar_builder.h"

struct scar_err;

#define IMAGE_BUILDER_LAYERS 32

struct image_blob {
	uint8_t *data;
	size_t len;
	/* How the fetch goes wrong, if at all. */
	size_t fail_after; /**< SIZE_MAX: never; else fails with SCAR_ERR_NETWORK after so many bytes */
	size_t block_after; /**< SIZE_MAX: never; else waits there until `cancel` is set: SCAR_ERR_INTERRUPTED */
	size_t damaged_byte; /**< SIZE_MAX: none; else this byte is changed on the way, and the end is SCAR_ERR_INTEGRITY */
};

struct image_builder {
	struct scar_image image;
	struct image_blob blobs[IMAGE_BUILDER_LAYERS];
	struct scar_descriptor layers[IMAGE_BUILDER_LAYERS];
	struct scar_digest diff_ids[IMAGE_BUILDER_LAYERS];
	size_t piece_bytes; /**< given to the sink at once; 0: 64 KiB */
	volatile int cancel;
	unsigned fetches; /**< how many were begun */
};

void image_init(struct image_builder *builder);
void image_clear(struct image_builder *builder);
/** Adds a layer of these tar bytes; the last one is the topmost. */
void image_add(struct image_builder *builder, const void *tar, size_t len,
	       enum scar_layer_compression compression);
/** The same of a builder, which gets its end and is cleared. */
void image_add_tar(struct image_builder *builder, struct tar_builder *tar);
/** A scar_layer_fetch; ctx is the builder. */
int image_fetch(void *ctx, const struct scar_descriptor *layer, scar_http_sink sink, void *sink_ctx,
		struct scar_err *err);
/** Compressed bytes (free()). */
uint8_t *image_gzip(const void *data, size_t len, size_t *ret_len);
uint8_t *image_zstd(const void *data, size_t len, size_t *ret_len);

#endif
