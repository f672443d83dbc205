/* SPDX-License-Identifier: Apache-2.0 */
/* Starting programs: every way that execve(2) knows, and what the new program then sees. */
#define _GNU_SOURCE
#include "conform.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int conform_helper(int argc, char **argv);
int conform_environ(void);                       /* proc.c */
int conform_moves(void);                         /* moves.c */
int conform_random_seeds(int argc, char **argv); /* random.c */
extern char **environ;

/** "@show": what a started program sees of its arguments, environment and auxiliary vector. */
static void show(int argc, char **argv)
{
	char exe[PATH_MAX];

	see("argc %d", argc);
	for (int i = 1; i < argc; i++)
		see("argv[%d] '%s'", i, argv[i]);
	for (char **e = environ; *e; e++)
		see("env '%s'", *e);
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = '\0';
	see("exe %s", n < 0 ? errno_name(errno) : exe);
	const char *execfn = (const char *)getauxval(AT_EXECFN);
	see("execfn %s", execfn ? execfn : "(none)");
	see("secure %lu", getauxval(AT_SECURE));
	see("entry %d phdr %d random %d vdso %d", getauxval(AT_ENTRY) != 0, getauxval(AT_PHDR) != 0,
	    getauxval(AT_RANDOM) != 0, getauxval(AT_SYSINFO_EHDR) != 0);
	see("page size %lu", getauxval(AT_PAGESZ));
	see("stack is aligned %d", ((unsigned long)__builtin_frame_address(0) & 15) == 0);
}

int conform_helper(int argc, char **argv)
{
	if (strcmp(argv[1], "@show") == 0) {
		show(argc, argv);
		return 0;
	}
	if (strcmp(argv[1], "@exit") == 0)
		return argc > 2 ? atoi(argv[2]) : 0;
	if (strcmp(argv[1], "@fds") == 0) {
		for (int fd = 3; fd < 1024; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				see("descriptor %d is open", fd < 20 ? fd : -1);
		return 0;
	}
	if (strcmp(argv[1], "@environ") == 0)
		return conform_environ();
	if (strcmp(argv[1], "@moves") == 0)
		return conform_moves();
	if (strcmp(argv[1], "@random") == 0 || strcmp(argv[1], "@seed") == 0 ||
	    strcmp(argv[1], "@moved") == 0)
		return conform_random_seeds(argc, argv);
	if (strcmp(argv[1], "@wait") == 0)
		return write(argc > 2 ? atoi(argv[2]) : -1, "x", 1) != 1 || pause();
	if (strcmp(argv[1], "@nothing") == 0)
		return 0;
	see("unknown helper %s", argv[1]);
	return 97;
}

static char *const with_env[] = {"A=1", "LD_LIBRARY_PATH_X=/x", "B=two words", "EMPTY=", NULL};
static char *const no_env[] = {NULL};

static char *self(void)
{
	return (char *)conform_self;
}

static void plain(void)
{
	see_exec("show", self(), (char *[]){"zero", "@show", "a b", "", NULL}, with_env);
	see_exec("empty environment", self(), (char *[]){"zero", "@show", NULL}, no_env);
	see_exec("null environment", self(), (char *[]){"zero", "@show", NULL}, NULL);
	symlink(self(), "link");
	see_exec("through a link", "link", (char *[]){"zero", "@show", NULL}, no_env);
	see_exec("relative", "./link", (char *[]){"./link", "@show", NULL}, no_env);
	see_exec("exit status", self(), (char *[]){"x", "@exit", "42", NULL}, no_env);
	see_exec("/proc/self/exe", "/proc/self/exe", (char *[]){"x", "@show", NULL}, no_env);
	see_exec("twice", "/bin/sh", (char *[]){"sh", "-c", "exec \"$0\" @show", self(), NULL},
		 no_env);
}

static void failures(void)
{
	put_file("text", "no program\n");
	put_file("not-executable", "#!/bin/sh\nexit 3\n");
	chmod("text", 0755);
	put_file("empty", "");
	chmod("empty", 0755);
	mkdir("dir", 0755);
	symlink("gone", "dangling");
	put_file("bad-interpreter", "#!/no/such/program\n");
	chmod("bad-interpreter", 0755);
	put_file("short-elf", "\x7f"
			      "ELF");
	chmod("short-elf", 0755);
	static const char *const names[] = {
		"missing",         "text",      "not-executable", "empty", "dir", "dangling",
		"bad-interpreter", "short-elf", "text/x",         "",      "/"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		see_exec(names[i], names[i], (char *[]){"x", NULL}, no_env);
	int fd = open("written", O_WRONLY | O_CREAT, 0755);
	int from = open(self(), O_RDONLY);
	char block[65536];
	for (ssize_t n; (n = read(from, block, sizeof(block))) > 0;)
		if (write(fd, block, (size_t)n) != n)
			see("copy failed");
	see_exec("open for writing", "./written", (char *[]){"x", "@exit", "5", NULL}, no_env);
	close(fd);
	fd = open("not-executable", O_WRONLY | O_APPEND);
	chmod("not-executable", 0755);
	see_exec("script open for writing", "./not-executable", (char *[]){"x", NULL}, no_env);
	close(fd);
	see_exec("script closed again", "./not-executable", (char *[]){"x", NULL}, no_env);
	see_exec("closed again", "./written", (char *[]){"x", "@exit", "5", NULL}, no_env);
}

static void shebang(void)
{
	char line[PATH_MAX + 64];

	put_file("s1", "#!/bin/sh\necho s1 \"$0\" \"$@\"\n");
	put_file("s2", "#! /bin/sh -e\necho s2 \"$0\" \"$@\" $-\n");
	snprintf(line, sizeof(line), "#!%s @show with two words\n", self());
	put_file("s3", line);
	put_file("s4", "#!/conform/exec_shebang/s1 nested\n");
	put_file("s5", "#!/conform/exec_shebang/s5\n");
	put_file("s6", "#!\n");
	put_file("s7", "#!s1\n");
	put_file("s8", "#!/bin/sh");
	static const char *const names[] = {"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[32];
		chmod(names[i], 0755);
		snprintf(path, sizeof(path), "./%s", names[i]);
		see_exec(names[i], path, (char *[]){"zero", "x y", NULL}, no_env);
	}
	see_exec("absolute", "/conform/exec_shebang/s1", (char *[]){"zero", NULL}, no_env);
}

static void see_fexec(const char *label, int fd, int flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", (char *[]){"zero", "@exit", "6", NULL}, no_env,
			AT_EMPTY_PATH | flags);
		see("%s: %s", label, errno_name(errno));
		_exit(98);
	}
	see_child(label, pid);
}

static void by_descriptor(void)
{
	int fd = open(self(), O_RDONLY | O_CLOEXEC);

	see_fexec("execveat O_RDONLY", fd, 0);
	see_fexec("execveat O_PATH", open(self(), O_PATH | O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		fexecve(fd, (char *[]){"zero", "@exit", "7", NULL}, no_env);
		_exit(98);
	}
	see_child("fexecve", pid);
	int dir = open("/conform", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file("script", "#!/bin/sh\nexit 8\n");
	chmod("script", 0755);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, dir, "exec_by_descriptor/script", (char *[]){"x", NULL},
			no_env, 0);
		_exit(98);
	}
	see_child("execveat dirfd script, which its interpreter cannot open", pid);
	int kept = open("/conform", O_RDONLY | O_DIRECTORY);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, kept, "exec_by_descriptor/script", (char *[]){"x", NULL},
			no_env, 0);
		_exit(98);
	}
	see_child("execveat dirfd script", pid);
	close(kept);
	see_fexec("execveat of a script's descriptor", open("script", O_RDONLY), 0);
	see_fexec("likewise, closed on exec", open("script", O_RDONLY | O_CLOEXEC), 0);
	symlink(self(), "link");
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, AT_FDCWD, "link", (char *[]){"x", NULL}, no_env,
			AT_SYMLINK_NOFOLLOW);
		see("execveat nofollow: %s", errno_name(errno));
		_exit(98);
	}
	see_child("execveat nofollow", pid);
	int memory = memfd_create("program", MFD_CLOEXEC);
	char block[65536];
	lseek(fd, 0, SEEK_SET);
	for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;)
		if (write(memory, block, (size_t)n) != n)
			see("copy failed");
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
	see_exec("memfd by name", name, (char *[]){"x", "@exit", "9", NULL}, no_env);
}

static void descriptors(void)
{
	int kept = open("/dev/null", O_RDONLY);
	int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

	see("kept %d closed %d", kept, closed);
	see_exec("inherited", self(), (char *[]){"x", "@fds", NULL}, no_env);
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		see_file("open after all was closed", "/etc/hostname-none");
		put_file("after", "still here");
		see_file("after", "after");
		execve(self(), (char *[]){"x", "@fds", NULL}, no_env);
		_exit(98);
	}
	see_child("all closed", pid);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_close_range, 3, ~0u, 0);
		see_file("after close_range", "after");
		execve(self(), (char *[]){"x", "@exit", "4", NULL}, no_env);
		_exit(98);
	}
	see_child("close_range", pid);
	pid = fork();
	if (pid == 0) {
		for (int fd = 10; fd < 1024; fd++)
			if (dup2(kept, fd) < 0) {
				see("dup2: %s", errno_name(errno));
				break;
			}
		see_file("after dup2 over all", "after");
		_exit(0);
	}
	see_child("dup2 over all", pid);
	int lowest = open("/dev/null", O_RDONLY);
	see("the next descriptor follows %d", lowest == closed + 1);
}

static void spawn(void)
{
	pid_t pid;
	int failed = posix_spawn(&pid, self(), NULL, NULL,
				 (char *[]){"x", "@show", "spawned", NULL}, with_env);

	if (!failed)
		see_child("spawned", pid);
	see("posix_spawn: %s", failed ? errno_name(failed) : "ok");
	failed = posix_spawnp(&pid, "no-such-program", NULL, NULL, (char *[]){"x", NULL}, with_env);
	see("posix_spawnp missing: %s", failed ? errno_name(failed) : "ok");
	FILE *pipe = popen("echo from a shell; exit 3", "r");
	char line[64] = "";
	if (pipe) {
		fgets(line, sizeof(line), pipe);
		see("popen: %s", strtok(line, "\n"));
		see("pclose: %d", WEXITSTATUS(pclose(pipe)));
	}
	see("system: %d", WEXITSTATUS(system("exit 11")));
	for (int i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			execve(self(), (char *[]){"x", "@exit", "1", NULL}, no_env);
			_exit(98);
		}
		int status;
		waitpid(pid, &status, 0);
		if (WEXITSTATUS(status) != 1)
			see("vfork %d: %d", i, status);
	}
	pid = vfork();
	if (pid == 0) {
		execve("/no/such", (char *[]){"x", NULL}, no_env);
		_exit(errno == ENOENT ? 12 : 13);
	}
	see_child("vfork and a failing execve", pid);
}

static void large(void)
{
	enum { ARGS = 2000 };
	static char *args[ARGS + 3];
	static char text[100001];

	memset(text, 'x', 100000);
	args[0] = "zero";
	args[1] = "@exit";
	args[2] = "2";
	for (int i = 3; i < ARGS; i++)
		args[i] = "an argument";
	see_exec("2000 arguments", self(), args, no_env);
	see_exec("100 kB argument", self(), (char *[]){"x", "@exit", "3", text, NULL},
		 (char *[]){text, NULL});
	static char huge[140001];
	memset(huge, 'y', 140000);
	see_exec("an argument above 128 KiB", self(), (char *[]){"x", "@exit", "3", huge, NULL},
		 no_env);
}

CONFORM_GROUP(exec, {"exec_plain", plain}, {"exec_failures", failures}, {"exec_shebang", shebang},
	      {"exec_by_descriptor", by_descriptor}, {"exec_descriptors", descriptors},
	      {"exec_spawn", spawn}, {"exec_large", large});
