/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file owners.h
 * Owners, modes and device nodes as the guest believes them to be: the ledger (guest/ledger.h)
 * kept in step with what the guest does.
 *
 * A file of the rootfs's device that the ledger does not know belongs to root if it belongs to our
 * user on the host; so what a guest with another user creates is entered. For a guest that is root the
 * disk keeps what root needs: its files stay readable and writable, and the ledger has the mode that was asked for.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_OWNERS_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_OWNERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct statx;

/** Turns the host's answer into the guest's. */
void scar_owners_show(struct stat *st);
void scar_owners_show_statx(struct statx *st);

/** A guest that is root gave a file away; names as for fchownat(2), UINT32_MAX keeps an id. */
void scar_owners_changed(int dir_fd, const char *path, long flags, uint32_t uid, uint32_t gid);
/** The guest opened a file with O_CREAT: if it is new, it is the guest's. */
void scar_owners_created(int fd);

/** The ledger's count of changes to links, or NULL without a ledger. */
uint32_t *scar_owners_links(void);

/** A file got a copy (undo.h): the copy is remembered as the file is. */
void scar_owners_copied(uint64_t ino, uint64_t copy);

/** What a call with paths will change, found out before it runs. */
struct scar_owners_change {
	uint64_t forget; /**< inode that loses its last name; 0: none */
	uint64_t ino;    /**< inode whose mode is set; 0: none */
	int dir_fd;      /**< where something is created, if path is not NULL */
	const char *path;
	uint32_t mode, rdev_major, rdev_minor;
	bool has_mode;
};

/** Looks at the call's translated arguments, and changes those that only root may use. */
void scar_owners_before(long nr, long args[6], struct scar_owners_change *ret_change);
/** The call succeeded. */
void scar_owners_after(const struct scar_owners_change *change);
/** fchmod(2). */
long scar_owners_fchmod(int fd, uint32_t mode);

#endif
