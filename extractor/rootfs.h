/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rootfs.h
 * Applies the entries of one layer after another to a directory, without privileges, by the rules of the image-spec
 * (layer.md, "Applying Changesets") and those that hostile layers taught:
 *
 * - Nothing outside the root is reached, by whatever name, symbolic link or hard link: parents are resolved with the
 *   root as "/", the last component is never followed, files are only ever created (O_EXCL), never opened again.
 * - A directory over a directory merges; anything else replaces what was there, wholly. The last of two wins.
 * - Whiteouts remove what layers below have, never what this layer brought, in whatever order they come.
 * - Missing parents are made, mode 0755; a parent that is no directory is replaced by one.
 * - Types: regular files (holes stay holes), directories, symbolic and hard links, fifos. Device nodes become empty
 *   files and are remembered in the owner table. Sockets are skipped. Data of a hard link is ignored.
 * - Modes do not depend on umask. Directories are kept at u+rwx and files at u+r, and the true mode is remembered.
 *   The times of directories are set when all is done. Of extended attributes, user.* is kept.
 *
 * One thread uses a rootfs; nobody else may change the tree meanwhile.
 */
#ifndef SCAR_EXTRACTOR_ROOTFS_H
#define SCAR_EXTRACTOR_ROOTFS_H

#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_rootfs;
struct scar_tar;
struct scar_tar_entry;

/** root_fd: an empty directory, opened readable; borrowed until free. */
struct scar_rootfs *scar_rootfs_create(int root_fd, struct scar_err *err);
/** NULL is fine. */
void scar_rootfs_free(struct scar_rootfs *rootfs);
/** What comes now is above what was applied so far. To be called before the first entry too. */
void scar_rootfs_begin_layer(struct scar_rootfs *rootfs);
/**
 * Applies the entry that the reader is at, taking its content from there. Fails with SCAR_ERR_IMAGE, _LIMIT, _NOSPACE, _IO or what
 * the reader fails with; the tree is then of no use.
 */
int scar_rootfs_apply(struct scar_rootfs *rootfs, struct scar_tar *tar,
		      const struct scar_tar_entry *entry, struct scar_err *err);
/** Sets the times of directories and writes the owners file (runtime/base/owners.h) below dirfd. */
int scar_rootfs_finish(struct scar_rootfs *rootfs, int dirfd, const char *owners_name,
		       struct scar_err *err);
/** Bytes written to regular files. */
uint64_t scar_rootfs_bytes(const struct scar_rootfs *rootfs);

static inline void scar_cleanup_rootfs(struct scar_rootfs **rootfs)
{
	scar_rootfs_free(*rootfs);
}
#define scar_rootfs_auto scar_auto(scar_cleanup_rootfs)

#endif
