/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define SYS_close_range_ 436

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

void scar_spawn_fail(bool is_engine, int errnum, const char *path, const char *reason)
{
	struct scar_spawn_failure failure = {.errnum = errnum, .is_engine = is_engine};
	ssize_t n;

	copy_text(failure.path, sizeof(failure.path), path);
	copy_text(failure.reason, sizeof(failure.reason), reason);
	do {
		n = write(SCAR_SPAWN_STATUS_FD, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	_exit(127);
}

/* Descriptors as the program is to have them. The sources may overlap the targets. */
static void arrange_descriptors(const struct scar_engine_spec *spec, int status)
{
	const int from[4] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd, status};
	struct rlimit limit = {.rlim_cur = 1024};
	int copies[4];

	for (int i = 0; i < 4; i++) {
		copies[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
		if (copies[i] < 0)
			_exit(127);
	}
	for (int i = 0; i < 4; i++)
		if (dup2(copies[i], i) < 0)
			_exit(127);
	if (syscall(SYS_close_range_, 4u, ~0u, 0u) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 4; fd < (int)limit.rlim_cur && fd < 65536; fd++)
		close(fd);
}

static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &action, NULL); /* SIGKILL, SIGSTOP and libc's own refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int tell_failure(const struct scar_spawn_failure *f, struct scar_err *err)
{
	enum scar_err_kind kind = f->is_engine ? SCAR_ERR_ENGINE : SCAR_ERR_EXEC;

	if (f->is_engine)
		scar_err_set(err, kind, "%s: %s: %s", f->path, f->reason, strerror(f->errnum));
	else if (f->reason[0])
		scar_err_set(err, kind, "cannot execute %s: %s (%s)", f->path, strerror(f->errnum),
			     f->reason);
	else
		scar_err_set(err, kind, "cannot execute %s: %s", f->path, strerror(f->errnum));
	err->errnum = f->errnum;
	return -1;
}

/* 0: the pipe closed without a word, the program runs. */
static int hear(int fd, struct scar_err *err)
{
	struct scar_spawn_failure failure;
	ssize_t n;

	do {
		n = read(fd, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(failure))
		return scar_err_set(err, SCAR_ERR_ENGINE, "the child's status is unreadable");
	failure.path[sizeof(failure.path) - 1] = '\0';
	failure.reason[sizeof(failure.reason) - 1] = '\0';
	return tell_failure(&failure, err);
}

int scar_spawn(const struct scar_engine_spec *spec, scar_spawn_child child, void *ctx,
	       struct scar_process *ret_process, struct scar_err *err)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return scar_err_errno(err, errno, "cannot make the status pipe");
	scar_fd_auto int read_end = ends[0];
	scar_fd_auto int write_end = ends[1];
	pid = fork();
	if (pid < 0)
		return scar_err_errno(err, errno, "cannot fork");
	if (pid == 0) {
		setsid();
		arrange_descriptors(spec, write_end);
		reset_signals();
		child(spec, ctx);
		_exit(127);
	}
	close(scar_steal_fd(&write_end));
	if (hear(read_end, err)) {
		reap(pid);
		return -1;
	}
	ret_process->pid = pid;
	ret_process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}
