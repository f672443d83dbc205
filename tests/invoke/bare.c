/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare client of the Runtime API, the least that a runtime in C can do: ask for an invocation, answer it with nothing, again. One keep-alive
 * connection, no checks beyond those without which it would not work. What `make bench-invoke` compares bootstrap with.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BASE "/2018-06-01/runtime/invocation/"

static char in[1 << 20];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(const char *api)
{
	char host[64];
	struct sockaddr_in address = {.sin_family = AF_INET};
	const char *colon = strchr(api, ':');
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	snprintf(host, sizeof host, "%.*s", (int)(colon - api), api);
	address.sin_port = htons((unsigned short)strtoul(colon + 1, NULL, 10));
	if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* Reads one answer whole; its head stays in `in`. */
static void receive(int fd)
{
	size_t len = 0, want = 0;
	char *body = NULL;

	while (!body || len < want) {
		ssize_t n = read(fd, in + len, sizeof in - 1 - len);

		if (n <= 0)
			exit(0);
		len += (size_t)n;
		in[len] = '\0';
		if (!body && (body = strstr(in, "\r\n\r\n"))) {
			const char *field = strcasestr(in, "\r\nContent-Length:");

			body += 4;
			want = (size_t)(body - in) + (field ? strtoul(field + 17, NULL, 10) : 0);
		}
	}
}

static void send_all(int fd, const char *text, size_t len)
{
	if (write(fd, text, len) != (ssize_t)len)
		die("write");
}

int main(void)
{
	static const char name[] = "\r\nLambda-Runtime-Aws-Request-Id:";
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	char request[512], id[128];
	int fd, len;

	if (!api)
		return 1;
	fd = dial(api);
	for (;;) {
		const char *field;

		len = snprintf(request, sizeof request,
			       "GET " BASE "next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
		send_all(fd, request, (size_t)len);
		receive(fd);
		field = strcasestr(in, name);
		if (!field || sscanf(field + sizeof name - 1, " %127[^\r]", id) != 1)
			return 1;
		len = snprintf(request, sizeof request,
			       "POST " BASE
			       "%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n",
			       id, api);
		send_all(fd, request, (size_t)len);
		receive(fd);
	}
}
