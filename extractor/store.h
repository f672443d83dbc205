/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store.h
 * The store of unpacked images, shared by all processes of a machine (in Lambda: the warm environment).
 *
 *   <dir>/                    0700
 *     lock                    flock(2): held for the short time of a look at tmp/ or a removal from rootfs/
 *     tmp/<chain>/            being unpacked; whoever does holds flock(LOCK_EX) on the directory
 *     tmp/<chain>.<n>/        evicted, being deleted; locked the same way
 *     rootfs/<chain>/         a finished image; users hold flock(LOCK_SH) on the directory, its mtime is the last use
 *       fs/                   the rootfs
 *       owners                runtime/base/owners.h
 *       baseline, keep/       runtime/base/baseline.h
 *       meta                  written last before the directory moves here from tmp/
 *
 * <chain> is the hex part of the chain ID of the image's topmost layer (OCI image-spec, config.md, "Layer ChainID"),
 * so images with the same layers share an entry. An entry appears under rootfs/ by rename(2), complete, or not at
 * all: kill -9 at any time leaves at most something below tmp/ whose lock is free, which the next open or get removes.
 * Nothing is synced to the disk: the store does not outlive the machine.
 *
 * What a user changes of a rootfs is put back by the last one that uses it, or, if that died, by the next before it begins.
 * One that cannot be put back is removed and pulled again.
 *
 * When space is short, finished images that nobody uses are evicted, least recently used first.
 *
 * The rootfs is owned by the caller's user. Directories have at least u+rwx and files u+r, whatever the image says:
 * what differs is in `owners`.
 */
#ifndef SCAR_EXTRACTOR_STORE_H
#define SCAR_EXTRACTOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "extractor/layer.h"

struct scar_image;
struct scar_store;

/** All optional: zero-initialise. */
struct scar_store_options {
	/**
	 * Borrowed until close. Non-zero makes a pull, and waiting for one, fail with SCAR_ERR_INTERRUPTED. A pull that fails
	 * sets it itself, so that the transfers of its other layers end at once: give the same address to the
	 * source (scar_source_options.cancel), and zero it before the next get.
	 */
	volatile int *cancel;
	unsigned layers_in_flight; /**< fetched at once, 1 to 8; 0: 3 */
	bool keep_changes; /**< what users change of a rootfs stays; false: it is put back when nobody uses it */
};

/** A finished image, kept from eviction until it is put back. */
struct scar_store_entry {
	const char *rootfs_path;
	int rootfs_fd; /**< O_PATH, owned by the entry */
	const char *owners_path;
	const char
		*undo_dir; /**< with the baseline (runtime/base/baseline.h); NULL: keep_changes */
	bool was_cached;   /**< nothing was pulled */
	uint64_t pulled_bytes;   /**< as transferred, when it was pulled */
	uint64_t unpacked_bytes; /**< content of the regular files written */
	int64_t pull_us;         /**< of this get; 0 if cached */
};

/** Makes the directories (mode 0700) and removes what dead processes left. */
int scar_store_open(const char *dir, const struct scar_store_options *options,
		    struct scar_store **ret_store, struct scar_err *err);
/** NULL is fine. Entries must have been put back. */
void scar_store_close(struct scar_store *store);

/**
 * Gives the image's rootfs, pulling it if absent; when another process is pulling it, waits for that. Fails with
 * SCAR_ERR_NOSPACE (how much is needed at least, how much is free, what to raise), _IMAGE, _INTEGRITY, _INTERRUPTED, or whatever
 * fetch fails with; nothing is left behind then. The error is the first cause and names the layer and entry.
 */
int scar_store_get(struct scar_store *store, const struct scar_image *image, scar_layer_fetch fetch,
		   void *ctx, struct scar_store_entry **ret_entry, struct scar_err *err);
/** Releases. NULL is fine. */
void scar_store_put(struct scar_store_entry *entry);

static inline void scar_cleanup_store(struct scar_store **store)
{
	scar_store_close(*store);
}
static inline void scar_cleanup_store_entry(struct scar_store_entry **entry)
{
	scar_store_put(*entry);
}
#define scar_store_auto scar_auto(scar_cleanup_store)
#define scar_store_entry_auto scar_auto(scar_cleanup_store_entry)

#endif
