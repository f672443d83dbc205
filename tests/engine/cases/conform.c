/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CASE_SECONDS = 120 }; /* an emulated machine is slow */

const char *conform_self;

void see(const char *fmt, ...)
{
	char line[8192];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n] = '\n';
	/* One write a line: children and threads print into the same pipe. A case's signals may come while that is full. */
	ssize_t written;

	do {
		written = write(1, line, (size_t)n + 1);
	} while (written < 0 && errno == EINTR);
	if (written != n + 1)
		_exit(99);
}

const char *errno_name(int errnum)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
#define E(x) {x, #x}
		E(EPERM),      E(ENOENT),       E(ESRCH),      E(EINTR),        E(EIO),
		E(ENXIO),      E(E2BIG),        E(ENOEXEC),    E(EBADF),        E(ECHILD),
		E(EAGAIN),     E(ENOMEM),       E(EACCES),     E(EFAULT),       E(ENOTBLK),
		E(EBUSY),      E(EEXIST),       E(EXDEV),      E(ENODEV),       E(ENOTDIR),
		E(EISDIR),     E(EINVAL),       E(ENFILE),     E(EMFILE),       E(ENOTTY),
		E(ETXTBSY),    E(EFBIG),        E(ENOSPC),     E(ESPIPE),       E(EROFS),
		E(EMLINK),     E(EPIPE),        E(EDOM),       E(ERANGE),       E(ENAMETOOLONG),
		E(ENOSYS),     E(ENOTEMPTY),    E(ELOOP),      E(ENODATA),      E(EOPNOTSUPP),
		E(EADDRINUSE), E(ECONNREFUSED), E(ENOTSOCK),   E(EPROTOTYPE),   E(EISCONN),
		E(ENOTCONN),   E(ETIMEDOUT),    E(ECONNRESET), E(EDESTADDRREQ), E(EADDRNOTAVAIL),
#undef E
	};
	static char other[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == errnum)
			return names[i].name;
	snprintf(other, sizeof(other), "errno %d", errnum);
	return other;
}

void see_result(const char *label, long result)
{
	if (result < 0)
		see("%s: %s", label, errno_name(errno));
	else
		see("%s: ok %ld", label, result);
}

void see_ok(const char *label, long result)
{
	see("%s: %s", label, result < 0 ? errno_name(errno) : "ok");
}

void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0) {
		see("put %s: %s", path, errno_name(errno));
		return;
	}
	if (write(fd, text, strlen(text)) < 0)
		see("write %s: %s", path, errno_name(errno));
	close(fd);
}

void see_file(const char *label, const char *path)
{
	char text[128];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		see("%s: %s", label, errno_name(errno));
		return;
	}
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0) {
		see("%s: read %s", label, errno_name(errno));
		return;
	}
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	see("%s: '%s'", label, text);
}

void see_child(const char *label, int pid)
{
	int status;

	if (pid < 0) {
		see("%s: %s", label, errno_name(errno));
		return;
	}
	pid_t got;
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		see("%s: wait %s", label, errno_name(errno));
	else if (WIFEXITED(status))
		see("%s: exit %d", label, WEXITSTATUS(status));
	else
		see("%s: signal %d", label, WTERMSIG(status));
}

void see_exec(const char *label, const char *path, char *const argv[], char *const envp[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, argv, envp);
		see("%s: execve %s", label, errno_name(errno));
		_exit(98);
	}
	see_child(label, pid);
}

/** Helper modes: the program started again by a case. */
int conform_helper(int argc, char **argv);

/**
 * Ends a case that hangs. An alarm of its own would not do, as cases use that timer themselves. SIGCHLD must be blocked;
 * one may come of a case that only stopped, or be left over.
 */
static void await_case(pid_t pid, const sigset_t *child)
{
	const time_t end_s = time(NULL) + CASE_SECONDS;

	for (;;) {
		siginfo_t info = {.si_pid = 0};
		const struct timespec second = {1, 0};
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == pid)
			break;
		if (time(NULL) > end_s) {
			see("the case took more than %d s", CASE_SECONDS);
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			break;
		}
		sigtimedwait(child, NULL, &second);
	}
	see_child("case", pid);
}

static void run_case(const struct conform_case *c)
{
	char dir[PATH_MAX];
	sigset_t child, old;

	snprintf(dir, sizeof(dir), "/conform/%s", c->name);
	mkdir("/conform", 0777);
	if (mkdir(dir, 0777) < 0 && errno != EEXIST) {
		see("mkdir %s: %s", dir, errno_name(errno));
		return;
	}
	fflush(NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &old);
	pid_t pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setpgid(0, 0);
		if (chdir(dir) < 0)
			see("chdir %s: %s", dir, errno_name(errno));
		umask(022);
		c->run();
		_exit(0);
	}
	if (pid < 0)
		see("fork: %s", errno_name(errno));
	else
		await_case(pid, &child);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(int argc, char **argv)
{
	static const struct conform_group *const groups[] = {
		&conform_jobs,    &conform_paths,       &conform_calls,       &conform_exec,
		&conform_proc,    &conform_process,     &conform_signals,     &conform_stacks,
		&conform_sockets, &conform_identity,    &conform_memory,      &conform_pointers,
		&conform_matrix,  &conform_moves_group, &conform_descriptors, &conform_random,
		&conform_canary,  &conform_corners};

	if (argc > 1 && argv[1][0] == '@')
		return conform_helper(argc, argv);
	conform_self = argv[0];
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (size_t i = 0; i < groups[g]->count; i++) {
			const struct conform_case *c = &groups[g]->cases[i];

			if (argc > 1 && strcmp(argv[1], "--list") == 0) {
				puts(c->name);
				continue;
			}
			if (argc > 1 && strcmp(argv[1], c->name) != 0)
				continue;
			see("== %s", c->name);
			run_case(c);
		}
	return 0;
}
