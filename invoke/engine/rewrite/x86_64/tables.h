/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tables.h
 * Where a function may be entered by an indirect jump: the tables that compilers make of a switch.
 *
 * Known are the two forms in use: distances of four bytes from the table's start, which a lea names, and addresses
 * of eight bytes, which the jump itself names. What is taken for a table and is none only costs a better tactic.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_X86_64_TABLES_H
#define SCAR_INVOKE_ENGINE_REWRITE_X86_64_TABLES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/** Tables of one function that are looked at. */
#define SCAR_TABLES_MAX 32

struct scar_tables {
	const uint8_t *file;
	size_t size;
	const Elf64_Phdr *phdrs;
	unsigned phdr_count;

	/* Of the function at hand. */
	uint64_t at[SCAR_TABLES_MAX];
	uint8_t width[SCAR_TABLES_MAX];
	unsigned count;
	unsigned jumps; /**< indirect ones */
};

void scar_tables_reset(struct scar_tables *tables);

/** Takes note of an instruction at `code`, whose successor is at vaddr `next`. */
void scar_tables_see(struct scar_tables *tables, const uint8_t *code, size_t len, uint64_t next);

/**
 * Calls add(ctx, vaddr) for each place in [start, end) that an indirect jump of the function seen may lead to.
 */
void scar_tables_targets(const struct scar_tables *tables, uint64_t start, uint64_t end,
			 void (*add)(void *ctx, uint64_t vaddr), void *ctx);

#endif
