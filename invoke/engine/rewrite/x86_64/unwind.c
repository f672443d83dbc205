/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/x86_64/unwind.h"

#include <string.h>

/*
 * Linux Standard Base, "Exception Frames": version 1, then the encodings of eh_frame_ptr, of
 * the count and of the table. Every linker in use writes these.
 */
static const uint8_t usual_encodings[4] = {1, 0x1b, 0x03, 0x3b};
#define TABLE_OFFSET 12
#define FDE_BYTES 16

static int32_t s32_at(const uint8_t *p)
{
	int32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void find_symbols(struct scar_unwind *u)
{
	const Elf64_Ehdr *h = (const void *)u->file;
	const Elf64_Shdr *sections;

	if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shoff % 8 || h->e_shoff >= u->size ||
	    (u->size - h->e_shoff) / sizeof(Elf64_Shdr) < h->e_shnum)
		return;
	sections = (const void *)(u->file + h->e_shoff);
	for (unsigned i = 0; i < h->e_shnum; i++) {
		const Elf64_Shdr *s = &sections[i];
		bool full = s->sh_type == SHT_SYMTAB;

		if ((!full && (s->sh_type != SHT_DYNSYM || u->symbols)) || s->sh_offset % 8 ||
		    s->sh_offset >= u->size || s->sh_size > u->size - s->sh_offset)
			continue;
		u->symbols = (const void *)(u->file + s->sh_offset);
		u->symbol_count = s->sh_size / sizeof(Elf64_Sym);
	}
}

void scar_unwind_init(struct scar_unwind *unwind, const uint8_t *file, size_t size,
		      const Elf64_Phdr *header)
{
	*unwind = (struct scar_unwind){.file = file, .size = size};
	find_symbols(unwind);
	if (!header || header->p_offset >= size || header->p_filesz > size - header->p_offset ||
	    header->p_filesz < TABLE_OFFSET ||
	    memcmp(file + header->p_offset, usual_encodings, sizeof(usual_encodings)) != 0)
		return;
	unwind->header = file + header->p_offset;
	unwind->header_vaddr = header->p_vaddr;
	unwind->fde_count = (uint32_t)s32_at(unwind->header + 8);
	if (unwind->fde_count == 0 || (header->p_filesz - TABLE_OFFSET) / 8 < unwind->fde_count)
		unwind->header = NULL;
}

bool scar_unwind_function(const struct scar_unwind *unwind, uint64_t vaddr, uint64_t *ret_start,
			  uint64_t *ret_end)
{
	const uint8_t *table;
	uint32_t low = 0, high = unwind->fde_count;
	uint64_t start, length, fde_offset;

	if (!unwind->header)
		return false;
	table = unwind->header + TABLE_OFFSET;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (unwind->header_vaddr + (uint64_t)(int64_t)s32_at(table + 8 * middle) <= vaddr)
			low = middle;
		else
			high = middle;
	}
	start = unwind->header_vaddr + (uint64_t)(int64_t)s32_at(table + 8 * low);
	/* FDE: length, CIE pointer, start relative to itself, length of the function. */
	fde_offset = (uint64_t)(unwind->header - unwind->file) +
		     (uint64_t)(int64_t)s32_at(table + 8 * low + 4);
	if (start > vaddr || fde_offset >= unwind->size || unwind->size - fde_offset < FDE_BYTES)
		return false;
	length = (uint32_t)s32_at(unwind->file + fde_offset + 12);
	if (vaddr - start >= length)
		return false;
	*ret_start = start;
	*ret_end = start + length;
	return true;
}

bool scar_unwind_symbol(const struct scar_unwind *unwind, uint64_t vaddr, uint64_t *ret_start,
			uint64_t *ret_end)
{
	for (size_t i = 0; i < unwind->symbol_count; i++) {
		const Elf64_Sym *s = &unwind->symbols[i];

		if (ELF64_ST_TYPE(s->st_info) != STT_FUNC || s->st_value > vaddr ||
		    vaddr - s->st_value >= s->st_size)
			continue;
		*ret_start = s->st_value;
		*ret_end = s->st_value + s->st_size;
		return true;
	}
	return false;
}
