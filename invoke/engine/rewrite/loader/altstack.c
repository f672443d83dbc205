/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's alternate signal stack (sigaltstack(2)).
 *
 * While a call of a handler on that stack is answered, the thread runs on ours, and the kernel would begin the next
 * signal's handler at the alternate stack's top, over the first one's frames. So for the time of the call it is told of
 * the part below the guest's stack pointer only, and of none from then on: a handler nested in the first goes on
 * below by itself, and the first one's rt_sigreturn(2) brings the whole stack back. If the guest left that handler by
 * a jump, the next call from elsewhere does. Signals are blocked from before the stacks change until the kernel knows.
 * With SS_AUTODISARM the kernel itself has none meanwhile.
 */
#include <errno.h>
#include <signal.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/handle.h"

/* For entry.S. */
extern const uint64_t scar_all_signals;
const uint64_t scar_all_signals = ~0ull;

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
/* What a function may use below its stack pointer. */
#define RED_ZONE 128

static long set_stack(uint64_t low, uint64_t bytes, int flags)
{
	const stack_t stack = {
		.ss_sp = (void *)(uintptr_t)low, .ss_flags = flags, .ss_size = bytes};

	return scar_sys(__NR_sigaltstack, &stack, NULL);
}

void scar_altstack_enter(struct scar_thread *thread, uint64_t sp)
{
	if (scar_altstack_holds(thread, sp)) {
		const uint64_t mask = thread->alt_mask;

		thread->alt_is_off = !thread->alt_disarms;
		/* None, where too little is left. */
		if (thread->alt_is_off &&
		    (sp - thread->alt_low < RED_ZONE ||
		     set_stack(thread->alt_low, sp - RED_ZONE - thread->alt_low, 0)))
			set_stack(0, 0, SS_DISABLE);
		scar_sys(__NR_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	} else if (thread->alt_is_off && !scar_stack_holds(thread, sp)) {
		thread->alt_is_off = false;
		set_stack(thread->alt_low, thread->alt_bytes, 0);
	}
}

void scar_altstack_leave(const struct scar_thread *thread, uint64_t sp)
{
	if (!thread->alt_disarms && scar_altstack_holds(thread, sp))
		set_stack(0, 0, SS_DISABLE);
}

long scar_call_sigaltstack(struct scar_regs *r)
{
	const stack_t *new = (const stack_t *)r->arg[0];
	stack_t *old = (stack_t *)r->arg[1], copy;
	struct scar_thread *thread = scar_thread_self();
	long ret;

	if (!thread->alt_disarms && scar_altstack_holds(thread, r->sp)) {
		if (new) {
			copy = *new;
			return -EPERM;
		}
		if (old)
			*old = (stack_t){.ss_sp = (void *)(uintptr_t)thread->alt_low,
					 .ss_flags = SS_ONSTACK,
					 .ss_size = thread->alt_bytes};
		return 0;
	}
	if (new)
		copy = *new;
	ret = scar_sys(__NR_sigaltstack, new ? &copy : NULL, old);
	if (ret == 0 && new) {
		thread->alt_low = (uint64_t)(uintptr_t)copy.ss_sp;
		thread->alt_bytes = (copy.ss_flags & SS_DISABLE) ? 0 : copy.ss_size;
		thread->alt_disarms = ((unsigned)copy.ss_flags & SS_AUTODISARM) != 0;
		thread->alt_is_off = false;
	}
	return ret;
}
