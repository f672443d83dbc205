/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/ptrace/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/rewrite/launch.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* Steps before libseccomp's program, which jump over no more than themselves. */
#define PRELUDE 11
#define FILTER_STEPS_MAX BPF_MAXINSNS

/* When a call that has code in the loader needs it. */
enum when {
	NEVER = 1, /* only rewriting must follow it */
	IF_SET,    /* the argument is not zero */
	IF_MASKED, /* the argument has `value` under `mask` */
};

/* Several rows for one call: any of them. */
struct narrow {
	int nr;
	enum when when;
	unsigned arg; /* from 0 */
	uint64_t mask, value;
};

/* The loader's addresses; a call that takes them away must not succeed. */
#define LOADER_MASK 0xfffffffff0000000ull
#define LOADER_VALUE 0x60000000ull

static const struct narrow narrows[] = {
	{__NR_mmap, IF_MASKED, 3, MAP_FIXED, MAP_FIXED},
	{__NR_munmap, IF_MASKED, 0, LOADER_MASK, LOADER_VALUE},
	{__NR_mremap, IF_MASKED, 0, LOADER_MASK, LOADER_VALUE},
	{__NR_mprotect, IF_MASKED, 0, LOADER_MASK, LOADER_VALUE},
	{__NR_pkey_mprotect, IF_MASKED, 0, LOADER_MASK, LOADER_VALUE},
	/* The signals that the loader looks at first (loader/signal.h). */
	{__NR_rt_sigaction, IF_MASKED, 0, 0xffffffff, SIGSEGV},
	{__NR_rt_sigaction, IF_MASKED, 0, 0xffffffff, SIGBUS},
	{__NR_rt_sigaction, IF_MASKED, 0, 0xfffffffe, 32 /* by which C libraries cancel threads */},
	{__NR_rt_sigprocmask, NEVER, 0, 0, 0},
	{__NR_rt_sigsuspend, NEVER, 0, 0, 0},
	{__NR_clone, IF_MASKED, 0, CLONE_VM, CLONE_VM},
	/* What is remembered of the working directory (loader/known.c). */
	{__NR_clone, IF_MASKED, 0, CLONE_FS, CLONE_FS},
	{__NR_clone, IF_MASKED, 0, CLONE_UNTRACED, CLONE_UNTRACED},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWNS, CLONE_NEWNS},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWCGROUP, CLONE_NEWCGROUP},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWUTS, CLONE_NEWUTS},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWIPC, CLONE_NEWIPC},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWUSER, CLONE_NEWUSER},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWPID, CLONE_NEWPID},
	{__NR_clone, IF_MASKED, 0, CLONE_NEWNET, CLONE_NEWNET},
	{__NR_sendto, IF_SET, 4, 0, 0},
	{__NR_recvfrom, IF_SET, 4, 0, 0},
	{__NR_accept, IF_SET, 1, 0, 0},
	{__NR_accept4, IF_SET, 1, 0, 0},
	{__NR_getsockopt, IF_MASKED, 1, 0xffffffff, SOL_SOCKET},
#ifdef __x86_64__
	{__NR_arch_prctl, IF_MASKED, 0, 0xffffffff, 0x1001 /* ARCH_SET_GS */},
#endif
};

#define NARROW_COUNT (sizeof(narrows) / sizeof(narrows[0]))

static bool matches(const struct narrow *n, const uint64_t args[6])
{
	switch (n->when) {
	case NEVER: return false;
	case IF_SET: return args[n->arg] != 0;
	case IF_MASKED: return (args[n->arg] & n->mask) == n->value;
	}
	return true;
}

bool scar_trace_wants(long nr, const uint64_t args[6])
{
	bool narrowed = false;

	if (nr < 0 || nr >= SCAR_CALLS_END)
		return true;
	if (scar_call_kinds[nr] == SCAR_CALL_PASS)
		return false;
	for (size_t i = 0; i < NARROW_COUNT; i++) {
		if (narrows[i].nr != nr)
			continue;
		if (matches(&narrows[i], args))
			return true;
		narrowed = true;
	}
	return !narrowed;
}

/* The rules of a call that the loader answers. */
static int add_traced(scmp_filter_ctx ctx, int nr)
{
	const uint32_t trace = SCMP_ACT_TRACE(0);
	bool narrowed = false;
	int ret = 0;

	for (size_t i = 0; i < NARROW_COUNT && ret == 0; i++) {
		const struct narrow *n = &narrows[i];

		if (n->nr != nr)
			continue;
		narrowed = true;
		if (n->when == IF_SET)
			ret = seccomp_rule_add(ctx, trace, nr, 1,
					       SCMP_CMP64(n->arg, SCMP_CMP_NE, 0, 0));
		else if (n->when == IF_MASKED)
			ret = seccomp_rule_add(
				ctx, trace, nr, 1,
				SCMP_CMP64(n->arg, SCMP_CMP_MASKED_EQ, n->mask, n->value));
	}
	return narrowed ? ret : seccomp_rule_add(ctx, trace, nr, 0);
}

static int add_rules(scmp_filter_ctx ctx)
{
	int ret = 0;

	for (int nr = 0; nr < SCAR_CALLS_END && ret == 0; nr++) {
		switch ((enum scar_call_kind)scar_call_kinds[nr]) {
		case SCAR_CALL_PASS: break;
		case SCAR_CALL_PATHS:
		case SCAR_CALL_OWN: ret = add_traced(ctx, nr); break;
		case SCAR_CALL_EPERM:
			ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
			break;
		case SCAR_CALL_ENOSYS:
			ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
			break;
		}
	}
	return ret;
}

/*
 * libseccomp knows no instruction pointers, so where a call comes from is asked before its program
 * begins. Numbers beyond the table, those of the x32 entry among them, are answered here too.
 */
static void put_prelude(const struct scar_launch_addresses *a, struct sock_filter code[PRELUDE])
{
	const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
	const struct sock_filter prelude[PRELUDE] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)a->pass, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)a->high, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)a->low, 2, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SCAR_CALLS_END, 2, 3),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(code, prelude, sizeof(prelude));
}

static int make_context(scmp_filter_ctx ctx, struct scar_err *err)
{
	int ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
				   SCMP_ACT_TRACE(SCAR_TRACE_FOREIGN));

	/* A tree of numbers rather than a list: a matter of speed, which old versions lack. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (ret == 0)
		ret = add_rules(ctx);
	return ret ? scar_err_errno(err, -ret, "cannot make the filter of system calls") : 0;
}

/* libseccomp writes programs to descriptors only. */
static int export_context(scmp_filter_ctx ctx, struct scar_trace_filter *filter,
			  struct scar_err *err)
{
	scar_fd_auto int fd = memfd_create("filter", MFD_CLOEXEC);
	const size_t step = sizeof(struct sock_filter);
	struct stat st;
	int ret;

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot make memory for the filter");
	ret = seccomp_export_bpf(ctx, fd);
	if (ret || fstat(fd, &st))
		return scar_err_errno(err, ret ? -ret : errno, "cannot write the filter");
	if (st.st_size <= 0 || (size_t)st.st_size > (FILTER_STEPS_MAX - PRELUDE) * step)
		return scar_err_set(err, SCAR_ERR_ENGINE, "the filter is too long");
	filter->code = calloc(PRELUDE + (size_t)st.st_size / step, step);
	if (!filter->code)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (pread(fd, filter->code + PRELUDE, (size_t)st.st_size, 0) != st.st_size) {
		scar_trace_filter_clear(filter);
		return scar_err_set(err, SCAR_ERR_ENGINE, "cannot read the filter back");
	}
	filter->len = (unsigned short)(PRELUDE + (size_t)st.st_size / step);
	return 0;
}

int scar_trace_filter_create(const struct scar_launch_addresses *addresses,
			     struct scar_trace_filter *ret_filter, struct scar_err *err)
{
	struct scar_trace_filter filter = {.code = NULL};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int ret;

	if (!ctx)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	ret = make_context(ctx, err) || export_context(ctx, &filter, err) ? -1 : 0;
	seccomp_release(ctx);
	if (ret)
		return -1;
	put_prelude(addresses, filter.code);
	*ret_filter = filter;
	return 0;
}

void scar_trace_filter_clear(struct scar_trace_filter *filter)
{
	free(filter->code);
	*filter = (struct scar_trace_filter){.code = NULL};
}

int scar_trace_filter_install(const struct scar_trace_filter *filter)
{
	const struct sock_fprog program = {.len = filter->len, .filter = filter->code};

	/* seccomp(2): root needs no promise that the guest could see in its status. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
		return 0;
	if (errno != EACCES)
		return errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		return errno;
	return 0;
}
