/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call that takes a path, by number, so that no C library stands between: each with an
 * absolute name, through an absolute link, and with the name of a file that only the host has.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define CANARY "/scar-canary-of-the-host"
#define HERE "/conform/call_every"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const char *const names[] = {HERE "/file", HERE "/link", CANARY};

static long call(const char *label, long result)
{
	see_ok(label, result);
	if (result > 2 && strstr(label, "open"))
		close((int)result);
	return result;
}

#define EACH(label, ...)                                             \
	for (size_t i_ = 0; i_ < 3; i_++) {                          \
		const char *path = names[i_];                        \
		char text_[64];                                      \
		snprintf(text_, sizeof(text_), "%s %zu", label, i_); \
		call(text_, syscall(__VA_ARGS__));                   \
	}

static void every(void)
{
	struct stat st;
	struct statfs sfs;
	static char big[512];
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
	char target[128];

	mkdir("dir", 0755);
	put_file("file", "text");
	symlink(HERE "/file", "link");
	symlink(HERE "/dir", "dirlink");

	EACH("openat", SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	EACH("openat2", SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	EACH("newfstatat", SYS_newfstatat, AT_FDCWD, path, &st, 0);
	EACH("statx", SYS_statx, AT_FDCWD, path, 0, 0x7ff, big);
	EACH("faccessat", SYS_faccessat, AT_FDCWD, path, R_OK);
	EACH("faccessat2", SYS_faccessat2, AT_FDCWD, path, R_OK, 0);
	EACH("readlinkat", SYS_readlinkat, AT_FDCWD, path, target, sizeof(target));
	EACH("fchmodat", SYS_fchmodat, AT_FDCWD, path, 0640);
	EACH("utimensat", SYS_utimensat, AT_FDCWD, path, NULL, 0);
	EACH("truncate", SYS_truncate, path, 3);
	EACH("statfs", SYS_statfs, path, &sfs);
	EACH("name_to_handle_at without buffer", SYS_name_to_handle_at, AT_FDCWD, path, NULL, NULL,
	     0);
	EACH("linkat onto itself", SYS_linkat, AT_FDCWD, path, AT_FDCWD, path, 0);
	EACH("mkdirat", SYS_mkdirat, AT_FDCWD, path, 0755);
	EACH("mknodat", SYS_mknodat, AT_FDCWD, path, S_IFREG | 0644, 0);
	EACH("symlinkat", SYS_symlinkat, "x", AT_FDCWD, path);
	EACH("chdir", SYS_chdir, path);
	EACH("execve", SYS_execve, path, (char *[]){"x", NULL}, (char *[]){NULL});
	EACH("execveat", SYS_execveat, AT_FDCWD, path, (char *[]){"x", NULL}, (char *[]){NULL}, 0);
	EACH("renameat2 RENAME_NOREPLACE", SYS_renameat2, AT_FDCWD, path, AT_FDCWD, HERE "/dir", 1);
	EACH("rename to itself", SYS_renameat, AT_FDCWD, path, AT_FDCWD, path);
#ifdef SYS_open
	EACH("open", SYS_open, path, O_RDONLY | O_CLOEXEC, 0);
	EACH("stat", SYS_stat, path, &st);
	EACH("lstat", SYS_lstat, path, &st);
	EACH("access", SYS_access, path, F_OK);
	EACH("readlink", SYS_readlink, path, target, sizeof(target));
	EACH("chmod", SYS_chmod, path, 0644);
	EACH("utime", SYS_utime, path, NULL);
	EACH("utimes", SYS_utimes, path, NULL);
	EACH("futimesat", SYS_futimesat, AT_FDCWD, path, NULL);
	EACH("creat", SYS_open, path, O_WRONLY | O_CLOEXEC, 0644);
	EACH("mkdir", SYS_mkdir, path, 0755);
	EACH("rmdir", SYS_rmdir, path);
	EACH("mknod", SYS_mknod, path, S_IFREG | 0644, 0);
	EACH("link", SYS_link, path, path);
	EACH("symlink", SYS_symlink, "x", path);
	EACH("rename", SYS_rename, path, path);
#endif
	struct stat after;
	/* What the native run has made in its own root, it takes away again. */
	see_ok("rmdir", rmdir(CANARY));
	see_ok("unlink", unlink(CANARY));
	see_ok("no canary is left", stat(CANARY, &after));
	see_file("file", "file");
}

static void xattr(void)
{
	char value[64];

	put_file("f", "");
	symlink("/conform/call_xattr/f", "l");
	see_ok("setxattr", setxattr("/conform/call_xattr/l", "user.scar", "v1", 2, 0));
	see_result("getxattr", getxattr("f", "user.scar", value, sizeof(value)));
	see_result("getxattr by link", getxattr("l", "user.scar", value, sizeof(value)));
	see_result("lgetxattr of a link", lgetxattr("l", "user.scar", value, sizeof(value)));
	see_result("listxattr", listxattr("l", value, sizeof(value)));
	see_ok("setxattr canary", setxattr(CANARY, "user.scar", "v", 1, 0));
	see_ok("removexattr", removexattr("l", "user.scar"));
	see_result("getxattr", getxattr("f", "user.scar", value, sizeof(value)));
	see_ok("lremovexattr of a link", lremovexattr("l", "user.scar"));
}

static void openat2_flags(void)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	mkdir("d", 0755);
	put_file("d/f", "x");
	symlink("/d/f", "in-root");
	symlink("../call_openat2/d/f", "up");
	static const struct {
		const char *name;
		uint64_t resolve;
	} ways[] = {{"in root", RESOLVE_IN_ROOT},
		    {"beneath", RESOLVE_BENEATH},
		    {"no symlinks", RESOLVE_NO_SYMLINKS},
		    {"plain", 0}};
	static const char *const paths[] = {"d/f", "in-root", "up", "/d/f", "../call_openat2/d/f"};
	for (size_t w = 0; w < 4; w++)
		for (size_t p = 0; p < 5; p++) {
			char label[96];
			how.resolve = ways[w].resolve;
			snprintf(label, sizeof(label), "%s %s", ways[w].name, paths[p]);
			call(label, syscall(SYS_openat2, dir, paths[p], &how, sizeof(how)));
		}
	how.resolve = 0;
	see_ok("unknown flag", syscall(SYS_openat2, dir, "d/f",
				       &(struct open_how){.flags = 1ull << 40}, sizeof(how)));
	see_ok("short struct", syscall(SYS_openat2, dir, "d/f", &how, 8));
}

static void times_and_modes(void)
{
	struct stat st;
	struct timespec when[2] = {{1000000000, 0}, {1100000000, 5}};

	put_file("f", "x");
	symlink("/conform/call_times/f", "l");
	see_ok("utimensat link", utimensat(AT_FDCWD, "l", when, 0));
	stat("f", &st);
	see("atime %lld mtime %lld.%ld", (long long)st.st_atim.tv_sec, (long long)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec);
	when[1].tv_sec = 1200000000;
	see_ok("utimensat nofollow", utimensat(AT_FDCWD, "l", when, AT_SYMLINK_NOFOLLOW));
	lstat("l", &st);
	see("link mtime %lld", (long long)st.st_mtim.tv_sec);
	int fd = open("f", O_RDONLY | O_CLOEXEC);
	see_ok("futimens", futimens(fd, when));
	see_ok("utimensat null path", syscall(SYS_utimensat, fd, NULL, when, 0));
	static const mode_t modes[] = {0, 0400, 0755, 04755, 02755, 01777};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		see_ok("chmod", chmod("l", modes[i]));
		stat("f", &st);
		see("mode %o", st.st_mode);
	}
	see_ok("fchmod", fchmod(fd, 0600));
	mode_t old = umask(077);
	see("umask was %o", old);
	put_file("masked", "");
	stat("masked", &st);
	see("mode %o", st.st_mode);
}

static void special_files(void)
{
	struct stat st;

	see_ok("mkfifo", mkfifo("fifo", 0644));
	stat("fifo", &st);
	see("is fifo %d", S_ISFIFO(st.st_mode));
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
	for (size_t i = 0; i < 3; i++) {
		see_ok(devices[i], stat(devices[i], &st));
		see("is a character device %d", S_ISCHR(st.st_mode));
	}
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	see_result("write /dev/null", write(fd, "x", 1));
	char bytes[8] = "";
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	see_result("read /dev/zero", read(fd, bytes, 8));
	see_ok("/dev/stdout exists", lstat("/dev/stdout", &st));
	int tmp = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	see_ok("O_TMPFILE", tmp);
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", tmp);
	see_ok("linkat of an O_TMPFILE",
	       linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	see_ok("named", access("named", F_OK));
}

static void see_number(const char *label, long nr, long a, long b, long c, long d)
{
	see_ok(label, syscall(nr, a, b, c, d, 0, 0));
}

/* By design not what a real chroot answers, see expected/call_refused.txt: what Lambda refuses, or worse. */
/* A filter that would change nothing. */
static struct sock_filter allow_all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
static struct sock_fprog allow_all_program = {1, allow_all};

static void refused(void)
{
	const struct {
		const char *name;
		long nr, a, b, c;
	} calls[] = {
		{"ptrace PTRACE_TRACEME", SYS_ptrace, 0, 0, 0},
		{"seccomp SECCOMP_SET_MODE_STRICT", SYS_seccomp, 0, 0, 0},
		{"seccomp SECCOMP_SET_MODE_FILTER", SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
		 (long)&allow_all_program},
		{"prctl PR_SET_SECCOMP", SYS_prctl, 22, 2, 0},
		{"prctl PR_SET_SECCOMP, with a filter", SYS_prctl, 22, SECCOMP_MODE_FILTER,
		 (long)&allow_all_program},
		{"prctl PR_SET_SYSCALL_USER_DISPATCH", SYS_prctl, 59, 0, 0},
		{"unshare CLONE_NEWUSER", SYS_unshare, 0x10000000, 0, 0},
		{"setns", SYS_setns, 0, 0, 0},
		{"mount", SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs"},
		{"umount2", SYS_umount2, (long)"/proc", 0, 0},
		{"pivot_root", SYS_pivot_root, (long)"/", (long)"/tmp", 0},
		{"chroot", SYS_chroot, (long)"/tmp", 0, 0},
		{"chroot to the same", SYS_chroot, (long)"/", 0, 0},
		{"acct", SYS_acct, (long)"/tmp/acct", 0, 0},
		{"swapon", SYS_swapon, (long)"/tmp/swap", 0, 0},
		{"quotactl", SYS_quotactl, 0, (long)"/dev/null", 0},
		{"open_by_handle_at", SYS_open_by_handle_at, 0, 0, 0},
		{"fanotify_init", SYS_fanotify_init, 0, 0, 0},
		{"fanotify_mark", SYS_fanotify_mark, 0, 1, 0},
		{"bpf", SYS_bpf, 0, 0, 0},
		{"open_tree", 428, AT_FDCWD, (long)"/", 0},
		{"move_mount", 429, AT_FDCWD, (long)"/", AT_FDCWD},
		{"fsopen", 430, (long)"tmpfs", 0, 0},
		{"fspick", 433, AT_FDCWD, (long)"/", 0},
		{"mount_setattr", 442, AT_FDCWD, (long)"/", 0},
		{"statmount", 457, 0, 0, 0},
		{"listmount", 458, 0, 0, 0},
		{"open_tree_attr", 467, AT_FDCWD, (long)"/", 0},
		{"listns", 470, 0, 0, 0},
		{"io_uring_setup", SYS_io_uring_setup, 8, 0, 0},
		{"io_uring_enter", SYS_io_uring_enter, 0, 0, 0},
		{"io_uring_register", SYS_io_uring_register, 0, 0, 0},
		{"landlock_create_ruleset", 444, 0, 0, 1},
		{"a call that does not exist", 1023, 0, 0, 0},
		{"a call after the newest", 480, 0, 0, 0},
		{"a large call number", 0x7fffffff, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		see_number(calls[i].name, calls[i].nr, calls[i].a, calls[i].b, calls[i].c, 0);
}

/* By design: a child in another namespace is not what Lambda knows. */
static void namespaces(void)
{
	const long pid = syscall(SYS_clone, 0x10000000 /* CLONE_NEWUSER */ | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	see_ok("clone CLONE_NEWUSER", pid);
}

#if defined(__x86_64__)
/* By design: the kernel would take a 32-bit program's way in, and its paths with it. */
static void foreign(void)
{
	for (int i = 0; i < 2; i++) {
		long result = 33; /* access(2) of 32-bit programs */

		__asm__ volatile("int $0x80"
				 : "+a"(result)
				 : "b"(CANARY), "c"(F_OK)
				 : "memory", "r8", "r9", "r10", "r11");
		see("int 0x80: %ld", result);
	}
	see_ok("a call of ours", access("/", F_OK));
}
#endif

CONFORM_GROUP(calls, {"call_every", every}, {"call_xattr", xattr}, {"call_openat2", openat2_flags},
	      {"call_times", times_and_modes}, {"call_special_files", special_files},
#if defined(__x86_64__)
	      {"call_foreign", foreign},
#endif
	      {"call_refused", refused}, {"call_namespaces", namespaces});
