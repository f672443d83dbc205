/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ledger.h
 * What a guest believes about its files and the disk cannot hold: owners, modes, device nodes.
 *
 * One table for all processes of a guest, in a file that each maps shared; keyed by inode number,
 * so it holds through links, renames and fstat(2). It starts with what the extractor remembered
 * (runtime/base/owners.h) and takes what the guest itself changes by chown(2), chmod(2), mknod(2).
 *
 * Entries are found and claimed without a lock: a slot belongs to its inode number for good, and
 * one that was forgotten only has no flags. No C library is needed.
 *
 * Of most files nothing is remembered. So that a look at each of thousands does not bring in the whole
 * table, page by page, one bit for each slot tells whether the search for any entry begins there.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_LEDGER_H
#define SCAR_INVOKE_ENGINE_GUEST_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#define SCAR_LEDGER_MAGIC 0x3352454744454c53ull /* "SLEDGER3" */
/** Name in the state directory, before the number that struct scar_guest holds. */
#define SCAR_LEDGER_NAME "/owners-"
/** Fewest slots; the file is sparse. */
#define SCAR_LEDGER_SLOTS_MIN 65536u

enum scar_ledger_flag {
	SCAR_LEDGER_OWNER = 1, /**< uid and gid count */
	SCAR_LEDGER_MODE = 2   /**< mode (type and permissions) and device number count */
};

struct scar_ledger_entry {
	uint64_t ino; /**< 0: free */
	uint32_t uid, gid;
	uint32_t mode;
	uint32_t rdev_major, rdev_minor;
	uint32_t flags; /**< enum scar_ledger_flag; 0: nothing is remembered */
};

struct scar_ledger {
	uint64_t magic;
	uint64_t dev;   /**< device of the files, as st_dev */
	uint32_t slots; /**< a power of two */
	uint32_t claimed;
	uint32_t links; /**< counts changes of links, and of directories' names */
	uint32_t spare;
	/** A bit for each slot; behind it, the slots. */
	uint64_t begins[];
};

/** Bytes of a ledger that shall hold `records` to begin with and grow. */
size_t scar_ledger_size(size_t records);
/** Makes zeroed memory of that size an empty ledger. */
void scar_ledger_init(struct scar_ledger *ledger, uint64_t dev, size_t size);
/** True if memory of that size is a ledger. */
int scar_ledger_is_valid(const struct scar_ledger *ledger, size_t size);
/** What is remembered of the inode, or NULL. */
struct scar_ledger_entry *scar_ledger_find(struct scar_ledger *ledger, uint64_t ino);
/** The inode's slot, new or not; NULL when the ledger is three quarters full. */
struct scar_ledger_entry *scar_ledger_claim(struct scar_ledger *ledger, uint64_t ino);
/** The inode is gone; its number may come back. */
void scar_ledger_forget(struct scar_ledger *ledger, uint64_t ino);

#endif
