/* SPDX-License-Identifier: Apache-2.0 */
/** @file engines.h  The engines there are; for engine.c only. */
#ifndef SCAR_INVOKE_ENGINE_ENGINES_H
#define SCAR_INVOKE_ENGINE_ENGINES_H

#include "invoke/engine/engine.h"

extern const struct scar_engine_ops scar_engine_native;  /**< native.c: namespaces */
extern const struct scar_engine_ops scar_engine_rewrite; /**< rewrite/rewrite.c */
extern const struct scar_engine_ops scar_engine_ptrace;  /**< ptrace/ptrace.c */

#endif
