/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/layer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "extractor/decoder.h"
#include "extractor/ring.h"
#include "extractor/rootfs.h"
#include "extractor/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* musl gives 128 KiB, which TLS and name resolution can exceed. */
#define STACK_BYTES SCAR_MIB(1)

struct scar_layer {
	struct scar_layer_job job;
	struct scar_ring *ring;
	pthread_t thread;
	bool started;
	uint64_t received; /* the thread's until it is joined */
	/* The applying side: a look-ahead block, and the digest of all blocks taken. */
	struct scar_hasher *hasher;
	const uint8_t *ahead;
	size_t ahead_len;
	bool has_ahead;
};

/* ---- the thread that fetches ---- */

static bool is_cancelled(const struct scar_layer *layer)
{
	return layer->job.cancel && __atomic_load_n(layer->job.cancel, __ATOMIC_RELAXED);
}

static int interrupted(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
}

struct fetch {
	struct scar_layer *layer;
	struct scar_decoder *decoder;
};

static int take_piece(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct fetch *fetch = ctx;

	if (is_cancelled(fetch->layer))
		return interrupted(err);
	fetch->layer->received += len;
	return scar_decoder_push(fetch->decoder, data, len, err);
}

static int reserve(void *ctx, uint8_t **ret_data, size_t *ret_size, struct scar_err *err)
{
	return scar_ring_reserve(ctx, ret_data, ret_size, err);
}

static void commit(void *ctx, size_t len)
{
	scar_ring_commit(ctx, len);
}

static int fetch_and_decode(struct scar_layer *layer, struct scar_err *err)
{
	const struct scar_decoder_sink sink = {layer->ring, reserve, commit};
	struct fetch fetch = {.layer = layer};
	int result;

	fetch.decoder = scar_decoder_create(&sink, err);
	if (!fetch.decoder)
		return -1;
	result = layer->job.fetch(layer->job.fetch_ctx, layer->job.descriptor, take_piece, &fetch,
				  err);
	if (result == 0)
		result = scar_decoder_finish(fetch.decoder, err);
	scar_decoder_free(fetch.decoder);
	return result;
}

static void *fetch_main(void *arg)
{
	struct scar_layer *layer = arg;
	struct scar_err err;

	scar_err_clear(&err);
	if (fetch_and_decode(layer, &err) < 0) {
		/* First, so that the cause is known before its consequences. */
		layer->job.on_failure(layer->job.failure_ctx, &err);
		scar_ring_end(layer->ring, &err);
	} else {
		scar_ring_end(layer->ring, NULL);
	}
	return NULL;
}

static int start_thread(struct scar_layer *layer, struct scar_err *err)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int result;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&layer->thread, &attr, fetch_main, layer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (result != 0)
		return scar_err_errno(err, result, "cannot start a thread");
	layer->started = true;
	return 0;
}

int scar_layer_open(const struct scar_layer_job *job, struct scar_layer **ret_layer,
		    struct scar_err *err)
{
	struct scar_layer *layer = calloc(1, sizeof *layer);

	if (!layer)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a layer");
	layer->job = *job;
	layer->hasher = scar_hasher_create(job->diff_id->alg, err);
	if (!layer->hasher || !(layer->ring = scar_ring_create(SCAR_LAYER_AHEAD_BYTES, err)) ||
	    start_thread(layer, err) < 0) {
		scar_layer_close(layer);
		return -1;
	}
	*ret_layer = layer;
	return 0;
}

/* ---- the side that applies ---- */

static int next_block(void *ctx, const uint8_t **ret_data, size_t *ret_len, struct scar_err *err)
{
	struct scar_layer *layer = ctx;

	if (layer->has_ahead) {
		layer->has_ahead = false;
		*ret_data = layer->ahead;
		*ret_len = layer->ahead_len;
		return 0;
	}
	if (scar_ring_next(layer->ring, ret_data, ret_len, err) < 0)
		return -1;
	if (*ret_len == 0)
		return 0;
	return scar_hasher_update(layer->hasher, *ret_data, *ret_len, err);
}

static int apply_entries(struct scar_layer *layer, struct scar_rootfs *rootfs, struct scar_err *err)
{
	struct scar_tar *tar = scar_tar_create(next_block, layer, err);
	struct scar_tar_entry entry;
	int more;

	if (!tar)
		return -1;
	while ((more = scar_tar_next(tar, &entry, err)) == 1) {
		if (is_cancelled(layer)) {
			more = interrupted(err);
			break;
		}
		if (scar_rootfs_apply(rootfs, tar, &entry, err) < 0) {
			more = scar_err_wrap(err, "entry %.256s", entry.name);
			break;
		}
	}
	scar_tar_free(tar);
	return more;
}

/* What follows the end of the archive counts for the digest. */
static int drain(struct scar_layer *layer, struct scar_err *err)
{
	const uint8_t *data;
	size_t len;

	do {
		if (next_block(layer, &data, &len, err) < 0)
			return -1;
	} while (len > 0);
	return 0;
}

static int check_diff_id(struct scar_layer *layer, struct scar_err *err)
{
	char want[SCAR_DIGEST_TEXT_MAX], have[SCAR_DIGEST_TEXT_MAX];
	struct scar_digest digest;

	if (scar_hasher_finish(layer->hasher, &digest, err) < 0)
		return -1;
	if (scar_digest_equal(&digest, layer->job.diff_id))
		return 0;
	return scar_err_set(
		err, SCAR_ERR_INTEGRITY, "its content has diff ID %s, the image config says %s",
		scar_digest_format(&digest, have), scar_digest_format(layer->job.diff_id, want));
}

int scar_layer_apply(struct scar_layer *layer, struct scar_rootfs *rootfs, struct scar_err *err)
{
	struct scar_err later;

	/* A stream of no bytes at all is an empty layer, though no tar. */
	if (next_block(layer, &layer->ahead, &layer->ahead_len, err) < 0)
		return -1;
	layer->has_ahead = layer->ahead_len > 0;
	if (layer->has_ahead && apply_entries(layer, rootfs, err) < 0) {
		/* A tar that makes no sense may be one that was damaged on its way: that is the better answer. */
		if (err->kind == SCAR_ERR_IMAGE &&
		    (drain(layer, &later) < 0 || check_diff_id(layer, &later) < 0))
			*err = later;
		return -1;
	}
	if (drain(layer, err) < 0)
		return -1;
	return check_diff_id(layer, err);
}

void scar_layer_cancel(struct scar_layer *layer)
{
	scar_ring_cancel(layer->ring);
}

uint64_t scar_layer_close(struct scar_layer *layer)
{
	uint64_t received;

	if (!layer)
		return 0;
	if (layer->started) {
		scar_ring_cancel(layer->ring);
		pthread_join(layer->thread, NULL);
	}
	received = layer->received;
	scar_hasher_free(layer->hasher);
	scar_ring_free(layer->ring);
	free(layer);
	return received;
}
