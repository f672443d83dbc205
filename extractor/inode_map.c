/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/inode_map.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"

#define FIRST_SLOTS 64

/* Key 0 marks an empty slot; a hash that happens to be 0 shares a key with 1. */
static uint64_t real_key(uint64_t key)
{
	return key ? key : 1;
}

static size_t slot_size(const struct scar_inode_map *map)
{
	return sizeof(uint64_t) + map->value_size;
}

static uint64_t *slot_at(const struct scar_inode_map *map, size_t index)
{
	return (uint64_t *)(void *)(map->slots + index * slot_size(map));
}

/* Inode numbers are consecutive: spread them (the finalizer of splitmix64). */
static size_t home_of(const struct scar_inode_map *map, uint64_t key)
{
	key = (key ^ (key >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ (key >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t)(key ^ (key >> 31)) & (map->slot_count - 1);
}

/* The slot of the key, or the empty one where it belongs. */
static uint64_t *find(const struct scar_inode_map *map, uint64_t key)
{
	size_t i = home_of(map, key);

	while (*slot_at(map, i) != 0 && *slot_at(map, i) != key)
		i = (i + 1) & (map->slot_count - 1);
	return slot_at(map, i);
}

void scar_inode_map_init(struct scar_inode_map *map, size_t value_size)
{
	*map = (struct scar_inode_map){.value_size = value_size};
}

void scar_inode_map_clear(struct scar_inode_map *map)
{
	free(map->slots);
	scar_inode_map_init(map, map->value_size);
}

void *scar_inode_map_get(const struct scar_inode_map *map, uint64_t key)
{
	uint64_t *slot;

	if (map->used == 0)
		return NULL;
	slot = find(map, real_key(key));
	return *slot ? slot + 1 : NULL;
}

static int grow(struct scar_inode_map *map, struct scar_err *err)
{
	struct scar_inode_map bigger = *map;
	size_t i, bytes;

	bigger.slot_count = map->slot_count ? map->slot_count * 2 : FIRST_SLOTS;
	if (__builtin_mul_overflow(bigger.slot_count, slot_size(map), &bytes) ||
	    !(bigger.slots = calloc(1, bytes)))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a table of inodes");
	for (i = 0; i < map->slot_count; i++) {
		const uint64_t *slot = slot_at(map, i);

		if (*slot)
			memcpy(find(&bigger, *slot), slot, slot_size(map));
	}
	free(map->slots);
	*map = bigger;
	return 0;
}

void *scar_inode_map_put(struct scar_inode_map *map, uint64_t key, struct scar_err *err)
{
	uint64_t *slot;

	if (map->used >= map->slot_count / 4 * 3 && grow(map, err) < 0)
		return NULL;
	slot = find(map, real_key(key));
	if (*slot == 0) {
		*slot = real_key(key);
		map->used++;
	}
	return slot + 1;
}

void scar_inode_map_remove(struct scar_inode_map *map, uint64_t key)
{
	size_t mask = map->slot_count - 1;
	size_t hole, i;
	uint64_t *slot;

	if (map->used == 0)
		return;
	slot = find(map, real_key(key));
	if (*slot == 0)
		return;
	/* Close the hole: move back whatever was pushed past it. */
	hole = (size_t)((uint8_t *)slot - map->slots) / slot_size(map);
	for (i = (hole + 1) & mask; *slot_at(map, i) != 0; i = (i + 1) & mask) {
		size_t home = home_of(map, *slot_at(map, i));

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		memcpy(slot_at(map, hole), slot_at(map, i), slot_size(map));
		hole = i;
	}
	memset(slot_at(map, hole), 0, slot_size(map));
	map->used--;
}

bool scar_inode_map_next(const struct scar_inode_map *map, size_t *cursor, uint64_t *ret_key,
			 void **ret_value)
{
	while (*cursor < map->slot_count) {
		uint64_t *slot = slot_at(map, (*cursor)++);

		if (*slot) {
			*ret_key = *slot;
			*ret_value = slot + 1;
			return true;
		}
	}
	return false;
}
