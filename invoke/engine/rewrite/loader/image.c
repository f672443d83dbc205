/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <string.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/loader/loader.h"

#define IMAGE_MAGIC 0x3730546743616353ull
#define PAGE 4096u
#define PAGE_OF(offset) ((uint32_t)((offset) / PAGE))
/* Runs this close are one: at each start of a program a mapping costs more than the disk has to pay for pages. */
#define RUN_GAP 24

extern const uint64_t scar_enter_slot, scar_child_slot;

struct scar_patch_abi scar_image_abi(void)
{
	return (struct scar_patch_abi){.enter_slot = (uint32_t)(uintptr_t)&scar_enter_slot,
				       .child_slot = (uint32_t)(uintptr_t)&scar_child_slot,
				       .kinds = (uint32_t)(uintptr_t)scar_call_kinds};
}

uint64_t scar_image_magic(void)
{
	return IMAGE_MAGIC;
}

static uint32_t hash_kinds(void)
{
	static uint32_t known;
	uint32_t hash = 2166136261u;

	if (known)
		return known;
	for (unsigned i = 0; i < SCAR_CALLS_MAX; i++)
		hash = (hash ^ scar_call_kinds[i]) * 16777619u;
	known = hash;
	return hash;
}

struct scar_image_key scar_image_key(const struct stat *st)
{
	struct scar_image_key key;

	/* Compared as bytes: no padding may differ. */
	memset(&key, 0, sizeof(key));
	key.magic = IMAGE_MAGIC;
	key.dev = st->st_dev;
	key.ino = st->st_ino;
	key.size = (uint64_t)st->st_size;
	key.mtime = (uint64_t)st->st_mtim.tv_sec;
	key.mtime_ns = (uint64_t)st->st_mtim.tv_nsec;
	key.ctime = (uint64_t)st->st_ctim.tv_sec;
	key.ctime_ns = (uint64_t)st->st_ctim.tv_nsec;
	key.abi = scar_image_abi();
	key.kinds = hash_kinds();
	key.flags = scar_loader.guest.flags & SCAR_GUEST_TRAP;
	return key;
}

static struct scar_text image_path(const struct scar_image_key *key, char *buf, size_t size)
{
	struct scar_text t = scar_text_of(buf, size);

	scar_text_str(&t, scar_loader.guest.state_dir);
	scar_text_str(&t, SCAR_HANDOVER_TEXTS "/");
	scar_text_unsigned(&t, key->dev, 16);
	scar_text_str(&t, "-");
	scar_text_unsigned(&t, key->ino, 16);
	scar_text_str(&t, key->flags & SCAR_GUEST_TRAP ? "t" : "");
	return t;
}

int scar_image_open(const struct scar_image_key *key, struct scar_image *ret_image)
{
	char path[SCAR_GUEST_ROOT_MAX + 64];
	long fd, n;

	if (scar_loader.guest.flags & SCAR_GUEST_NO_CACHE)
		return -ENOENT;
	image_path(key, path, sizeof(path));
	fd = scar_sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return (int)fd;
	n = scar_sys(__NR_read, fd, ret_image, sizeof(*ret_image));
	/* Keys start as all zero, padding included. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	if (n == (long)sizeof(*ret_image) && memcmp(key, &ret_image->key, sizeof(*key)) == 0)
		return (int)fd;
	scar_sys(__NR_close, fd);
	return -ESTALE;
}

/* Pages of the segment that hold bytes which patching changes, merged into runs. */
static bool collect_runs(struct scar_image *image, struct scar_image_segment *segment,
			 const struct scar_site *sites)
{
	struct scar_image_run *run = NULL;

	segment->first_run = image->run_count;
	for (uint32_t i = 0; i < segment->site_count; i++) {
		const struct scar_site *s = &sites[segment->first_site + i];
		uint32_t low = s->offset - s->before, high = s->offset + SCAR_CALL_BYTES + s->after;

		if (s->tactic == SCAR_TACTIC_HOP) {
			uint32_t hop = (uint32_t)((int64_t)s->offset + 2 + s->hop);

			low = hop < low ? hop : low;
			high = hop + 5 > high ? hop + 5 : high;
		}
		if (!run || PAGE_OF(low) > run->page + run->count + RUN_GAP) {
			if (image->run_count == SCAR_IMAGE_RUNS_MAX)
				return false;
			run = &image->runs[image->run_count++];
			*run = (struct scar_image_run){.page = PAGE_OF(low)};
		} else if (PAGE_OF(low) < run->page) {
			/* A hop backwards over the start of the run. */
			run->count += run->page - PAGE_OF(low);
			run->page = PAGE_OF(low);
		}
		if (PAGE_OF(high - 1) + 1 > run->page + run->count)
			run->count = PAGE_OF(high - 1) + 1 - run->page;
	}
	segment->run_count = image->run_count - segment->first_run;
	return true;
}

/* Patches the segment in `text` (the file, privately mapped) and writes its trampolines. */
static bool patch_segment(struct scar_image *image, struct scar_image_segment *segment,
			  struct scar_site *sites, uint8_t *text, uint8_t *trampolines)
{
	const struct scar_patch_abi abi = image->key.abi;
	/* Addresses are free to choose, as only distances count. */
	const uint64_t base = 0x100000000000ull;
	uint32_t used = 0;

	segment->first_trap = image->trap_count;
	for (uint32_t i = 0; i < segment->site_count; i++) {
		struct scar_site *s = &sites[segment->first_site + i];
		uint64_t place = base + (uint64_t)segment->delta + used;
		size_t n = scar_patch_site(&abi, s, text + s->offset,
					   base + (s->offset - segment->offset), trampolines + used,
					   place);

		if (n == 0)
			return false;
		if (s->tactic == SCAR_TACTIC_TRAP) {
			if (image->trap_count == SCAR_IMAGE_TRAPS_MAX)
				return false;
			image->traps[image->trap_count++] = (struct scar_image_trap){
				.site = s->offset, .trampoline = used};
		}
		used += (uint32_t)n;
	}
	segment->trap_count = image->trap_count - segment->first_trap;
	segment->trampoline_bytes = used;
	return true;
}

static bool write_at(int fd, const void *data, uint64_t len, uint64_t offset)
{
	const char *at = data;

	while (len) {
		long n = scar_sys(__NR_pwrite64, fd, at, len, offset);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return true;
}

/* Fills in everything of `image` but positions in the file. */
static void describe(struct scar_image *image, const struct scar_scan *scan, bool movable)
{
	image->segment_count = scan->segment_count;
	image->site_count = scan->site_count;
	for (uint32_t i = 0; i < scan->segment_count; i++) {
		const struct scar_segment *from = &scan->segments[i];

		image->segments[i] = (struct scar_image_segment){
			.offset = from->offset & ~(uint64_t)(PAGE - 1),
			.size = from->size + from->offset % PAGE,
			.delta = movable ? SCAR_DELTA_MOVABLE : SCAR_DELTA_FIXED,
			.first_site = from->first_site,
			.site_count = from->site_count,
		};
	}
}

/* Patches all segments of the file at `text` and writes pages, trampolines, sites, header. */
static bool write_image(int out, struct scar_image *image, struct scar_scan *scan, uint8_t *text)
{
	uint32_t page = 1;

	image->usable = true;
	for (uint32_t i = 0; i < image->segment_count && image->usable; i++) {
		struct scar_image_segment *segment = &image->segments[i];
		uint64_t room = (uint64_t)segment->site_count * SCAR_TRAMPOLINE_MAX + PAGE;
		uint8_t *trampolines = (uint8_t *)scar_sys(__NR_mmap, 0, room,
							   PROT_READ | PROT_WRITE,
							   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (scar_sys_failed((long)trampolines))
			return false;
		image->usable = collect_runs(image, segment, scan->sites) &&
				patch_segment(image, segment, scan->sites, text, trampolines);
		segment->trampoline_page = page;
		page += PAGE_OF(segment->trampoline_bytes + PAGE - 1);
		if (image->usable && segment->trampoline_bytes &&
		    !write_at(out, trampolines, segment->trampoline_bytes,
			      (uint64_t)segment->trampoline_page * PAGE))
			return false;
		scar_sys(__NR_munmap, trampolines, room);
	}
	for (uint32_t i = 0; i < image->run_count && image->usable; i++) {
		struct scar_image_run *run = &image->runs[i];

		run->data_page = page;
		if (!write_at(out, text + (uint64_t)run->page * PAGE, (uint64_t)run->count * PAGE,
			      (uint64_t)page * PAGE))
			return false;
		page += run->count;
	}
	image->site_page = page;
	return write_at(out, scan->sites, scan->site_count * sizeof(scan->sites[0]),
			(uint64_t)page * PAGE) &&
	       write_at(out, image, sizeof(*image), 0);
}

/* Under a name of our own first: other programs start at the same time. */
static int keep_image(struct scar_image *image, struct scar_scan *scan, uint8_t *text)
{
	char path[SCAR_GUEST_ROOT_MAX + 64], temporary[SCAR_GUEST_ROOT_MAX + 96];
	struct scar_text t;
	long fd, ret;

	if (scar_loader.guest.flags & SCAR_GUEST_NO_CACHE)
		return -ENOENT;
	image_path(&image->key, path, sizeof(path));
	t = image_path(&image->key, temporary, sizeof(temporary));
	scar_text_str(&t, ".");
	scar_text_unsigned(&t, (uint64_t)scar_sys(__NR_gettid), 10);
	fd = scar_sys(__NR_openat, AT_FDCWD, temporary,
		      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return (int)fd;
	ret = write_image((int)fd, image, scan, text) ? 0 : -EIO;
	if (ret == 0)
		ret = scar_sys(__NR_renameat, AT_FDCWD, temporary, AT_FDCWD, path);
	if (ret < 0) {
		scar_sys(__NR_unlinkat, AT_FDCWD, temporary, 0);
		scar_sys(__NR_close, fd);
		return (int)ret;
	}
	return (int)fd;
}

/* SCAR_REWRITE_TACTIC=trap: every site takes the last resort. */
static void force_traps(struct scar_scan *scan)
{
	for (uint32_t i = 0; i < scan->site_count; i++) {
		scan->sites[i].tactic = scar_scan_last_resort(scan->sites[i].nr);
		scan->sites[i].before = scan->sites[i].after = 0;
	}
}

int scar_image_create(int fd, const struct scar_image_key *key, struct scar_scan *scan,
		      struct scar_image *ret_image)
{
	uint64_t size = (key->size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint8_t *text;
	int kept;

	memset(ret_image, 0, sizeof(*ret_image));
	ret_image->key = *key;
	scan->site_count = scan->segment_count = 0;
	if (key->size == 0)
		return -ENOEXEC;
	text = (uint8_t *)scar_sys(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (scar_sys_failed((long)text))
		return (int)(long)text;
	if (scar_scan_elf(text, key->size, scan)) {
		scar_sys(__NR_munmap, text, size);
		return -E2BIG;
	}
	if (key->flags & SCAR_GUEST_TRAP)
		force_traps(scan);
	describe(ret_image, scan, key->size >= 18 && text[16] == ET_DYN);
	kept = keep_image(ret_image, scan, text);
	scar_sys(__NR_munmap, text, size);
	return kept;
}
