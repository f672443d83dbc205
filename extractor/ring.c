/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/ring.h"

#include <pthread.h>
#include <stdlib.h>

#include "runtime/base/err.h"

struct block {
	uint8_t *data; /* allocated when first used: small layers touch one block */
	size_t len;
};

struct scar_ring {
	pthread_mutex_t mutex;
	pthread_cond_t checkable;
	pthread_cond_t readable;
	pthread_cond_t writable;
	/* Counters only grow; block i of the stream lies in blocks[i % block_count]. read <= checked <= written */
	size_t written;
	size_t checked; /* without a checker: as written */
	size_t read;
	bool ended;
	bool failed;
	bool cancelled;
	bool checking; /* the checker looks at block `checked` */
	bool holding;  /* the reader uses block `read` */
	bool has_checker;
	struct scar_err failure;
	size_t block_bytes;
	size_t block_count;
	struct block blocks[];
};

static int interrupted(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_INTERRUPTED, "the layer was cancelled");
}

struct scar_ring *scar_ring_create(const struct scar_ring_options *options, struct scar_err *err)
{
	size_t count = options->block_count < 2 ? 2 : options->block_count;
	struct scar_ring *ring = calloc(1, sizeof *ring + count * sizeof ring->blocks[0]);

	if (!ring) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a layer's ring");
		return NULL;
	}
	pthread_mutex_init(&ring->mutex, NULL);
	pthread_cond_init(&ring->checkable, NULL);
	pthread_cond_init(&ring->readable, NULL);
	pthread_cond_init(&ring->writable, NULL);
	ring->block_bytes = options->block_bytes;
	ring->block_count = count;
	ring->has_checker = options->has_checker;
	return ring;
}

void scar_ring_free(struct scar_ring *ring)
{
	size_t i;

	if (!ring)
		return;
	for (i = 0; i < ring->block_count; i++)
		free(ring->blocks[i].data);
	pthread_cond_destroy(&ring->checkable);
	pthread_cond_destroy(&ring->readable);
	pthread_cond_destroy(&ring->writable);
	pthread_mutex_destroy(&ring->mutex);
	free(ring);
}

int scar_ring_reserve(struct scar_ring *ring, uint8_t **ret_data, size_t *ret_size,
		      struct scar_err *err)
{
	struct block *block = &ring->blocks[ring->written % ring->block_count];
	bool cancelled;

	pthread_mutex_lock(&ring->mutex);
	while (!ring->cancelled && ring->written - ring->read >= ring->block_count)
		pthread_cond_wait(&ring->writable, &ring->mutex);
	cancelled = ring->cancelled;
	pthread_mutex_unlock(&ring->mutex);
	if (cancelled)
		return interrupted(err);
	if (!block->data) {
		block->data = malloc(ring->block_bytes);
		if (!block->data)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a layer");
	}
	*ret_data = block->data + block->len;
	*ret_size = ring->block_bytes - block->len;
	return 0;
}

/* With the mutex held: one more block is filled. */
static void publish(struct scar_ring *ring)
{
	ring->written++;
	if (ring->has_checker) {
		pthread_cond_signal(&ring->checkable);
	} else {
		ring->checked = ring->written;
		pthread_cond_signal(&ring->readable);
	}
}

void scar_ring_commit(struct scar_ring *ring, size_t len)
{
	struct block *block = &ring->blocks[ring->written % ring->block_count];

	block->len += len;
	if (block->len < ring->block_bytes)
		return;
	pthread_mutex_lock(&ring->mutex);
	publish(ring);
	pthread_mutex_unlock(&ring->mutex);
}

void scar_ring_end(struct scar_ring *ring, const struct scar_err *failure)
{
	pthread_mutex_lock(&ring->mutex);
	/* When all blocks are with the reader, the current one is not the writer's: nothing is pending. */
	if (!failure && ring->written - ring->read < ring->block_count &&
	    ring->blocks[ring->written % ring->block_count].len > 0)
		publish(ring);
	ring->ended = true;
	if (failure) {
		ring->failed = true;
		ring->failure = *failure;
	}
	pthread_cond_signal(&ring->checkable);
	pthread_cond_signal(&ring->readable);
	pthread_mutex_unlock(&ring->mutex);
}

/* With the mutex held: gives the block that the reader had back to the writer. */
static void give_back(struct scar_ring *ring)
{
	if (!ring->holding)
		return;
	ring->holding = false;
	ring->blocks[ring->read % ring->block_count].len = 0;
	ring->read++;
	pthread_cond_signal(&ring->writable);
}

/* With the mutex held, and the wait over: block `at`, or the end if there is none. */
static int show(const struct scar_ring *ring, size_t at, bool is_there, const uint8_t **ret_data,
		size_t *ret_len, struct scar_err *err)
{
	const struct block *block = &ring->blocks[at % ring->block_count];

	if (ring->failed) {
		*err = ring->failure;
		return -1;
	}
	if (ring->cancelled)
		return interrupted(err);
	*ret_data = is_there ? block->data : NULL;
	*ret_len = is_there ? block->len : 0;
	return 0;
}

int scar_ring_check(struct scar_ring *ring, const uint8_t **ret_data, size_t *ret_len,
		    struct scar_err *err)
{
	int result;

	pthread_mutex_lock(&ring->mutex);
	if (ring->checking) {
		ring->checking = false;
		ring->checked++;
		pthread_cond_signal(&ring->readable);
	}
	while (!ring->cancelled && !ring->ended && ring->written == ring->checked)
		pthread_cond_wait(&ring->checkable, &ring->mutex);
	result = show(ring, ring->checked, ring->written > ring->checked, ret_data, ret_len, err);
	ring->checking = result == 0 && *ret_len > 0;
	pthread_mutex_unlock(&ring->mutex);
	return result;
}

int scar_ring_next(struct scar_ring *ring, const uint8_t **ret_data, size_t *ret_len,
		   struct scar_err *err)
{
	int result;

	pthread_mutex_lock(&ring->mutex);
	give_back(ring);
	while (!ring->cancelled && !ring->failed && ring->checked == ring->read &&
	       !(ring->ended && ring->checked == ring->written))
		pthread_cond_wait(&ring->readable, &ring->mutex);
	result = show(ring, ring->read, ring->checked > ring->read, ret_data, ret_len, err);
	ring->holding = result == 0 && *ret_len > 0;
	pthread_mutex_unlock(&ring->mutex);
	return result;
}

void scar_ring_cancel(struct scar_ring *ring)
{
	pthread_mutex_lock(&ring->mutex);
	ring->cancelled = true;
	pthread_cond_broadcast(&ring->checkable);
	pthread_cond_broadcast(&ring->readable);
	pthread_cond_broadcast(&ring->writable);
	pthread_mutex_unlock(&ring->mutex);
}
