/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file signal.h
 * Signals whose handler is the engine's in the kernel's eyes; the guest sees its own disposition.
 *
 * SIGSEGV and SIGBUS: a bad pointer that the guest gave a call is -EFAULT (interrupt.c). 32 and 33, by which
 * C libraries cancel threads: the guest's handler must find the thread at the guest's own instruction.
 * SIGILL while any site is patched with an illegal instruction; it must not be blocked then.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_SIGNAL_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_SIGNAL_H

#include <stdint.h>

struct scar_regs;

/** struct sigaction as the kernel has it, in full words. */
struct scar_action {
	uint64_t handler, flags, restorer, mask;
};

#define SCAR_SIGNALS 64
/** The two that C libraries keep for themselves. */
#define SCAR_SIGNAL_CANCEL_LOW 32
#define SCAR_SIGNAL_CANCEL_HIGH 33

/** A program starts: from now on bad pointers are answered. */
void scar_signal_start(void);

/** A site with an illegal instruction exists from now on. */
void scar_signal_claim(void);

/** What the guest wants to happen; SA_RESETHAND takes effect by asking. */
struct scar_action scar_signal_take(int sig);

/** Leaves the signal to the kernel, as if nobody had set a handler. */
void scar_signal_default(int sig);

long scar_call_sigaction(struct scar_regs *regs);
long scar_call_sigprocmask(struct scar_regs *regs);
long scar_call_sigsuspend(struct scar_regs *regs);

#endif
