/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/text.h"

#include <errno.h>
#include <linux/mman.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/loader/image.h"
#include "invoke/engine/rewrite/loader/loader.h"
#include "invoke/engine/rewrite/loader/signal.h"

#define PAGE 4096u
#define TEXTS_MAX 512
#define TRAPS_MAX 4096
#define LOOK_SLOTS 1024
#define LOOKS_ALWAYS 4
#define RESIDENT_FROM (1u << 20)
#define RESIDENT_PAGES 256
#define LOADER_START 0x60000000ull

extern char _end[];

/* One patched mapping and its trampolines. */
struct text {
	uint64_t start, end;
	uint64_t trampolines, trampoline_size;
};

struct trap {
	uint64_t site, trampoline;
};

/* Together, for each page that a start touches costs it. */
static struct {
	struct scar_lock lock;
	unsigned count;
	struct text list[TEXTS_MAX];
} texts;
/* Open addressing; a removed entry keeps its site with trampoline 0. */
static struct trap traps[TRAPS_MAX];
static struct scar_image image;

static unsigned trap_slot(uint64_t site)
{
	return (unsigned)((site * 0x9e3779b97f4a7c15ull) >> 40) % TRAPS_MAX;
}

static bool add_trap(uint64_t site, uint64_t trampoline)
{
	for (unsigned i = 0, slot = trap_slot(site); i < TRAPS_MAX;
	     i++, slot = (slot + 1) % TRAPS_MAX) {
		if (traps[slot].site && traps[slot].site != site)
			continue;
		traps[slot].trampoline = trampoline;
		__atomic_store_n(&traps[slot].site, site, __ATOMIC_RELEASE);
		return true;
	}
	return false;
}

uint64_t scar_text_trap(uint64_t addr)
{
	for (unsigned i = 0, slot = trap_slot(addr); i < TRAPS_MAX;
	     i++, slot = (slot + 1) % TRAPS_MAX) {
		uint64_t site = __atomic_load_n(&traps[slot].site, __ATOMIC_ACQUIRE);

		if (site == addr)
			return traps[slot].trampoline;
		if (!site)
			return 0;
	}
	return 0;
}

static void remember(uint64_t start, uint64_t end, uint64_t trampolines, uint64_t size)
{
	if (texts.count == TEXTS_MAX)
		scar_loader_die("too many executable mappings", NULL, TEXTS_MAX);
	texts.list[texts.count++] = (struct text){start, end, trampolines, size};
}

/* Maps what is kept on disk. The text of segment s starts at `start`. */
static int map_image(int fd, const struct scar_image_segment *s, uint64_t start, uint64_t low,
		     uint64_t high, int prot)
{
	uint64_t trampolines = start + (uint64_t)s->delta;
	uint64_t size = (s->trampoline_bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	long got = scar_sys(__NR_mmap, trampolines, size, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
			    (uint64_t)s->trampoline_page * PAGE);

	if (got != (long)trampolines) {
		if (!scar_sys_failed(got)) /* a kernel before 4.17 takes the address for a hint */
			scar_sys(__NR_munmap, got, size);
		return -EEXIST;
	}
	for (uint32_t i = 0; i < s->run_count; i++) {
		const struct scar_image_run *run = &image.runs[s->first_run + i];
		uint64_t addr = start + ((uint64_t)run->page * PAGE - s->offset);
		uint64_t len = (uint64_t)run->count * PAGE;

		/* A mapping of a part of the segment: a page outside it has no business here. */
		if (addr < low || addr + len > high)
			return -ERANGE;
		got = scar_sys(__NR_mmap, addr, len, prot, MAP_PRIVATE | MAP_FIXED, fd,
			       (uint64_t)run->data_page * PAGE);
		if (got != (long)addr)
			return (int)got;
	}
	for (uint32_t i = 0; i < s->trap_count; i++) {
		const struct scar_image_trap *t = &image.traps[s->first_trap + i];

		if (!add_trap(start + (t->site - s->offset), trampolines + t->trampoline))
			return -ENOMEM;
	}
	remember(low, high, trampolines, size);
	if (s->trap_count)
		scar_signal_claim();
	return 0;
}

/* Free memory for trampolines within reach of [low, high). */
static uint8_t *map_near(uint64_t low, uint64_t high, uint64_t size)
{
	for (int64_t i = 1; i <= SCAR_ARENA_TRIES; i++) {
		uint64_t below = (low - (uint64_t)(i * SCAR_ARENA_STEP) - size) &
				 ~(uint64_t)(PAGE - 1);
		uint64_t above = (high + (uint64_t)(i * SCAR_ARENA_STEP)) & ~(uint64_t)(PAGE - 1);
		uint64_t at = below < low && below > 0x10000 ? below : above;
		long got = scar_sys(__NR_mmap, at, size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (got == (long)at)
			return (uint8_t *)got;
		if (!scar_sys_failed(got))
			scar_sys(__NR_munmap, got, size);
	}
	return NULL;
}

/* Patches the mapping itself: what no image could be kept of, or whose place was taken. */
static int patch_memory(const struct scar_site *sites, uint32_t count, uint64_t text_zero,
			uint64_t low, uint64_t high, int prot)
{
	const struct scar_patch_abi abi = scar_image_abi();
	uint64_t size = ((uint64_t)count * SCAR_TRAMPOLINE_MAX + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint8_t *trampolines = map_near(low, high, size);
	uint64_t used = 0;
	bool trapped = false;
	long ret;

	if (!trampolines)
		return -ENOMEM;
	ret = scar_sys(__NR_mprotect, low, high - low, PROT_READ | PROT_WRITE);
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		const struct scar_site *s = &sites[i];
		uint64_t addr = text_zero + s->offset;
		size_t n;

		if (addr - s->before < low || addr + SCAR_CALL_BYTES + s->after > high)
			continue;
		n = scar_patch_site(&abi, s, (uint8_t *)addr, addr, trampolines + used,
				    (uint64_t)trampolines + used);
		if (n == 0)
			return -ERANGE;
		if (s->tactic == SCAR_TACTIC_TRAP) {
			trapped = true;
			if (!add_trap(addr, (uint64_t)trampolines + used))
				return -ENOMEM;
		}
		used += n;
	}
	__builtin___clear_cache((char *)trampolines, (char *)trampolines + used);
	__builtin___clear_cache((char *)low, (char *)high);
	if (ret == 0)
		ret = scar_sys(__NR_mprotect, trampolines, size, PROT_READ | PROT_EXEC);
	if (ret == 0)
		ret = scar_sys(__NR_mprotect, low, high - low, prot);
	if (ret)
		return (int)ret;
	remember(low, high, (uint64_t)trampolines, size);
	if (trapped)
		scar_signal_claim();
	return 0;
}

/* Room for a scan, only while one is needed. */
static struct scar_scan *scan_create(void)
{
	long got = scar_sys(__NR_mmap, 0, sizeof(struct scar_scan), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return scar_sys_failed(got) ? NULL : (struct scar_scan *)got;
}

/* The sites of the file whose image this is. @return 0 or -errno */
static int recall_sites(int image_fd, struct scar_scan **scan)
{
	long bytes = (long)(image.site_count * sizeof((*scan)->sites[0]));

	if (*scan)
		return 0;
	if (image.site_count > SCAR_SCAN_SITES_MAX)
		return -EIO;
	*scan = scan_create();
	if (!*scan)
		return -ENOMEM;
	if (scar_sys(__NR_pread64, image_fd, (*scan)->sites, bytes,
		     (uint64_t)image.site_page * PAGE) != bytes)
		return -EIO;
	(*scan)->site_count = image.site_count;
	return 0;
}

/* *scan is made when it is needed. */
static int apply_segment(int image_fd, const struct scar_image_segment *s, struct scar_scan **scan,
			 uint64_t addr, uint64_t len, uint64_t offset, int prot)
{
	/* Overlap of the mapping with the segment, in file offsets. */
	uint64_t from = offset > s->offset ? offset : s->offset;
	uint64_t end = offset + len < s->offset + s->size ? offset + len : s->offset + s->size;
	uint64_t low = addr + (from - offset), high;
	int ret = -ENOENT;

	if (from >= end || s->site_count == 0)
		return 0;
	high = (addr + (end - offset) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (image_fd >= 0 && image.usable)
		ret = map_image(image_fd, s, addr + (s->offset - offset), low, high, prot);
	if (ret == 0 || (ret != -EEXIST && ret != -ENOENT))
		return ret;
	ret = recall_sites(image_fd, scan);
	return ret ? ret
		   : patch_memory((*scan)->sites + s->first_site, s->site_count, addr - offset, low,
				  high, prot);
}

/* Looks for sites in code without tables. The scan is in *ret_scan, or NULL where there is nothing to patch. */
static int scan_bare(uint64_t addr, uint64_t len, struct scar_scan **ret_scan)
{
	struct scar_scan *scan;
	int ret;

	*ret_scan = NULL;
	if (!scar_scan_is_suspect((const uint8_t *)addr, len))
		return 0;
	scan = scan_create();
	if (!scan)
		return -ENOMEM;
	ret = scar_scan_code((const uint8_t *)addr, len, scan);
	if (ret == 0 && scan->site_count) {
		*ret_scan = scan;
		return 0;
	}
	scar_sys(__NR_munmap, scan, sizeof(*scan));
	return ret;
}

/* Patches what was found, and ends the scan. */
static int patch_bare(struct scar_scan *scan, uint64_t addr, uint64_t len, int prot)
{
	int ret = patch_memory(scan->sites, scan->site_count, addr, addr,
			       (addr + len + PAGE - 1) & ~(uint64_t)(PAGE - 1), prot);

	scar_sys(__NR_munmap, scan, sizeof(*scan));
	return ret;
}

/* Code of a file that is no program: what unpacks or generates itself keeps it in one without a name. */
static int map_bare(uint64_t addr, uint64_t len, const struct stat *st, uint64_t offset, int prot)
{
	const uint64_t size = (uint64_t)st->st_size;
	struct scar_scan *scan;
	int ret;

	if (st->st_nlink || !(prot & PROT_READ) || offset >= size)
		return 0;
	if (len > size - offset)
		len = size - offset;
	ret = scan_bare(addr, len, &scan);
	return scan ? patch_bare(scan, addr, len, prot) : ret;
}

static int map_locked(uint64_t addr, uint64_t len, int fd, uint64_t offset, int prot)
{
	struct scar_scan *scan = NULL;
	struct scar_image_key key;
	struct stat st;
	int image_fd, ret = 0;

	if (scar_sys(__NR_fstat, fd, &st) || (st.st_mode & 0170000) != 0100000)
		return 0;
	key = scar_image_key(&st);
	image_fd = scar_image_open(&key, &image);
	if (image_fd >= 0 && image.segment_count == 0 && !st.st_nlink) {
		scar_sys(__NR_close, image_fd);
		return map_bare(addr, len, &st, offset, prot);
	}
	/* Nearly always there is nothing more to do, or all is kept: then this is never touched. */
	if (image_fd >= 0 && image.site_count == 0) {
		scar_sys(__NR_close, image_fd);
		return 0;
	}
	if (image_fd < 0) {
		scan = scan_create();
		if (!scan)
			return -ENOMEM;
		image_fd = scar_image_create(fd, &key, scan, &image);
	}
	if (image.segment_count == 0)
		ret = map_bare(addr, len, &st, offset, prot);
	for (uint32_t i = 0; ret == 0 && i < image.segment_count; i++)
		ret = apply_segment(image_fd, &image.segments[i], &scan, addr, len, offset, prot);
	if (image_fd >= 0)
		scar_sys(__NR_close, image_fd);
	if (scan)
		scar_sys(__NR_munmap, scan, sizeof(*scan));
	return ret;
}

int scar_text_map(uint64_t addr, uint64_t len, int fd, uint64_t offset, int prot)
{
	int ret;

	if (scar_loader.guest.flags & SCAR_GUEST_TRACED)
		return 0;
	scar_lock_take(&texts.lock);
	ret = map_locked(addr, (len + PAGE - 1) & ~(uint64_t)(PAGE - 1), fd, offset, prot);
	scar_lock_release(&texts.lock);
	return ret;
}

/*
 * Compilers at run time make the same pages writable and executable again and again, and never put a
 * system call there: of many times the first few are looked at, then ever fewer.
 */
static bool is_worth_a_look(uint64_t addr)
{
	static uint16_t looks[LOOK_SLOTS];
	uint16_t *slot = &looks[(addr / PAGE * 0x9e3779b97f4a7c15ull >> 40) % LOOK_SLOTS];
	const unsigned times = __atomic_add_fetch(slot, 1, __ATOMIC_RELAXED);

	return times <= LOOKS_ALWAYS || (times & (times - 1)) == 0;
}

static int protect_run(uint64_t addr, uint64_t len, int prot)
{
	struct scar_scan *scan;
	/* Threads of a compiler do this at once, and nearly never is there anything to patch: no lock yet. */
	int ret = scan_bare(addr, len, &scan);

	if (!scan)
		return ret;
	scar_lock_take(&texts.lock);
	if (!scar_text_touches(addr, len))
		ret = patch_bare(scan, addr, len, prot);
	else
		scar_sys(__NR_munmap, scan, sizeof(*scan));
	scar_lock_release(&texts.lock);
	return ret;
}

/* What a compiler reserves for code is large and mostly untouched; reading it would fill it with memory. */
static int protect_resident(uint64_t addr, uint64_t len, int prot)
{
	uint8_t resident[RESIDENT_PAGES];
	uint64_t run = 0, end = addr + len;
	int ret = 0;

	for (uint64_t part = addr; part < end; part += sizeof(resident) * PAGE) {
		uint64_t size = end - part < sizeof(resident) * PAGE ? end - part
								     : sizeof(resident) * PAGE;

		if (scar_sys(__NR_mincore, part, size, resident))
			return protect_run(addr, len, prot);
		for (uint64_t at = 0; at < size && ret == 0; at += PAGE) {
			if (resident[at / PAGE] & 1) {
				run += PAGE;
			} else if (run) {
				ret = protect_run(part + at - run, run, prot);
				run = 0;
			}
		}
	}
	return ret == 0 && run ? protect_run(end - run, run, prot) : ret;
}

int scar_text_protect(uint64_t addr, uint64_t len, int prot)
{
	if (!is_worth_a_look(addr))
		return 0;
	return len < RESIDENT_FROM ? protect_run(addr, len, prot)
				   : protect_resident(addr, len, prot);
}

bool scar_text_engine_range(uint64_t addr, uint64_t len, struct scar_range *ret_range)
{
	const struct scar_range loader = {LOADER_START, (uint64_t)(uintptr_t)_end};
	bool found = addr < loader.end && addr + len > loader.start;

	if (found)
		*ret_range = loader;
	for (unsigned i = 0; i < texts.count; i++) {
		const struct text *t = &texts.list[i];
		uint64_t end = t->trampolines + t->trampoline_size;

		/* Where the whole text goes, nothing needs its trampolines any more. */
		if (addr >= end || addr + len <= t->trampolines ||
		    (addr <= t->start && addr + len >= t->end) ||
		    (found && ret_range->start < t->trampolines))
			continue;
		*ret_range = (struct scar_range){t->trampolines, end};
		found = true;
	}
	return found;
}

int scar_text_touches(uint64_t addr, uint64_t len)
{
	for (unsigned i = 0; i < texts.count; i++)
		if (addr < texts.list[i].end && addr + len > texts.list[i].start)
			return 1;
	return 0;
}

#if SCAR_ARCH_HAS_POINTS
const struct scar_site_record *scar_text_record(uint64_t pc)
{
	const struct scar_patch_abi abi = scar_image_abi();

	for (unsigned i = 0; i < texts.count; i++) {
		const struct text *t = &texts.list[i];

		if (pc >= t->trampolines && pc < t->trampolines + t->trampoline_size)
			return scar_patch_record(&abi, (const uint8_t *)t->trampolines,
						 t->trampoline_size, pc - t->trampolines);
	}
	return NULL;
}
#endif

static void forget_traps(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < TRAPS_MAX; i++)
		if (traps[i].site >= start && traps[i].site < end)
			traps[i].trampoline = 0;
}

void scar_text_unmap(uint64_t addr, uint64_t len)
{
	if (!scar_text_touches(addr, len))
		return;
	scar_lock_take(&texts.lock);
	for (unsigned i = 0; i < texts.count;) {
		struct text *t = &texts.list[i];

		/* Only when nothing of the text is left can no trampoline be needed. */
		if (addr > t->start || addr + len < t->end) {
			i++;
			continue;
		}
		if (scar_loader.page_traps)
			forget_traps(t->start, t->end);
		scar_sys(__NR_munmap, t->trampolines, t->trampoline_size);
		*t = texts.list[--texts.count];
	}
	scar_lock_release(&texts.lock);
}
