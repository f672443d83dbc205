/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file clone.h
 * Copies a finished image of the store as the lower layers of another one.
 *
 * A copy, though hard links would be quicker and take no room: a link is one inode, whose mode, times and link count a guest of
 * either image changes in place, and which an engine that does not watch lets it write to. What is shared is the work
 * of fetching, decompressing and verifying, and, where the file system can (FICLONE), the blocks.
 */
#ifndef SCAR_EXTRACTOR_CLONE_H
#define SCAR_EXTRACTOR_CLONE_H

struct scar_err;
struct scar_rootfs;

/** Made below dirfd while a copy is at work. */
#define SCAR_CLONE_LINKS "links"

/**
 * Fills the rootfs, to which nothing was applied yet, with what the entry of the store at source_fd holds, owners included: what is applied
 * next is a layer above. The new entry is at dirfd. The source is as its baseline has it, and nobody uses it meanwhile. Fails with SCAR_ERR_INTEGRITY if
 * it is not so, with _INTERRUPTED when *cancel (may be NULL) becomes set; the tree is then of no use.
 */
int scar_clone_rootfs(struct scar_rootfs *rootfs, int source_fd, int dirfd,
		      const volatile int *cancel, struct scar_err *err);

#endif
