/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file arch.h
 * What the loader needs to know of the architecture; each folder of that name defines:
 *
 *   SCAR_ADDRESS_BITS                      bits of a guest's address
 *   SCAR_THREAD_ALIGN                      alignment of a thread's block
 *   scar_arch_thread()                     the calling thread's block, inside the handler
 *   scar_arch_set_result(regs, result)     what the system call returns
 *   scar_arch_context_pc(context)          the interrupted instruction, to read and to change
 *   scar_arch_context_sp(context)          likewise the stack pointer
 *   SCAR_ARCH_KEPT                         words that struct scar_regs has of registers which C keeps
 *   SCAR_ARCH_HAS_POINTS                   scar_point and scar_context_guest exist (see handle.h)
 *   scar_arch_copy(to, from, len)          memcpy
 *   scar_arch_fill(to, byte, len)          memset
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_ARCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_ARCH_H

#if defined(__x86_64__)
#include "invoke/engine/rewrite/loader/x86_64/arch.h"
#elif defined(__aarch64__)
#include "invoke/engine/rewrite/loader/aarch64/arch.h"
#else
#error "no loader for this architecture"
#endif

#endif
