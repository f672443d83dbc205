/* SPDX-License-Identifier: Apache-2.0 */
/* Who the program is. The native run is root in a chroot, so is the guest: the image's user is 0. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void see_ids(const char *label)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	see("%s: uid %u %u %u gid %u %u %u", label, r, e, s, gr, ge, gs);
}

static void see_owner(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		see("%s: %s", path, errno_name(errno));
	else
		see("%s: owner %u:%u mode %o", path, st.st_uid, st.st_gid, st.st_mode & 07777);
}

static void root(void)
{
	see_ids("start");
	put_file("f", "x");
	mkdir("d", 0755);
	see_owner("f");
	see_owner("d");
	see_owner("/");
	see_owner("/bin");
	see_ok("chmod 0", chmod("f", 0));
	see_ok("root reads it", open("f", O_RDONLY));
	see_ok("root writes it", open("f", O_WRONLY));
	see("access R_OK of mode 0: %d", access("f", R_OK));
	see_ok("chmod 0 of a directory", chmod("d", 0));
	put_file("d/inside", "x");
	see_file("inside", "d/inside");
}

static void change_owner(void)
{
	put_file("f", "x");
	see_ok("chown", chown("f", 123, 456));
	see_owner("f");
	see_ok("rename", rename("f", "g"));
	see_owner("g");
	see_ok("link", link("g", "h"));
	see_owner("h");
	int fd = open("g", O_RDONLY);
	struct stat st;
	fstat(fd, &st);
	see("fstat %u:%u", st.st_uid, st.st_gid);
	see_ok("fchown", fchown(fd, 7, 8));
	see_owner("h");
	symlink("g", "l");
	see_ok("lchown", lchown("l", 1, 2));
	see_owner("l");
	see_owner("g");
	see_ok("chown -1", chown("g", (uid_t)-1, 99));
	see_owner("g");
	unlink("g");
	unlink("h");
	put_file("g", "new");
	see_owner("g");
	mkdir("d", 0755);
	see_ok("chown d", chown("d", 33, 33));
	see_owner("d");
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "ls -nd d | { read m n u g r; echo owner $u $g; }",
		      (char *)NULL);
		_exit(9);
	}
	see_child("ls", pid);
}

static void become(void)
{
	gid_t groups[] = {5, 6};

	see_ok("setgroups", setgroups(2, groups));
	gid_t got[8];
	see_result("getgroups", getgroups(8, got));
	pid_t pid = fork();
	if (pid == 0) {
		see_ok("setgid", setgid(100));
		see_ok("setuid", setuid(100));
		see_ids("after");
		see_ok("back", setuid(0));
		see_ids("still");
		execl("/bin/sh", "sh", "-c", "id -u; id -g", (char *)NULL);
		_exit(9);
	}
	see_child("setuid", pid);
	pid = fork();
	if (pid == 0) {
		see_ok("seteuid", seteuid(42));
		see_ids("effective");
		see_ok("seteuid 0", seteuid(0));
		see_ids("back");
		see_ok("setresuid", setresuid(1, 2, 3));
		see_ids("three");
		see_ok("setreuid", setreuid(2, 2));
		see_ids("two");
		_exit(0);
	}
	see_child("seteuid", pid);
	see_ids("parent");
}

static void devices(void)
{
	struct stat st;

	see_ok("mknod of a device", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	if (stat("null", &st) == 0)
		see("type %o rdev %u:%u", st.st_mode & S_IFMT, major(st.st_rdev),
		    minor(st.st_rdev));
	see_ok("sethostname", sethostname("x", 1) < 0 && errno == EPERM ? 0 : 0);
	see_ok("PR_SET_NAME", prctl(PR_SET_NAME, "renamed"));
	char name[17] = "";
	see_ok("PR_GET_NAME", prctl(PR_GET_NAME, name));
	see("name %s", name);
	see_ok("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, 0));
	see_ok("setuid bit", (put_file("s", "x"), chmod("s", 04755)));
	see_owner("s");
	mkdir("sgid", 0755);
	see_ok("setgid directory", chmod("sgid", 02775));
	see_owner("sgid");
}

static struct __user_cap_header_struct capabilities = {_LINUX_CAPABILITY_VERSION_3, 0};

static void see_capabilities(const char *label)
{
	struct __user_cap_data_struct c[2] = {{0}};

	see_ok("capget", syscall(SYS_capget, &capabilities, c));
	/* A machine may lack others. */
	see("%s: permitted %x effective %x", label, c[0].permitted & 0xff, c[0].effective & 0xff);
}

static long want_capabilities(uint32_t effective, uint32_t permitted)
{
	struct __user_cap_data_struct c[2] = {{effective, permitted, 0}};

	return syscall(SYS_capset, &capabilities, c);
}

static void drop_for_good(void)
{
	see_ok("setuid", setuid(100));
	see_capabilities("nothing kept");
	see_ok("ask for one", want_capabilities(1 << CAP_CHOWN, 1 << CAP_CHOWN));
	see_ok("setgroups", setgroups(0, NULL));
	_exit(0);
}

/** What setpriv, named, ntpd and others do. */
static void keep_some(void)
{
	const uint32_t some = 1 << CAP_SETGID | 1 << CAP_SETUID;

	see_ok("PR_SET_KEEPCAPS", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	see_ok("setresuid", setresuid(100, 100, 100));
	see_capabilities("kept");
	see_ok("setgroups", setgroups(0, NULL));
	see_ok("take two", want_capabilities(some, some));
	see_capabilities("two");
	see_ok("setresgid", setresgid(101, 101, 101));
	see_ok("setgroups", setgroups(0, NULL));
	see_ok("take them all", want_capabilities(some, ~0u));
	see_ids("now");
	see_ok("setuid back", setuid(0));
	see_ids("root");
	_exit(0);
}

static void drop_one(void)
{
	put_file("f", "x");
	see_ok("drop one", want_capabilities(0xfe, 0xfe));
	see_ok("chown", chown("f", 5, 6));
	see_ok("setuid", setuid(100));
	_exit(0);
}

static void for_a_while(void)
{
	see_ok("seteuid", seteuid(100));
	see_capabilities("as another");
	see_ok("setgroups", setgroups(0, NULL));
	see_ok("seteuid", seteuid(0));
	see_capabilities("again");
	see_ok("setreuid", setreuid(100, 100));
	see_capabilities("both");
	_exit(0);
}

static void capability_sets(void)
{
	static void (*const steps[])(void) = {drop_for_good, keep_some, drop_one, for_a_while};
	struct __user_cap_header_struct odd = {0x12345678, 0};
	struct __user_cap_data_struct c[2];

	see_capabilities("root");
	see_ok("odd version, asked", syscall(SYS_capget, &odd, NULL));
	see("answer %x", odd.version);
	odd.version = 1;
	see_ok("odd version", syscall(SYS_capget, &odd, c));
	odd.version = 1;
	see_ok("odd version, set", syscall(SYS_capset, &odd, c));
	see_ok("no header", syscall(SYS_capget, NULL, c));
	see_ok("no sets", syscall(SYS_capset, &capabilities, NULL));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		pid_t pid = fork();

		if (pid == 0)
			steps[i]();
		see_child("child", pid);
	}
}

CONFORM_GROUP(identity, {"identity_root", root}, {"identity_chown", change_owner},
	      {"identity_become", become}, {"identity_devices", devices},
	      {"identity_capabilities", capability_sets});
