/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file image.h
 * Patched text of one file, kept on disk.
 *
 * Scanning a C library takes milliseconds, so its result is kept: the pages that hold sites,
 * patched, and the trampolines, which lie at a fixed distance from the text. A program start
 * maps them: nothing is written, so all processes share them. The directory is private (0700),
 * since what is in it becomes code; entries are keyed by the identity of the file.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_IMAGE_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "invoke/engine/rewrite/patch.h"
#include "invoke/engine/rewrite/scan.h"

#define SCAR_IMAGE_RUNS_MAX 128
#define SCAR_IMAGE_TRAPS_MAX 64

/** Consecutive patched pages of the file. */
struct scar_image_run {
	uint32_t page, count; /**< in the file */
	uint32_t data_page;   /**< in the image */
};

struct scar_image_trap {
	uint32_t site;       /**< file offset */
	uint32_t trampoline; /**< offset in the segment's trampolines */
};

struct scar_image_segment {
	uint64_t offset, size;
	int64_t delta; /**< from the segment's start in memory to its trampolines */
	uint32_t first_site, site_count;
	uint32_t first_run, run_count;
	uint32_t first_trap, trap_count;
	uint32_t trampoline_page, trampoline_bytes;
};

/** What identifies the file, and the loader whose addresses are in the trampolines. */
struct scar_image_key {
	uint64_t magic;
	uint64_t dev, ino, size, mtime, mtime_ns, ctime, ctime_ns;
	struct scar_patch_abi abi;
	uint32_t kinds; /**< hash of scar_call_kinds */
	uint32_t flags;
};

struct scar_image {
	struct scar_image_key key;
	uint32_t segment_count, site_count, run_count, trap_count;
	uint32_t site_page; /**< where the sites are in the image, for patching in memory */
	uint32_t usable;    /**< false: more than the tables hold; patch in memory */
	struct scar_image_segment segments[SCAR_SCAN_SEGMENTS_MAX];
	struct scar_image_trap traps[SCAR_IMAGE_TRAPS_MAX];
	struct scar_image_run runs[SCAR_IMAGE_RUNS_MAX];
};
_Static_assert(sizeof(struct scar_image) <= 4096, "the header is one page");

struct scar_image_key scar_image_key(const struct stat *st);

/** Opens the image with this key. @return its descriptor, or -errno */
int scar_image_open(const struct scar_image_key *key, struct scar_image *ret_image);

/**
 * Scans the file open as fd and writes its image. `scan` keeps the sites.
 * @return its descriptor, or -errno if it could not be kept; ret_image is filled in both cases
 */
int scar_image_create(int fd, const struct scar_image_key *key, struct scar_scan *scan,
		      struct scar_image *ret_image);

/** What every image of this layout starts with. */
uint64_t scar_image_magic(void);

/** The absolute addresses that trampolines of this loader use. */
struct scar_patch_abi scar_image_abi(void);

#endif
