/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

#define TICK_MS 50
#define LINE_BYTES 1024
/* The pipe of a program that never stops writing must not hold up the service's own line. */
#define DRAIN_BYTES SCAR_MIB(1)

struct scar_output {
	int log_fd;
	int pipe_fds[2];
	void (*tick)(void *ctx);
	void *ctx;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	pthread_mutex_t mutex; /* of the tail, and of the order on log_fd */
	char tail[SCAR_OUTPUT_TAIL_BYTES];
	size_t tail_len;
};

static void keep(struct scar_output *output, const char *data, size_t len)
{
	size_t over;

	if (len > sizeof(output->tail)) {
		data += len - sizeof(output->tail);
		len = sizeof(output->tail);
	}
	over = output->tail_len + len > sizeof(output->tail)
		       ? output->tail_len + len - sizeof(output->tail)
		       : 0;
	memmove(output->tail, output->tail + over, output->tail_len - over);
	output->tail_len -= over;
	memcpy(output->tail + output->tail_len, data, len);
	output->tail_len += len;
}

static void pass_on(struct scar_output *output, const char *data, size_t len)
{
	struct scar_err closed; /* a log that nobody takes is no reason to stop the function */

	keep(output, data, len);
	(void)scar_fs_write_all(output->log_fd, data, len, "log", &closed);
}

static void drain(struct scar_output *output)
{
	char piece[16384];
	size_t total = 0;
	ssize_t n;

	while (total < DRAIN_BYTES && (n = read(output->pipe_fds[0], piece, sizeof(piece))) > 0) {
		pass_on(output, piece, (size_t)n);
		total += (size_t)n;
	}
}

static void *pump(void *arg)
{
	struct scar_output *output = arg;
	struct pollfd fd = {.fd = output->pipe_fds[0], .events = POLLIN};

	while (!atomic_load(&output->stop)) {
		if (poll(&fd, 1, TICK_MS) < 0 && errno != EINTR)
			break;
		if (fd.revents) {
			pthread_mutex_lock(&output->mutex);
			drain(output);
			pthread_mutex_unlock(&output->mutex);
		}
		if (output->tick)
			output->tick(output->ctx);
	}
	return NULL;
}

int scar_output_create(int log_fd, void (*tick)(void *ctx), void *ctx,
		       struct scar_output **ret_output, struct scar_err *err)
{
	struct scar_output *output = calloc(1, sizeof(*output));

	if (!output)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	output->log_fd = log_fd;
	output->tick = tick;
	output->ctx = ctx;
	pthread_mutex_init(&output->mutex, NULL);
	if (pipe2(output->pipe_fds, O_CLOEXEC) < 0) {
		int errnum = errno;

		pthread_mutex_destroy(&output->mutex);
		free(output);
		return scar_err_errno(err, errnum, "pipe");
	}
	/* Only our end: programs expect their standard streams to block. */
	if (fcntl(output->pipe_fds[0], F_SETFL, O_RDONLY | O_NONBLOCK) < 0 ||
	    pthread_create(&output->thread, NULL, pump, output) != 0) {
		scar_output_free(output);
		return scar_err_set(err, SCAR_ERR_IO, "cannot start the log's thread");
	}
	output->started = true;
	*ret_output = output;
	return 0;
}

int scar_output_fd(const struct scar_output *output)
{
	return output->pipe_fds[1];
}

void scar_output_mark(struct scar_output *output)
{
	pthread_mutex_lock(&output->mutex);
	drain(output);
	output->tail_len = 0;
	pthread_mutex_unlock(&output->mutex);
}

void scar_output_line(struct scar_output *output, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	line[len++] = '\n';
	pthread_mutex_lock(&output->mutex);
	drain(output);
	pass_on(output, line, (size_t)len);
	pthread_mutex_unlock(&output->mutex);
}

int scar_output_tail(struct scar_output *output, struct scar_buf *buf, struct scar_err *err)
{
	int result;

	pthread_mutex_lock(&output->mutex);
	result = scar_buf_append(buf, output->tail, output->tail_len, err);
	pthread_mutex_unlock(&output->mutex);
	return result;
}

void scar_output_free(struct scar_output *output)
{
	if (!output)
		return;
	atomic_store(&output->stop, true);
	if (output->started)
		pthread_join(output->thread, NULL);
	drain(output);
	close(output->pipe_fds[0]);
	close(output->pipe_fds[1]);
	pthread_mutex_destroy(&output->mutex);
	free(output);
}
