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

/*
 * A switch whose table leads between the number and the call: no branch names that place. The second function
 * branches into the window of the third from outside.
 */
extern const char hidden_start[], hidden_target[], hidden_site[], far_target[], far_site[];
__asm__(".text\n"
	".globl hidden_start, hidden_target, hidden_site, far_target, far_site\n"
	".type hidden_start,@function\n"
	"hidden_start: .cfi_startproc\n"
	"	lea	1f(%rip),%rax\n"
	"	movslq	(%rax,%rdi,4),%rcx\n"
	"	add	%rax,%rcx\n"
	"	jmp	*%rcx\n"
	"2:	mov	%edx,%edi\n"
	"	mov	%ecx,%edx\n"
	"hidden_target:\n"
	"	mov	%esi,%eax\n"
	"	mov	%ebx,%esi\n"
	"hidden_site:\n"
	"	syscall\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size hidden_start,.-hidden_start\n"
	".section .rodata\n"
	"	.balign 4\n"
	"1:	.long	2b-1b, hidden_target-1b\n"
	".text\n"
	"	.fill 200,1,0x90\n"
	".type far_jumper,@function\n"
	"far_jumper: .cfi_startproc\n"
	"	test	%edi,%edi\n"
	"	jne	far_target\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.fill 300,1,0x90\n"
	".type far_function,@function\n"
	"far_function: .cfi_startproc\n"
	"	mov	%edx,%edi\n"
	"	mov	%ecx,%edx\n"
	"far_target:\n"
	"	mov	%esi,%eax\n"
	"	mov	%ebx,%esi\n"
	"far_site:\n"
	"	syscall\n"
	"	ret\n"
	"	.cfi_endproc\n");

static int own_base(struct dl_phdr_info *info, size_t room, void *ret_base)
{
	(void)room;
	*(uint64_t *)ret_base = info->dlpi_addr;
	return 1;
}

/* What the scan of this very program says of a place in it. */
static const struct scar_site *site_at(const char *place)
{
	uint64_t base, vaddr;

	dl_iterate_phdr(own_base, &base);
	vaddr = (uint64_t)(uintptr_t)place - base;
	for (uint32_t i = 0; i < scan->segment_count; i++) {
		const struct scar_segment *s = &scan->segments[i];

		for (uint32_t n = 0; n < s->site_count; n++)
			if (scan->sites[s->first_site + n].offset - s->offset + s->vaddr == vaddr)
				return &scan->sites[s->first_site + n];
	}
	return NULL;
}

static void no_window_lies_over_an_entry_of_a_jump_table(void **state)
{
	const struct scar_site *site;

	(void)state;
	scan_file("/proc/self/exe");
	site = site_at(hidden_site);
	assert_non_null(site);
	assert_int_equal(site->nr, SCAR_SITE_NR_DYNAMIC);
	assert_true(site->before <= hidden_site - hidden_target);
	munmap(file, size);
}

static void no_window_lies_over_a_place_that_another_function_branches_to(void **state)
{
	const struct scar_site *site;

	(void)state;
	scan_file("/proc/self/exe");
	site = site_at(far_site);
	assert_non_null(site);
	assert_true(site->before <= far_site - far_target);
	munmap(file, size);
}

/* Nothing tells where code without a file starts, so only what looks like a call is one. */
static void bare_code_has_sites_where_it_looks_like_calls(void **state)
{
	static const uint8_t code[64] = {0x90, 0x90, 0xb8, 2, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x90,
					 /* a constant */
					 0x48, 0xb8, 0x0f, 0x05, 1, 2, 3, 4, 5, 6, 0xc3};

	(void)state;
	assert_true(scar_scan_is_suspect(code, sizeof(code)));
	assert_false(scar_scan_is_suspect(code + 22, sizeof(code) - 22));
	assert_int_equal(scar_scan_code(code, sizeof(code), scan), 0);
	assert_int_equal(scan->site_count, 1);
	assert_int_equal(scan->sites[0].offset, 7);
	assert_int_equal(scan->sites[0].nr, SYS_open);
}

extern const char foreign_site[];
__asm__(".text\n"
	".globl foreign_site\n"
	".type foreign_function,@function\n"
	"foreign_function: .cfi_startproc\n"
	"	mov	$20,%eax\n"
	"foreign_site:\n"
	"	int	$0x80\n"
	"	ret\n"
	"	.cfi_endproc\n");

static void the_way_in_of_32_bit_programs_becomes_a_trap(void **state)
{
	const struct scar_site *site;

	(void)state;
	scan_file("/proc/self/exe");
	site = site_at(foreign_site);
	assert_non_null(site);
	assert_int_equal(site->nr, SCAR_SITE_NR_FOREIGN);
	assert_int_equal(site->tactic, SCAR_TACTIC_TRAP);
	munmap(file, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_c_library_needs_no_trap_and_no_window_overlaps),
		cmocka_unit_test(bytes_inside_other_instructions_are_left_alone),
		cmocka_unit_test(every_cut_of_a_program_is_survived),
		cmocka_unit_test(patched_sites_jump_to_their_trampolines),
		cmocka_unit_test(a_site_out_of_reach_stays_as_it_was),
		cmocka_unit_test(no_window_lies_over_an_entry_of_a_jump_table),
		cmocka_unit_test(no_window_lies_over_a_place_that_another_function_branches_to),
		cmocka_unit_test(bare_code_has_sites_where_it_looks_like_calls),
		cmocka_unit_test(the_way_in_of_32_bit_programs_becomes_a_trap),
	};

	return cmocka_run_group_tests(tests, make_scan, free_scan);
}
