/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every instruction is one aligned word, so a system call cannot be mistaken; only its number and
 * the word before it need thought. A branch from anywhere in the text tells where code may be entered.
 */
#include "invoke/engine/rewrite/scan.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/guest/sys.h"

#define WORD 4u
#define INS_SVC 0xd4000001u
/* How far back the number may have been set. */
#define NUMBER_WORDS 12u
#define NUMBER_REGISTER 8u

struct scanner {
	const uint8_t *file;
	struct scar_scan *scan;
	uint32_t start, end; /* offsets of the segment at hand */
};

static uint32_t word_at(const struct scanner *s, uint32_t offset)
{
	uint32_t word;

	memcpy(&word, s->file + offset, WORD);
	return word;
}

/* Branches, exceptions and hints (landing pads among them): what must stay where it is. */
static bool is_system_or_branch(uint32_t word)
{
	return (word & 0x1c000000) == 0x14000000;
}

/* Means another thing at another address. */
static bool is_relative(uint32_t word)
{
	return (word & 0x1f000000) == 0x10000000 || /* adr, adrp */
	       (word & 0x3b000000) == 0x18000000;   /* ldr literal */
}

/* Undefined or reserved: data in the text. */
static bool is_reserved(uint32_t word)
{
	return (word & 0x1e000000) == 0;
}

/* movz w8 or x8 without a shift. */
static bool sets_number(uint32_t word, int32_t *ret_nr)
{
	if ((word & 0x7fe0001f) != (0x52800000 | NUMBER_REGISTER))
		return false;
	*ret_nr = (int32_t)(word >> 5 & 0xffff);
	return true;
}

/* Fields that name a destination in most forms; a store that names it costs no more than a check. */
static bool may_change_number(uint32_t word)
{
	bool is_pair = (word & 0x3a000000) == 0x28000000;

	return (word & 31) == NUMBER_REGISTER ||
	       (is_pair && (word >> 10 & 31) == NUMBER_REGISTER) ||
	       ((word & 0x0a000000) == 0x08000000 && (word >> 5 & 31) == NUMBER_REGISTER);
}

/* The number if it is set just before, and how many bytes before; for now nothing jumps in between. */
static int32_t find_number(const struct scanner *s, uint32_t offset, uint8_t *ret_distance)
{
	for (uint32_t i = 1; i <= NUMBER_WORDS && offset - s->start >= i * WORD; i++) {
		uint32_t word = word_at(s, offset - i * WORD);
		int32_t nr;

		if (sets_number(word, &nr)) {
			*ret_distance = (uint8_t)(i * WORD);
			return nr;
		}
		if (is_system_or_branch(word) || is_reserved(word) || may_change_number(word))
			break;
	}
	return SCAR_SITE_NR_DYNAMIC;
}

static void choose_tactic(const struct scanner *s, bool is_entered, struct scar_site *site)
{
	uint32_t before;

	site->before = 0;
	if (site->nr == __NR_rt_sigreturn || (site->nr >= 0 && site->nr < SCAR_CALLS_MAX &&
					      scar_call_kinds[site->nr] == SCAR_CALL_PASS)) {
		site->tactic = SCAR_TACTIC_SKIP;
		return;
	}
	site->tactic = SCAR_TACTIC_AFTER;
	if (is_entered || site->offset - s->start < WORD)
		return;
	/* The instruction itself stays intact where it can: cancellation looks at its address. */
	before = word_at(s, site->offset - WORD);
	if (!is_system_or_branch(before) && !is_relative(before) && !is_reserved(before)) {
		site->tactic = SCAR_TACTIC_BEFORE;
		site->before = WORD;
	}
}

/* Until drop_skipped, `after` is the distance from what sets the number. */
static int find_sites(struct scanner *s, struct scar_segment *segment)
{
	struct scar_scan *scan = s->scan;

	segment->first_site = scan->site_count;
	for (uint32_t at = s->start; at + WORD <= s->end; at += WORD) {
		struct scar_site *site = &scan->sites[scan->site_count];

		if (word_at(s, at) != INS_SVC)
			continue;
		scan->stats.raw++;
		if (scan->site_count == SCAR_SCAN_SITES_MAX)
			return -E2BIG;
		scan->site_count++;
		*site = (struct scar_site){.offset = at};
		site->nr = find_number(s, at, &site->after);
		choose_tactic(s, false, site);
	}
	segment->site_count = scan->site_count - segment->first_site;
	return 0;
}

/* Sign-extends `bits` bits of words to bytes. */
static int64_t distance_of(uint32_t field, unsigned bits)
{
	return (int64_t)((uint64_t)field << (64 - bits)) >> (64 - bits - 2);
}

/* Distance to the target if the word is a direct branch. */
static bool is_branch(uint32_t word, int64_t *ret_distance)
{
	if ((word & 0x7c000000) == 0x14000000)
		*ret_distance = distance_of(word & 0x3ffffff, 26);
	else if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
		*ret_distance = distance_of(word >> 5 & 0x7ffff, 19);
	else if ((word & 0x7e000000) == 0x36000000)
		*ret_distance = distance_of(word >> 5 & 0x3fff, 14);
	else
		return false;
	return true;
}

/* First site of the segment at or after `offset`, or NULL. */
static struct scar_site *site_from(struct scar_scan *scan, const struct scar_segment *segment,
				   int64_t offset)
{
	uint32_t low = segment->first_site, high = scan->site_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((int64_t)scan->sites[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < scan->site_count ? &scan->sites[low] : NULL;
}

/* What is entered between the setting of the number and the call has no known number. */
static void distrust_targets(struct scanner *s, const struct scar_segment *segment)
{
	for (uint32_t at = s->start; at + WORD <= s->end; at += WORD) {
		struct scar_site *site;
		int64_t distance;

		if (!is_branch(word_at(s, at), &distance))
			continue;
		site = site_from(s->scan, segment, (int64_t)at + distance);
		if (!site)
			continue;
		distance = site->offset - ((int64_t)at + distance);
		if (site->nr != SCAR_SITE_NR_DYNAMIC && distance < site->after)
			site->nr = SCAR_SITE_NR_DYNAMIC;
		if (site->nr == SCAR_SITE_NR_DYNAMIC && site->tactic == SCAR_TACTIC_SKIP)
			choose_tactic(s, false, site);
		if (distance == 0 && site->tactic == SCAR_TACTIC_BEFORE)
			choose_tactic(s, true, site);
	}
}

static void drop_skipped(struct scar_scan *scan, struct scar_segment *segment)
{
	uint32_t kept = segment->first_site;

	for (uint32_t i = segment->first_site; i < scan->site_count; i++) {
		struct scar_site *site = &scan->sites[i];

		scan->stats.tactics[site->tactic]++;
		if (site->tactic == SCAR_TACTIC_SKIP)
			continue;
		site->after = 0;
		scan->sites[kept++] = *site;
	}
	scan->site_count = kept;
	segment->site_count = kept - segment->first_site;
}

static bool clip_segment(const Elf64_Phdr *p, size_t size, struct scar_segment *ret_segment)
{
	if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_offset >= size ||
	    p->p_offset > UINT32_MAX / 2 || p->p_offset % WORD)
		return false;
	*ret_segment = (struct scar_segment){
		.offset = p->p_offset, .vaddr = p->p_vaddr, .size = p->p_filesz};
	if (ret_segment->size > size - p->p_offset)
		ret_segment->size = size - p->p_offset;
	if (ret_segment->size > UINT32_MAX / 2)
		ret_segment->size = UINT32_MAX / 2;
	return ret_segment->size >= WORD;
}

static int scan_part(struct scanner *s, struct scar_segment *segment)
{
	s->scan->segment_count++;
	s->start = (uint32_t)segment->offset;
	s->end = (uint32_t)(segment->offset + segment->size);
	if (find_sites(s, segment))
		return -E2BIG;
	distrust_targets(s, segment);
	drop_skipped(s->scan, segment);
	return 0;
}

int scar_scan_code(const uint8_t *code, size_t size, struct scar_scan *ret_scan)
{
	struct scanner s = {.file = code, .scan = ret_scan};
	struct scar_segment *segment = &ret_scan->segments[0];

	scar_scan_reset(ret_scan);
	segment->size = size < UINT32_MAX / 2 ? size : UINT32_MAX / 2;
	return segment->size >= WORD ? scan_part(&s, segment) : 0;
}

bool scar_scan_is_suspect(const uint8_t *code, size_t size)
{
	const struct scanner s = {.file = code};

	for (uint32_t at = 0; at + WORD <= size; at += WORD)
		if (word_at(&s, at) == INS_SVC)
			return true;
	return false;
}

int scar_scan_elf(const uint8_t *file, size_t size, struct scar_scan *ret_scan)
{
	struct scanner s = {.file = file, .scan = ret_scan};
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Phdr *phdrs;

	scar_scan_reset(ret_scan);
	if (size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_AARCH64 ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phoff % 8 || h->e_phoff >= size ||
	    (size - h->e_phoff) / sizeof(Elf64_Phdr) < h->e_phnum)
		return 0;
	phdrs = (const void *)(file + h->e_phoff);
	for (unsigned i = 0; i < h->e_phnum; i++) {
		struct scar_segment *segment = &ret_scan->segments[ret_scan->segment_count];

		if (ret_scan->segment_count == SCAR_SCAN_SEGMENTS_MAX)
			break;
		if (!clip_segment(&phdrs[i], size, segment))
			continue;
		if (scan_part(&s, segment))
			return -E2BIG;
	}
	return 0;
}
