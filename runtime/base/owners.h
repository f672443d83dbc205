/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file owners.h
 * The `owners` file beside a rootfs: what an unprivileged extractor could not put on disk. The extractor writes
 * it (extractor/owners.h), an engine reads it to answer stat(2) and chown(2) as the image means them.
 *
 * Keyed by inode number, so that it holds through hard links, symbolic links, renames and fstat(2), and needs no
 * path: stat natively, then look the inode up if st_dev is that of the rootfs. A file without record is
 * uid 0, gid 0, and has the mode, type and rdev that stat(2) gave. With a record, uid, gid, type, permission bits and
 * rdev are all taken from the record. A device node is an empty regular file on disk whose record has the true type.
 * Inode numbers are reused after unlink: who removes the last link of a recorded file for the guest forgets the record.
 *
 * Format, in the byte order of the machine (the file never leaves it): one header, then `count` records in
 * strictly ascending order of `ino`. The size of the file is exactly header plus records.
 *
 * The reader is header-only, allocates nothing and calls nothing: it also serves code without a C library.
 */
#ifndef SCAR_RUNTIME_BASE_OWNERS_H
#define SCAR_RUNTIME_BASE_OWNERS_H

#include <stddef.h>
#include <stdint.h>

/** First bytes of the file, "SCAROWN" and the version of the format. */
#define SCAR_OWNERS_MAGIC "SCAROWN1"

struct scar_owners_header {
	uint8_t magic[8];
	uint32_t record_size; /**< sizeof(struct scar_owner) */
	uint32_t count;
};

struct scar_owner {
	uint64_t ino;
	uint32_t uid;
	uint32_t gid;
	uint32_t mode; /**< as st_mode: type and permission bits that the image gives the file */
	uint32_t rdev_major; /**< of a device node, else 0 */
	uint32_t rdev_minor;
	uint32_t reserved; /**< 0 */
};

/** A checked file in memory; borrowed. All zero: no records. */
struct scar_owners {
	const struct scar_owner *records;
	size_t count;
};

/**
 * Checks the header and size of a file that was read or mapped at `data` (8-byte aligned, as mmap(2) gives).
 * @return 0, or -1 if it is not an owners file of this format; *ret_owners is untouched then
 */
static inline int scar_owners_check(const void *data, size_t size, struct scar_owners *ret_owners)
{
	const struct scar_owners_header *header = (const struct scar_owners_header *)data;
	size_t i;

	if (size < sizeof *header)
		return -1;
	for (i = 0; i < sizeof header->magic; i++) {
		if (header->magic[i] != (uint8_t)SCAR_OWNERS_MAGIC[i])
			return -1;
	}
	if (header->record_size != sizeof(struct scar_owner) ||
	    (size - sizeof *header) / sizeof(struct scar_owner) != header->count ||
	    (size - sizeof *header) % sizeof(struct scar_owner) != 0)
		return -1;
	ret_owners->records = (const struct scar_owner *)(const void *)(header + 1);
	ret_owners->count = header->count;
	return 0;
}

/** The record of an inode, or NULL. Whatever the records hold, no byte outside them is read. */
static inline const struct scar_owner *scar_owners_find(const struct scar_owners *owners,
							uint64_t ino)
{
	size_t low = 0, high = owners->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct scar_owner *record = &owners->records[middle];

		if (record->ino == ino)
			return record;
		if (record->ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

#endif
