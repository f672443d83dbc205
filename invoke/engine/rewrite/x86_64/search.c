/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/x86_64/search.h"

#include <stdbool.h>

#define EACH(byte) (0x0101010101010101ull * (byte))

typedef uint64_t unaligned_word __attribute__((aligned(1), may_alias));

static uint64_t load(const uint8_t *code)
{
	return *(const unaligned_word *)code;
}

/* The top bit of each byte that is zero, and no other. */
static uint64_t zeros(uint64_t word)
{
	return ~(((word & EACH(0x7f)) + EACH(0x7f)) | word | EACH(0x7f));
}

static uint64_t where(uint64_t word, uint8_t byte)
{
	return zeros(word ^ EACH(byte));
}

static uint32_t first(uint64_t found)
{
	return (uint32_t)__builtin_ctzll(found) / 8;
}

static bool is_call(const uint8_t *code)
{
	return code[0] == 0x0f ? code[1] == 0x05 || code[1] == 0x34
			       : code[0] == 0xcd && code[1] == 0x80;
}

uint32_t scar_search_call(const uint8_t *code, uint32_t at, uint32_t end)
{
	for (; end - at > sizeof(uint64_t) && at < end; at += sizeof(uint64_t)) {
		const uint64_t one = load(code + at), two = load(code + at + 1);
		const uint64_t found = (where(one, 0x0f) & (where(two, 0x05) | where(two, 0x34))) |
				       (where(one, 0xcd) & where(two, 0x80));

		if (found)
			return at + first(found);
	}
	for (; at < end && end - at > 1; at++)
		if (is_call(code + at))
			return at;
	return end;
}

/* 0f 80 to 0f 8f: jcc */
static bool is_condition(const uint8_t *code)
{
	return code[0] == 0x0f && (code[1] & 0xf0) == 0x80;
}

uint32_t scar_search_branch(const uint8_t *code, uint32_t at, uint32_t end)
{
	for (; end - at > sizeof(uint64_t) && at < end; at += sizeof(uint64_t)) {
		const uint64_t one = load(code + at), two = load(code + at + 1);
		/* e8 and e9: call and jmp */
		const uint64_t found = where(one & EACH(0xfe), 0xe8) |
				       (where(one, 0x0f) & where(two & EACH(0xf0), 0x80));

		if (found) {
			at += first(found);
			return code[at] == 0x0f ? at + 1 : at;
		}
	}
	for (; at < end; at++) {
		if ((code[at] & 0xfe) == 0xe8)
			return at;
		if (end - at > 1 && is_condition(code + at))
			return at + 1;
	}
	return end;
}
