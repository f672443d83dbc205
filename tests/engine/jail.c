/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Lambda denies, for one command: jail COMMAND [ARG...]. Uid 993, no capabilities, and a filter that
 * refuses what third parties saw refused there. JAIL_KERNEL=4.14 also hides newer system calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int not_permitted[] = {
	SCMP_SYS(ptrace),   SCMP_SYS(seccomp),          SCMP_SYS(unshare),
	SCMP_SYS(setns),    SCMP_SYS(chroot),           SCMP_SYS(pivot_root),
	SCMP_SYS(mount),    SCMP_SYS(umount2),          SCMP_SYS(fallocate),
	SCMP_SYS(bpf),      SCMP_SYS(open_tree),        SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),   SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(setuid),   SCMP_SYS(setgid),           SCMP_SYS(setreuid),
	SCMP_SYS(setregid), SCMP_SYS(setresgid),        SCMP_SYS(setgroups),
	SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),         SCMP_SYS(capset),
};
static const int missing[] = {
	SCMP_SYS(inotify_init),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(rseq),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(landlock_create_ruleset),
	SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_restrict_self),
};
static const int newer_than_4_14[] = {
	SCMP_SYS(openat2),           SCMP_SYS(statx),       SCMP_SYS(clone3),
	SCMP_SYS(faccessat2),        SCMP_SYS(close_range), SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_send_signal),
};
static const unsigned refused_prctls[] = {PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_NAME,
					  PR_SET_PDEATHSIG, 59};

static void deny(scmp_filter_ctx filter, const int *calls, size_t count, int errnum)
{
	for (size_t i = 0; i < count; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)errnum), calls[i], 0))
			exit(125);
}

int main(int argc, char **argv)
{
	const char *kernel = getenv("JAIL_KERNEL");
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2 || !filter)
		return 125;
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	deny(filter, not_permitted, COUNT(not_permitted), EPERM);
	deny(filter, missing, COUNT(missing), ENOSYS);
	if (kernel && strcmp(kernel, "4.14") == 0) {
		deny(filter, newer_than_4_14, COUNT(newer_than_4_14), ENOSYS);
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(madvise), 1,
				     SCMP_A2(SCMP_CMP_EQ, 23 /* MADV_POPULATE_WRITE */)))
			return 125;
	}
	for (size_t i = 0; i < COUNT(refused_prctls); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, refused_prctls[i])))
			return 125;
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)))
		return 125;
	/* Loading the filter takes root; of what it would refuse only the change of the user is left for after it. */
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setresuid), 1,
			     SCMP_A0(SCMP_CMP_NE, 993)) ||
	    setgroups(0, NULL) || setresgid(993, 993, 993) || seccomp_load(filter) ||
	    setresuid(993, 993, 993)) {
		perror("jail");
		return 125;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
