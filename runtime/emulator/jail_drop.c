/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/jail_drop.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/emulator/jail.h"
#include "runtime/emulator/jail_filter.h"

/* The kernel answers EINVAL above its last one. */
#define CAPABILITIES_MAX 64

/*
 * The C libraries' set*id() signal all threads of the process, which a clone of one thread has
 * not: the calls are made bare.
 */
static int set_user(void)
{
	if (syscall(SYS_getuid) == SCAR_JAIL_UID && syscall(SYS_getgid) == SCAR_JAIL_GID)
		return 0;
	if (syscall(SYS_setgroups, 0UL, NULL) < 0 ||
	    syscall(SYS_setresgid, SCAR_JAIL_GID, SCAR_JAIL_GID, SCAR_JAIL_GID) < 0 ||
	    syscall(SYS_setresuid, SCAR_JAIL_UID, SCAR_JAIL_UID, SCAR_JAIL_UID) < 0)
		return -1;
	return 0;
}

/* Without capability CAP_SETPCAP the set stays, but a set that is empty already is good enough. */
static bool empty_bounding_set(void)
{
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			break;
		if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return false;
	}
	return true;
}

/* Keeps the one that loads filters, or none; execve(2) as user 993 takes that too. */
static int keep_only(unsigned cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	data[cap / 32].permitted = 1U << (cap % 32);
	data[cap / 32].effective = data[cap / 32].permitted;
	if (syscall(SYS_capset, &header, data) == 0)
		return 0;
	data[cap / 32].permitted = 0;
	data[cap / 32].effective = 0;
	return (int)syscall(SYS_capset, &header, data);
}

static bool load(const struct scar_jail_filter *filter)
{
	const struct sock_fprog program = {
		.len = (unsigned short)filter->count,
		.filter = filter->code,
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return true;
	if (errno != EACCES && errno != EPERM)
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

unsigned scar_jail_drop(const struct scar_jail_filter *filter)
{
	unsigned missing = 0;

	if (!empty_bounding_set())
		missing |= SCAR_JAIL_NO_CAPS;
	/* Else the change of user would take the right to load a filter. */
	(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (set_user() < 0)
		missing |= SCAR_JAIL_NO_USER;
	if (keep_only(CAP_SYS_ADMIN) < 0)
		missing |= SCAR_JAIL_NO_CAPS;
	if (!load(filter))
		missing |= SCAR_JAIL_NO_FILTER;
	return missing;
}
