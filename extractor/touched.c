/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs_internal.h"

#include <string.h>

/*
 * The set holds 64-bit hashes, not names: 2^20 entries give two equal hashes with a chance of 2^-25, and then one
 * whiteout is ignored. The seed keeps a layer from choosing its collisions.
 */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash(const struct scar_rootfs *rootfs, uint64_t dir_ino, const char *name)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	size_t len = strlen(name);
	uint64_t state = mix(rootfs->seed ^ dir_ino, odd) ^ len;
	uint64_t word;

	for (; len >= sizeof word; len -= sizeof word, name += sizeof word) {
		memcpy(&word, name, sizeof word);
		state = mix(state ^ word, rootfs->seed ^ odd);
	}
	word = 0;
	memcpy(&word, name, len);
	return mix(state ^ word, odd);
}

int scar_touched_add(struct scar_rootfs *rootfs, uint64_t dir_ino, const char *name,
		     struct scar_err *err)
{
	/* Nothing lies below the first layer, so nobody will ask. */
	if (rootfs->layer <= 1)
		return 0;
	return scar_inode_map_put(&rootfs->touched, hash(rootfs, dir_ino, name), err) ? 0 : -1;
}

bool scar_touched_has(const struct scar_rootfs *rootfs, uint64_t dir_ino, const char *name)
{
	return scar_inode_map_get(&rootfs->touched, hash(rootfs, dir_ino, name)) != NULL;
}
