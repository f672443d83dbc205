/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/thread.h"

#include <asm/prctl.h>
#include <linux/mman.h>

#include "invoke/engine/guest/sys.h"

#define BLOCK_BYTES (SCAR_THREAD_STACK + 4096)

_Static_assert(offsetof(struct scar_thread, self) == SCAR_THREAD_SELF, "thread.h");
_Static_assert(offsetof(struct scar_thread, top) == SCAR_THREAD_TOP, "thread.h");
_Static_assert(offsetof(struct scar_thread, low) == SCAR_THREAD_LOW, "thread.h");
_Static_assert(SCAR_HANDLER_DEPTH == 5, "entry.S");

static struct scar_thread *init(char *block)
{
	struct scar_thread *thread = (struct scar_thread *)(block + SCAR_THREAD_STACK);

	thread->self = thread;
	thread->top = (char *)thread;
	thread->low = block;
	return thread;
}

struct scar_thread *scar_thread_create(void)
{
	long got = scar_sys(__NR_mmap, 0, BLOCK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return scar_sys_failed(got) ? NULL : init((char *)got);
}

void scar_thread_free(struct scar_thread *thread)
{
	scar_sys(__NR_munmap, thread->low, BLOCK_BYTES);
}

void scar_thread_install(struct scar_thread *thread, bool has_fsgsbase)
{
	if (has_fsgsbase)
		__asm__ volatile("wrgsbase %0" : : "r"(thread));
	else
		scar_sys(__NR_arch_prctl, ARCH_SET_GS, thread);
}
