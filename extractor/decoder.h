/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file decoder.h
 * Decompresses a layer that arrives in pieces. What it is, is told by its first bytes, never by the media type
 * (image-spec, layer.md; media types lie):
 *   gzip (RFC 1952), any number of members, zero padding after each of them;
 *   zstd (RFC 8878), any number of frames and skippable frames, windows up to 2^SCAR_LIMIT_ZSTD_WINDOW_LOG;
 *   all else is taken for a plain tar, except compressions that we know and do not support.
 * Checksums of both formats are verified.
 */
#ifndef SCAR_EXTRACTOR_DECODER_H
#define SCAR_EXTRACTOR_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/manifest.h"

struct scar_err;
struct scar_decoder;

/** A zstd window of 2^22 and what goes with it. */
#define SCAR_DECODER_SMALL_BYTES ((size_t)5 << 20)

/** Where the uncompressed bytes go, written in place. Borrowed until free. */
struct scar_decoder_sink {
	void *ctx;
	/** Room for at least one byte. */
	int (*reserve)(void *ctx, uint8_t **ret_data, size_t *ret_size, struct scar_err *err);
	/** `len` of the bytes reserved are filled. */
	void (*commit)(void *ctx, size_t len);
	/**
	 * Waits until more than SCAR_DECODER_SMALL_BYTES of memory at once may be had; false: never. NULL: always.
	 */
	bool (*may_be_large)(void *ctx);
};

struct scar_decoder *scar_decoder_create(const struct scar_decoder_sink *sink,
					 struct scar_err *err);
/** NULL is fine. */
void scar_decoder_free(struct scar_decoder *decoder);
/**
 * Takes the next piece. Fails with SCAR_ERR_INTEGRITY (damaged), _UNSUPPORTED (xz, bzip2, lz4, or a window too large), or the sink's
 * error; then only free is left.
 */
int scar_decoder_push(struct scar_decoder *decoder, const void *data, size_t len,
		      struct scar_err *err);
/** The end of the input: fails with SCAR_ERR_INTEGRITY if it is inside a member or frame. */
int scar_decoder_finish(struct scar_decoder *decoder, struct scar_err *err);
/** What the first bytes said; SCAR_COMPRESSION_UNKNOWN before there were enough. */
enum scar_layer_compression scar_decoder_compression(const struct scar_decoder *decoder);

#endif
