/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/frontend.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/invoke_api.h"

#define THREAD_STACK_BYTES SCAR_MIB(1)

struct connection {
	struct scar_frontend *frontend;
	pthread_t thread;
	enum { FREE, SERVING, ENDED } state; /**< ENDED: the thread is to be joined */
	int fd;                              /**< while SERVING */
};

struct scar_frontend {
	int listen_fd;
	int stop_fd;
	struct scar_pool *pool;
	pthread_mutex_t mutex;
	struct connection connections[SCAR_FRONTEND_CONNECTIONS];
};

static int listen_on(const char *host, uint16_t port, int *ret_fd, struct scar_err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	scar_fd_auto int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int yes = 1;

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"%.100s is no IPv4 address to listen on: 127.0.0.1, or 0.0.0.0 for all",
			host);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, SOMAXCONN) < 0)
		return scar_err_errno(err, errno, "cannot listen on %s:%u", host, (unsigned)port);
	*ret_fd = scar_steal_fd(&fd);
	return 0;
}

int scar_frontend_open(const char *host, uint16_t port, struct scar_frontend **ret_frontend,
		       struct scar_err *err)
{
	struct scar_frontend *frontend = calloc(1, sizeof(*frontend));

	if (!frontend)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	frontend->listen_fd = -1;
	pthread_mutex_init(&frontend->mutex, NULL);
	frontend->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (frontend->stop_fd < 0)
		scar_err_errno(err, errno, "eventfd");
	else if (listen_on(host, port, &frontend->listen_fd, err) == 0) {
		*ret_frontend = frontend;
		return 0;
	}
	scar_frontend_free(frontend);
	return -1;
}

static void *serve(void *arg)
{
	struct connection *connection = arg;
	struct scar_frontend *frontend = connection->frontend;
	struct scar_http1 http;

	scar_http1_init(&http, connection->fd);
	scar_invoke_api_serve(&http, frontend->pool);
	pthread_mutex_lock(&frontend->mutex);
	scar_http1_close(&http);
	connection->state = ENDED;
	pthread_mutex_unlock(&frontend->mutex);
	return NULL;
}

/* With the mutex held. A place for one more connection, or NULL. */
static struct connection *find_place(struct scar_frontend *frontend)
{
	for (size_t i = 0; i < SCAR_FRONTEND_CONNECTIONS; i++) {
		struct connection *connection = &frontend->connections[i];

		if (connection->state == ENDED) {
			pthread_join(connection->thread, NULL);
			connection->state = FREE;
		}
		if (connection->state == FREE)
			return connection;
	}
	return NULL;
}

static int start(struct connection *connection, struct scar_err *err)
{
	pthread_attr_t attr;
	int result;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	result = pthread_create(&connection->thread, &attr, serve, connection);
	pthread_attr_destroy(&attr);
	return result == 0 ? 0 : scar_err_errno(err, result, "cannot start a thread");
}

static void accept_one(struct scar_frontend *frontend)
{
	int fd = accept4(frontend->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct connection *connection;
	struct scar_err err;
	int yes = 1;

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	pthread_mutex_lock(&frontend->mutex);
	connection = find_place(frontend);
	if (!connection) {
		/* The client sees a closed connection, and tries again. */
		pthread_mutex_unlock(&frontend->mutex);
		close(fd);
		return;
	}
	connection->frontend = frontend;
	connection->fd = fd;
	connection->state = SERVING;
	if (start(connection, &err) < 0) {
		connection->state = FREE;
		close(fd);
	}
	pthread_mutex_unlock(&frontend->mutex);
}

int scar_frontend_run(struct scar_frontend *frontend, struct scar_pool *pool, struct scar_err *err)
{
	struct pollfd fds[] = {
		{.fd = frontend->listen_fd, .events = POLLIN},
		{.fd = frontend->stop_fd, .events = POLLIN},
	};

	frontend->pool = pool;
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return scar_err_errno(err, errno, "poll");
		if (fds[1].revents)
			return 0;
		if (fds[0].revents)
			accept_one(frontend);
	}
}

void scar_frontend_stop(struct scar_frontend *frontend)
{
	const uint64_t one = 1;

	(void)!write(frontend->stop_fd, &one, sizeof(one));
}

void scar_frontend_free(struct scar_frontend *frontend)
{
	if (!frontend)
		return;
	pthread_mutex_lock(&frontend->mutex);
	for (size_t i = 0; i < SCAR_FRONTEND_CONNECTIONS; i++) {
		if (frontend->connections[i].state == SERVING)
			(void)shutdown(frontend->connections[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&frontend->mutex);
	for (size_t i = 0; i < SCAR_FRONTEND_CONNECTIONS; i++) {
		bool used;

		/* SERVING may become ENDED meanwhile; only this thread makes a place free. */
		pthread_mutex_lock(&frontend->mutex);
		used = frontend->connections[i].state != FREE;
		pthread_mutex_unlock(&frontend->mutex);
		if (used)
			pthread_join(frontend->connections[i].thread, NULL);
	}
	if (frontend->listen_fd >= 0)
		close(frontend->listen_fd);
	if (frontend->stop_fd >= 0)
		close(frontend->stop_fd);
	pthread_mutex_destroy(&frontend->mutex);
	free(frontend);
}
