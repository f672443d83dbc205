/* SPDX-License-Identifier: Apache-2.0 */
/** @file config.h  Switches of the engines, from the environment; each forces a fallback. */
#ifndef SCAR_INVOKE_ENGINE_CONFIG_H
#define SCAR_INVOKE_ENGINE_CONFIG_H

#include <stdbool.h>

/** SCAR_ENGINE_REFUSE=native,rewrite,...: engines whose probe shall fail, as where they are not permitted. */
bool scar_engine_is_refused(const char *name);

/** SCAR_PTRACE_FILTER=0: the ptrace engine stops at every system call, as where filters are refused. */
bool scar_engine_filter_is_refused(void);

/** SCAR_NO_PIVOT_ROOT=1: the native engine uses chroot(2), as where the root cannot be put aside. */
bool scar_engine_pivot_is_refused(void);

#endif
