/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader of this architecture has no entry for a tracer yet, so the engine's probe fails before
 * any of this is used; what the kernel's interface needs is here all the same.
 */
#include "invoke/engine/ptrace/regs.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define CALL_REGISTER 8
#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

int scar_trace_regs_read(pid_t thread, struct scar_trace_regs *ret_regs)
{
	struct iovec vector = {&ret_regs->raw, sizeof(ret_regs->raw)};

	return ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &vector) ? -1 : 0;
}

int scar_trace_regs_write(pid_t thread, const struct scar_trace_regs *regs)
{
	struct scar_trace_regs copy = *regs;
	struct iovec vector = {&copy.raw, sizeof(copy.raw)};
	int nr = (int)regs->raw.regs[CALL_REGISTER];
	struct iovec number = {&nr, sizeof(nr)};

	/* The number that the kernel goes by is apart from the register that the guest put it in. */
	if (ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &vector))
		return -1;
	return ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number) ? -1 : 0;
}

uint64_t scar_trace_pc(const struct scar_trace_regs *regs)
{
	return regs->raw.pc;
}

uint64_t scar_trace_sp(const struct scar_trace_regs *regs)
{
	return regs->raw.sp;
}

long scar_trace_call(const struct scar_trace_regs *regs, uint64_t ret_args[6])
{
	memcpy(ret_args, regs->raw.regs, 6 * sizeof(ret_args[0]));
	return (long)regs->raw.regs[CALL_REGISTER];
}

bool scar_trace_is_native(pid_t thread, const struct scar_trace_regs *regs)
{
	(void)thread;
	(void)regs; /* 32-bit programs are programs of their own there */
	return true;
}

void scar_trace_renumber(struct scar_trace_regs *regs, long nr)
{
	regs->raw.regs[CALL_REGISTER] = (uint64_t)nr;
}

void scar_trace_divert(struct scar_trace_regs *regs, uint64_t enter)
{
	regs->raw.regs[CALL_REGISTER] = ~0ull;
	regs->raw.pc = enter;
}

void scar_trace_return(struct scar_trace_regs *regs, const struct scar_trace_frame *frame)
{
	memcpy(regs->raw.regs, frame->arg, sizeof(frame->arg));
	regs->raw.regs[CALL_REGISTER] = frame->nr;
	regs->raw.sp = frame->sp;
	regs->raw.pc = frame->resume;
}
