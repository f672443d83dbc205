/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file jail_filter.h
 * The system calls that Lambda refuses, as a seccomp filter.
 *
 * EPERM: ptrace, seccomp, prctl(NO_NEW_PRIVS, SECCOMP, NAME, PDEATHSIG, SYSCALL_USER_DISPATCH), unshare, setns,
 * clone with any namespace flag, chroot, pivot_root, the mount family, fallocate, the set*id family,
 * bpf, perf_event_open, raw and packet sockets. ENOSYS: inotify_init*, rseq, landlock_*, io_uring_*, and clone3
 * (whose flags a filter cannot see). An older kernel is imitated by ENOSYS for what it lacks.
 */
#ifndef SCAR_RUNTIME_EMULATOR_JAIL_FILTER_H
#define SCAR_RUNTIME_EMULATOR_JAIL_FILTER_H

#include <stddef.h>

struct scar_err;
struct sock_filter;

enum scar_jail_kernel {
	SCAR_JAIL_KERNEL_HOST,
	SCAR_JAIL_KERNEL_5_10, /**< Lambda's on Amazon Linux 2023, as last seen */
	/** Lambda's on Amazon Linux 2, as last seen; statx is hidden too, so that its fallbacks run. */
	SCAR_JAIL_KERNEL_4_14
};

/** A program for the kernel, ready to be loaded after fork without any library. */
struct scar_jail_filter {
	struct sock_filter *code; /**< owned */
	size_t count;
};

int scar_jail_filter_build(enum scar_jail_kernel kernel, struct scar_jail_filter *ret_filter,
			   struct scar_err *err);
void scar_jail_filter_clear(struct scar_jail_filter *filter);

#endif
