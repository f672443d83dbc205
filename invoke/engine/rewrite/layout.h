/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layout.h
 * What the architecture's jumps allow: how long a system call instruction is, and how far from
 * the text its trampolines may lie.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LAYOUT_H
#define SCAR_INVOKE_ENGINE_REWRITE_LAYOUT_H

#if defined(__x86_64__)
#define SCAR_CALL_BYTES 2u
/* Libraries lie high and close together, so look below them; fixed programs lie low. */
#define SCAR_DELTA_MOVABLE (-0x20000000ll)
#define SCAR_DELTA_FIXED 0x38000000ll
/* Where trampolines are tried when text is patched in memory, in steps from the text. */
#define SCAR_ARENA_STEP 0x1000000ll
#define SCAR_ARENA_TRIES 100
#elif defined(__aarch64__)
#define SCAR_CALL_BYTES 4u
/* A branch reaches 128 MiB. */
#define SCAR_DELTA_MOVABLE (-0x6000000ll)
#define SCAR_DELTA_FIXED 0x7000000ll
#define SCAR_ARENA_STEP 0x200000ll
#define SCAR_ARENA_TRIES 60
#else
#error "no layout for this architecture"
#endif

/** Before the entry point of a loader that a tracer can bring system calls to. */
#define SCAR_LAUNCH_MAGIC 0x31454341525443ff

#endif
