/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "invoke/stopper.h"
#include "invoke/strays.h"
#include "invoke/tail.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/trace.h"

/* How long output may be held open by a process that left the program's process group. */
#define DRAIN_MS 200
#define NEVER INT64_MAX
#define CHUNK_BYTES 65536

enum { POLL_INPUT, POLL_OUTPUT, POLL_ERRORS, POLL_END, POLL_COUNT };

/* Tells the end of a process by closing a pipe, where the kernel (before 5.3) has no descriptor for processes. */
struct watcher {
	pthread_t thread;
	bool running;
	pid_t pid;
	int read_fd, write_fd;
};

struct run {
	const struct scar_run_options *options;
	struct scar_process process;
	struct watcher watcher;
	struct scar_tail tail;
	int64_t started_us; /* scar_trace_begin() */
	struct scar_process_status status;
	int input_fd, output_fd, errors_fd; /* our ends; -1 when done */
	size_t input_done;
	uint64_t stdout_bytes;
	struct scar_stopper *stopper; /* while it runs */
	enum scar_stopper_reason end;
	bool draining;    /* it has ended, and what is in the pipes is taken */
	int64_t alarm_ms; /* monotonic; when draining ends by itself */
};

static int64_t now_ms(void)
{
	return scar_clock_monotonic_us() / 1000;
}

static void close_fd(int *fd)
{
	scar_cleanup_fd(fd);
	*fd = -1;
}

/* ---- knowing when it ends ---- */

static void *watch(void *ctx)
{
	struct watcher *watcher = ctx;
	siginfo_t info;

	/* WNOWAIT: who started the process reaps it. */
	while (waitid(P_PID, (id_t)watcher->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	close(watcher->write_fd);
	return NULL;
}

static int watcher_start(struct watcher *watcher, pid_t pid, struct scar_err *err)
{
	int fds[2], errnum;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return scar_err_errno(err, errno, "cannot make a pipe");
	*watcher = (struct watcher){.pid = pid, .read_fd = fds[0], .write_fd = fds[1]};
	errnum = pthread_create(&watcher->thread, NULL, watch, watcher);
	if (errnum == 0) {
		watcher->running = true;
		return 0;
	}
	close_fd(&watcher->read_fd);
	close_fd(&watcher->write_fd);
	return scar_err_errno(err, errnum, "cannot start a thread");
}

/* The process has ended or is about to. */
static void watcher_stop(struct watcher *watcher)
{
	if (watcher->running)
		pthread_join(watcher->thread, NULL);
	watcher->running = false;
	close_fd(&watcher->read_fd);
}

/* ---- start ---- */

struct pipes {
	int input[2], output[2], errors[2];
};

static void close_pipes(struct pipes *pipes)
{
	int *fds = &pipes->input[0];

	for (size_t i = 0; i < sizeof *pipes / sizeof *fds; i++)
		close_fd(&fds[i]);
}

static int open_pipes(struct pipes *pipes, struct scar_err *err)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(pipes->input, O_CLOEXEC) < 0 || pipe2(pipes->output, O_CLOEXEC) < 0 ||
	    pipe2(pipes->errors, O_CLOEXEC) < 0 ||
	    /* Our ends only: each end of a pipe is a file description of its own. */
	    fcntl(pipes->input[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(pipes->output[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(pipes->errors[0], F_SETFL, O_NONBLOCK) < 0) {
		scar_err_errno(err, errno, "cannot make pipes for the program");
		close_pipes(pipes);
		return -1;
	}
	return 0;
}

static int start(struct run *run, struct scar_err *err)
{
	struct scar_engine_spec spec = *run->options->spec;
	struct pipes pipes;

	if (open_pipes(&pipes, err) < 0)
		return -1;
	spec.stdin_fd = pipes.input[0];
	spec.stdout_fd = pipes.output[1];
	spec.stderr_fd = pipes.errors[1];
	if (run->options->engine->start(&spec, &run->process, err) < 0) {
		close_pipes(&pipes);
		return -1;
	}
	run->input_fd = scar_steal_fd(&pipes.input[1]);
	run->output_fd = scar_steal_fd(&pipes.output[0]);
	run->errors_fd = scar_steal_fd(&pipes.errors[0]);
	close_pipes(&pipes);
	return 0;
}

/* ---- ending it ---- */

static void kill_group(const struct run *run, int sig)
{
	struct scar_err err;

	if (scar_process_kill_group(&run->process, sig, &err) < 0)
		scar_warn("%s", err.msg);
}

static void kill_strays(const struct run *run)
{
	const char *marker = run->options->marker;
	size_t count = marker ? scar_strays_kill(marker) : 0;

	if (count > 0)
		scar_info("the program left processes behind; they were killed");
}

/* It has ended and is not reaped, so that its process group cannot be another's. */
static int reap(struct run *run, struct scar_err *err)
{
	run->end = scar_stopper_end(run->stopper);
	run->stopper = NULL;
	kill_group(run, SIGKILL);
	watcher_stop(&run->watcher);
	if (scar_process_wait(&run->process, -1, &run->status, err) < 0)
		return -1;
	kill_strays(run);
	close_fd(&run->input_fd);
	run->draining = true;
	run->alarm_ms = now_ms() + DRAIN_MS;
	return 0;
}

/* What escaped has had its time. */
static void stop_draining(struct run *run)
{
	scar_debug("a process outside the program's group holds its output open");
	close_fd(&run->output_fd);
	close_fd(&run->errors_fd);
}

/* After a failure of ours: nothing may be left. */
static void abandon(struct run *run)
{
	struct scar_err other;

	(void)scar_stopper_end(run->stopper);
	run->stopper = NULL;
	if (run->process.pid > 0) {
		kill_group(run, SIGKILL);
		watcher_stop(&run->watcher);
		if (scar_process_wait(&run->process, -1, &run->status, &other) < 0)
			scar_warn("%s", other.msg);
		kill_strays(run);
	}
	close_fd(&run->input_fd);
	close_fd(&run->output_fd);
	close_fd(&run->errors_fd);
}

/* ---- moving bytes ---- */

static bool is_passing(int errnum)
{
	return errnum == EINTR || errnum == EAGAIN;
}

static int feed(struct run *run, struct scar_err *err)
{
	const char *data = run->options->input;
	size_t left = run->options->input_len - run->input_done;
	ssize_t n = left ? write(run->input_fd, data + run->input_done, left) : 0;

	if (n > 0)
		run->input_done += (size_t)n;
	/* A program need not read its input. */
	if (run->input_done == run->options->input_len || (n < 0 && errno == EPIPE)) {
		close_fd(&run->input_fd);
		return 0;
	}
	return n < 0 && !is_passing(errno)
		       ? scar_err_errno(err, errno, "cannot write the program's standard input")
		       : 0;
}

/* What there is now, up to a whole chunk, so that many small writes become one piece. @return bytes; 0: none (at its end *fd is closed); -1 */
static ssize_t take(int *fd, char chunk[CHUNK_BYTES], struct scar_err *err)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < CHUNK_BYTES) {
		n = read(*fd, chunk + len, CHUNK_BYTES - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n == 0)
		close_fd(fd);
	if (n < 0 && !is_passing(errno))
		return scar_err_errno(err, errno, "cannot read the program's output");
	return (ssize_t)len;
}

static int take_output(struct run *run, struct scar_err *err)
{
	char chunk[CHUNK_BYTES];
	ssize_t n = take(&run->output_fd, chunk, err);

	if (n <= 0)
		return (int)n;
	if (run->stdout_bytes == 0)
		scar_trace_end(run->started_us, "first-byte", NULL, 0);
	run->stdout_bytes += (uint64_t)n;
	return run->options->sink(run->options->sink_ctx, chunk, (size_t)n, err);
}

static int take_errors(struct run *run, struct scar_err *err)
{
	char chunk[CHUNK_BYTES];
	ssize_t n = take(&run->errors_fd, chunk, err);

	if (n > 0)
		scar_tail_add(&run->tail, chunk, (size_t)n);
	return n < 0 ? -1 : 0;
}

/* ---- the loop ---- */

static int end_fd(const struct run *run)
{
	if (run->draining)
		return -1;
	return run->process.pidfd >= 0 ? run->process.pidfd : run->watcher.read_fd;
}

static int poll_timeout(const struct run *run)
{
	int64_t left;

	if (run->alarm_ms == NEVER)
		return -1;
	left = run->alarm_ms - now_ms();
	return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static int step(struct run *run, struct scar_err *err)
{
	struct pollfd fds[POLL_COUNT] = {
		[POLL_INPUT] = {.fd = run->input_fd, .events = POLLOUT},
		[POLL_OUTPUT] = {.fd = run->output_fd, .events = POLLIN},
		[POLL_ERRORS] = {.fd = run->errors_fd, .events = POLLIN},
		[POLL_END] = {.fd = end_fd(run), .events = POLLIN},
	};

	if (poll(fds, POLL_COUNT, poll_timeout(run)) < 0)
		return errno == EINTR ? 0
				      : scar_err_errno(err, errno, "cannot wait for the program");
	if (fds[POLL_INPUT].revents && feed(run, err) < 0)
		return -1;
	if (fds[POLL_OUTPUT].revents && take_output(run, err) < 0)
		return -1;
	if (fds[POLL_ERRORS].revents && take_errors(run, err) < 0)
		return -1;
	if (fds[POLL_END].revents && reap(run, err) < 0)
		return -1;
	if (run->draining && now_ms() >= run->alarm_ms)
		stop_draining(run);
	return 0;
}

static bool is_over(const struct run *run)
{
	return run->draining && run->output_fd < 0 && run->errors_fd < 0;
}

static int run_started(struct run *run, struct scar_err *err)
{
	const struct scar_stopper_options stopper = {
		.process = &run->process,
		.deadline_ms = run->options->deadline_ms,
		.grace_ms = run->options->grace_ms,
		.stop_fd = run->options->stop_fd,
	};

	if (run->process.pidfd < 0 && watcher_start(&run->watcher, run->process.pid, err) < 0)
		return -1;
	if (scar_stopper_start(&stopper, &run->stopper, err) < 0)
		return -1;
	while (!is_over(run)) {
		if (step(run, err) < 0)
			return -1;
	}
	return 0;
}

int scar_run(const struct scar_run_options *options, struct scar_run_result *ret_result,
	     struct scar_err *err)
{
	struct run run = {
		.options = options,
		.process = {.pid = -1, .pidfd = -1},
		.watcher = {.read_fd = -1, .write_fd = -1},
		.input_fd = -1,
		.output_fd = -1,
		.errors_fd = -1,
		.alarm_ms = NEVER,
	};
	int64_t start_ms = now_ms();

	scar_tail_init(&run.tail, options->stderr_fd, options->json_log);
	run.started_us = scar_trace_begin();
	if (start(&run, err) < 0)
		return -1;
	scar_trace_end(run.started_us, "engine-start", NULL, 0);
	if (run_started(&run, err) < 0) {
		abandon(&run);
		scar_tail_finish(&run.tail);
		return -1;
	}
	scar_tail_finish(&run.tail);
	scar_trace_end(run.started_us, "program", NULL, run.stdout_bytes);
	ret_result->status = run.status;
	ret_result->timed_out = run.end == SCAR_STOPPER_DEADLINE;
	ret_result->interrupted = run.end == SCAR_STOPPER_INTERRUPTED;
	ret_result->stdout_bytes = run.stdout_bytes;
	ret_result->elapsed_ms = now_ms() - start_ms;
	ret_result->stderr_tail_len = scar_tail_get(&run.tail, ret_result->stderr_tail);
	return 0;
}
