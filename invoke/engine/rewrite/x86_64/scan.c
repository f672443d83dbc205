/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/scan.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/x86_64/decode.h"
#include "invoke/engine/rewrite/x86_64/search.h"
#include "invoke/engine/rewrite/x86_64/tables.h"
#include "invoke/engine/rewrite/x86_64/unwind.h"

/* A near jump; what a patch needs room for. */
#define JUMP_BYTES 5
#define SYSCALL_BYTES 2
/* Longest run of instructions that a trampoline takes in. */
#define WINDOW_MAX 40
/* Neighbouring code that may branch into a function with one-byte displacements. */
#define SHORT_REACH 130
/* An unwind table with fewer entries than one in so many bytes of text (Go) proves nothing. */
#define SPARSE_BYTES 1000

struct scanner {
	const uint8_t *file;
	struct scar_scan *scan;
	struct scar_unwind unwind;
	struct scar_tables tables;
	uint32_t start, end; /* offsets of the segment at hand */
	uint64_t vaddr;      /* of its start */
	bool sparse;
	bool bare; /* code without any table */
};

static void add_target(struct scanner *s, uint32_t target)
{
	if (s->scan->target_count < SCAR_SCAN_INSTRUCTIONS_MAX)
		s->scan->targets[s->scan->target_count++] = target;
}

static void add_table_target(void *ctx, uint64_t vaddr)
{
	struct scanner *s = ctx;

	add_target(s, (uint32_t)(vaddr - s->vaddr) + s->start);
}

/* Decodes [from, to), keeping instructions and branch targets. True if one starts at `site`. */
static bool decode_range(struct scanner *s, uint32_t from, uint32_t to, uint32_t site)
{
	struct scar_scan *scan = s->scan;
	bool met = false;

	scan->ins_count = scan->target_count = 0;
	scar_tables_reset(&s->tables);
	for (uint32_t at = from; at < to;) {
		struct scar_instruction in;

		if (!scar_decode(s->file + at, to - at, &in)) {
			/* Data between code: what lies before proves nothing about what follows. */
			if (at > site)
				break;
			scan->ins_count = 0;
			at++;
			continue;
		}
		if (scan->ins_count == SCAR_SCAN_INSTRUCTIONS_MAX) {
			if (at > site + 256)
				break;
			scan->ins_count /= 2;
			memmove(scan->ins, scan->ins + scan->ins_count,
				scan->ins_count * sizeof(scan->ins[0]));
		}
		scan->ins[scan->ins_count++] = (struct scar_scan_instruction){
			.offset = at, .length = in.length, .flags = in.flags};
		at += in.length;
		if (in.flags & SCAR_INS_BRANCH)
			add_target(s, at + (uint32_t)in.target);
		else if (in.flags & (SCAR_INS_RIP | SCAR_INS_END))
			scar_tables_see(&s->tables, s->file + at - in.length, in.length,
					s->vaddr + (at - s->start));
		met |= at - in.length == site;
		/* Most candidates are bytes within an instruction: the rest of their function is of no use. */
		if (at > site && !met)
			return false;
	}
	return met;
}

/* True if a branch of the decoded function lands in [from, to). */
static bool is_target(const struct scanner *s, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < s->scan->target_count; i++)
		if (s->scan->targets[i] >= from && s->scan->targets[i] < to)
			return true;
	return false;
}

/* Adds the targets of short branches next to the decoded function, which asm code may hold. */
static void add_neighbours(struct scanner *s, uint32_t from, uint32_t to)
{
	uint32_t low = from - s->start > SHORT_REACH ? from - SHORT_REACH : s->start;
	uint32_t high = s->end - to > SHORT_REACH ? to + SHORT_REACH : s->end;
	uint64_t start, end;

	/* Backwards only from a known boundary: from the middle of code nothing is certain. */
	if (low < from &&
	    scar_unwind_function(&s->unwind, s->vaddr + (from - 1 - s->start), &start, &end) &&
	    start >= s->vaddr && from - (uint32_t)(start - s->vaddr + s->start) < 4096)
		low = (uint32_t)(start - s->vaddr) + s->start;
	else
		low = from;
	for (uint32_t at = low; at < high;) {
		struct scar_instruction in;

		if (at == from)
			at = to;
		if (at >= high || !scar_decode(s->file + at, high - at, &in))
			break;
		at += in.length;
		if (in.flags & SCAR_INS_BRANCH)
			add_target(s, at + (uint32_t)in.target);
	}
}

/* Decodes the function [start, end) given by address around the site. */
static bool decode_function(struct scanner *s, uint64_t start, uint64_t end, uint32_t site)
{
	uint32_t from, to;

	if (start < s->vaddr || end - s->vaddr > s->end - s->start || start >= end)
		return false;
	from = (uint32_t)(start - s->vaddr) + s->start;
	to = (uint32_t)(end - s->vaddr) + s->start;
	if (!decode_range(s, from, to, site))
		return false;
	scar_tables_targets(&s->tables, start, end, add_table_target, s);
	add_neighbours(s, from, to);
	return true;
}

/* No table knows the site: sixteen ways into the code before it must mostly meet it. */
static bool decode_by_vote(struct scanner *s, uint32_t site)
{
	uint32_t from = site - s->start > 96 ? site - 96 : s->start;
	uint32_t to = s->end - site > 1024 ? site + 1024 : s->end;
	uint32_t ways = site - from < 16 ? site - from : 16, votes = 0;

	/* Too few ways in, but bare code begins where it begins. */
	if (s->bare && ways < 16 && decode_range(s, s->start, to, site))
		return true;
	for (uint32_t i = 0; i < ways; i++) {
		votes += decode_range(s, from + i, site + SYSCALL_BYTES, site);
		if ((votes + ways - i - 1) * 16 < ways * 10)
			return false;
	}
	from = site - s->start > 1024 ? site - 1024 : s->start;
	for (uint32_t i = 0; i < 16 && from + i <= site; i++)
		if (decode_range(s, from + i, to, site))
			return true;
	return false;
}

/* Index of the instruction at `offset` in the decoded function, or -1. */
static int index_of(const struct scanner *s, uint32_t offset)
{
	for (uint32_t i = 0; i < s->scan->ins_count; i++)
		if (s->scan->ins[i].offset == offset)
			return (int)i;
	return -1;
}

/* The instruction before number i, if it directly precedes and control just falls from it. */
static const struct scar_scan_instruction *before(const struct scanner *s, int i)
{
	const struct scar_scan_instruction *ins = s->scan->ins;

	if (i <= 0 || ins[i - 1].offset + ins[i - 1].length != ins[i].offset ||
	    (ins[i - 1].flags &
	     (SCAR_INS_BRANCH | SCAR_INS_PINNED | SCAR_INS_END | SCAR_INS_SYSCALL)))
		return NULL;
	return &ins[i - 1];
}

/* The system call's number, if every way to the site sets the same. */
static int32_t static_number(const struct scanner *s, int site)
{
	for (int i = site;; i--) {
		const struct scar_scan_instruction *p = before(s, i);
		int32_t constant;

		if (!p || is_target(s, s->scan->ins[i].offset, s->scan->ins[i].offset + 1))
			return SCAR_SITE_NR_DYNAMIC;
		switch (scar_decode_eax(s->file + p->offset, &constant)) {
		case SCAR_EAX_CONSTANT: return constant < 0 ? SCAR_SITE_NR_DYNAMIC : constant;
		case SCAR_EAX_CHANGED: return SCAR_SITE_NR_DYNAMIC;
		case SCAR_EAX_KEPT: break;
		}
	}
}

/* A vote in a file that has some unwind data must look like a call, too. */
static bool looks_like_call(const struct scanner *s, int site)
{
	for (int i = site; i > site - 12; i--) {
		const struct scar_scan_instruction *p = before(s, i);
		enum scar_eax eax;
		int32_t constant;

		if (!p)
			return false;
		eax = scar_decode_eax(s->file + p->offset, &constant);
		if (eax == SCAR_EAX_CONSTANT ||
		    (scar_decode_loads_argument(s->file + p->offset) && eax == SCAR_EAX_CHANGED))
			return true;
		if (eax == SCAR_EAX_CHANGED)
			return false;
	}
	return false;
}

/* Whole instructions before the site until `wanted` bytes are taken in. */
static bool take_before(struct scanner *s, int site, uint32_t wanted, bool across,
			struct scar_site *ret_site)
{
	uint32_t offset = s->scan->ins[site].offset, len = 0;

	for (int i = site; len < wanted; i--) {
		const struct scar_scan_instruction *p = before(s, i);

		if (!p || (p->flags & SCAR_INS_ENDBR))
			return false;
		len += p->length;
	}
	if (len > WINDOW_MAX ||
	    is_target(s, offset - len + 1, offset + (across ? SYSCALL_BYTES : 1)))
		return false;
	ret_site->before = (uint8_t)len;
	ret_site->tactic = len >= JUMP_BYTES ? SCAR_TACTIC_BEFORE : SCAR_TACTIC_ACROSS;
	return true;
}

/* Whole instructions after the site until the jump fits. */
static bool take_after(struct scanner *s, int site, struct scar_site *ret_site)
{
	const struct scar_scan_instruction *ins = s->scan->ins;
	uint32_t offset = ins[site].offset, len = SYSCALL_BYTES;
	bool ended = false;

	for (uint32_t i = (uint32_t)site + 1; len < JUMP_BYTES && i < s->scan->ins_count; i++) {
		if (ins[i].offset != offset + len ||
		    (ins[i].flags & (SCAR_INS_PINNED | SCAR_INS_SYSCALL | SCAR_INS_ENDBR)) ||
		    (ended && !(ins[i].flags & SCAR_INS_PADDING)))
			return false;
		len += ins[i].length;
		ended |= (ins[i].flags & SCAR_INS_END) != 0;
	}
	while (ended && len < JUMP_BYTES && offset + len < s->end) {
		struct scar_instruction in;

		if (!scar_decode(s->file + offset + len, s->end - offset - len, &in) ||
		    !(in.flags & SCAR_INS_PADDING))
			return false;
		len += in.length;
	}
	if (len < JUMP_BYTES || len > WINDOW_MAX || is_target(s, offset + 1, offset + len))
		return false;
	ret_site->after = (uint8_t)(len - SYSCALL_BYTES);
	ret_site->tactic = SCAR_TACTIC_AFTER;
	return true;
}

/* Five bytes of padding within reach of a short jump. */
static bool find_hop(const struct scanner *s, uint32_t offset, struct scar_site *ret_site)
{
	for (int hop = -127; hop <= 127; hop++) {
		int64_t at = (int64_t)offset + SYSCALL_BYTES + hop;

		if (at < s->start + 1 || at + JUMP_BYTES > s->end ||
		    (hop < 0 && at + JUMP_BYTES > offset))
			continue;
		/* int3 after a return is never run; other fill may be. */
		if (memcmp(s->file + at, "\xcc\xcc\xcc\xcc\xcc", JUMP_BYTES) != 0)
			continue;
		ret_site->hop = (int8_t)hop;
		ret_site->tactic = SCAR_TACTIC_HOP;
		return true;
	}
	return false;
}

static void choose_tactic(struct scanner *s, int index, struct scar_site *site)
{
	uint32_t nr = (uint32_t)site->nr;
	bool is_static = site->nr != SCAR_SITE_NR_DYNAMIC;

	/* rt_sigreturn must run on the very stack it was called on, from where debuggers expect it. */
	if (is_static && (nr == __NR_rt_sigreturn ||
			  (nr < SCAR_CALLS_MAX && scar_call_kinds[nr] == SCAR_CALL_PASS))) {
		site->tactic = SCAR_TACTIC_SKIP;
		return;
	}
	if (take_before(s, index, JUMP_BYTES, false, site) || take_after(s, index, site) ||
	    take_before(s, index, JUMP_BYTES - SYSCALL_BYTES, true, site) ||
	    find_hop(s, site->offset, site))
		return;
	site->tactic = scar_scan_last_resort(site->nr);
}

/* __restore_rt: its unwind entry starts a byte early on purpose, so decoding cannot meet it. */
static bool is_sigreturn(const struct scanner *s, uint32_t offset)
{
	static const uint8_t load[] = {0x0f, 0, 0, 0};

	return offset - s->start >= 7 && memcmp(s->file + offset - 4, load, sizeof(load)) == 0 &&
	       (s->file[offset - 5] == 0xc0 || s->file[offset - 5] == 0xb8);
}

static bool prove_boundary(struct scanner *s, uint32_t offset, bool *ret_voted)
{
	uint64_t vaddr = s->vaddr + (offset - s->start), start, end;
	struct scar_scan_stats *stats = &s->scan->stats;

	*ret_voted = false;
	if (!s->sparse && scar_unwind_function(&s->unwind, vaddr, &start, &end)) {
		stats->by_unwind++;
		return decode_function(s, start, end, offset);
	}
	if (scar_unwind_symbol(&s->unwind, vaddr, &start, &end) &&
	    decode_function(s, start, end, offset)) {
		stats->by_symbol++;
		return true;
	}
	*ret_voted = true;
	stats->by_vote++;
	return decode_by_vote(s, offset);
}

/* int $0x80 and sysenter. */
static bool is_foreign(const struct scanner *s, uint32_t offset)
{
	return s->file[offset] == 0xcd || s->file[offset + 1] == 0x34;
}

static void scan_site(struct scanner *s, uint32_t offset, struct scar_site *ret_site)
{
	bool voted;
	int index;

	*ret_site = (struct scar_site){.offset = offset, .nr = SCAR_SITE_NR_DYNAMIC};
	if (is_sigreturn(s, offset)) {
		ret_site->nr = __NR_rt_sigreturn;
		ret_site->tactic = SCAR_TACTIC_SKIP;
		return;
	}
	if (!prove_boundary(s, offset, &voted))
		return;
	index = index_of(s, offset);
	if (index < 0)
		return;
	if (is_foreign(s, offset)) {
		/* Nobody writes these by accident, but data may hold them. */
		if (voted)
			return;
		ret_site->nr = SCAR_SITE_NR_FOREIGN;
		ret_site->tactic = SCAR_TACTIC_TRAP;
		return;
	}
	if (!(s->scan->ins[index].flags & SCAR_INS_SYSCALL))
		return;
	ret_site->nr = static_number(s, index);
	if (voted && (s->bare || (s->unwind.header && !s->sparse)) &&
	    ret_site->nr == SCAR_SITE_NR_DYNAMIC && !looks_like_call(s, index))
		return;
	choose_tactic(s, index, ret_site);
}

/* Two windows must not overlap: the later site falls back to the trap. */
static void keep_apart(struct scar_site *site, uint32_t *window_end)
{
	if (site->offset - site->before < *window_end) {
		site->tactic = scar_scan_last_resort(site->nr);
		site->before = site->after = 0;
	}
	*window_end = site->offset + SYSCALL_BYTES + site->after;
}

static int scan_segment(struct scanner *s, struct scar_segment *segment)
{
	struct scar_scan *scan = s->scan;
	uint32_t window_end = 0;

	segment->first_site = scan->site_count;
	for (uint32_t at = s->start; (at = scar_search_call(s->file, at, s->end)) < s->end; at++) {
		struct scar_site site;

		scan->stats.raw++;
		scan_site(s, at, &site);
		if (site.tactic > SCAR_TACTIC_SKIP)
			keep_apart(&site, &window_end);
		scan->stats.tactics[site.tactic]++;
		if (site.tactic <= SCAR_TACTIC_SKIP)
			continue;
		if (scan->site_count == SCAR_SCAN_SITES_MAX)
			return -E2BIG;
		scan->sites[scan->site_count++] = site;
	}
	segment->site_count = scan->site_count - segment->first_site;
	return 0;
}

/* The site whose window a branch to `target` would hit inside, or NULL. */
static struct scar_site *site_hit(struct scar_scan *scan, uint64_t target)
{
	uint32_t low = 0, high = scan->site_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct scar_site *site = &scan->sites[middle];

		if (target <= site->offset - site->before)
			high = middle;
		else if (target >= site->offset + SYSCALL_BYTES + site->after)
			low = middle + 1;
		else
			return site;
	}
	return NULL;
}

/* A bit for each page that a window touches; pages far from each other share one. */
static void note_pages(struct scar_scan *scan)
{
	memset(scan->pages, 0, sizeof(scan->pages));
	for (uint32_t i = 0; i < scan->site_count; i++) {
		const struct scar_site *site = &scan->sites[i];
		const uint32_t last = site->offset + SYSCALL_BYTES + site->after;

		for (uint32_t page = (site->offset - site->before) / 4096; page <= last / 4096;
		     page++)
			scan->pages[page / 64 % SCAR_SCAN_PAGE_WORDS] |= 1ull << page % 64;
	}
}

static bool may_hit(const struct scar_scan *scan, uint64_t target)
{
	const uint64_t page = target / 4096;

	return scan->pages[page / 64 % SCAR_SCAN_PAGE_WORDS] >> page % 64 & 1;
}

/*
 * Branches into a window from another function. Any four bytes after a branch's opcode are
 * taken for one: a false hit only costs the better tactic.
 */
static void distrust_far_targets(struct scanner *s)
{
	/* The last opcode byte whose displacement lies within the segment. */
	const uint32_t end = s->end - s->start > JUMP_BYTES ? s->end - JUMP_BYTES : s->start;

	note_pages(s->scan);
	for (uint32_t at = s->start; (at = scar_search_branch(s->file, at, end)) < end; at++) {
		struct scar_site *site;
		uint64_t target;
		int32_t distance;

		__builtin_memcpy(&distance, s->file + at + 1, sizeof(distance));
		target = (uint64_t)((int64_t)at + JUMP_BYTES + distance);
		if (!may_hit(s->scan, target))
			continue;
		site = site_hit(s->scan, target);
		if (!site || site->tactic == SCAR_TACTIC_TRAP || site->tactic == SCAR_TACTIC_SKIP)
			continue;
		s->scan->stats.tactics[site->tactic]--;
		site->tactic = scar_scan_last_resort(site->nr);
		s->scan->stats.tactics[site->tactic]++;
		site->before = site->after = 0;
	}
}

static bool clip_segment(const Elf64_Phdr *p, size_t size, struct scar_segment *ret_segment)
{
	if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || p->p_offset >= size ||
	    p->p_offset > UINT32_MAX / 2)
		return false;
	*ret_segment = (struct scar_segment){
		.offset = p->p_offset, .vaddr = p->p_vaddr, .size = p->p_filesz};
	if (ret_segment->size > size - p->p_offset)
		ret_segment->size = size - p->p_offset;
	if (ret_segment->size > UINT32_MAX / 2)
		ret_segment->size = UINT32_MAX / 2;
	return ret_segment->size >= SYSCALL_BYTES;
}

static int scan_part(struct scanner *s, struct scar_segment *segment)
{
	s->scan->segment_count++;
	s->start = (uint32_t)segment->offset;
	s->end = (uint32_t)(segment->offset + segment->size);
	s->vaddr = segment->vaddr;
	if (scan_segment(s, segment))
		return -E2BIG;
	if (s->scan->site_count)
		distrust_far_targets(s);
	return 0;
}

int scar_scan_code(const uint8_t *code, size_t size, struct scar_scan *ret_scan)
{
	struct scanner s = {.file = code, .scan = ret_scan, .bare = true};
	struct scar_segment *segment = &ret_scan->segments[0];

	scar_scan_reset(ret_scan);
	segment->size = size < UINT32_MAX / 2 ? size : UINT32_MAX / 2;
	return segment->size >= SYSCALL_BYTES ? scan_part(&s, segment) : 0;
}

bool scar_scan_is_suspect(const uint8_t *code, size_t size)
{
	const uint32_t end = (uint32_t)(size < UINT32_MAX / 2 ? size : UINT32_MAX / 2);

	return scar_search_call(code, 0, end) < end;
}

int scar_scan_elf(const uint8_t *file, size_t size, struct scar_scan *ret_scan)
{
	struct scanner s = {.file = file, .scan = ret_scan};
	const Elf64_Ehdr *h = (const void *)file;
	const Elf64_Phdr *phdrs, *unwind = NULL;

	scar_scan_reset(ret_scan);
	ret_scan->site_count = ret_scan->segment_count = 0;
	if (size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64 ||
	    h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phoff % 8 || h->e_phoff >= size ||
	    (size - h->e_phoff) / sizeof(Elf64_Phdr) < h->e_phnum)
		return 0;
	phdrs = (const void *)(file + h->e_phoff);
	s.tables = (struct scar_tables){
		.file = file, .size = size, .phdrs = phdrs, .phdr_count = h->e_phnum};
	for (unsigned i = 0; i < h->e_phnum; i++)
		if (phdrs[i].p_type == PT_GNU_EH_FRAME)
			unwind = &phdrs[i];
	scar_unwind_init(&s.unwind, file, size, unwind);
	for (unsigned i = 0; i < h->e_phnum; i++) {
		struct scar_segment *segment = &ret_scan->segments[ret_scan->segment_count];

		if (ret_scan->segment_count == SCAR_SCAN_SEGMENTS_MAX)
			break;
		if (!clip_segment(&phdrs[i], size, segment))
			continue;
		s.sparse = s.unwind.header &&
			   segment->size / (s.unwind.fde_count + 1) > SPARSE_BYTES;
		if (scan_part(&s, segment))
			return -E2BIG;
	}
	return 0;
}
