/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/ptrace/regs.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

int scar_trace_regs_read(pid_t thread, struct scar_trace_regs *ret_regs)
{
	struct iovec vector = {&ret_regs->raw, sizeof(ret_regs->raw)};

	return ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &vector) ? -1 : 0;
}

int scar_trace_regs_write(pid_t thread, const struct scar_trace_regs *regs)
{
	struct scar_trace_regs copy = *regs;
	struct iovec vector = {&copy.raw, sizeof(copy.raw)};

	return ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &vector) ? -1 : 0;
}

uint64_t scar_trace_pc(const struct scar_trace_regs *regs)
{
	return regs->raw.rip;
}

uint64_t scar_trace_sp(const struct scar_trace_regs *regs)
{
	return regs->raw.rsp;
}

long scar_trace_call(const struct scar_trace_regs *regs, uint64_t ret_args[6])
{
	const struct user_regs_struct *r = &regs->raw;
	const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};

	memcpy(ret_args, args, sizeof(args));
	return (long)r->orig_rax;
}

bool scar_trace_is_native(pid_t thread, const struct scar_trace_regs *regs)
{
	long code;

	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, thread, regs->raw.rip - 2, NULL);
	return errno == 0 && (code & 0xffff) == 0x050f;
}

void scar_trace_renumber(struct scar_trace_regs *regs, long nr)
{
	regs->raw.orig_rax = (uint64_t)nr;
}

void scar_trace_divert(struct scar_trace_regs *regs, uint64_t enter)
{
	struct user_regs_struct *r = &regs->raw;

	/* The instruction itself leaves the address behind it in %rcx, where the loader looks. */
	r->rax = r->orig_rax;
	r->rcx = r->rip;
	r->rip = enter;
	r->orig_rax = ~0ull;
}

void scar_trace_return(struct scar_trace_regs *regs, const struct scar_trace_frame *frame)
{
	struct user_regs_struct *r = &regs->raw;

	r->rdi = frame->arg[0];
	r->rsi = frame->arg[1];
	r->rdx = frame->arg[2];
	r->r10 = frame->arg[3];
	r->r8 = frame->arg[4];
	r->r9 = frame->arg[5];
	r->rsp = frame->sp;
	r->rip = r->rcx = frame->resume;
	r->orig_rax = frame->nr;
	r->rax = (uint64_t)-ENOSYS; /* as at every entry */
}
