/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when one of the signals comes that the engine looks at first: see signal.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/loader/handle.h"
#include "invoke/engine/rewrite/loader/signal.h"
#include "invoke/engine/rewrite/loader/text.h"

typedef void (*handler_function)(int, siginfo_t *, ucontext_t *);

extern const char scar_enter_abort[];
extern const char __executable_start[], _end[];

/** Called by entry.S. @return the guest's handler to go on with, or 0 if there is nothing left to do */
uint64_t scar_signal_decide(int sig, siginfo_t *info, ucontext_t *context);

static bool is_ours(uint64_t address)
{
	return address >= (uint64_t)(uintptr_t)__executable_start &&
	       address < (uint64_t)(uintptr_t)_end;
}

/* The call in progress that was interrupted, or NULL: the guest itself was, or the way in or out. */
static struct scar_frame *interrupted_call(ucontext_t *context)
{
	const uint64_t sp = *scar_arch_context_sp(context);
	struct scar_thread *thread = is_ours(*scar_arch_context_pc(context))
					     ? scar_thread_anywhere()
					     : NULL;
	struct scar_frame *frame = thread ? thread->frame : NULL;

	if (!frame)
		return NULL;
	return sp >= (uint64_t)thread->low && sp < (uint64_t)frame &&
			       (uint64_t)frame < (uint64_t)thread
		       ? frame
		       : NULL;
}

/* A pointer of the guest led nowhere: the call fails as the kernel's own would. */
static bool answer_bad_pointer(const siginfo_t *info, ucontext_t *context)
{
	const struct scar_frame *frame = interrupted_call(context);

	if (info->si_code <= 0 || !frame || is_ours((uint64_t)(uintptr_t)info->si_addr))
		return false;
	*scar_arch_context_pc(context) = (uint64_t)(uintptr_t)scar_enter_abort;
	*scar_arch_context_sp(context) = (uint64_t)(uintptr_t)frame->regs;
	return true;
}

/* The guest has no handler: what the kernel does then, it does when we return. */
static void act_by_default(int sig, const siginfo_t *info, const struct scar_action *action)
{
	const bool is_sent = info->si_code <= 0;

	if (is_sent && action->handler == (uint64_t)(uintptr_t)SIG_IGN)
		return;
	scar_signal_default(sig);
	/* A fault comes again by itself, as the instruction does. */
	if (is_sent)
		scar_sys(__NR_tgkill, scar_sys(__NR_getpid), scar_sys(__NR_gettid), sig);
}

#if SCAR_ARCH_HAS_POINTS
extern const char scar_point[], scar_point_call[], scar_point_after[];

static uint64_t site_of(const struct scar_site_record *record)
{
	return (uint64_t)(uintptr_t)record + (uint64_t)(int64_t)record->site;
}

/*
 * Calls the guest's handler with a thread that is where the guest would find it without us. If that makes
 * it go on elsewhere, the call is over; else all is as it was.
 */
static void call_shown(handler_function handler, int sig, siginfo_t *info, ucontext_t *context,
		       struct scar_frame *frame, uint64_t shown)
{
	struct scar_thread *thread = scar_thread_anywhere();
	gregset_t saved = {0};

	memcpy(saved, context->uc_mcontext.gregs, sizeof(saved));
	if (frame)
		scar_context_guest(context, frame->regs);
	*scar_arch_context_pc(context) = shown;
	handler(sig, info, context);
	if (*scar_arch_context_pc(context) == shown) {
		memcpy(context->uc_mcontext.gregs, saved, sizeof(saved));
		return;
	}
	if (frame) {
		scar_frame_end(frame);
		thread->top = (char *)frame->regs->saved_top;
	}
}

/* True if the guest's handler was called with a pc of the guest's. */
static bool call_at_point(handler_function handler, int sig, siginfo_t *info, ucontext_t *context)
{
	const uint64_t pc = *scar_arch_context_pc(context);
	struct scar_frame *frame = interrupted_call(context);
	const struct scar_site_record *record;
	uint64_t shown;

	if (frame && pc >= (uint64_t)(uintptr_t)scar_point &&
	    pc <= (uint64_t)(uintptr_t)scar_point_after) {
		shown = scar_resume_site(frame->regs);
		if (pc == (uint64_t)(uintptr_t)scar_point_after)
			shown += SCAR_CALL_BYTES;
		call_shown(handler, sig, info, context, frame, shown);
		return true;
	}
	if (is_ours(pc)) {
		/* Neither here nor there: the call, if it ever waits, lets the signal come again. */
		scar_thread_anywhere()->hit = 1;
		return false;
	}
	record = scar_text_record(pc);
	if (!record)
		return false;
	shown = site_of(record);
	if (pc >= (uint64_t)(uintptr_t)record + (uint64_t)(int64_t)record->after)
		shown += SCAR_CALL_BYTES;
	call_shown(handler, sig, info, context, NULL, shown);
	return true;
}
#else
static bool call_at_point(handler_function handler, int sig, siginfo_t *info, ucontext_t *context)
{
	(void)handler, (void)sig, (void)info, (void)context;
	return false;
}
#endif

uint64_t scar_signal_decide(int sig, siginfo_t *info, ucontext_t *context)
{
	uint64_t *pc = scar_arch_context_pc(context), trampoline;
	struct scar_thread *thread;
	struct scar_action action;

	if (sig == SIGILL) {
		trampoline = scar_text_trap(*pc);
		if (trampoline) {
			*pc = trampoline;
			return 0;
		}
		thread = scar_thread_anywhere();
		if (info->si_code <= 0 && thread && thread->ill_blocked) {
			thread->ill_pending = true;
			return 0;
		}
	}
	if ((sig == SIGSEGV || sig == SIGBUS) && answer_bad_pointer(info, context))
		return 0;
	action = scar_signal_take(sig);
	if (action.handler == (uint64_t)(uintptr_t)SIG_DFL ||
	    action.handler == (uint64_t)(uintptr_t)SIG_IGN) {
		act_by_default(sig, info, &action);
		return 0;
	}
	if ((sig == SCAR_SIGNAL_CANCEL_LOW || sig == SCAR_SIGNAL_CANCEL_HIGH) &&
	    call_at_point((handler_function)(uintptr_t)action.handler, sig, info, context))
		return 0;
	return action.handler;
}
