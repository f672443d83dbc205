/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file scan.h
 * Finds the `syscall` instructions of an ELF file and chooses how to patch each.
 *
 * Two bytes 0f 05 count as an instruction only if decoding from the start of their function
 * meets them; the start comes from the unwind table, else from symbols. Where neither exists
 * decoding from sixteen earlier offsets must agree. What is not certain is left alone.
 *
 * Needs no C library, allocates nothing, trusts nothing in the file.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_SCAN_H
#define SCAR_INVOKE_ENGINE_REWRITE_SCAN_H

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "invoke/engine/rewrite/site.h"

/**
 * What is left for a call when no jump fits: a trap, except that a thread which exits may have unmapped its
 * stack before, where a signal handler needs one.
 */
static inline uint8_t scar_scan_last_resort(int32_t nr)
{
	return nr == __NR_exit ? SCAR_TACTIC_SKIP : SCAR_TACTIC_TRAP;
}

#define SCAR_SCAN_SITES_MAX 8192
#define SCAR_SCAN_INSTRUCTIONS_MAX 4096
#define SCAR_SCAN_SEGMENTS_MAX 4
#define SCAR_SCAN_PAGE_WORDS 1024

/** An executable PT_LOAD, clipped to the file. */
struct scar_segment {
	uint64_t offset, size, vaddr;
	uint32_t first_site, site_count; /**< into scar_scan.sites */
};

struct scar_scan_stats {
	uint32_t raw;                           /**< occurrences of 0f 05 */
	uint32_t tactics[SCAR_TACTICS];         /**< how many of each */
	uint32_t by_unwind, by_symbol, by_vote; /**< how boundaries were proven */
};

/** One decoded instruction of the function at hand. */
struct scar_scan_instruction {
	uint32_t offset;
	uint8_t length, flags;
};

/** Result and work space; about 300 KiB, so never on a stack. */
struct scar_scan {
	struct scar_site sites[SCAR_SCAN_SITES_MAX]; /**< all but _NONE and _SKIP; by offset */
	uint32_t site_count;
	struct scar_segment segments[SCAR_SCAN_SEGMENTS_MAX];
	uint32_t segment_count;
	struct scar_scan_stats stats;

	/* The function that was decoded last. */
	struct scar_scan_instruction ins[SCAR_SCAN_INSTRUCTIONS_MAX];
	uint32_t ins_count;
	uint32_t targets[SCAR_SCAN_INSTRUCTIONS_MAX];
	uint32_t target_count;

	uint64_t pages[SCAR_SCAN_PAGE_WORDS]; /* where windows are, roughly */
};

/** Empties it; of sites only what site_count covers is ever read. */
static inline void scar_scan_reset(struct scar_scan *scan)
{
	memset(&scan->site_count, 0,
	       offsetof(struct scar_scan, ins) - offsetof(struct scar_scan, site_count));
}

/**
 * Scans a whole file mapped at `file`. A file that is no ELF of this machine has no sites.
 * @return 0, or -E2BIG if it has more sites than fit (then none may be patched)
 */
int scar_scan_elf(const uint8_t *file, size_t size, struct scar_scan *ret_scan);

/**
 * Scans bare code that is about to become executable: nothing tells where functions start, so only what
 * also looks like a system call is one. Offsets count from `code`. @return as scar_scan_elf
 */
int scar_scan_code(const uint8_t *code, size_t size, struct scar_scan *ret_scan);

/** True if there may be a site: a quick look, without decoding. */
bool scar_scan_is_suspect(const uint8_t *code, size_t size);

#endif
