/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file regs.h
 * The registers of a guest thread that stopped at a system call; one file for each architecture.
 */
#ifndef SCAR_INVOKE_ENGINE_PTRACE_REGS_H
#define SCAR_INVOKE_ENGINE_PTRACE_REGS_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct scar_trace_regs {
	struct user_regs_struct raw;
};

/** struct scar_regs of the loader: a guest's call, as it was or as the loader changed it. */
struct scar_trace_frame {
	uint64_t nr;
	uint64_t arg[6];
	uint64_t resume; /**< the address behind the call */
	uint64_t sp;
};

/** 0 or -1 with errno, as ptrace(2). */
int scar_trace_regs_read(pid_t thread, struct scar_trace_regs *ret_regs);
int scar_trace_regs_write(pid_t thread, const struct scar_trace_regs *regs);

/** Address behind the system call instruction. */
uint64_t scar_trace_pc(const struct scar_trace_regs *regs);
/** Where the stack ends. */
uint64_t scar_trace_sp(const struct scar_trace_regs *regs);
/** The call's number and arguments. */
long scar_trace_call(const struct scar_trace_regs *regs, uint64_t ret_args[6]);

/** True if the thread is behind an instruction that makes this architecture's own system calls. */
bool scar_trace_is_native(pid_t thread, const struct scar_trace_regs *regs);
/** Gives the call another number, for the loader. */
void scar_trace_renumber(struct scar_trace_regs *regs, long nr);
/** The call shall not run; the thread goes on at `enter` of the loader, which finds the call. */
void scar_trace_divert(struct scar_trace_regs *regs, uint64_t enter);
/** The call that runs now is the frame's, made by the guest itself. */
void scar_trace_return(struct scar_trace_regs *regs, const struct scar_trace_frame *frame);

#endif
