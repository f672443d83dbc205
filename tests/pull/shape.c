/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link with a rate and a delay, for kernels without netem: pull_shape PORT TARGET-PORT MEGABYTES-PER-SECOND DELAY-MS
 *
 * Relays 127.0.0.1:PORT to 127.0.0.1:TARGET-PORT. What the server sends takes its turn on the one link that all connections share, and
 * arrives DELAY-MS later; so does the answer to a connection attempt. Runs until it is ended.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((size_t)64 << 10)
#define QUEUE 256

struct chunk {
	int64_t due_us;
	size_t len;
	char *data;
};

struct direction {
	int from, to;
	int is_shaped;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t free_us; /* when the link has sent all it was given */
static double bytes_per_us;
static int64_t delay_us;
static uint16_t target_port;

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t arrival_us(size_t len)
{
	int64_t now = now_us(), sent;

	pthread_mutex_lock(&mutex);
	free_us = (free_us > now ? free_us : now) + (int64_t)((double)len / bytes_per_us);
	sent = free_us;
	pthread_mutex_unlock(&mutex);
	return sent + delay_us;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Until the sender has ended and all has arrived. */
static void relay(const struct direction *d, struct chunk *queue)
{
	size_t head = 0, tail = 0;
	int is_open = 1;

	while (is_open || head != tail) {
		struct chunk *first = &queue[head % QUEUE], *next = &queue[tail % QUEUE];
		struct pollfd in = {.fd = is_open && tail - head < QUEUE ? d->from : -1,
				    .events = POLLIN};
		int64_t wait_us = head == tail ? -1000 : first->due_us - now_us();

		if (head != tail && wait_us <= 0) {
			if (send_all(d->to, first->data, first->len) < 0)
				return;
			head++;
			continue;
		}
		if (poll(&in, 1, (int)(wait_us < 0 ? -1 : (wait_us + 999) / 1000)) > 0) {
			ssize_t n = recv(d->from, next->data, CHUNK, 0);

			is_open = n > 0;
			next->len = n > 0 ? (size_t)n : 0;
			next->due_us = d->is_shaped && is_open ? arrival_us(next->len) : 0;
			tail += is_open ? 1 : 0;
		}
	}
}

static void *run_direction(void *arg)
{
	struct direction *d = arg;
	struct chunk *queue = calloc(QUEUE, sizeof *queue);
	char *memory = malloc(QUEUE * CHUNK);

	if (queue && memory) {
		for (size_t i = 0; i < QUEUE; i++)
			queue[i].data = memory + i * CHUNK;
		relay(d, queue);
	}
	shutdown(d->to, SHUT_WR);
	free(memory);
	free(queue);
	return NULL;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void *run_connection(void *arg)
{
	struct direction up = {.from = *(int *)arg,
			       .to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct direction down = {.from = up.to, .to = up.from, .is_shaped = 1};
	struct sockaddr_in server = loopback(target_port);
	pthread_t thread;
	int one = 1;

	free(arg);
	usleep((useconds_t)delay_us);
	if (connect(up.to, (struct sockaddr *)&server, sizeof server) == 0) {
		setsockopt(up.to, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		setsockopt(up.from, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (pthread_create(&thread, NULL, run_direction, &up) == 0) {
			run_direction(&down);
			shutdown(up.from, SHUT_RD);
			pthread_join(thread, NULL);
		}
	}
	close(up.to);
	close(up.from);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in address;

	if (argc != 5)
		return 64;
	address = loopback((uint16_t)strtoul(argv[1], NULL, 10));
	target_port = (uint16_t)strtoul(argv[2], NULL, 10);
	bytes_per_us = strtod(argv[3], NULL);
	delay_us = strtol(argv[4], NULL, 10) * 1000;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(listener, 64) < 0) {
		perror("pull_shape");
		return 1;
	}
	for (;;) {
		pthread_t thread;
		int *fd = malloc(sizeof *fd);

		if (!fd || (*fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
			return 1;
		if (pthread_create(&thread, NULL, run_connection, fd) != 0)
			return 1;
		pthread_detach(thread);
	}
}
