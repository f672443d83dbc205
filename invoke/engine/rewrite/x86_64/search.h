/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search.h
 * Finds bytes in text that may be instructions of interest, eight at a time: a browser has 240 MB of text,
 * all of which is searched when it is first started.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_X86_64_SEARCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_X86_64_SEARCH_H

#include <stdint.h>

/** Offset of the next `syscall`, `sysenter` or `int $0x80` in [at, end), or end. */
uint32_t scar_search_call(const uint8_t *code, uint32_t at, uint32_t end);

/**
 * Offset of the last opcode byte of the next call, jmp or jcc with four bytes of displacement in [at, end),
 * or end. The byte before `at` is not looked at.
 */
uint32_t scar_search_branch(const uint8_t *code, uint32_t at, uint32_t end);

#endif
