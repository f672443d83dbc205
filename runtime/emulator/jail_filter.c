/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/jail_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* From 424 on, every architecture gives a system call the same number (Linux 5.1). */
#define FIRST_COMMON_NR 424
#define LAST_HIDDEN_NR 511
#define FIRST_NR_AFTER_5_10 441

static const int refused[] = {
	SCMP_SYS(ptrace),    SCMP_SYS(seccomp),    SCMP_SYS(unshare),         SCMP_SYS(setns),
	SCMP_SYS(chroot),    SCMP_SYS(pivot_root), SCMP_SYS(mount),           SCMP_SYS(umount2),
	SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen),          SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),   SCMP_SYS(fspick),     SCMP_SYS(mount_setattr),   SCMP_SYS(fallocate),
	SCMP_SYS(setuid),    SCMP_SYS(setgid),     SCMP_SYS(setreuid),        SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid),  SCMP_SYS(setfsuid),        SCMP_SYS(setfsgid),
	SCMP_SYS(setgroups), SCMP_SYS(bpf),        SCMP_SYS(perf_event_open),
};

static const int absent[] = {
	SCMP_SYS(inotify_init),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(rseq),
	SCMP_SYS(clone3),
	SCMP_SYS(landlock_create_ruleset),
	SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_restrict_self),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
};

/* Below FIRST_COMMON_NR, what 4.14 lacks, and statx. */
static const int absent_in_4_14[] = {
	SCMP_SYS(statx),
	SCMP_SYS(io_pgetevents),
};

static const int refused_prctl[] = {
	PR_SET_NO_NEW_PRIVS,          PR_SET_SECCOMP, PR_SET_NAME, PR_SET_PDEATHSIG,
	PR_SET_SYSCALL_USER_DISPATCH,
};

static const unsigned long namespace_flags[] = {
	CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
	CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET,
};

static bool listed(int nr, const int *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == nr)
			return true;
	}
	return false;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static int add(scmp_filter_ctx ctx, int errnum, int nr, struct scar_err *err)
{
	int result;

	/* A call that this architecture has not has a negative number. */
	if (nr < 0)
		return 0;
	result = seccomp_rule_add(ctx, SCMP_ACT_ERRNO((uint32_t)errnum), nr, 0);
	return result == 0 ? 0 : scar_err_errno(err, -result, "cannot filter system call %d", nr);
}

static int add_where(scmp_filter_ctx ctx, int nr, const struct scmp_arg_cmp *args, unsigned count,
		     struct scar_err *err)
{
	int result = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), nr, count, args);

	return result == 0 ? 0
			   : scar_err_errno(err, -result,
					    "cannot filter arguments of system call %d", nr);
}

static int add_lists(scmp_filter_ctx ctx, struct scar_err *err)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (add(ctx, EPERM, refused[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < COUNT(absent); i++) {
		if (add(ctx, ENOSYS, absent[i], err) < 0)
			return -1;
	}
	return 0;
}

static int add_prctl(scmp_filter_ctx ctx, struct scar_err *err)
{
	for (size_t i = 0; i < COUNT(refused_prctl); i++) {
		/* The kernel takes an int: the upper half of the register is not looked at. */
		const struct scmp_arg_cmp arg = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff,
							(scmp_datum_t)refused_prctl[i]);

		if (add_where(ctx, SCMP_SYS(prctl), &arg, 1, err) < 0)
			return -1;
	}
	return 0;
}

static int add_clone(scmp_filter_ctx ctx, struct scar_err *err)
{
	for (size_t i = 0; i < COUNT(namespace_flags); i++) {
		const struct scmp_arg_cmp arg = SCMP_A0(SCMP_CMP_MASKED_EQ, namespace_flags[i],
							namespace_flags[i]);

		if (add_where(ctx, SCMP_SYS(clone), &arg, 1, err) < 0)
			return -1;
	}
	return 0;
}

/* SOCK_RAW of AF_NETLINK stays: the C libraries list interfaces through it. */
static int add_sockets(scmp_filter_ctx ctx, struct scar_err *err)
{
	static const int families[] = {AF_INET, AF_INET6};
	const struct scmp_arg_cmp packet = SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff,
						   (scmp_datum_t)AF_PACKET);

	for (size_t i = 0; i < COUNT(families); i++) {
		const struct scmp_arg_cmp raw[] = {
			SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, (scmp_datum_t)families[i]),
			SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW),
		};

		if (add_where(ctx, SCMP_SYS(socket), raw, 2, err) < 0)
			return -1;
	}
	return add_where(ctx, SCMP_SYS(socket), &packet, 1, err);
}

static int hide_newer(scmp_filter_ctx ctx, enum scar_jail_kernel kernel, struct scar_err *err)
{
	int first = kernel == SCAR_JAIL_KERNEL_4_14 ? FIRST_COMMON_NR : FIRST_NR_AFTER_5_10;

	if (kernel == SCAR_JAIL_KERNEL_HOST)
		return 0;
	for (int nr = first; nr <= LAST_HIDDEN_NR; nr++) {
		/* A refused call that did not exist would not be refused, but which of both is no matter. */
		if (!listed(nr, refused, COUNT(refused)) && !listed(nr, absent, COUNT(absent)) &&
		    add(ctx, ENOSYS, nr, err) < 0)
			return -1;
	}
	for (size_t i = 0; kernel == SCAR_JAIL_KERNEL_4_14 && i < COUNT(absent_in_4_14); i++) {
		if (add(ctx, ENOSYS, absent_in_4_14[i], err) < 0)
			return -1;
	}
	return 0;
}

/* libseccomp writes the program to a descriptor only. */
static int export_code(scmp_filter_ctx ctx, struct scar_jail_filter *ret_filter,
		       struct scar_err *err)
{
	scar_fd_auto int fd = memfd_create("scar-jail-filter", MFD_CLOEXEC);
	scar_buf_auto struct scar_buf bytes;
	int result;

	scar_buf_init(&bytes, SCAR_KIB(64) * sizeof(struct sock_filter));
	if (fd < 0)
		return scar_err_errno(err, errno, "memfd_create");
	result = seccomp_export_bpf(ctx, fd);
	if (result < 0)
		return scar_err_errno(err, -result, "cannot export the system call filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return scar_err_errno(err, errno, "cannot rewind the system call filter");
	if (scar_fs_read_all(fd, "system call filter", &bytes, err) < 0)
		return -1;
	ret_filter->code = malloc(bytes.len);
	if (!ret_filter->code)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	memcpy(ret_filter->code, bytes.data, bytes.len);
	ret_filter->count = bytes.len / sizeof(struct sock_filter);
	return 0;
}

int scar_jail_filter_build(enum scar_jail_kernel kernel, struct scar_jail_filter *ret_filter,
			   struct scar_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int result = -1;

	if (!ctx)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	/* Calls by another architecture's entry (int 0x80) must not slip past: there are none. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) < 0)
		scar_err_set(err, SCAR_ERR_INTERNAL, "libseccomp refuses an attribute");
	else if (add_lists(ctx, err) == 0 && add_prctl(ctx, err) == 0 && add_clone(ctx, err) == 0 &&
		 add_sockets(ctx, err) == 0 && hide_newer(ctx, kernel, err) == 0)
		result = export_code(ctx, ret_filter, err);
	seccomp_release(ctx);
	return result;
}

void scar_jail_filter_clear(struct scar_jail_filter *filter)
{
	free(filter->code);
	filter->code = NULL;
	filter->count = 0;
}
