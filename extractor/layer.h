/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layer.h
 * One layer on its way from the registry to the rootfs: fetched, decompressed and checked by threads of its own,
 * with a bounded ring between each two, applied by the thread that owns the rootfs. The compressed blob is never stored, nor a layer held whole.
 */
#ifndef SCAR_EXTRACTOR_LAYER_H
#define SCAR_EXTRACTOR_LAYER_H

#include <stdint.h>

#include "registry/manifest.h"
#include "runtime/base/http.h"

struct scar_err;
struct scar_rootfs;

/**
 * Streams the bytes of a layer as transferred (compressed) into sink, exactly once and in order, and returns 0 only
 * when size and digest of the descriptor were right (scar_source_blob() is one). Called from several threads at once, each with
 * another layer. When the sink fails, returns -1 with the sink's error.
 */
typedef int (*scar_layer_fetch)(void *ctx, const struct scar_descriptor *layer, scar_http_sink sink,
				void *sink_ctx, struct scar_err *err);

/** Uncompressed bytes that a layer may have decoded ahead of the rootfs. */
#define SCAR_LAYER_AHEAD_BYTES SCAR_MIB(3)
#define SCAR_LAYER_BLOCK_BYTES SCAR_KIB(768)

struct scar_layer;

/** What a layer in flight works on; all borrowed until scar_layer_close(). */
struct scar_layer_job {
	const struct scar_descriptor *descriptor;
	const struct scar_digest *diff_id;
	scar_layer_fetch fetch;
	void *fetch_ctx;
	/** Called from a thread of the layer as soon as fetching or decoding fails; the first call tells the cause. */
	void (*on_failure)(void *ctx, const struct scar_err *err);
	void *failure_ctx;
	const volatile int *cancel; /**< looked at often; may be NULL */
};

/** Starts the threads. */
int scar_layer_open(const struct scar_layer_job *job, struct scar_layer **ret_layer,
		    struct scar_err *err);
/**
 * Applies the layer to the rootfs (scar_rootfs_begin_layer() was called) and reads on to the end of the stream; 0 only if
 * the fetch ended well and the diff ID is right. Errors name the entry. SCAR_ERR_IMAGE is told only of bytes whose
 * digests are right, else it is SCAR_ERR_INTEGRITY: so a malformed tar is read to its end before it is reported.
 */
int scar_layer_apply(struct scar_layer *layer, struct scar_rootfs *rootfs, struct scar_err *err);
/** Makes the fetch end at its next byte, and apply() fail; from any thread. */
void scar_layer_cancel(struct scar_layer *layer);
/** Cancels what is not finished, waits for the threads, frees. NULL is fine. @return compressed bytes received */
uint64_t scar_layer_close(struct scar_layer *layer);

#endif
