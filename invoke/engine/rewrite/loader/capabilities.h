/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file capabilities.h
 * The capabilities that the guest believes to have (capabilities(7)): a program that starts as root
 * has all of them, any other none. Programs that give up root keep some on the way, and stop if
 * that fails.
 *
 * They count for what the engine decides itself: ids, owners. The kernel knows of none of them.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_CAPABILITIES_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_CAPABILITIES_H

#include "invoke/engine/rewrite/loader/thread.h"

/** Of capability CAP_..., whether it is effective. */
bool scar_capable(unsigned capability);
/** Around a change of the user's ids; call the first before it, and hand its result to the second. */
struct scar_guest_ids scar_capabilities_before(void);
void scar_capabilities_after(const struct scar_guest_ids *before);
/** prctl(PR_SET_KEEPCAPS): permitted ones survive a change to another user. */
void scar_capabilities_keep(bool keep);

long scar_call_capget(const struct scar_regs *regs);
long scar_call_capset(const struct scar_regs *regs);

#endif
