/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unwind.h
 * Where functions start and end, from .eh_frame_hdr or the symbol table of an ELF file.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_X86_64_UNWIND_H
#define SCAR_INVOKE_ENGINE_REWRITE_X86_64_UNWIND_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Views into a mapped file; init checks that they lie inside it. */
struct scar_unwind {
	const uint8_t *file;
	size_t size;
	const uint8_t *header; /**< .eh_frame_hdr, NULL if unusable */
	uint64_t header_vaddr;
	uint32_t fde_count;
	const Elf64_Sym *symbols; /**< NULL if there are none */
	size_t symbol_count;
};

/** `header_vaddr`, `header_offset` and `header_size` are those of PT_GNU_EH_FRAME (size 0: none). */
void scar_unwind_init(struct scar_unwind *unwind, const uint8_t *file, size_t size,
		      const Elf64_Phdr *header);

/** The function that covers vaddr. @return false if the table knows none */
bool scar_unwind_function(const struct scar_unwind *unwind, uint64_t vaddr, uint64_t *ret_start,
			  uint64_t *ret_end);

/** The same from the symbol table. */
bool scar_unwind_symbol(const struct scar_unwind *unwind, uint64_t vaddr, uint64_t *ret_start,
			uint64_t *ret_end);

#endif
