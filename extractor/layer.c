/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/layer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/decoder.h"
#include "extractor/ring.h"
#include "extractor/rootfs.h"
#include "extractor/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* musl gives 128 KiB, which TLS and name resolution can exceed. */
#define STACK_BYTES SCAR_MIB(1)

/* Between the socket and the decompression: little, since only the digest is taken before. */
static const struct scar_ring_options wire_options = {.block_bytes = SCAR_KIB(256),
						      .block_count = 4};
/* Between the decompression and the files, by way of the digest. */
static const struct scar_ring_options ring_options = {.block_bytes = SCAR_LAYER_BLOCK_BYTES,
						      .block_count = SCAR_LAYER_AHEAD_BYTES /
								     SCAR_LAYER_BLOCK_BYTES,
						      .has_checker = true};

enum { FETCHING, DECODING, CHECKING, THREADS };

/*
 * Three threads and the one that applies, each with about as much to do as another: from the socket with the digest of the
 * compressed bytes, decompression, the digest of what came out, files.
 */
struct scar_layer {
	struct scar_layer_job job;
	struct scar_ring *wire; /* compressed */
	struct scar_ring *ring; /* not any more */
	pthread_t threads[THREADS];
	int started;
	uint64_t received;          /* the fetching thread's until it is joined */
	struct scar_hasher *hasher; /* the checking thread's until the end of the ring */
	/* Whether the layer is being applied: only one at a time may use much memory. */
	pthread_mutex_t mutex;
	pthread_cond_t turn;
	bool is_applied, is_ended;
	/* The applying side: a look-ahead block. */
	const uint8_t *ahead;
	size_t ahead_len;
	bool has_ahead;
};

static bool is_cancelled(const struct scar_layer *layer)
{
	return layer->job.cancel && __atomic_load_n(layer->job.cancel, __ATOMIC_RELAXED);
}

static int interrupted(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
}

/* First, so that the cause is known before its consequences; then whoever waits for more. */
static void fail(struct scar_layer *layer, struct scar_ring *ring, const struct scar_err *err)
{
	layer->job.on_failure(layer->job.failure_ctx, err);
	if (ring)
		scar_ring_end(ring, err);
	scar_layer_cancel(layer);
}

/* ---- the thread that fetches ---- */

static int take_piece(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_layer *layer = ctx;
	const uint8_t *from = data;

	if (is_cancelled(layer))
		return interrupted(err);
	layer->received += len;
	while (len > 0) {
		uint8_t *to;
		size_t room;

		if (scar_ring_reserve(layer->wire, &to, &room, err) < 0)
			return -1;
		room = room < len ? room : len;
		memcpy(to, from, room);
		scar_ring_commit(layer->wire, room);
		from += room;
		len -= room;
	}
	return 0;
}

/* The wire ends well only when size and digest of the blob were right. */
static void *fetch_main(void *arg)
{
	struct scar_layer *layer = arg;
	struct scar_err err;

	scar_err_clear(&err);
	if (layer->job.fetch(layer->job.fetch_ctx, layer->job.descriptor, take_piece, layer, &err) <
	    0)
		fail(layer, layer->wire, &err);
	else
		scar_ring_end(layer->wire, NULL);
	return NULL;
}

/* ---- the thread that decompresses ---- */

static int reserve(void *ctx, uint8_t **ret_data, size_t *ret_size, struct scar_err *err)
{
	return scar_ring_reserve(((struct scar_layer *)ctx)->ring, ret_data, ret_size, err);
}

static void commit(void *ctx, size_t len)
{
	scar_ring_commit(((struct scar_layer *)ctx)->ring, len);
}

/* A large window is for the layer whose turn it is; those after it wait, which costs no more than their lead. */
static bool may_be_large(void *ctx)
{
	struct scar_layer *layer = ctx;
	bool granted;

	pthread_mutex_lock(&layer->mutex);
	while (!layer->is_applied && !layer->is_ended)
		pthread_cond_wait(&layer->turn, &layer->mutex);
	granted = !layer->is_ended;
	pthread_mutex_unlock(&layer->mutex);
	return granted;
}

static int decode(struct scar_layer *layer, struct scar_decoder *decoder, struct scar_err *err)
{
	const uint8_t *data;
	size_t len;

	for (;;) {
		if (scar_ring_next(layer->wire, &data, &len, err) < 0)
			return -1;
		if (len == 0)
			return scar_decoder_finish(decoder, err);
		if (scar_decoder_push(decoder, data, len, err) < 0)
			return -1;
	}
}

static void *decode_main(void *arg)
{
	struct scar_layer *layer = arg;
	const struct scar_decoder_sink sink = {layer, reserve, commit, may_be_large};
	struct scar_decoder *decoder;
	struct scar_err err;

	scar_err_clear(&err);
	decoder = scar_decoder_create(&sink, &err);
	if (!decoder || decode(layer, decoder, &err) < 0)
		fail(layer, layer->ring, &err);
	else
		scar_ring_end(layer->ring, NULL);
	if (decoder)
		scar_decoder_free(decoder);
	return NULL;
}

/* ---- the thread that takes the digest ---- */

static void *check_main(void *arg)
{
	struct scar_layer *layer = arg;
	const uint8_t *data;
	struct scar_err err;
	size_t len;

	/* Who made the ring fail has told it. */
	while (scar_ring_check(layer->ring, &data, &len, &err) == 0 && len > 0) {
		if (scar_hasher_update(layer->hasher, data, len, &err) < 0) {
			fail(layer, NULL, &err);
			break;
		}
	}
	return NULL;
}

static int start_thread(struct scar_layer *layer, void *(*function)(void *), struct scar_err *err)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int result;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&layer->threads[layer->started], &attr, function, layer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (result != 0)
		return scar_err_errno(err, result, "cannot start a thread");
	layer->started++;
	return 0;
}

static int start(struct scar_layer *layer, struct scar_err *err)
{
	layer->hasher = scar_hasher_create(layer->job.diff_id->alg, err);
	if (!layer->hasher)
		return -1;
	layer->wire = scar_ring_create(&wire_options, err);
	layer->ring = layer->wire ? scar_ring_create(&ring_options, err) : NULL;
	if (!layer->ring)
		return -1;
	return start_thread(layer, fetch_main, err) < 0 ||
			       start_thread(layer, decode_main, err) < 0 ||
			       start_thread(layer, check_main, err) < 0
		       ? -1
		       : 0;
}

int scar_layer_open(const struct scar_layer_job *job, struct scar_layer **ret_layer,
		    struct scar_err *err)
{
	struct scar_layer *layer = calloc(1, sizeof *layer);

	if (!layer)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a layer");
	layer->job = *job;
	pthread_mutex_init(&layer->mutex, NULL);
	pthread_cond_init(&layer->turn, NULL);
	if (start(layer, err) < 0) {
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
	return scar_ring_next(layer->ring, ret_data, ret_len, err);
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

static void take_turn(struct scar_layer *layer, bool *what)
{
	pthread_mutex_lock(&layer->mutex);
	*what = true;
	pthread_cond_broadcast(&layer->turn);
	pthread_mutex_unlock(&layer->mutex);
}

int scar_layer_apply(struct scar_layer *layer, struct scar_rootfs *rootfs, struct scar_err *err)
{
	struct scar_err later;

	take_turn(layer, &layer->is_applied);
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
	take_turn(layer, &layer->is_ended);
	if (layer->wire)
		scar_ring_cancel(layer->wire);
	if (layer->ring)
		scar_ring_cancel(layer->ring);
}

uint64_t scar_layer_close(struct scar_layer *layer)
{
	uint64_t received;

	if (!layer)
		return 0;
	if (layer->started)
		scar_layer_cancel(layer);
	for (int i = 0; i < layer->started; i++)
		pthread_join(layer->threads[i], NULL);
	received = layer->received;
	scar_hasher_free(layer->hasher);
	pthread_cond_destroy(&layer->turn);
	pthread_mutex_destroy(&layer->mutex);
	scar_ring_free(layer->wire);
	scar_ring_free(layer->ring);
	free(layer);
	return received;
}
