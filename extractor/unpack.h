/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unpack.h
 * Unpacks all layers of an image into a directory: a few are fetched and decompressed at once, each is applied after
 * the one below it. The first failure ends all.
 */
#ifndef SCAR_EXTRACTOR_UNPACK_H
#define SCAR_EXTRACTOR_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "extractor/layer.h"

struct scar_err;
struct scar_image;

#define SCAR_UNPACK_IN_FLIGHT_MAX 8

/** A finished image (an entry of the store) that consists of the lowest layers of the one to unpack. */
struct scar_unpack_base {
	int fd; /**< its directory; closed, and -1, as soon as it is copied */
	size_t layers;
	bool damaged; /**< set: it is not as its baseline has it, that is why unpacking failed */
};

struct scar_unpack_options {
	scar_layer_fetch fetch;
	void *fetch_ctx;
	volatile int *cancel;          /**< as in scar_store_options; may be NULL */
	unsigned in_flight;            /**< 1 to SCAR_UNPACK_IN_FLIGHT_MAX */
	struct scar_unpack_base *base; /**< copied, not fetched; NULL: none */
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
/** That of a layer on top of those with chain ID `below` (NULL: of the lowest). It may be *ret_chain_id itself. */
int scar_unpack_chain_next(const struct scar_digest *below, const struct scar_digest *diff_id,
			   struct scar_digest *ret_chain_id, struct scar_err *err);

#endif
