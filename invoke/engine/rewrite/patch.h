/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file patch.h
 * Writes the jump over a site, and the trampoline it leads to.
 *
 * A trampoline leaves by one of three ways: the native system call, if the number turns out
 * to need no translation; the engine's handler; or, told so by the handler, a system call that
 * makes a thread. It knows the handler by absolute addresses below 2 GiB, its site by distance:
 * code and trampoline may move, but only together.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_PATCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/rewrite/site.h"

/** Upper bound of one trampoline. */
#define SCAR_TRAMPOLINE_MAX 256

/** Absolute addresses in the loader that trampolines use. */
struct scar_patch_abi {
	uint32_t enter_slot; /**< holds the address of the handler's entry */
	uint32_t child_slot; /**< holds the address where a new thread starts */
	uint32_t kinds;      /**< scar_call_kinds */
};

/**
 * What a trampoline gives the handler in %rcx; distances from the record itself to where
 * the guest goes on. Every register but %rcx, %r11 and %rax is then the guest's.
 */
struct scar_site_record {
	int32_t after; /**< past the system call, its result in %rax */
	int32_t pass;  /**< executes the system call natively */
	int32_t clone; /**< likewise; a child on its own stack goes to child_slot */
	int32_t site;  /**< the syscall instruction */
};

/**
 * Patches one site. `code` is where the bytes of the syscall instruction can be written and
 * code_addr where they will run; likewise for the trampoline.
 * @return bytes of trampoline, a multiple of 16; 0 if the site cannot be patched (distance)
 */
size_t scar_patch_site(const struct scar_patch_abi *abi, const struct scar_site *site,
		       uint8_t *code, uint64_t code_addr, uint8_t *trampoline,
		       uint64_t trampoline_addr);

/**
 * The record of the trampoline that byte `at` of `trampolines` lies in, up to where that leaves for the
 * handler; NULL if none follows. x86_64 only.
 */
const struct scar_site_record *scar_patch_record(const struct scar_patch_abi *abi,
						 const uint8_t *trampolines, size_t size,
						 size_t at);

#endif
