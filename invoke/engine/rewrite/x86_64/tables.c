/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/x86_64/tables.h"

#include <stdbool.h>
#include <string.h>

/* Entries of one table; a switch over more is made otherwise. */
#define ENTRIES_MAX 1024

void scar_tables_reset(struct scar_tables *tables)
{
	tables->count = tables->jumps = 0;
}

static void note(struct scar_tables *tables, uint64_t at, uint8_t width)
{
	if (tables->count == SCAR_TABLES_MAX)
		return;
	tables->at[tables->count] = at;
	tables->width[tables->count++] = width;
}

static int32_t s32_at(const uint8_t *p)
{
	int32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

void scar_tables_see(struct scar_tables *tables, const uint8_t *code, size_t len, uint64_t next)
{
	const uint8_t *at = code, *end = code + len;

	if (*at == 0x3e) /* notrack */
		at++;
	if (at < end && (*at & 0xf0) == 0x40)
		at++;
	if (end - at < 2)
		return;
	/* lea disp(%rip),%reg */
	if (at[0] == 0x8d && (at[1] & 0xc7) == 0x05 && end - at == 6) {
		note(tables, next + (uint64_t)(int64_t)s32_at(at + 2), 4);
		return;
	}
	if (at[0] != 0xff || ((at[1] >> 3) & 7) != 4)
		return;
	tables->jumps++;
	/* jmp *disp(,%reg,8) */
	if (at[1] == 0x24 && end - at == 7 && (at[2] & 0xc7) == 0xc5)
		note(tables, (uint64_t)(int64_t)s32_at(at + 3), 8);
}

/* The file's bytes at vaddr, as many as `ret_left` tells, or NULL. */
static const uint8_t *bytes_at(const struct scar_tables *t, uint64_t vaddr, uint64_t *ret_left)
{
	for (unsigned i = 0; i < t->phdr_count; i++) {
		const Elf64_Phdr *p = &t->phdrs[i];
		uint64_t in = vaddr - p->p_vaddr, offset = p->p_offset + in;

		if (p->p_type != PT_LOAD || vaddr < p->p_vaddr || in >= p->p_filesz ||
		    offset < in || offset >= t->size)
			continue;
		*ret_left = p->p_filesz - in;
		if (*ret_left > t->size - offset)
			*ret_left = t->size - offset;
		return t->file + offset;
	}
	return NULL;
}

void scar_tables_targets(const struct scar_tables *tables, uint64_t start, uint64_t end,
			 void (*add)(void *ctx, uint64_t vaddr), void *ctx)
{
	if (!tables->jumps)
		return;
	for (unsigned i = 0; i < tables->count; i++) {
		const uint8_t width = tables->width[i];
		uint64_t left = 0;
		const uint8_t *at = bytes_at(tables, tables->at[i], &left);

		for (unsigned n = 0; at && n < ENTRIES_MAX && left >= width; n++) {
			uint64_t target = 0;

			if (width == 4)
				target = tables->at[i] + (uint64_t)(int64_t)s32_at(at);
			else
				memcpy(&target, at, sizeof(target));
			if (target < start || target >= end)
				break;
			add(ctx, target);
			at += width;
			left -= width;
		}
	}
}
