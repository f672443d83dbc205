/* SPDX-License-Identifier: Apache-2.0 */
/** @file config.h  Switches of the rewrite engine, from the environment; each forces a fallback. */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_CONFIG_H
#define SCAR_INVOKE_ENGINE_REWRITE_CONFIG_H

/**
 * SCAR_NO_OPENAT2=1 walks paths as on kernels before 5.6; SCAR_NO_FSGSBASE=1 sets %gs by system
 * call as before 5.9; SCAR_REWRITE_TACTIC=trap patches
 * with ud2 only; SCAR_REWRITE_CACHE=0 keeps no patched text; SCAR_REWRITE_TRACE=1 prints calls.
 * @return enum scar_guest_flag bits
 */
unsigned scar_rewrite_flags(void);

#endif
