/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unpack.h
 * Unpacks all layers of an image into a directory: a few are fetched and decompressed at once, each is applied after
 * the one below it. The first failure ends all.
 */
#ifndef SCAR_EXTRACTOR_UNPACK_H
#define SCAR_EXTRACTOR_UNPACK_H

#include <stdint.h>

#include "extractor/layer.h"

struct scar_err;
struct scar_image;

#define SCAR_UNPACK_IN_FLIGHT_MAX 8

struct scar_unpack_options {
	scar_layer_fetch fetch;
	void *fetch_ctx;
	volatile int *cancel; /**< as in scar_store_options; may be NULL */
	unsigned in_flight;   /**< 1 to SCAR_UNPACK_IN_FLIGHT_MAX */
};

struct scar_unpack_result {
	uint64_t pulled_bytes;
	uint64_t unpacked_bytes;
};

/**
 * Makes `rootfs_name` (mode 0755) and the file `owners_name` below dirfd; neither may exist. On failure they are
 * there in part, and *options->cancel is set. The error is the first cause, with the digest of its layer.
 */
int scar_unpack_image(const struct scar_image *image, const struct scar_unpack_options *options,
		      int dirfd, const char *rootfs_name, const char *owners_name,
		      struct scar_unpack_result *ret_result, struct scar_err *err);

/**
 * The chain ID of all layers (image-spec, config.md, "Layer ChainID"); that of no layers is the digest of nothing.
 */
int scar_unpack_chain_id(const struct scar_digest *diff_ids, size_t count,
			 struct scar_digest *ret_chain_id, struct scar_err *err);

#endif
