/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ring.h
 * A bounded queue of byte blocks from one writing thread to one reading thread. The writer fills blocks in place and
 * the reader uses them in place: no byte is copied. A full ring makes the writer wait, an empty one the reader.
 * A ring may have a checker, a third thread that looks at each block before the reader gets it.
 */
#ifndef SCAR_EXTRACTOR_RING_H
#define SCAR_EXTRACTOR_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scar_err;
struct scar_ring;

struct scar_ring_options {
	size_t block_bytes;
	size_t block_count; /**< at least two: one being filled, one being read */
	bool has_checker;
};

struct scar_ring *scar_ring_create(const struct scar_ring_options *options, struct scar_err *err);
/** No thread may be inside. NULL is fine. */
void scar_ring_free(struct scar_ring *ring);

/**
 * Writer: room in the current block, at least one byte; waits until the reader has freed a block. Fails with
 * SCAR_ERR_INTERRUPTED once the ring is cancelled.
 */
int scar_ring_reserve(struct scar_ring *ring, uint8_t **ret_data, size_t *ret_size,
		      struct scar_err *err);
/** Writer: `len` bytes of what was reserved are filled. A full block goes to the reader. */
void scar_ring_commit(struct scar_ring *ring, size_t len);
/** Writer: the end. With `failure`, the reader gets that error instead of what is still queued. */
void scar_ring_end(struct scar_ring *ring, const struct scar_err *failure);

/**
 * Reader: the next block, valid until the next call; *ret_len 0 is the end. The block before goes back to the
 * writer. Fails with the writer's failure at once, or SCAR_ERR_INTERRUPTED.
 */
int scar_ring_next(struct scar_ring *ring, const uint8_t **ret_data, size_t *ret_len,
		   struct scar_err *err);
/**
 * Checker: the next block, likewise; the one before goes to the reader. After the end, *ret_len 0, the reader may see the end.
 */
int scar_ring_check(struct scar_ring *ring, const uint8_t **ret_data, size_t *ret_len,
		    struct scar_err *err);
/** Any thread: whoever waits or comes later fails with SCAR_ERR_INTERRUPTED. */
void scar_ring_cancel(struct scar_ring *ring);

#endif
