/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file baseline.h
 * The `baseline` file beside a rootfs: every file of the image as it was unpacked, and which directories a guest
 * has changed since. The extractor writes it (extractor/baseline.h) and puts the image back by it (extractor/restore.h);
 * an engine marks in it what a guest is about to change.
 *
 * What an engine owes (invoke/engine/guest/undo.h), so that the image can be put back without a copy of it:
 * - before a name in a directory of the image appears, goes or is replaced, and before the mode or times of a file of the
 *   image change, the directory is marked; marks live in a shared mapping, so one made is there whoever dies next;
 * - a file of the image that loses a name has another one in `keep/` beside the baseline: its inode number in lower-case hex; a directory
 *   is moved there, with "D" in front. So an inode of the image is never freed, and its number never another file's;
 * - the content of a file of the image never changes: it is copied before it is opened for writing, and the copy takes its name.
 *
 * Format, in the byte order of the machine: header, marks (a bit for each node) up to nodes_offset, a multiple of 4096;
 * nodes; hash table; names. Children of a directory are consecutive, in the order of strcmp(3), behind their parent.
 *
 * The reader is header-only, allocates nothing and calls nothing: it also serves code without a C library.
 */
#ifndef SCAR_RUNTIME_BASE_BASELINE_H
#define SCAR_RUNTIME_BASE_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** First bytes of the file, "SCARBAS" and the version of the format. */
#define SCAR_BASELINE_MAGIC "SCARBAS1"
#define SCAR_BASELINE_NONE UINT32_MAX
#define SCAR_BASELINE_MARKS_OFFSET 4096
/** Names beside the rootfs. */
#define SCAR_BASELINE_FILE "baseline"
#define SCAR_BASELINE_KEEP "keep"
/** In `keep/`, before the number of a directory, of a copy in the making, of what waits to be removed; no digits. */
#define SCAR_BASELINE_KEEP_DIR 'D'
#define SCAR_BASELINE_KEEP_COPY 'C'
#define SCAR_BASELINE_KEEP_TRASH 'X'

enum scar_baseline_state {
	SCAR_BASELINE_MARKED = 1, /**< there is a mark */
	SCAR_BASELINE_UNTRACKED =
		2, /**< a guest ran whose changes nobody marked: look at everything */
	SCAR_BASELINE_SPOILED =
		4, /**< something was changed that cannot be put back: drop the image */
};

struct scar_baseline_header {
	uint8_t magic[8];
	uint64_t dev; /**< of the rootfs, as st_dev */
	uint64_t file_size;
	uint64_t nodes_offset, hash_offset, names_offset;
	uint32_t node_size, node_count;
	uint32_t slot_count; /**< of the hash table; a power of two */
	uint32_t state;      /**< enum scar_baseline_state */
};

/** A name in the image; node 0 is the root. Names of one inode have a node each. */
struct scar_baseline_node {
	uint64_t ino;
	uint64_t size;
	int64_t mtime, ctime;
	uint32_t mtime_ns, ctime_ns;
	uint32_t mode;         /**< st_mode on the disk */
	uint32_t parent;       /**< of node 0: 0 */
	uint32_t name;         /**< offset in the names; of node 0: an empty one */
	uint32_t first, count; /**< children of a directory */
	uint32_t reserved;
};

/** A checked file in memory; borrowed. */
struct scar_baseline {
	const struct scar_baseline_header *header;
	const struct scar_baseline_node *nodes;
	const uint32_t *slots; /**< number of a node, or SCAR_BASELINE_NONE */
	const char *names;
	size_t names_size;
};

/** @return 0, or -1 if it is no baseline of this format; *ret_baseline is untouched then */
static inline int scar_baseline_check(const void *data, size_t size,
				      struct scar_baseline *ret_baseline)
{
	const struct scar_baseline_header *h = (const struct scar_baseline_header *)data;
	const char *base = (const char *)data;

	if (size < SCAR_BASELINE_MARKS_OFFSET)
		return -1;
	for (size_t i = 0; i < sizeof h->magic; i++) {
		if (h->magic[i] != (uint8_t)SCAR_BASELINE_MAGIC[i])
			return -1;
	}
	if (h->file_size != size || h->node_size != sizeof(struct scar_baseline_node) ||
	    h->node_count == 0 || h->slot_count <= h->node_count ||
	    (h->slot_count & (h->slot_count - 1)) != 0 || h->nodes_offset % 4096 != 0 ||
	    h->nodes_offset < SCAR_BASELINE_MARKS_OFFSET + (uint64_t)h->node_count / 8 + 1 ||
	    h->nodes_offset >= size ||
	    h->hash_offset != h->nodes_offset + (uint64_t)h->node_count * h->node_size ||
	    h->names_offset != h->hash_offset + (uint64_t)h->slot_count * sizeof(uint32_t) ||
	    h->names_offset >= size || base[size - 1] != '\0')
		return -1;
	ret_baseline->header = h;
	ret_baseline->nodes = (const struct scar_baseline_node *)(const void *)(base +
										h->nodes_offset);
	ret_baseline->slots = (const uint32_t *)(const void *)(base + h->hash_offset);
	ret_baseline->names = base + h->names_offset;
	ret_baseline->names_size = size - h->names_offset;
	return 0;
}

/** Where the search for an inode begins. */
static inline uint32_t scar_baseline_slot(uint64_t ino, uint32_t slot_count)
{
	return (uint32_t)((ino * 0x9e3779b97f4a7c15ull) >> 32) & (slot_count - 1);
}

/** The first node with that inode, or SCAR_BASELINE_NONE. */
static inline uint32_t scar_baseline_find(const struct scar_baseline *baseline, uint64_t ino)
{
	uint32_t count = baseline->header->slot_count;
	uint32_t at = scar_baseline_slot(ino, count);

	for (uint32_t i = 0; i < count; i++, at = (at + 1) & (count - 1)) {
		uint32_t node = baseline->slots[at];

		if (node >= baseline->header->node_count)
			return SCAR_BASELINE_NONE;
		if (baseline->nodes[node].ino == ino)
			return node;
	}
	return SCAR_BASELINE_NONE;
}

/** Its name; "" if the file is damaged. */
static inline const char *scar_baseline_name(const struct scar_baseline *baseline,
					     const struct scar_baseline_node *node)
{
	return node->name < baseline->names_size ? baseline->names + node->name : "";
}

#endif
