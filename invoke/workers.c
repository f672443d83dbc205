/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

/* Workers that end sooner than this after their start, one after the other, will not get better. */
#define SOON_MS 1000
#define SOON_MAX 5

struct workers {
	pid_t pids[SCAR_WORKERS_MAX]; /* 0: none */
	int64_t count;
	int64_t last_start_ms;
	unsigned ended_soon;
	bool stopping;
	sigset_t signals; /* blocked, and taken one by one */
	sigset_t before;  /* as a worker shall have them */
};

/* @return 1 in the worker, 0, -1 */
static int start(struct workers *workers, int64_t i, struct scar_err *err)
{
	pid_t pid;

	workers->last_start_ms = scar_clock_epoch_ms();
	pid = fork();
	if (pid < 0)
		return scar_err_errno(err, errno, "cannot start a worker");
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &workers->before, NULL);
		return 1;
	}
	workers->pids[i] = pid;
	return 0;
}

static void tell_all(struct workers *workers, int sig)
{
	for (int64_t i = 0; i < workers->count; i++) {
		if (workers->pids[i] > 0)
			(void)kill(workers->pids[i], sig);
	}
}

static int64_t find(const struct workers *workers, pid_t pid)
{
	int64_t i = 0;

	while (i < workers->count && workers->pids[i] != pid)
		i++;
	return i;
}

/* One worker has ended. @return as start() */
static int replace(struct workers *workers, int64_t i, int status, struct scar_err *err)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	workers->pids[i] = 0;
	if (workers->stopping)
		return 0;
	scar_warn("a worker ended with status %d", code);
	if (scar_clock_epoch_ms() - workers->last_start_ms >= SOON_MS)
		workers->ended_soon = 0;
	if (++workers->ended_soon > SOON_MAX)
		return scar_err_set(err, SCAR_ERR_INTERNAL,
				    "workers keep ending at once, the last one with status %d",
				    code);
	return start(workers, i, err);
}

static int reap(struct workers *workers, struct scar_err *err)
{
	int status, result = 0;
	pid_t pid;

	while (result == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int64_t i = find(workers, pid);

		if (i < workers->count)
			result = replace(workers, i, status, err);
	}
	return result;
}

static bool any_left(const struct workers *workers)
{
	for (int64_t i = 0; i < workers->count; i++) {
		if (workers->pids[i] > 0)
			return true;
	}
	return false;
}

static int look_after(struct workers *workers, struct scar_err *err)
{
	int result = 0, sig;

	while (result == 0 && any_left(workers)) {
		if (sigwait(&workers->signals, &sig) != 0)
			continue;
		if (sig != SIGCHLD) {
			workers->stopping = true;
			tell_all(workers, SIGTERM);
		}
		result = reap(workers, err);
	}
	return result;
}

int scar_workers_run(int64_t count, struct scar_err *err)
{
	struct workers workers = {.count = count > SCAR_WORKERS_MAX ? SCAR_WORKERS_MAX : count};
	int result = 0;

	sigemptyset(&workers.signals);
	sigaddset(&workers.signals, SIGCHLD);
	sigaddset(&workers.signals, SIGTERM);
	sigaddset(&workers.signals, SIGINT);
	sigprocmask(SIG_BLOCK, &workers.signals, &workers.before);
	for (int64_t i = 0; i < workers.count && result == 0; i++)
		result = start(&workers, i, err);
	if (result == 0)
		result = look_after(&workers, err);
	if (result < 0) {
		struct scar_err other;

		workers.stopping = true;
		tell_all(&workers, SIGKILL);
		while (any_left(&workers)) {
			int sig;

			(void)reap(&workers, &other);
			if (any_left(&workers))
				(void)sigwait(&workers.signals, &sig);
		}
	}
	return result;
}
