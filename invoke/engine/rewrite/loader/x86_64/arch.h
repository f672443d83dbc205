/* SPDX-License-Identifier: Apache-2.0 */
/** @file arch.h See loader/arch.h. */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_X86_64_ARCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_X86_64_ARCH_H

#define SCAR_ADDRESS_BITS 47
#define SCAR_THREAD_ALIGN 4096
/* %r15 %r14 %r13 %r12 %rbp %rbx */
#define SCAR_ARCH_KEPT 6
/* What entry.S puts on the handler's stack. */
#define SCAR_ARCH_REGS_BYTES 128
#define SCAR_ARCH_HAS_POINTS 1

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct scar_thread;

/* %gs holds it; no 64-bit program uses that register. */
static inline struct scar_thread *scar_arch_thread(void)
{
	struct scar_thread *self;

	__asm__("mov %%gs:0,%0" : "=r"(self));
	return self;
}

/* Number and result share %rax. */
#define scar_arch_set_result(regs, result) ((void)((regs)->nr = (result)))

static inline uint64_t *scar_arch_context_pc(ucontext_t *context)
{
	return (uint64_t *)&context->uc_mcontext.gregs[REG_RIP];
}

static inline uint64_t *scar_arch_context_sp(ucontext_t *context)
{
	return (uint64_t *)&context->uc_mcontext.gregs[REG_RSP];
}

static inline void scar_arch_copy(void *to, const void *from, size_t len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static inline void scar_arch_fill(void *to, int byte, size_t len)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
}
#endif
#endif
