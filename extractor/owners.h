/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file owners.h
 * Collects what cannot be put on disk without privileges (owner, altered mode, device nodes) while a rootfs is
 * unpacked, and writes it as the file that runtime/base/owners.h describes and engines read.
 */
#ifndef SCAR_EXTRACTOR_OWNERS_H
#define SCAR_EXTRACTOR_OWNERS_H

#include "extractor/inode_map.h"
#include "runtime/base/owners.h"

struct scar_err;

struct scar_owner_table {
	struct scar_inode_map map; /**< ino -> struct scar_owner */
};

void scar_owner_table_init(struct scar_owner_table *table);
void scar_owner_table_clear(struct scar_owner_table *table);
/** Remembers a file; replaces what was known of the inode. */
int scar_owner_table_set(struct scar_owner_table *table, const struct scar_owner *owner,
			 struct scar_err *err);
/** Forgets an inode, which was removed or is now as the file system shows it. Unknown ones are fine. */
void scar_owner_table_forget(struct scar_owner_table *table, uint64_t ino);
/** Writes the file `name` below dirfd, mode 0600. The table is unchanged. */
int scar_owner_table_write(const struct scar_owner_table *table, int dirfd, const char *name,
			   struct scar_err *err);

#endif
