/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/signal.h"

#include <errno.h>
#include <linux/mman.h>
#include <signal.h>
#include <stddef.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/handle.h"

#define MASK_BYTES 8
#define BIT(sig) (1ull << ((sig)-1))
#define KERNEL_SA_RESTORER 0x04000000ull
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

extern void scar_signal_entry(void), scar_signal_return(void);

/* What scar_point lets come again. */
extern const uint64_t scar_cancel_mask;
const uint64_t scar_cancel_mask = BIT(SCAR_SIGNAL_CANCEL_LOW) | BIT(SCAR_SIGNAL_CANCEL_HIGH);

static volatile bool claimed;
/* What the guest believes, of those signals whose bit is set in `ours`. */
static struct scar_action guest_actions[SCAR_SIGNALS + 1];
static uint64_t ours;
/* Holds the process that guest_actions is true of; a fork wipes it, a vfork does not. */
static int *owner;

static uint64_t address(void (*function)(void))
{
	return (uint64_t)(uintptr_t)function;
}

static bool is_handler(const struct scar_action *action)
{
	return action->handler != (uint64_t)(uintptr_t)SIG_DFL &&
	       action->handler != (uint64_t)(uintptr_t)SIG_IGN;
}

static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS;
}

static bool is_cancel(int sig)
{
	return sig == SCAR_SIGNAL_CANCEL_LOW || sig == SCAR_SIGNAL_CANCEL_HIGH;
}

static bool is_watched(int sig)
{
	return is_fault(sig) || is_cancel(sig) || (sig == SIGILL && claimed);
}

static long set_action(int sig, const struct scar_action *action)
{
	return scar_sys(__NR_rt_sigaction, sig, action, NULL, MASK_BYTES);
}

/* Our handler with the guest's flags, so that the kernel does as the guest expects. */
static long install_ours(int sig, const struct scar_action *guest)
{
	struct scar_action action = *guest;

	action.handler = address(scar_signal_entry);
	if (!is_handler(guest)) {
		action.flags = SA_ONSTACK | SA_NODEFER | SA_RESTART;
		action.mask = 0;
	}
	if (!(action.flags & KERNEL_SA_RESTORER)) {
		action.flags |= KERNEL_SA_RESTORER;
		action.restorer = address(scar_signal_return);
	}
	action.flags |= SA_SIGINFO;
	action.flags &= ~(uint64_t)SA_RESETHAND;
	/* At a trap, goroutines have no room for a frame, and its handler may run into another. */
	if (sig == SIGILL)
		action.flags |= SA_ONSTACK | SA_NODEFER;
	if (claimed)
		action.mask &= ~BIT(SIGILL);
	return set_action(sig, &action);
}

static long install(int sig, const struct scar_action *guest)
{
	const bool is_ours = sig == SIGILL || is_handler(guest) ||
			     (is_fault(sig) && guest->handler == (uint64_t)(uintptr_t)SIG_DFL);
	/* An ignored signal stays ignored over execve(2), which only the kernel can know. */
	long ret = is_ours ? install_ours(sig, guest) : set_action(sig, guest);

	if (ret)
		return ret;
	guest_actions[sig] = *guest;
	if (is_ours)
		__atomic_or_fetch(&ours, BIT(sig), __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&ours, ~BIT(sig), __ATOMIC_RELEASE);
	return 0;
}

static struct scar_action disposition(int sig)
{
	struct scar_action action = guest_actions[sig];

	if (!(__atomic_load_n(&ours, __ATOMIC_ACQUIRE) & BIT(sig)))
		scar_sys(__NR_rt_sigaction, sig, NULL, &action, MASK_BYTES);
	return action;
}

void scar_signal_start(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS};

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct scar_action action = disposition(faults[i]);

		install(faults[i], &action);
	}
}

void scar_signal_claim(void)
{
	struct scar_action action;
	uint64_t mask = BIT(SIGILL);

	scar_loader.page_traps++;
	if (claimed)
		return;
	action = disposition(SIGILL);
	claimed = true;
	install(SIGILL, &action);
	scar_sys(__NR_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, MASK_BYTES);
}

void scar_signal_default(int sig)
{
	set_action(sig, &(struct scar_action){.flags = KERNEL_SA_RESTORER,
					      .restorer = address(scar_signal_return)});
}

struct scar_action scar_signal_take(int sig)
{
	struct scar_action action = guest_actions[sig];

	if ((action.flags & SA_RESETHAND) && is_handler(&action))
		guest_actions[sig].handler = (uint64_t)(uintptr_t)SIG_DFL;
	return action;
}

/*
 * True in a child that shares our memory but not our dispositions (vfork, posix_spawn): what it changes
 * there is only the kernel's to know.
 */
static bool is_borrowed(const struct scar_action *new)
{
	const int pid = (int)scar_sys(__NR_getpid);
	long got;

	if (!owner) {
		/* Until the guest has a handler there is nothing that could be spoilt. */
		if (!is_handler(new))
			return false;
		got = scar_sys(__NR_mmap, 0, 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (scar_sys_failed(got))
			return false;
		if (scar_sys(__NR_madvise, got, 4096, MADV_WIPEONFORK)) {
			scar_sys(__NR_munmap, got, 4096);
			return false;
		}
		owner = (int *)got;
	}
	if (!*owner)
		*owner = pid;
	return *owner != pid;
}

/* A signal that is none of ours; only SIGILL must stay out of its mask. */
static long set_other(const struct scar_regs *r, const struct scar_action *new)
{
	struct scar_action copy;

	if (!claimed || !new)
		return SCAR_PASS;
	copy = *new;
	copy.mask &= ~BIT(SIGILL);
	return scar_sys(__NR_rt_sigaction, r->arg[0], &copy, r->arg[2], MASK_BYTES);
}

long scar_call_sigaction(struct scar_regs *r)
{
	const struct scar_action *new = (const struct scar_action *)r->arg[1];
	struct scar_action *old = (struct scar_action *)r->arg[2], copy, shown;
	const int sig = (int)r->arg[0];
	long ret = 0;

	if (r->arg[3] != MASK_BYTES)
		return SCAR_PASS;
	if (!is_watched(sig))
		return set_other(r, new);
	shown = disposition(sig);
	if (new) {
		copy = *new;
		if (!is_borrowed(&copy))
			ret = install(sig, &copy);
		else if (sig != SIGILL) /* at which a child on our text still runs into traps */
			ret = set_action(sig, &copy);
	}
	if (ret == 0 && old)
		*old = shown;
	return ret;
}

/* ---- masks: SIGILL stays open while the guest believes what it likes ---- */

static bool blocks_ill(const struct scar_thread *thread, long how, const uint64_t *set)
{
	if (!set || ((how == SIG_BLOCK || how == SIG_UNBLOCK) && !(*set & BIT(SIGILL))))
		return thread->ill_blocked;
	return how != SIG_UNBLOCK && (*set & BIT(SIGILL));
}

long scar_call_sigprocmask(struct scar_regs *r)
{
	const uint64_t *set = (const uint64_t *)r->arg[1];
	uint64_t *old = (uint64_t *)r->arg[2], copy = 0;
	struct scar_thread *thread = scar_thread_self();
	const bool was_blocked = thread->ill_blocked, blocked = blocks_ill(thread, r->arg[0], set);
	long ret;

	if (!claimed || r->arg[3] != MASK_BYTES)
		return SCAR_PASS;
	if (set)
		copy = *set & ~BIT(SIGILL);
	ret = scar_sys(__NR_rt_sigprocmask, r->arg[0], set ? &copy : NULL, old, MASK_BYTES);
	if (ret)
		return ret;
	thread->ill_blocked = blocked;
	if (old && was_blocked)
		*old |= BIT(SIGILL);
	if (!blocked && thread->ill_pending) {
		thread->ill_pending = false;
		scar_sys(__NR_tgkill, scar_sys(__NR_getpid), scar_sys(__NR_gettid), SIGILL);
	}
	return 0;
}

long scar_call_sigsuspend(struct scar_regs *r)
{
	const uint64_t *set = (const uint64_t *)r->arg[0];
	uint64_t copy;

	if (!claimed || r->arg[1] != MASK_BYTES)
		return SCAR_PASS;
	copy = *set & ~BIT(SIGILL);
	return scar_call_point(__NR_rt_sigsuspend, (long)&copy, MASK_BYTES, 0, 0, 0, 0);
}
