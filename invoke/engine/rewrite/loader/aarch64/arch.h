/* SPDX-License-Identifier: Apache-2.0 */
/** @file arch.h See loader/arch.h. */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_AARCH64_ARCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_AARCH64_ARCH_H

#define SCAR_ADDRESS_BITS 48
/* No register is free for the block: the handler's own stack pointer leads to it. */
#define SCAR_THREAD_ALIGN 0x100000
/* entry.S keeps its own behind the struct. */
#define SCAR_ARCH_KEPT 0
#define SCAR_ARCH_REGS_BYTES 272
#define SCAR_ARCH_HAS_POINTS 0

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct scar_thread;

/** Where the struct is in its block: SCAR_THREAD_STACK, which thread.h checks. */
#define SCAR_THREAD_OFFSET 0xc0000

static inline struct scar_thread *scar_arch_thread(void)
{
	uintptr_t stack;

	__asm__("mov %0, sp" : "=r"(stack));
	return (struct scar_thread *)((stack & ~(uintptr_t)(SCAR_THREAD_ALIGN - 1)) +
				      SCAR_THREAD_OFFSET);
}

#define scar_arch_set_result(regs, result) ((void)((regs)->arg[0] = (result)))

static inline uint64_t *scar_arch_context_pc(ucontext_t *context)
{
	return (uint64_t *)&context->uc_mcontext.pc;
}

static inline uint64_t *scar_arch_context_sp(ucontext_t *context)
{
	return (uint64_t *)&context->uc_mcontext.sp;
}

/* Words first; vector registers hold the guest's values. */
static inline void scar_arch_copy(void *to, const void *from, size_t len)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	for (; len >= 16; len -= 16, t += 16, f += 16) {
		uint64_t a, b;

		__asm__ volatile("ldp %0, %1, [%2]" : "=r"(a), "=r"(b) : "r"(f) : "memory");
		__asm__ volatile("stp %0, %1, [%2]" : : "r"(a), "r"(b), "r"(t) : "memory");
	}
	while (len--)
		*t++ = *f++;
}

static inline void scar_arch_fill(void *to, int byte, size_t len)
{
	unsigned char *t = to;
	uint64_t word = (unsigned char)byte * 0x0101010101010101ull;

	for (; len >= 16; len -= 16, t += 16)
		__asm__ volatile("stp %0, %0, [%1]" : : "r"(word), "r"(t) : "memory");
	while (len--)
		*t++ = (unsigned char)byte;
}
#endif
#endif
