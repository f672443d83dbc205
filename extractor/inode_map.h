/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file inode_map.h
 * A hash table from a 64-bit key (an inode number, or a hash) to a value of fixed size, which may be 0: then it is
 * a set. Memory is one block, at most three quarters full.
 */
#ifndef SCAR_EXTRACTOR_INODE_MAP_H
#define SCAR_EXTRACTOR_INODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scar_err;

struct scar_inode_map {
	uint8_t *slots;    /**< key (0: empty), then value; owned */
	size_t slot_count; /**< 0 or a power of two */
	size_t used;
	size_t value_size; /**< a multiple of 8 */
};

/** Allocates nothing. value_size is a multiple of 8. */
void scar_inode_map_init(struct scar_inode_map *map, size_t value_size);
/** Frees; the map is empty and usable again. */
void scar_inode_map_clear(struct scar_inode_map *map);
/** The value of a key, valid until the next put or remove; NULL if absent. With value_size 0, only NULL or not. */
void *scar_inode_map_get(const struct scar_inode_map *map, uint64_t key);
/** As get, but an absent key is added with an all-zero value. NULL with SCAR_ERR_NOMEM. */
void *scar_inode_map_put(struct scar_inode_map *map, uint64_t key, struct scar_err *err);
void scar_inode_map_remove(struct scar_inode_map *map, uint64_t key);
/** Walks in no order: *cursor starts at 0. @return false at the end */
bool scar_inode_map_next(const struct scar_inode_map *map, size_t *cursor, uint64_t *ret_key,
			 void **ret_value);

#endif
