/* SPDX-License-Identifier: Apache-2.0 */
/* Pointers that lead nowhere: the kernel answers EFAULT and the program lives, whoever reads them. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, DIR = -1000, PATH, OUT, HOW };

/* PATH stands for the path under test, OUT for good room, DIR for AT_FDCWD. */
static const struct {
	const char *name;
	long nr, args[6];
} calls[] = {
#if defined(__x86_64__)
	{"open", SYS_open, {PATH}},
	{"creat", SYS_creat, {PATH, 0644}},
	{"stat", SYS_stat, {PATH, OUT}},
	{"lstat", SYS_lstat, {PATH, OUT}},
	{"access", SYS_access, {PATH, 0}},
	{"readlink", SYS_readlink, {PATH, OUT, 100}},
	{"chown", SYS_chown, {PATH, 0, 0}},
	{"lchown", SYS_lchown, {PATH, 0, 0}},
	{"rename", SYS_rename, {PATH, PATH}},
	{"mkdir", SYS_mkdir, {PATH, 0755}},
	{"rmdir", SYS_rmdir, {PATH}},
	{"link", SYS_link, {PATH, PATH}},
	{"unlink", SYS_unlink, {PATH}},
	{"symlink", SYS_symlink, {PATH, PATH}},
	{"chmod", SYS_chmod, {PATH, 0644}},
	{"utime", SYS_utime, {PATH, 0}},
	{"utimes", SYS_utimes, {PATH, 0}},
	{"mknod", SYS_mknod, {PATH, S_IFREG | 0644, 0}},
	{"futimesat", SYS_futimesat, {DIR, PATH, 0}},
#endif
	{"openat", SYS_openat, {DIR, PATH}},
	{"newfstatat", SYS_newfstatat, {DIR, PATH, OUT}},
	{"statx", SYS_statx, {DIR, PATH, 0, 0x7ff, OUT}},
	{"faccessat", SYS_faccessat, {DIR, PATH}},
	{"readlinkat", SYS_readlinkat, {DIR, PATH, OUT, 100}},
	{"fchownat", SYS_fchownat, {DIR, PATH}},
	{"statfs", SYS_statfs, {PATH, OUT}},
	{"truncate", SYS_truncate, {PATH}},
	{"chdir", SYS_chdir, {PATH}},
	{"chroot", SYS_chroot, {PATH}},
	{"mkdirat", SYS_mkdirat, {DIR, PATH, 0755}},
	{"mknodat", SYS_mknodat, {DIR, PATH, S_IFREG | 0644}},
	{"unlinkat", SYS_unlinkat, {DIR, PATH}},
	{"renameat", SYS_renameat, {DIR, PATH, DIR, PATH}},
	{"renameat2", SYS_renameat2, {DIR, PATH, DIR, PATH}},
	{"linkat", SYS_linkat, {DIR, PATH, DIR, PATH}},
	{"symlinkat", SYS_symlinkat, {PATH, DIR, PATH}},
	{"fchmodat", SYS_fchmodat, {DIR, PATH, 0644}},
	{"utimensat", SYS_utimensat, {DIR, PATH}},
	{"getxattr", SYS_getxattr, {PATH, PATH, OUT, 10}},
	{"lgetxattr", SYS_lgetxattr, {PATH, PATH, OUT, 10}},
	{"listxattr", SYS_listxattr, {PATH, OUT, 10}},
	{"llistxattr", SYS_llistxattr, {PATH, OUT, 10}},
	{"removexattr", SYS_removexattr, {PATH, PATH}},
	{"lremovexattr", SYS_lremovexattr, {PATH, PATH}},
	{"execve", SYS_execve, {PATH}},
	{"execveat", SYS_execveat, {DIR, PATH}},
};

static char *room;

static long call(size_t i, const char *path)
{
	long a[6];

	for (int n = 0; n < 6; n++) {
		a[n] = calls[i].args[n];
		if (a[n] == DIR)
			a[n] = AT_FDCWD;
		if (a[n] == PATH)
			a[n] = (long)path;
		if (a[n] == OUT)
			a[n] = (long)room;
	}
	return syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A page whose neighbour may not be touched; unmapped, something else could come to lie there. */
static char *lonely_page(void)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	mprotect(page + PAGE, PAGE, PROT_NONE);
	return page;
}

/* A call that an older kernel need not have. */
static void see_bad(const char *label, long result)
{
	see("%s: %d", label, result < 0 && (errno == EFAULT || errno == ENOSYS));
}

static void paths(void)
{
	char *page = lonely_page(), *gone = lonely_page() + PAGE, label[64];

	room = lonely_page();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(label, sizeof(label), "%s of no memory", calls[i].name);
		see_result(label, call(i, gone));
		memset(page, 'a', PAGE);
		snprintf(label, sizeof(label), "%s of a name that runs out of memory",
			 calls[i].name);
		see_result(label, call(i, page + PAGE - 20));
		memcpy(page + PAGE - 20, "/conform/x/../y/../z", 20);
		snprintf(label, sizeof(label), "%s of a path that runs out of memory",
			 calls[i].name);
		see_result(label, call(i, page + PAGE - 20));
	}
	see("alive: %d", access("/conform", F_OK) == 0);
}

/* The last byte of a page may be the terminator: nothing beyond it may be touched. */
static void page_ends(void)
{
	char *page = lonely_page();
	struct stat st;

	memcpy(page + PAGE - 9, "/conform", 9);
	see_ok("stat", stat(page + PAGE - 9, &st));
	see_ok("access", access(page + PAGE - 9, F_OK));
	see_ok("open", open(page + PAGE - 9, O_RDONLY | O_CLOEXEC));
	see_ok("relative", stat(page + PAGE - 1, &st));
	memcpy(page + PAGE - 2, ".", 2);
	see_ok("dot", stat(page + PAGE - 2, &st));
	memcpy(page + PAGE - sizeof(st), &st, sizeof(st));
	see_ok("result at the end", stat("/conform", (struct stat *)(page + PAGE - sizeof(st))));
}

static void results(void)
{
	char *gone = lonely_page() + PAGE, *constant = lonely_page();
	struct open_how *how = (void *)gone;
	struct msghdr *message = (void *)gone;
	int ends[2], fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	put_file("file", "text");
	symlink("/conform", "link");
	mprotect(constant, PAGE, PROT_READ);
	for (int i = 0; i < 2; i++) {
		char *bad = i ? constant : gone;

		see("%s:", i ? "constant" : "gone");
		see_result("stat", syscall(SYS_newfstatat, AT_FDCWD, "/conform", bad, 0));
		see_bad("statx", syscall(SYS_statx, AT_FDCWD, "/conform", 0, 0x7ff, bad));
		see_result("fstat", syscall(SYS_fstat, 0, bad));
		see_result("readlink", syscall(SYS_readlinkat, AT_FDCWD, "link", bad, 100));
		see_result("readlink of exe",
			   syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", bad, 100));
		see_result("getcwd", syscall(SYS_getcwd, bad, 100));
		see_result("statfs", syscall(SYS_statfs, "/", bad));
		see_result("getresuid", syscall(SYS_getresuid, bad, bad, bad));
		see_result("getgroups", syscall(SYS_getgroups, 0, bad));
		see_result("capget", syscall(SYS_capget, bad, bad));
		see_result("pipe", syscall(SYS_pipe2, bad, 0));
		see_result("old mask", syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8));
		see_result("old action", syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8));
		see_result("old action of SIGSEGV",
			   syscall(SYS_rt_sigaction, SIGSEGV, NULL, bad, 8));
		see_result("getsockname", syscall(SYS_getsockname, fd, bad, bad));
	}
	see_result("action", syscall(SYS_rt_sigaction, SIGSEGV, gone, NULL, 8));
	see_result("mask", syscall(SYS_rt_sigprocmask, SIG_BLOCK, gone, NULL, 8));
	see_bad("openat2", syscall(SYS_openat2, AT_FDCWD, "file", how, sizeof(*how)));
	see_result("bind", syscall(SYS_bind, fd, gone, sizeof(struct sockaddr_un)));
	see_result("connect", syscall(SYS_connect, fd, gone, sizeof(struct sockaddr_un)));
	see_result("sendto", syscall(SYS_sendto, fd, "x", 1, 0, gone, sizeof(struct sockaddr_un)));
	see_result("sendmsg", syscall(SYS_sendmsg, fd, message, 0));
	socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
	see_result("recvmsg", syscall(SYS_recvmsg, ends[0], message, MSG_DONTWAIT));
	see_result("setgroups", syscall(SYS_setgroups, 3, gone));
	see_result("execve argv", syscall(SYS_execve, "/bin/sh", gone, NULL));
	see_result("execve envp", syscall(SYS_execve, "/bin/sh", NULL, gone));
	see_result("execve argv[0]", syscall(SYS_execve, "/bin/sh", (char *[]){gone, NULL}, NULL));
	see_result("prctl name", syscall(SYS_prctl, 15, gone));
	see("alive: %d", access("/conform", F_OK) == 0);
}

static volatile sig_atomic_t faults;

static void on_fault(int sig)
{
	(void)sig;
	faults++;
}

/* A program's own handler hears nothing of it, nor does a thread that blocks what it can. */
static void own_handler(void)
{
	struct sigaction action = {.sa_handler = on_fault}, old;
	char *gone = lonely_page() + PAGE;

	faults = 0;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	see_result("open", open(gone, O_RDONLY));
	see_result("access", access(gone - 3, F_OK));
	see("faults: %d", (int)faults);
	raise(SIGSEGV);
	kill(getpid(), SIGBUS);
	see("faults: %d", (int)faults);
	sigaction(SIGSEGV, NULL, &old);
	see("the handler is ours: %d, flags %x", old.sa_handler == on_fault,
	    (unsigned)old.sa_flags & ~0x04000000u);
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	see("ignored: %d", (int)faults);
	action.sa_flags = SA_RESETHAND;
	sigaction(SIGSEGV, &action, NULL);
	raise(SIGSEGV);
	sigaction(SIGSEGV, NULL, &old);
	see("reset: %d, %d", (int)faults, old.sa_handler == SIG_DFL);
	pid_t pid = fork();
	if (pid == 0)
		raise(SIGSEGV);
	see_child("raised again", pid);
	pid = fork();
	if (pid == 0)
		kill(getpid(), SIGBUS), _exit(faults > 1 ? 7 : 8);
	see_child("a child has the handler", pid);
	pid = fork();
	if (pid == 0) {
		char *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				  open("empty", O_RDWR | O_CREAT, 0644), 0);
		signal(SIGBUS, SIG_DFL);
		_exit(file[0]);
	}
	see_child("beyond the end of a file", pid);
	char *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("empty", O_RDWR | O_CREAT, 0644),
			  0);
	see_result("path beyond the end of a file", access(file, F_OK));
}

/* What a child that shares our memory does to its signals is not done to ours. */
static void after_vfork(void)
{
	struct sigaction action = {.sa_handler = on_fault}, old;

	faults = 0;
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < 3; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			syscall(SYS_rt_sigaction, SIGSEGV, (long[4]){0}, NULL, 8);
			_exit(3);
		}
		see_child("vfork", pid);
		raise(SIGSEGV);
		sigaction(SIGSEGV, NULL, &old);
		see("the handler stays: %d, faults %d", old.sa_handler == on_fault, (int)faults);
	}
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		_exit(1);
	}
	see_child("fork", pid);
	raise(SIGSEGV);
	see("faults %d", (int)faults);
}

CONFORM_GROUP(pointers, {"pointer_paths", paths}, {"pointer_page_ends", page_ends},
	      {"pointer_results", results}, {"pointer_own_handler", own_handler},
	      {"pointer_after_vfork", after_vfork});
