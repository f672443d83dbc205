/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/signal.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/arch.h"
#include "invoke/engine/rewrite/loader/loader.h"
#include "invoke/engine/rewrite/loader/text.h"

/* struct sigaction as the kernel has it, in full words. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

#define MASK_BYTES 8
#define ILL_BIT (1ull << (SIGILL - 1))
#define KERNEL_SA_RESTORER 0x04000000ull

extern void scar_signal_return(void);

static volatile bool claimed;
/* What the guest believes to be its action for SIGILL. */
static struct action guest_action;

static void set_action(int sig, const struct action *action)
{
	scar_sys(__NR_rt_sigaction, sig, action, NULL, MASK_BYTES);
}

static void on_sigill(int sig, siginfo_t *info, ucontext_t *context)
{
	uint64_t *pc = scar_arch_context_pc(context);
	uint64_t trampoline = scar_text_trap(*pc);
	struct action action = guest_action;

	if (trampoline) {
		*pc = trampoline;
		return;
	}
	if (action.handler == (uint64_t)(uintptr_t)SIG_DFL ||
	    action.handler == (uint64_t)(uintptr_t)SIG_IGN) {
		/* Returning executes the faulty instruction again, now with the kernel's answer. */
		set_action(SIGILL,
			   &(struct action){.flags = KERNEL_SA_RESTORER,
					    .restorer = (uint64_t)(uintptr_t)scar_signal_return});
		return;
	}
	/* The guest's mask for its handler, as far as it can be given after the fact. */
	action.mask &= ~ILL_BIT;
	scar_sys(__NR_rt_sigprocmask, SIG_BLOCK, &action.mask, NULL, MASK_BYTES);
	if (action.flags & SA_RESETHAND)
		guest_action.handler = (uint64_t)(uintptr_t)SIG_DFL;
	((void (*)(int, siginfo_t *, ucontext_t *))(uintptr_t)action.handler)(sig, info, context);
}

void scar_signal_claim(void)
{
	const struct action ours = {
		.handler = (uint64_t)(uintptr_t)on_sigill,
		/* On the alternate stack, since goroutines have no room for a frame. */
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | KERNEL_SA_RESTORER,
		.restorer = (uint64_t)(uintptr_t)scar_signal_return,
	};
	uint64_t mask = ILL_BIT;

	scar_loader.page_traps++;
	if (claimed)
		return;
	scar_sys(__NR_rt_sigaction, SIGILL, NULL, &guest_action, MASK_BYTES);
	set_action(SIGILL, &ours);
	claimed = true;
	scar_sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, MASK_BYTES);
}

long scar_call_sigaction(struct scar_regs *regs)
{
	const struct action *new = (const struct action *)regs->arg[1];
	struct action *old = (struct action *)regs->arg[2], copy;

	if (!claimed || regs->arg[3] != MASK_BYTES || (new &&scar_is_bad_pointer(new)) ||
	    (old && scar_is_bad_pointer(old)))
		return scar_sys(__NR_rt_sigaction, regs->arg[0], new, old, regs->arg[3]);
	if (new)
		copy = *new;
	if (regs->arg[0] == SIGILL) {
		if (old)
			*old = guest_action;
		if (new)
			guest_action = copy;
		return 0;
	}
	if (new)
		copy.mask &= ~ILL_BIT;
	return scar_sys(__NR_rt_sigaction, regs->arg[0], new ? &copy : NULL, old, MASK_BYTES);
}

long scar_call_sigprocmask(struct scar_regs *regs)
{
	const uint64_t *set = (const uint64_t *)regs->arg[1];
	uint64_t copy;

	if (!claimed || regs->arg[3] != MASK_BYTES || !set || scar_is_bad_pointer(set))
		return scar_sys(__NR_rt_sigprocmask, regs->arg[0], set, regs->arg[2], regs->arg[3]);
	copy = *set;
	if (regs->arg[0] != SIG_UNBLOCK)
		copy &= ~ILL_BIT;
	return scar_sys(__NR_rt_sigprocmask, regs->arg[0], &copy, regs->arg[2], MASK_BYTES);
}

long scar_call_sigsuspend(struct scar_regs *regs)
{
	const uint64_t *set = (const uint64_t *)regs->arg[0];
	uint64_t copy;

	if (!claimed || regs->arg[1] != MASK_BYTES || scar_is_bad_pointer(set))
		return scar_sys(__NR_rt_sigsuspend, set, regs->arg[1]);
	copy = *set & ~ILL_BIT;
	return scar_sys(__NR_rt_sigsuspend, &copy, MASK_BYTES);
}
