/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "invoke/engine/rewrite/patch.h"
#include "invoke/engine/rewrite/scan.h"
#include "invoke/engine/rewrite/x86_64/decode.h"

static struct scar_scan *scan;
static uint8_t *file;
static size_t size;

static void map_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(file, MAP_FAILED);
	close(fd);
}

static void scan_file(const char *path)
{
	map_file(path);
	assert_int_equal(scar_scan_elf(file, size, scan), 0);
}

static int make_scan(void **state)
{
	(void)state;
	scan = malloc(sizeof(*scan));
	return scan ? 0 : -1;
}

static int free_scan(void **state)
{
	(void)state;
	free(scan);
	return 0;
}

static void c_library(char *path, size_t room)
{
	Dl_info info;

	assert_true(dladdr((void *)(uintptr_t)&dlsym, &info));
	snprintf(path, room, "%s", info.dli_fname);
}

static void a_c_library_needs_no_trap_and_no_window_overlaps(void **state)
{
	char path[4096];
	uint32_t end = 0;

	(void)state;
	c_library(path, sizeof(path));
	scan_file(path);
	assert_true(scan->site_count > 80);
	assert_int_equal(scan->stats.tactics[SCAR_TACTIC_TRAP], 0);
	/* Most calls name no path and stay untouched. */
	assert_true(scan->stats.tactics[SCAR_TACTIC_SKIP] > scan->site_count);
	for (uint32_t i = 0; i < scan->site_count; i++) {
		const struct scar_site *s = &scan->sites[i];

		assert_memory_equal(file + s->offset, "\x0f\x05", 2);
		assert_true(s->offset - s->before >= end);
		end = s->offset + 2u + s->after;
	}
	munmap(file, size);
}

static void bytes_inside_other_instructions_are_left_alone(void **state)
{
	(void)state;
	scan_file("/usr/bin/python3");
	/* CPython makes its calls through the C library; what looks like one is an operand. */
	assert_true(scan->stats.raw > 0);
	assert_int_equal(scan->site_count, 0);
	munmap(file, size);
}

static void every_cut_of_a_program_is_survived(void **state)
{
	static const size_t cuts[] = {0, 1, 63, 64, 100, 4095, 4096, 5000, 70000, 200000};

	(void)state;
	map_file("/bin/busybox");
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		size_t len = cuts[i] < size ? cuts[i] : size;
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, file, len);
		assert_int_equal(scar_scan_elf(copy, len, scan), 0);
		free(copy);
	}
	munmap(file, size);
}

static void patched_sites_jump_to_their_trampolines(void **state)
{
	const struct scar_patch_abi abi = {
		.enter_slot = 0x60001000, .child_slot = 0x60001008, .kinds = 0x60002000};
	uint8_t trampoline[SCAR_TRAMPOLINE_MAX];
	uint32_t patched = 0;
	char path[4096];

	(void)state;
	c_library(path, sizeof(path));
	scan_file(path);
	for (uint32_t i = 0; i < scan->site_count; i++) {
		const struct scar_site *s = &scan->sites[i];
		uint64_t addr = 0x7f0000000000 + s->offset, at = 0x7effe0000000 + patched * 256;
		uint8_t *from = file + s->offset - s->before;
		struct scar_instruction in;
		size_t n = scar_patch_site(&abi, s, file + s->offset, addr, trampoline, at);

		assert_true(n >= 16 && n <= sizeof(trampoline));
		if (s->tactic == SCAR_TACTIC_TRAP || s->tactic == SCAR_TACTIC_HOP)
			continue;
		assert_true(scar_decode(from, 5, &in));
		assert_int_equal(in.length, 5);
		assert_int_equal(addr - s->before + 5 + (uint64_t)(int64_t)in.target, at);
		if (s->tactic == SCAR_TACTIC_BEFORE)
			assert_memory_equal(file + s->offset, "\x0f\x05", 2);
		patched++;
	}
	assert_true(patched > 80);
	munmap(file, size);
}

static void a_site_out_of_reach_stays_as_it_was(void **state)
{
	const struct scar_patch_abi abi = {0};
	const struct scar_site site = {.nr = SYS_open, .tactic = SCAR_TACTIC_BEFORE, .before = 5};
	uint8_t code[] = {0xb8, 2, 0, 0, 0, 0x0f, 0x05}, before[sizeof(code)],
		trampoline[SCAR_TRAMPOLINE_MAX];

	(void)state;
	memcpy(before, code, sizeof(code));
	assert_int_equal(
		scar_patch_site(&abi, &site, code + 5, 0x7f0000000000, trampoline, 0x400000), 0);
	assert_memory_equal(code, before, sizeof(code));
	assert_int_not_equal(scar_patch_site(&abi, &site, code + 5, 0x400000, trampoline, 0x500000),
			     0);
	assert_int_equal(code[0], 0xe9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_c_library_needs_no_trap_and_no_window_overlaps),
		cmocka_unit_test(bytes_inside_other_instructions_are_left_alone),
		cmocka_unit_test(every_cut_of_a_program_is_survived),
		cmocka_unit_test(patched_sites_jump_to_their_trampolines),
		cmocka_unit_test(a_site_out_of_reach_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, make_scan, free_scan);
}
