/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "invoke/engine/engine.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define POLL_MS_MAX 20

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t microseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void describe(int status, const struct rusage *usage, struct scar_process_status *ret)
{
	*ret = (struct scar_process_status){
		.exited = WIFEXITED(status),
		.max_rss_bytes = (uint64_t)usage->ru_maxrss * 1024,
		.cpu_us = microseconds(usage->ru_utime) + microseconds(usage->ru_stime),
	};
	if (ret->exited) {
		ret->code = WEXITSTATUS(status);
	} else {
		ret->signal = WTERMSIG(status);
		ret->dumped = WCOREDUMP(status);
	}
}

/* 1 reaped, 0 still running, -1 err. */
static int try_reap(struct scar_process *p, int options, struct scar_process_status *ret_status,
		    struct scar_err *err)
{
	struct rusage usage;
	int status;
	pid_t pid = wait4(p->pid, &status, options, &usage);

	if (pid < 0 && errno == EINTR)
		return 0;
	if (pid < 0)
		return scar_err_errno(err, errno, "cannot wait for process %d", (int)p->pid);
	if (pid == 0)
		return 0;
	describe(status, &usage, ret_status);
	scar_cleanup_fd(&p->pidfd);
	*p = (struct scar_process){.pid = -1, .pidfd = -1};
	return 1;
}

/*
 * Sleeps until the program may have ended, at most left_ms. Kernels before 5.3 have no
 * descriptor to poll: there it is looked at again soon.
 */
static void await(const struct scar_process *p, int64_t left_ms, int *nap_ms, bool *has_ended)
{
	struct pollfd pollfd = {.fd = p->pidfd, .events = POLLIN};
	int ms = left_ms < 0 || left_ms > 60000 ? 60000 : (int)left_ms;

	if (p->pidfd < 0) {
		ms = ms < *nap_ms ? ms : *nap_ms;
		*nap_ms = *nap_ms * 2 < POLL_MS_MAX ? *nap_ms * 2 : POLL_MS_MAX;
	}
	/*
	 * A traced program that has ended is its tracer's first, and only then ours: meanwhile the descriptor says
	 * that there is something where there is nothing. Of higher priority than the tracer, we must not spin.
	 */
	if (poll(&pollfd, p->pidfd >= 0, ms) > 0 && *has_ended)
		(void)poll(NULL, 0, 1);
	*has_ended = pollfd.revents != 0;
}

int scar_process_wait(struct scar_process *process, int64_t timeout_ms,
		      struct scar_process_status *ret_status, struct scar_err *err)
{
	int64_t start = now_ms(), left = timeout_ms;
	int nap_ms = 1;
	bool has_ended = false;

	for (;;) {
		int got = try_reap(process, WNOHANG, ret_status, err);

		if (got)
			return got > 0 ? 0 : -1;
		if (timeout_ms >= 0) {
			left = timeout_ms - (now_ms() - start);
			if (left <= 0)
				return scar_err_set(err, SCAR_ERR_TIMEOUT,
						    "the program still runs");
		}
		await(process, left, &nap_ms, &has_ended);
	}
}

int scar_process_kill_group(const struct scar_process *process, int sig, struct scar_err *err)
{
	/* Never the group of pid 1 or our own, should somebody pass a closed process. */
	if (process->pid <= 1)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "no process to signal");
	if (kill(-process->pid, sig) && errno != ESRCH)
		return scar_err_errno(err, errno, "cannot signal process group %d",
				      (int)process->pid);
	return 0;
}
