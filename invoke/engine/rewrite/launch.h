/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file launch.h
 * Starts the loader, which then loads the guest's program and stays to answer its system calls.
 *
 * Who brings it the calls is the engine's affair: the rewrite engine's patched text, or the ptrace
 * engine's tracer (SCAR_GUEST_TRACED), which needs the addresses below.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LAUNCH_H
#define SCAR_INVOKE_ENGINE_REWRITE_LAUNCH_H

#include <stdint.h>

struct scar_engine_spec;
struct scar_err;

/** All that the child needs, made before the fork. */
struct scar_launch;

/**
 * Installs the loader in the spec's state directory and prepares its arguments. flags are bits of
 * enum scar_guest_flag.
 */
int scar_launch_create(const struct scar_engine_spec *spec, unsigned flags,
		       struct scar_launch **ret_launch, struct scar_err *err);
void scar_launch_free(struct scar_launch *launch);

/** In the child of scar_spawn: becomes the loader, or tells why not. Async-signal-safe. */
void scar_launch_exec(const struct scar_launch *launch) __attribute__((noreturn));

/** Addresses in every process that runs the loader. */
struct scar_launch_addresses {
	uint64_t enter; /**< takes a system call; x86-64: %rcx is the address behind the guest's */
	uint64_t pass;  /**< where it asks for the guest's own call to run */
	uint64_t low, high; /**< it itself; its own system calls come from there */
};

/** 0, or SCAR_ERR_ENGINE if there is no loader for this machine. */
int scar_launch_probe(struct scar_err *err);

/** 0, or SCAR_ERR_ENGINE if this machine's loader cannot be traced. */
int scar_launch_addresses(struct scar_launch_addresses *ret_addresses, struct scar_err *err);

#endif
