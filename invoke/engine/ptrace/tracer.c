/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/ptrace/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/ptrace/filter.h"
#include "invoke/engine/ptrace/regs.h"
#include "invoke/engine/rewrite/site.h"

/* Above the number of any process (PID_MAX_LIMIT of linux/threads.h). */
#define PIDS_MAX (4u * 1024 * 1024)

#define OPTIONS                                                                                   \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

struct tracer {
	struct scar_launch_addresses at;
	bool filtered;
	bool resident; /* the first program has become the loader; before, its calls are ours */
	/* Without a filter: one bit for each thread, set while it is inside a system call. */
	uint8_t *inside;
};

/* What the two processes tell each other; written whole, since a socket keeps so little together. */
struct message {
	int value;
};

static int send_value(int fd, int value)
{
	struct message m = {value};

	return send(fd, &m, sizeof(m), MSG_NOSIGNAL) == (ssize_t)sizeof(m) ? 0 : -errno;
}

static int receive_value(int fd, int *ret_value)
{
	struct message m;
	ssize_t n;

	do {
		n = recv(fd, &m, sizeof(m), MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(m))
		return n < 0 ? -errno : -EPIPE;
	*ret_value = m.value;
	return 0;
}

/* ---- stops ------------------------------------------------------------------------------ */

static bool is_inside(const struct tracer *t, pid_t thread)
{
	return t->inside[(unsigned)thread / 8 % (PIDS_MAX / 8)] & (1u << ((unsigned)thread % 8));
}

static void set_inside(struct tracer *t, pid_t thread, bool inside)
{
	uint8_t *byte = &t->inside[(unsigned)thread / 8 % (PIDS_MAX / 8)];
	unsigned bit = 1u << ((unsigned)thread % 8);

	*byte = (uint8_t)(inside ? *byte | bit : *byte & ~bit);
}

/* A thread that was killed meanwhile is gone, which the next wait tells: failures mean nothing. */
static void resume(const struct tracer *t, pid_t thread, int sig)
{
	(void)ptrace(t->filtered ? PTRACE_CONT : PTRACE_SYSCALL, thread, 0, (void *)(intptr_t)sig);
}

static bool read_frame(pid_t thread, uint64_t addr, struct scar_trace_frame *ret_frame)
{
	struct iovec local = {ret_frame, sizeof(*ret_frame)};
	struct iovec remote = {(void *)(uintptr_t)addr, sizeof(*ret_frame)};
	long *words = (long *)ret_frame;

	if (process_vm_readv(thread, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(*ret_frame))
		return true;
	/* Filters of containers know ptrace(2) better than that. */
	for (size_t i = 0; i < sizeof(*ret_frame) / sizeof(long); i++) {
		errno = 0;
		words[i] = ptrace(PTRACE_PEEKDATA, thread, addr + i * sizeof(long), NULL);
		if (errno)
			return false;
	}
	return true;
}

/* A call by another architecture's entry: its number means something else. */
static bool is_foreign(const struct tracer *t, pid_t thread, const struct scar_trace_regs *regs)
{
	unsigned long told = 0;

	if (!t->filtered)
		return !scar_trace_is_native(thread, regs);
	return ptrace(PTRACE_GETEVENTMSG, thread, 0, &told) == 0 && told == SCAR_TRACE_FOREIGN;
}

/* Points the guest's call to the loader, if that must answer it. */
static bool divert(const struct tracer *t, pid_t thread, struct scar_trace_regs *regs)
{
	uint64_t args[6];
	const long nr = scar_trace_call(regs, args);

	if (is_foreign(t, thread, regs))
		scar_trace_renumber(regs, SCAR_SITE_NR_FOREIGN);
	else if (!scar_trace_wants(nr, args))
		return false;
	scar_trace_divert(regs, t->at.enter);
	return true;
}

/* A thread is about to make a system call. */
static void on_call(const struct tracer *t, pid_t thread)
{
	struct scar_trace_regs regs;
	struct scar_trace_frame frame = {0};
	uint64_t pc;

	if (!t->resident || scar_trace_regs_read(thread, &regs))
		return;
	pc = scar_trace_pc(&regs);
	if (pc == t->at.pass) {
		if (!read_frame(thread, scar_trace_sp(&regs), &frame))
			return;
		scar_trace_return(&regs, &frame);
	} else if ((pc >= t->at.low && pc < t->at.high) || !divert(t, thread, &regs)) {
		return;
	}
	(void)scar_trace_regs_write(thread, &regs);
}

static void on_exec(struct tracer *t, pid_t thread)
{
	unsigned long old = 0;

	t->resident = true;
	/* A thread that executes takes the number of its process, still inside its call. */
	if (ptrace(PTRACE_GETEVENTMSG, thread, 0, &old) == 0 && old != (unsigned long)thread)
		set_inside(t, (pid_t)old, false);
	set_inside(t, thread, true);
}

static void on_event(struct tracer *t, pid_t thread, int event, int sig)
{
	switch (event) {
	case PTRACE_EVENT_SECCOMP: on_call(t, thread); break;
	case PTRACE_EVENT_EXEC: on_exec(t, thread); break;
	case PTRACE_EVENT_STOP:
		/* Stopped with its process until SIGCONT, not for us. */
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
			(void)ptrace(PTRACE_LISTEN, thread, 0, 0);
			return;
		}
		break;
	default: break; /* a child or a thread; it tells of itself */
	}
	resume(t, thread, 0);
}

static void on_stop(struct tracer *t, pid_t thread, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event) {
		on_event(t, thread, event, sig);
	} else if (sig == (SIGTRAP | 0x80)) {
		bool inside = !is_inside(t, thread);

		set_inside(t, thread, inside);
		if (inside)
			on_call(t, thread);
		resume(t, thread, 0);
	} else {
		resume(t, thread, sig);
	}
}

static void follow(struct tracer *t)
{
	int status;

	for (;;) {
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0 && errno == EINTR)
			continue;
		if (thread < 0)
			return; /* none is left */
		if (WIFSTOPPED(status))
			on_stop(t, thread, status);
		else
			set_inside(t, thread, false);
	}
}

/* ---- the two processes ------------------------------------------------------------------ */

/* Nothing of the guest's may be held open, and no signal to a group or to all may end us. */
static void leave_surroundings(int fd)
{
	struct rlimit limit = {.rlim_cur = 1024};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (fd > 0)
		(void)syscall(SCAR_NR_close_range, 0u, (unsigned)fd - 1, 0u);
	if (syscall(SCAR_NR_close_range, (unsigned)fd + 1, ~0u, 0u) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int other = 0; other < (int)limit.rlim_cur && other < 65536; other++)
		if (other != fd)
			close(other);
}

static void trace(int fd, pid_t guest, const struct scar_launch_addresses *addresses)
{
	struct tracer t = {.at = *addresses};
	int value;
	void *inside = mmap(NULL, PIDS_MAX / 8, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	leave_surroundings(fd);
	/* The guest must name us before Yama lets a process trace its parent's parent. */
	if (inside == MAP_FAILED || send_value(fd, getpid()) || receive_value(fd, &value))
		return;
	t.inside = inside;
	if (ptrace(PTRACE_SEIZE, guest, 0, (void *)(uintptr_t)OPTIONS)) {
		send_value(fd, errno);
		return;
	}
	if (send_value(fd, 0) || receive_value(fd, &value))
		return;
	t.filtered = value;
	/* Without a filter each call is to stop, and a thread must stop once to be told so. */
	if (!t.filtered && ptrace(PTRACE_INTERRUPT, guest, 0, 0))
		return;
	if (send_value(fd, 0))
		return;
	close(fd);
	follow(&t);
}

/* An orphan, so that the guest has no child that it did not make. */
static pid_t fork_orphan(int fd, const struct scar_launch_addresses *addresses)
{
	pid_t guest = getpid(), between = fork(), pid;

	if (between == 0) {
		pid = fork();
		if (pid == 0)
			trace(fd, guest, addresses);
		_exit(pid < 0 ? errno : 0);
	}
	if (between > 0) {
		int status = 0;

		while (waitpid(between, &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			return -EAGAIN;
	}
	return between < 0 ? -errno : 0;
}

static int attach(int fd)
{
	int tracer, error, ret = receive_value(fd, &tracer);

	if (ret)
		return ret;
	/* Fails where there is no Yama, and then is not needed. */
	(void)prctl(PR_SET_PTRACER, (unsigned long)tracer, 0, 0, 0);
	ret = send_value(fd, 0);
	if (ret == 0)
		ret = receive_value(fd, &error);
	return ret ? ret : -error;
}

int scar_tracer_start(const struct scar_launch_addresses *addresses)
{
	int ends[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	ret = fork_orphan(ends[1], addresses);
	close(ends[1]);
	if (ret == 0)
		ret = attach(ends[0]);
	if (ret) {
		close(ends[0]);
		return ret;
	}
	return ends[0];
}

int scar_tracer_ready(int fd, bool has_filter)
{
	int ignored, ret = send_value(fd, has_filter);

	if (ret == 0)
		ret = receive_value(fd, &ignored);
	close(fd);
	return ret;
}
