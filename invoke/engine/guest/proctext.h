/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file proctext.h
 * Files of a procfs whose text names the host, rewritten as the guest must see them.
 *
 * Pure: text in, text out. Lines about the engine's own files are left out, names of the host become
 * the guest's, names that the guest does not have stay. What cannot be parsed stays as it is.
 * No C library is needed.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_PROCTEXT_H
#define SCAR_INVOKE_ENGINE_GUEST_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/guest/config.h"

/** Takes a piece of the new text. */
typedef void (*scar_proctext_sink)(void *ctx, const char *text, size_t len);

struct scar_proctext {
	const struct scar_guest *guest;
	scar_proctext_sink sink;
	void *sink_ctx;
	/**
	 * What a mapped file below the state directory stands for (may be NULL: nothing).
	 * @return true with the offset in the guest's file that is shown instead; false to hide it
	 */
	bool (*patched)(void *ctx, const char *path, uint64_t offset, uint64_t *ret_offset);
	void *patched_ctx;
	uint64_t hide_low, hide_high; /**< the engine's own addresses in that process, or 0, 0 */
};

/** Layouts of a mount table. */
enum scar_proctext_mounts {
	SCAR_MOUNTS_INFO,  /**< mountinfo */
	SCAR_MOUNTS_TABLE, /**< mounts, as in fstab(5) */
	SCAR_MOUNTS_STATS  /**< mountstats */
};

/**
 * maps, or smaps and numa_maps, whose mappings come with more lines. Where the engine has mapped patched
 * pages over a file, maps shows one mapping of that file, as if it were whole.
 */
void scar_proctext_maps(const struct scar_proctext *p, const char *text, size_t len);

/** Any layout, made from the text of mountinfo: what is mounted in the guest, its root and its binds. */
void scar_proctext_mounts(const struct scar_proctext *p, enum scar_proctext_mounts layout,
			  const char *text, size_t len);

/** environ, without the engine's own entries, whose names are given. */
void scar_proctext_environ(const struct scar_proctext *p, const char *const *hidden,
			   const char *text, size_t len);

/** status, with ids for the lines Uid, Gid, Groups and the capabilities of root. */
void scar_proctext_status(const struct scar_proctext *p, const struct scar_guest_ids *ids,
			  const char *text, size_t len);

#endif
