/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/jail_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/emulator/jail.h"
#include "runtime/emulator/jail_drop.h"

#define LIMIT_FILES 1024
#define LIMIT_PROCESSES 1024
#define HIGHEST_FD 65536

/*
 * Descriptors of the parent would keep its ports and pipes open for as long as the sandbox lives.
 * The standard ones stay: pipes made later must not get their numbers.
 */
static void close_others(const int *kept, size_t count)
{
	struct rlimit limit;
	int end = HIGHEST_FD;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < HIGHEST_FD)
		end = (int)limit.rlim_cur;
	for (int fd = STDERR_FILENO + 1; fd < end; fd++) {
		bool keep = false;

		for (size_t i = 0; i < count; i++)
			keep = keep || kept[i] == fd;
		if (!keep)
			close(fd);
	}
}

/* Nobody is left to hear of a failed write: the parent is gone, and the pipe's end says so. */
static void say(int fd, const struct scar_jail_message *message)
{
	ssize_t n;

	do {
		n = write(fd, message, sizeof(*message));
	} while (n < 0 && errno == EINTR);
}

static _Noreturn void fail(int fd, const struct scar_err *err)
{
	struct scar_jail_message message = {.kind = SCAR_JAIL_FAILED, .err = *err};

	say(fd, &message);
	_exit(127);
}

static int wire_stdio(const struct scar_jail_child *child, struct scar_err *err)
{
	if (dup2(child->stdin_fd, 0) < 0 || dup2(child->stdout_fd, 1) < 0 ||
	    dup2(child->stderr_fd, 2) < 0)
		return scar_err_errno(err, errno, "cannot connect the standard streams");
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int signum = 1; signum < NSIG; signum++)
		(void)signal(signum, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static unsigned set_limits(void)
{
	const struct rlimit files = {LIMIT_FILES, LIMIT_FILES};
	const struct rlimit processes = {LIMIT_PROCESSES, LIMIT_PROCESSES};

	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_NPROC, &processes) < 0)
		return SCAR_JAIL_NO_LIMITS;
	return 0;
}

/* Becomes the program. Says through `fd`, which closes on exec, what is missing or why it failed. */
static _Noreturn void become_program(const struct scar_jail_child *child, int fd)
{
	struct scar_jail_message message = {.kind = SCAR_JAIL_STARTED};
	const char *program = child->mounts ? child->program_inside : child->program;
	struct scar_err err;

	setsid();
	if (wire_stdio(child, &err) < 0)
		fail(fd, &err);
	if (chdir(SCAR_JAIL_TASK_ROOT) < 0 && chdir("/") < 0) {
		scar_err_errno(&err, errno, "cannot enter the working directory");
		fail(fd, &err);
	}
	reset_signals();
	if (child->restrict_it) {
		message.missing = set_limits();
		/* Last, for the filter denies what this needs. */
		message.missing |= scar_jail_drop(child->filter);
	}
	say(fd, &message);
	execve(program, child->argv, child->envp);
	scar_err_errno(&err, errno, "cannot execute %s", program);
	fail(fd, &err);
}

static pid_t fork_plain(void)
{
	/* The C library's fork() would run handlers and take locks that a lost thread may hold. */
	return (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
}

/* @return the program's process */
static pid_t start_program(const struct scar_jail_child *child, struct scar_jail_message *said)
{
	struct scar_jail_message heard;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork_plain()) < 0) {
		scar_err_errno(&said->err, errno, "cannot start a process");
		fail(child->status_fd, &said->err);
	}
	if (pid == 0)
		become_program(child, fds[1]);
	close(fds[1]);
	for (;;) {
		ssize_t n = read(fds[0], &heard, sizeof(heard));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(heard))
			break;
		*said = heard;
		if (heard.kind == SCAR_JAIL_FAILED)
			fail(child->status_fd, &heard.err);
	}
	close(fds[0]);
	return pid;
}

/* Without a process namespace: ends everything below this process, which adopts all orphans. */
static void end_descendants(void)
{
	for (;;) {
		char text[4096];
		int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
		ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
		char *at = text;

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		for (long pid; (pid = strtol(at, &at, 10)) > 0;)
			(void)kill((pid_t)pid, SIGKILL);
		if (waitpid(-1, NULL, n > 0 ? 0 : WNOHANG) <= 0 && errno != EINTR)
			return;
	}
}

/* The end of this process is the end of all others in its namespace. */
static _Noreturn void end_all(const struct scar_jail_child *child)
{
	if (!child->processes)
		end_descendants();
	_exit(0);
}

/* @return true when the program itself has ended */
static bool reap(pid_t program, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == program) {
			*ret_status = status;
			ended = true;
		}
	}
	return ended;
}

static _Noreturn void keep_watch(const struct scar_jail_child *child, pid_t program, int signal_fd)
{
	struct pollfd fds[] = {
		{.fd = child->control_fd, .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};
	struct scar_jail_message message = {.kind = SCAR_JAIL_ENDED};

	for (;;) {
		struct signalfd_siginfo info;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			end_all(child);
		if (fds[0].revents)
			end_all(child);
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
			end_all(child);
		if (!reap(program, &message.status))
			continue;
		if (!child->processes)
			end_descendants();
		say(child->status_fd, &message);
		_exit(0);
	}
}

static int watch_children(struct scar_err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return scar_err_errno(err, errno, "cannot block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : scar_err_errno(err, errno, "signalfd");
}

/* The parent may have to write id maps or a control group first. */
static void wait_for_go(const struct scar_jail_child *child)
{
	char byte;
	ssize_t n;

	do {
		n = read(child->control_fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(0);
}

void scar_jail_child_run(const struct scar_jail_child *child)
{
	const int kept[] = {child->stdin_fd,   child->stdout_fd,  child->stderr_fd,
			    child->program_fd, child->control_fd, child->status_fd};
	struct scar_jail_message message = {.kind = SCAR_JAIL_STARTED};
	int signal_fd;
	pid_t program;

	/* A terminal's Ctrl-C is for the parent, which ends the sandbox in good order. */
	setsid();
	close_others(kept, sizeof(kept) / sizeof(kept[0]));
	wait_for_go(child);
	(void)prctl(PR_SET_NAME, "scar-jail");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal_fd = watch_children(&message.err);
	if (signal_fd < 0 ||
	    (child->mounts && scar_jail_plan_execute(child->plan, &message.err) < 0))
		fail(child->status_fd, &message.err);
	program = start_program(child, &message);
	/* Its pipes must end when the program's end. */
	if (child->stdout_fd > STDERR_FILENO)
		close(child->stdout_fd);
	if (child->stderr_fd > STDERR_FILENO && child->stderr_fd != child->stdout_fd)
		close(child->stderr_fd);
	close(child->program_fd);
	say(child->status_fd, &message);
	keep_watch(child, program, signal_fd);
}
