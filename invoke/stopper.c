/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/stopper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "invoke/engine/engine.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

struct scar_stopper {
	pthread_t thread;
	struct scar_stopper_options options;
	int end_fd; /* readable: the program has ended */
	enum scar_stopper_reason reason;
};

static int64_t now_ms(void)
{
	return scar_clock_monotonic_us() / 1000;
}

static void signal_group(const struct scar_stopper *stopper, int sig)
{
	struct scar_err err;

	if (scar_process_kill_group(stopper->options.process, sig, &err) < 0)
		scar_warn("%s", err.msg);
}

enum woken { BY_END, BY_STOP, BY_TIME };

/* until_ms: monotonic, INT64_MAX: for ever. */
static enum woken wait_until(const struct scar_stopper *stopper, int stop_fd, int64_t until_ms)
{
	struct pollfd fds[] = {{.fd = stopper->end_fd, .events = POLLIN},
			       {.fd = stop_fd, .events = POLLIN}};

	for (;;) {
		int64_t left = until_ms == INT64_MAX ? -1 : until_ms - now_ms();

		if (until_ms != INT64_MAX && left <= 0)
			return BY_TIME;
		if (poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) <= 0)
			continue;
		return fds[0].revents ? BY_END : BY_STOP;
	}
}

static void *watch(void *ctx)
{
	struct scar_stopper *stopper = ctx;
	int64_t deadline_ms = stopper->options.deadline_ms;
	int64_t until_ms = deadline_ms ? now_ms() + scar_clock_left_ms(deadline_ms) : INT64_MAX;
	enum woken woken = wait_until(stopper, stopper->options.stop_fd, until_ms);

	if (woken == BY_END)
		return NULL;
	stopper->reason = woken == BY_STOP ? SCAR_STOPPER_INTERRUPTED : SCAR_STOPPER_DEADLINE;
	signal_group(stopper, SIGTERM);
	if (wait_until(stopper, -1, now_ms() + stopper->options.grace_ms) == BY_TIME)
		signal_group(stopper, SIGKILL);
	return NULL;
}

static void destroy(struct scar_stopper *stopper)
{
	scar_cleanup_fd(&stopper->end_fd);
	free(stopper);
}

int scar_stopper_start(const struct scar_stopper_options *options,
		       struct scar_stopper **ret_stopper, struct scar_err *err)
{
	struct scar_stopper *stopper = calloc(1, sizeof *stopper);
	int errnum;

	if (!stopper)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a timer");
	stopper->options = *options;
	stopper->end_fd = eventfd(0, EFD_CLOEXEC);
	if (stopper->end_fd < 0) {
		scar_err_errno(err, errno, "cannot make an event descriptor");
		destroy(stopper);
		return -1;
	}
	errnum = pthread_create(&stopper->thread, NULL, watch, stopper);
	if (errnum) {
		destroy(stopper);
		return scar_err_errno(err, errnum, "cannot start a thread");
	}
	*ret_stopper = stopper;
	return 0;
}

enum scar_stopper_reason scar_stopper_end(struct scar_stopper *stopper)
{
	enum scar_stopper_reason reason;

	if (!stopper)
		return SCAR_STOPPER_NOT_STOPPED;
	/* Cannot fail: the counter is 0 before. */
	(void)eventfd_write(stopper->end_fd, 1);
	pthread_join(stopper->thread, NULL);
	reason = stopper->reason;
	destroy(stopper);
	return reason;
}
