/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_script.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"

/* No test waits that long for a request that has begun. */
#define REQUEST_TIMEOUT_US 5000000

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		abort();
	}
}

static void serve(struct http_script *server, int fd)
{
	struct scar_http1 conn;
	struct scar_http1_message req;
	struct scar_err err;

	scar_http1_init(&conn, fd);
	scar_http1_message_init(&req);
	if (scar_http1_read_request(&conn, &req, scar_clock_monotonic_us() + REQUEST_TIMEOUT_US,
				    &err) == 1)
		server->answer(server->ctx, &conn, &req);
	/* The client shall see the end of what was sent, not a reset: it may have sent more than was read. */
	shutdown(conn.fd, SHUT_WR);
	scar_http1_message_clear(&req);
	scar_http1_close(&conn);
}

static void *run(void *arg)
{
	struct http_script *server = arg;

	for (;;) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL; /* shut down by http_script_stop() */
		serve(server, fd);
	}
}

void http_script_start(struct http_script *server, http_script_answer answer, void *ctx)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);

	server->answer = answer;
	server->ctx = ctx;
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(server->listen_fd >= 0, "socket");
	must(bind(server->listen_fd, (struct sockaddr *)&addr, len) == 0, "bind");
	must(listen(server->listen_fd, 64) == 0, "listen");
	must(getsockname(server->listen_fd, (struct sockaddr *)&addr, &len) == 0, "getsockname");
	server->port = ntohs(addr.sin_port);
	must(pthread_create(&server->thread, NULL, run, server) == 0, "pthread_create");
}

void http_script_stop(struct http_script *server)
{
	shutdown(server->listen_fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listen_fd);
}

void http_script_head(struct scar_http1 *conn, int status, const char *lines,
		      uint64_t content_length)
{
	char head[4096];
	struct scar_err err;
	int n = snprintf(
		head, sizeof(head),
		"HTTP/1.1 %d Scripted\r\nConnection: close\r\nContent-Length: %llu\r\n%s\r\n",
		status, (unsigned long long)content_length, lines);

	must(n > 0 && (size_t)n < sizeof(head), "head");
	(void)!scar_http1_write(conn, head, (size_t)n, NULL, 0, &err);
}

void http_script_body(struct scar_http1 *conn, const void *data, size_t len)
{
	struct scar_err err;

	(void)!scar_http1_write(conn, data, len, NULL, 0, &err);
}
