/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "invoke/engine/rewrite/x86_64/search.h"

#define PAGE 4096u
#define LENGTH 64u

/* Ends where memory ends, so that reading beyond the code is a crash. */
static uint8_t *code;

static int make_code(void **state)
{
	uint8_t *pages = mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE))
		return -1;
	code = pages + PAGE - LENGTH;
	return 0;
}

static int drop_code(void **state)
{
	(void)state;
	return munmap(code + LENGTH - PAGE, (size_t)2 * PAGE);
}

static uint32_t plain_call(uint32_t at, uint32_t end)
{
	static const uint8_t calls[][2] = {{0x0f, 0x05}, {0x0f, 0x34}, {0xcd, 0x80}};

	for (; at + 1 < end; at++)
		for (unsigned i = 0; i < 3; i++)
			if (memcmp(code + at, calls[i], 2) == 0)
				return at;
	return end;
}

static uint32_t plain_branch(uint32_t at, uint32_t end)
{
	for (uint32_t i = at; i < end; i++)
		if (code[i] == 0xe8 || code[i] == 0xe9 ||
		    (i > at && code[i - 1] == 0x0f && code[i] >= 0x80 && code[i] <= 0x8f))
			return i;
	return end;
}

/* Bytes of which few are of no interest, so that hits come in every position and order. */
static void fill(uint32_t *seed, unsigned share)
{
	static const uint8_t bytes[] = {0x0f, 0x05, 0x34, 0xcd, 0x80, 0x8f, 0xe8, 0xe9,
					0x90, 0xea, 0x0e, 0x04, 0x85, 0xe7, 0xcc, 0x00};

	for (uint32_t i = 0; i < LENGTH; i++) {
		*seed = *seed * 1664525 + 1013904223;
		code[i] = *seed >> 24 < share ? bytes[*seed >> 16 & 15] : 0x41;
	}
}

static void everything_is_found_that_a_plain_search_finds(void **state)
{
	uint32_t seed = 7, found = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		fill(&seed, round % 2 ? 256 : 24);
		for (uint32_t at = 0; at <= LENGTH; at++)
			for (uint32_t end = at; end <= LENGTH; end += end < LENGTH - 10 ? 5 : 1) {
				assert_int_equal(scar_search_call(code, at, end),
						 plain_call(at, end));
				assert_int_equal(scar_search_branch(code, at, end),
						 plain_branch(at, end));
				found += plain_call(at, end) < end;
			}
	}
	assert_true(found > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_found_that_a_plain_search_finds),
	};

	return cmocka_run_group_tests(tests, make_code, drop_code);
}
