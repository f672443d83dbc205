/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file elf.h
 * Reads the headers of an ELF program. Hostile input: nothing in them is believed unchecked.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_ELF_H
#define SCAR_INVOKE_ENGINE_GUEST_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAR_ELF_PHDRS_MAX 64
/** Bytes from the start of a file that show whether it can be executed (as the kernel: BINPRM_BUF_SIZE). */
#define SCAR_ELF_HEAD_BYTES 256
#define SCAR_ELF_PAGE 4096u

struct scar_elf {
	bool is_pie; /**< ET_DYN: may be put anywhere */
	uint64_t entry;
	uint64_t phdr_offset;
	unsigned phdr_count;
	uint64_t low, high; /**< page-aligned span of all PT_LOAD */
	bool exec_stack;
	Elf64_Phdr phdrs[SCAR_ELF_PHDRS_MAX];
	char interpreter[256]; /**< guest path from PT_INTERP, "" if none */
};

/**
 * Reads and checks the headers of the program open as fd.
 * @return 0; -ENOEXEC for what this machine cannot execute; -ELIBBAD for a broken one; -errno
 */
int scar_elf_read(int fd, struct scar_elf *ret_elf);

/** True if head (len bytes) starts with the ELF magic. */
bool scar_elf_is(const void *head, size_t len);

#endif
