/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/thread.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/handle.h"

#define BLOCK_BYTES (SCAR_THREAD_STACK + 4096)

_Static_assert(offsetof(struct scar_thread, self) == SCAR_THREAD_SELF, "thread.h");
_Static_assert(offsetof(struct scar_thread, top) == SCAR_THREAD_TOP, "thread.h");
_Static_assert(offsetof(struct scar_thread, low) == SCAR_THREAD_LOW, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_low) == SCAR_THREAD_ALT_LOW, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_bytes) == SCAR_THREAD_ALT_BYTES, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_mask) == SCAR_THREAD_ALT_MASK, "thread.h");

static struct scar_thread *create(void)
{
	long got = scar_sys(__NR_mmap, 0, BLOCK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct scar_thread *thread;

	if (scar_sys_failed(got))
		return NULL;
	thread = (struct scar_thread *)((char *)got + SCAR_THREAD_STACK);
	thread->self = thread;
	thread->top = (char *)thread;
	thread->low = thread->region = (char *)got;
	return thread;
}

void scar_thread_start(struct scar_thread *thread, char *block)
{
	*thread = (struct scar_thread){.self = thread,
				       .top = (char *)thread,
				       .low = block,
				       .region = block,
				       .is_kept = true};
	if (scar_has_fsgsbase)
		__asm__ volatile("wrgsbase %0" : : "r"(thread));
	else
		scar_sys(__NR_arch_prctl, ARCH_SET_GS, thread);
}

void scar_thread_adopt(struct scar_thread *thread, uint64_t stack)
{
	(void)stack;
	(void)thread; /* found through %gs from its start */
}

struct scar_thread *scar_thread_anywhere(void)
{
	return scar_arch_thread();
}

static struct scar_thread *block_for_child(uint64_t flags)
{
	struct scar_thread *self = scar_thread_self(), *child = self->spare;

	/* The last vfork child is gone, or this thread would not run; its block is free again. */
	if (child)
		self->spare = NULL;
	else
		child = create();
	if (!child)
		return NULL;
	child->pid = flags & CLONE_THREAD ? (int)scar_sys(__NR_getpid) : 0;
	child->top = (char *)child;
	child->spare = NULL;
	child->alt_bytes = 0;
	if (flags & CLONE_VFORK)
		self->spare = child;
	return child;
}

/* A child in our memory with a stack of its own needs a block of its own. */
long scar_thread_clone(const struct scar_regs *r, uint64_t flags, uint64_t stack)
{
	struct scar_thread *child;

	if (!(flags & CLONE_VM) || !stack)
		return SCAR_PASS;
	child = block_for_child(flags);
	if (!child)
		return -ENOMEM;
	((uint64_t *)stack)[-1] = (uint64_t)(uintptr_t)child;
	((uint64_t *)stack)[-2] = scar_resume_after(r);
	return SCAR_CLONE;
}

extern void scar_unmap_and_exit(void *block, unsigned long size, long status)
	__attribute__((noreturn));

long scar_thread_exit(const struct scar_regs *r)
{
	struct scar_thread *self = scar_thread_self();
	uint64_t all = ~0ull;

	/* A vfork child runs on its parent's block: not the process that the block was made in. */
	if (self->is_kept || self->pid != (int)scar_sys(__NR_getpid))
		return SCAR_PASS;
	if (self->spare)
		scar_sys(__NR_munmap, self->spare->region, BLOCK_BYTES);
	scar_sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, NULL, sizeof(all));
	scar_unmap_and_exit(self->region, BLOCK_BYTES, r->arg[0]);
}
