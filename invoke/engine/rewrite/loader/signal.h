/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file signal.h
 * SIGILL, while any site is patched with ud2: ours first, and the guest must not notice.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_SIGNAL_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_SIGNAL_H

#include <stdint.h>

struct scar_regs;

/** A ud2 site exists from now on: takes SIGILL over, keeping the guest's disposition aside. */
void scar_signal_claim(void);

long scar_call_sigaction(struct scar_regs *regs);
long scar_call_sigprocmask(struct scar_regs *regs);
long scar_call_sigsuspend(struct scar_regs *regs);

#endif
