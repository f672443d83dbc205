/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http1_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/limits.h"

/* A whole event with its head arrives in one read up to this size. */
#define READ_AHEAD SCAR_KIB(64)

/* ---- reading ---- */

void scar_http1_init(struct scar_http1 *conn, int fd)
{
	conn->fd = fd;
	conn->in_used = 0;
	scar_buf_init(&conn->in, SCAR_LIMIT_HTTP_HEADER_BYTES + READ_AHEAD);
}

void scar_http1_close(struct scar_http1 *conn)
{
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	conn->in_used = 0;
	scar_buf_clear(&conn->in);
}

size_t scar_http1_buffered(const struct scar_http1 *conn)
{
	return conn->in.len - conn->in_used;
}

const char *scar_http1_peek(const struct scar_http1 *conn)
{
	return conn->in.data + conn->in_used;
}

void scar_http1_skip(struct scar_http1 *conn, size_t len)
{
	conn->in_used += len;
	if (conn->in_used == conn->in.len) {
		conn->in_used = 0;
		scar_buf_reset(&conn->in);
	}
}

static int network_error(struct scar_err *err, int errnum, const char *what)
{
	scar_err_errno(err, errnum, "%s", what);
	err->kind = SCAR_ERR_NETWORK;
	return -1;
}

/* Milliseconds for poll(2), rounded up so that it does not spin just before the deadline. */
static int poll_timeout(int64_t deadline_us)
{
	int64_t left;

	if (deadline_us == 0)
		return -1;
	left = deadline_us - scar_clock_monotonic_us();
	if (left <= 0)
		return 0;
	return left / 1000 >= INT32_MAX ? INT32_MAX : (int)((left + 999) / 1000);
}

static int wait_for(int fd, short events, int64_t deadline_us, struct scar_err *err)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		int n = poll(&pfd, 1, poll_timeout(deadline_us));

		if (n > 0)
			return 0; /* an error condition shows in the call that follows */
		if (n < 0 && errno != EINTR)
			return scar_err_errno(err, errno, "poll");
		if (deadline_us != 0 && scar_clock_monotonic_us() >= deadline_us)
			return scar_err_set(err, SCAR_ERR_TIMEOUT, "time-out of the connection");
	}
}

/*
 * Tries first and waits only for what is not there, so that a message which already
 * arrived costs one system call. Without a deadline the blocking read itself waits.
 */
static ssize_t receive(int fd, void *data, size_t size, int64_t deadline_us, struct scar_err *err)
{
	ssize_t n;

	for (;;) {
		if (deadline_us == 0) {
			n = read(fd, data, size);
		} else {
			n = recv(fd, data, size, MSG_DONTWAIT);
			if (n < 0 && errno == ENOTSOCK) {
				if (wait_for(fd, POLLIN, deadline_us, err) < 0)
					return -1;
				n = read(fd, data, size);
			}
		}
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(fd, POLLIN, deadline_us, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return network_error(err, errno, "read from the connection");
		}
	}
}

int scar_http1_fill(struct scar_http1 *conn, int64_t deadline_us, struct scar_err *err)
{
	ssize_t n;

	if (conn->in_used > 0) {
		scar_buf_consume(&conn->in, conn->in_used);
		conn->in_used = 0;
	}
	if (scar_buf_reserve(&conn->in, READ_AHEAD, err) < 0)
		return -1;
	n = receive(conn->fd, conn->in.data + conn->in.len, READ_AHEAD, deadline_us, err);
	if (n <= 0)
		return (int)n;
	conn->in.len += (size_t)n;
	conn->in.data[conn->in.len] = '\0';
	return (int)n;
}

int scar_http1_read_some(struct scar_http1 *conn, void *data, size_t size, int64_t deadline_us,
			 size_t *ret_len, struct scar_err *err)
{
	size_t ready = scar_http1_buffered(conn);
	ssize_t n;

	if (ready > 0) {
		if (ready > size)
			ready = size;
		memcpy(data, scar_http1_peek(conn), ready);
		scar_http1_skip(conn, ready);
		*ret_len = ready;
		return 0;
	}
	n = receive(conn->fd, data, size, deadline_us, err);
	if (n < 0)
		return -1;
	*ret_len = (size_t)n;
	return 0;
}

/* ---- writing ---- */

/* Drops the first `done` bytes of what is to be written. */
static void advance(struct iovec **iov, size_t *count, size_t done)
{
	while (*count > 0 && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

static int write_all(struct scar_http1 *conn, struct iovec *iov, size_t count, struct scar_err *err)
{
	advance(&iov, &count, 0);
	while (count > 0) {
		struct msghdr msg = {.msg_iov = iov,
				     .msg_iovlen = (__typeof__(msg.msg_iovlen))count};
		ssize_t n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == ENOTSOCK)
			n = writev(conn->fd, iov, (int)count);
		if (n >= 0) {
			advance(&iov, &count, (size_t)n);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(conn->fd, POLLOUT, 0, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return network_error(err, errno, "write to the connection");
		}
	}
	return 0;
}

/* writev(2) only reads, yet struct iovec has no const. */
static struct iovec piece(const void *data, size_t len)
{
	return (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = len};
}

int scar_http1_write(struct scar_http1 *conn, const void *head, size_t head_len, const void *body,
		     size_t body_len, struct scar_err *err)
{
	struct iovec iov[] = {piece(head, head_len), piece(body, body_len)};

	return write_all(conn, iov, 2, err);
}

int scar_http1_write_chunk(struct scar_http1 *conn, const void *data, size_t len,
			   struct scar_err *err)
{
	char size[2 * sizeof len + 3];
	int size_len = snprintf(size, sizeof size, "%zx\r\n", len);
	struct iovec iov[] = {piece(size, (size_t)size_len), piece(data, len), piece("\r\n", 2)};

	return len > 0 ? write_all(conn, iov, 3, err) : 0;
}

int scar_http1_write_last_chunk(struct scar_http1 *conn, const struct scar_http1_field *trailers,
				size_t count, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	struct iovec iov;

	scar_buf_init(&text, SCAR_LIMIT_HTTP_HEADER_BYTES);
	if (scar_buf_append_str(&text, "0\r\n", err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!scar_http1_name_ok(trailers[i].name) ||
		    !scar_http1_value_ok(trailers[i].value))
			return scar_err_set(err, SCAR_ERR_INTERNAL, "invalid trailer field %zu", i);
		if (scar_buf_printf(&text, err, "%s: %s\r\n", trailers[i].name, trailers[i].value) <
		    0)
			return -1;
	}
	if (scar_buf_append_str(&text, "\r\n", err) < 0)
		return -1;
	iov = piece(text.data, text.len);
	return write_all(conn, &iov, 1, err);
}

/* ---- connecting ---- */

static int connect_address(const struct addrinfo *address, int64_t deadline_us, int *ret_fd,
			   struct scar_err *err)
{
	scar_fd_auto int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				     0);
	int failure = 0, one = 1;
	socklen_t len = sizeof failure;

	if (fd < 0)
		return scar_err_errno(err, errno, "socket");
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return network_error(err, errno, "connect");
		if (wait_for(fd, POLLOUT, deadline_us, err) < 0)
			return -1;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
			return scar_err_errno(err, errno, "getsockopt");
		if (failure != 0)
			return network_error(err, failure, "connect");
	}
	if (fcntl(fd, F_SETFL, 0) < 0)
		return scar_err_errno(err, errno, "fcntl");
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
		return scar_err_errno(err, errno, "setsockopt");
	*ret_fd = scar_steal_fd(&fd);
	return 0;
}

/* "host:port" or "[v6]:port". Borrows both from `copy`. */
static int split(char *copy, const char **ret_host, const char **ret_port)
{
	char *host = copy, *colon;

	if (*host == '[') {
		char *end = strchr(++host, ']');

		if (!end || end[1] != ':')
			return -1;
		*end = '\0';
		colon = end + 1;
	} else {
		colon = strchr(host, ':');
		if (!colon || strchr(colon + 1, ':'))
			return -1;
		*colon = '\0';
	}
	if (*host == '\0' || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -1;
	*ret_host = host;
	*ret_port = colon + 1;
	return 0;
}

int scar_http1_connect(const char *host_port, int64_t timeout_ms, int *ret_fd, struct scar_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	int64_t deadline_us = timeout_ms > 0 ? scar_clock_monotonic_us() + timeout_ms * 1000 : 0;
	const char *host, *port;
	char copy[512];
	int status;

	if (strlen(host_port) >= sizeof copy)
		return scar_err_set(err, SCAR_ERR_CONFIG, "address of %zu bytes",
				    strlen(host_port));
	memcpy(copy, host_port, strlen(host_port) + 1);
	if (split(copy, &host, &port) < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "\"%s\" is not host:port", host_port);
	status = getaddrinfo(host, port, &hints, &list);
	if (status == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV;
		status = getaddrinfo(host, port, &hints, &list);
	}
	if (status != 0)
		return scar_err_set(err, SCAR_ERR_NETWORK, "cannot resolve \"%s\": %s", host,
				    gai_strerror(status));
	status = -1;
	for (const struct addrinfo *address = list; address && status < 0;
	     address = address->ai_next)
		status = connect_address(address, deadline_us, ret_fd, err);
	freeaddrinfo(list);
	return status < 0 ? scar_err_wrap(err, "%s", host_port) : 0;
}
