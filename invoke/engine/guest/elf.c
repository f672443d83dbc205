/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/elf.h"

#include <errno.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"

#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#endif

/* End of what a user process may map. */
#define ADDRESS_MAX ((uint64_t)1 << 47)

bool scar_elf_is(const void *head, size_t len)
{
	return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int check_header(const Elf64_Ehdr *h)
{
	if (!scar_elf_is(h, sizeof(*h)) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != ELF_MACHINE ||
	    (h->e_type != ET_EXEC && h->e_type != ET_DYN))
		return -ENOEXEC;
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 ||
	    h->e_phnum > SCAR_ELF_PHDRS_MAX)
		return -ENOEXEC;
	return 0;
}

static int note_load(struct scar_elf *elf, const Elf64_Phdr *p)
{
	uint64_t end;

	if (p->p_filesz > p->p_memsz || p->p_vaddr >= ADDRESS_MAX ||
	    __builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || end >= ADDRESS_MAX ||
	    (p->p_vaddr - p->p_offset) % SCAR_ELF_PAGE != 0)
		return -ENOEXEC;
	end = (end + SCAR_ELF_PAGE - 1) & ~(uint64_t)(SCAR_ELF_PAGE - 1);
	if (p->p_vaddr < elf->low)
		elf->low = p->p_vaddr & ~(uint64_t)(SCAR_ELF_PAGE - 1);
	if (end > elf->high)
		elf->high = end;
	return 0;
}

static int read_interpreter(int fd, const Elf64_Phdr *p, struct scar_elf *elf)
{
	long n;

	if (p->p_filesz < 2 || p->p_filesz > sizeof(elf->interpreter))
		return -ENOEXEC;
	n = scar_sys(__NR_pread64, fd, elf->interpreter, p->p_filesz, p->p_offset);
	if (n != (long)p->p_filesz || elf->interpreter[n - 1] != '\0')
		return n < 0 ? (int)n : -ENOEXEC;
	return 0;
}

int scar_elf_read(int fd, struct scar_elf *ret_elf)
{
	Elf64_Ehdr header = {.e_phnum = 0};
	long n = scar_sys(__NR_pread64, fd, &header, sizeof(header), 0);
	long bytes;
	int ret;

	if (n != (long)sizeof(header))
		return n < 0 ? (int)n : -ENOEXEC;
	ret = check_header(&header);
	if (ret)
		return ret;
	bytes = (long)(header.e_phnum * sizeof(Elf64_Phdr));
	n = scar_sys(__NR_pread64, fd, ret_elf->phdrs, bytes, header.e_phoff);
	if (n != bytes)
		return n < 0 ? (int)n : -ENOEXEC;
	ret_elf->is_pie = header.e_type == ET_DYN;
	ret_elf->entry = header.e_entry;
	ret_elf->phdr_offset = header.e_phoff;
	ret_elf->phdr_count = header.e_phnum;
	ret_elf->low = ADDRESS_MAX;
	ret_elf->high = 0;
	ret_elf->exec_stack = false;
	ret_elf->interpreter[0] = '\0';
	for (unsigned i = 0; ret == 0 && i < header.e_phnum; i++) {
		const Elf64_Phdr *p = &ret_elf->phdrs[i];

		if (p->p_type == PT_LOAD)
			ret = note_load(ret_elf, p);
		else if (p->p_type == PT_INTERP)
			ret = read_interpreter(fd, p, ret_elf);
		else if (p->p_type == PT_GNU_STACK)
			ret_elf->exec_stack = p->p_flags & PF_X;
	}
	return ret == 0 && ret_elf->high == 0 ? -ENOEXEC : ret;
}
