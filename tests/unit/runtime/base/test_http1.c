/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http1.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* A connection whose other end the test plays. */
struct fixture {
	struct scar_http1 conn;
	struct scar_http1_message msg;
	int peer;
	struct scar_err err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	int pair[2];

	if (!f || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	scar_http1_init(&f->conn, pair[0]);
	scar_http1_message_init(&f->msg);
	f->peer = pair[1];
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	scar_http1_message_clear(&f->msg);
	scar_http1_close(&f->conn);
	if (f->peer >= 0)
		close(f->peer);
	free(f);
	return 0;
}

static void send_bytes(struct fixture *f, const char *data, size_t len)
{
	assert_int_equal(send(f->peer, data, len, MSG_NOSIGNAL), len);
}

static void send_text(struct fixture *f, const char *text)
{
	send_bytes(f, text, strlen(text));
}

static void hang_up(struct fixture *f)
{
	close(f->peer);
	f->peer = -1;
}

static int read_request(struct fixture *f)
{
	return scar_http1_read_request(&f->conn, &f->msg, 0, &f->err);
}

static int read_response(struct fixture *f)
{
	return scar_http1_read_response(&f->conn, &f->msg, false, 0, &f->err);
}

static int read_all(struct fixture *f, struct scar_buf *buf)
{
	return scar_http1_read_body_all(&f->conn, &f->msg, buf, 0, &f->err);
}

static void a_request_is_read_with_its_fields_and_body(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, 100);
	send_text(f, "POST /a?b=c HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nx-space: \t v w \t\r\n"
		     "Content-Length: 5\r\n\r\nhello");
	assert_int_equal(read_request(f), 1);
	assert_string_equal(f->msg.method, "POST");
	assert_string_equal(f->msg.target, "/a?b=c");
	assert_int_equal(f->msg.field_count, 4);
	assert_string_equal(scar_http1_field(&f->msg, "HOST"), "h");
	assert_string_equal(scar_http1_field(&f->msg, "X-Empty"), "");
	assert_string_equal(scar_http1_field(&f->msg, "X-Space"), "v w");
	assert_null(scar_http1_field(&f->msg, "Absent"));
	assert_true(f->msg.keep_alive);
	assert_int_equal(read_all(f, &body), 0);
	assert_string_equal(body.data, "hello");
}

static void messages_that_arrive_together_are_read_one_by_one(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, 100);
	send_text(f, "POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\na"
		     "POST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
		     "\r\nGET /3 HTTP/1.0\r\n\r\n");
	hang_up(f);
	for (int i = 1; i <= 3; i++) {
		char target[8];

		snprintf(target, sizeof target, "/%d", i);
		assert_int_equal(read_request(f), 1);
		assert_string_equal(f->msg.target, target);
		assert_int_equal(read_all(f, &body), 0);
	}
	assert_false(f->msg.keep_alive);
	assert_string_equal(body.data, "ab");
	assert_int_equal(read_request(f), 0);
}

/* What a thread writes byte by byte, so that every boundary falls between two reads. */
struct dribble {
	int fd;
	const char *text;
};

static void *write_slowly(void *arg)
{
	struct dribble *dribble = arg;

	for (const char *p = dribble->text; *p; p++) {
		if (send(dribble->fd, p, 1, MSG_NOSIGNAL) != 1)
			break;
		sched_yield();
	}
	return NULL;
}

static void single_bytes_make_the_same_message(void **state)
{
	struct fixture *f = *state;
	struct dribble dribble = {f->peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					   "3;ext=\"1\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n"
					   "T-One: 1\r\nT-Two: 2\r\n\r\n"};
	scar_buf_auto struct scar_buf body;
	pthread_t thread;

	scar_buf_init(&body, 100);
	assert_int_equal(pthread_create(&thread, NULL, write_slowly, &dribble), 0);
	assert_int_equal(read_response(f), 1);
	assert_int_equal(f->msg.status, 200);
	assert_int_equal(read_all(f, &body), 0);
	pthread_join(thread, NULL);
	assert_string_equal(body.data, "abc0123456789");
	assert_string_equal(scar_http1_field(&f->msg, "t-one"), "1");
	assert_string_equal(scar_http1_field(&f->msg, "t-two"), "2");
	assert_string_equal(scar_http1_field(&f->msg, "transfer-encoding"), "chunked");
}

static void malformed_heads_are_refused(void **state)
{
	static const char *const heads[] = {
		"GET /\r\n\r\n",
		"GET  / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1 \r\n\r\n",
		"GET / HTTP/2.0\r\n\r\n",
		"GET / HTTP/1.10\r\n\r\n",
		"G@T / HTTP/1.1\r\n\r\n",
		" / HTTP/1.1\r\n\r\n",
		"GET / x HTTP/1.1\r\n\r\n",
		"GET /\tx HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
		"GET / HTTP/1.1\r\nName : v\r\n\r\n",
		"GET / HTTP/1.1\r\n: v\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\n A: b\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
		"GET / HTTP/1.1\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
		"GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1 1\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n",
		"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct fixture *f;

		tear_down(state);
		assert_int_equal(set_up(state), 0);
		f = *state;
		send_text(f, heads[i]);
		hang_up(f);
		if (read_request(f) != -1)
			fail_msg("accepted: %s", heads[i]);
		assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
	}
}

static void a_nul_in_a_head_is_refused(void **state)
{
	static const char in_line[] = "GET /a\0b HTTP/1.1\r\n\r\n";
	static const char in_field[] = "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n";
	struct fixture *f = *state;

	send_bytes(f, in_line, sizeof in_line - 1);
	assert_int_equal(read_request(f), -1);
	tear_down(state);
	assert_int_equal(set_up(state), 0);
	f = *state;
	send_bytes(f, in_field, sizeof in_field - 1);
	assert_int_equal(read_request(f), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
}

static void the_same_length_twice_is_accepted(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, 100);
	send_text(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi");
	assert_int_equal(read_response(f), 1);
	assert_int_equal(read_all(f, &body), 0);
	assert_string_equal(body.data, "hi");
}

static void responses_without_a_body_have_none(void **state)
{
	struct fixture *f = *state;
	size_t len = 1;
	char byte;

	send_text(f, "HTTP/1.1 204 No Content\r\n\r\n"
		     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(scar_http1_read_response(&f->conn, &f->msg, i == 3, 0, &f->err),
				 1);
		assert_int_equal(
			scar_http1_read_body(&f->conn, &f->msg, &byte, 1, 0, &len, &f->err), 0);
		assert_int_equal(len, 0);
		assert_true(f->msg.keep_alive);
	}
	assert_int_equal(f->msg.content_length, 9);
}

static void interim_responses_are_skipped(void **state)
{
	struct fixture *f = *state;

	send_text(
		f,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
	hang_up(f);
	assert_int_equal(read_response(f), 1);
	assert_int_equal(f->msg.status, 202);
	assert_null(scar_http1_field(&f->msg, "Link"));
	assert_int_equal(read_response(f), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
}

static void malformed_responses_are_refused(void **state)
{
	static const char *const heads[] = {
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/2 200\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/1.1 101 Switching\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct fixture *f;

		tear_down(state);
		assert_int_equal(set_up(state), 0);
		f = *state;
		send_text(f, heads[i]);
		hang_up(f);
		if (read_response(f) != -1)
			fail_msg("accepted: %s", heads[i]);
		assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
	}
}

static void a_body_of_unknown_length_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, 100);
	send_text(f, "HTTP/1.1 200 OK\r\n\r\nall of it");
	hang_up(f);
	assert_int_equal(read_response(f), 1);
	assert_int_equal(f->msg.framing, SCAR_HTTP1_UNTIL_CLOSE);
	assert_false(f->msg.keep_alive);
	assert_int_equal(read_all(f, &body), 0);
	assert_string_equal(body.data, "all of it");
}

static void bodies_cut_short_are_errors(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n",
		/* malformed */
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\na\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct fixture *f;
		scar_buf_auto struct scar_buf body;

		scar_buf_init(&body, 100);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		f = *state;
		send_text(f, texts[i]);
		hang_up(f);
		assert_int_equal(read_response(f), 1);
		if (read_all(f, &body) != -1)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
	}
}

static void a_head_cut_short_is_an_error_but_a_quiet_close_is_none(void **state)
{
	struct fixture *f = *state;

	send_text(f, "GET / HTTP/1.1\r\nHos");
	hang_up(f);
	assert_int_equal(read_request(f), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
	tear_down(state);
	assert_int_equal(set_up(state), 0);
	f = *state;
	hang_up(f);
	assert_int_equal(read_request(f), 0);
	assert_int_equal(read_response(f), 0);
}

struct flood {
	int fd;
	const char *head;
	char byte;
	size_t count;
};

static void *write_flood(void *arg)
{
	struct flood *flood = arg;
	char block[4096];
	size_t done = 0;

	memset(block, flood->byte, sizeof block);
	if (send(flood->fd, flood->head, strlen(flood->head), MSG_NOSIGNAL) < 0)
		return NULL;
	while (done < flood->count) {
		size_t len = flood->count - done < sizeof block ? flood->count - done
								: sizeof block;
		ssize_t n = send(flood->fd, block, len, MSG_NOSIGNAL);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	return NULL;
}

static void heads_and_fields_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct flood flood = {f->peer, "GET / HTTP/1.1\r\nA: ", 'a',
			      10 * SCAR_LIMIT_HTTP_HEADER_BYTES};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_flood, &flood), 0);
	assert_int_equal(read_request(f), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
	scar_http1_close(&f->conn);
	pthread_join(thread, NULL);

	tear_down(state);
	assert_int_equal(set_up(state), 0);
	f = *state;
	send_text(f, "GET / HTTP/1.1\r\n");
	for (int i = 0; i <= SCAR_LIMIT_HTTP_HEADERS; i++)
		send_text(f, "A: b\r\n");
	send_text(f, "\r\n");
	assert_int_equal(read_request(f), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
}

static void a_whole_body_is_bounded_by_its_buffer(void **state)
{
	static const char *const texts[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	};

	for (size_t i = 0; i < 4; i++) {
		struct fixture *f;
		scar_buf_auto struct scar_buf body;

		/* Exactly full is fine, one byte more is not. */
		scar_buf_init(&body, i % 2 ? 4 : 5);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
		f = *state;
		send_text(f, texts[i / 2]);
		assert_int_equal(read_response(f), 1);
		assert_int_equal(read_all(f, &body), i % 2 ? -1 : 0);
		if (i % 2)
			assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
		else
			assert_string_equal(body.data, "hello");
	}
}

static void trailers_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct flood flood = {f->peer,
			      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", 'a',
			      10 * SCAR_LIMIT_HTTP_HEADER_BYTES};
	scar_buf_auto struct scar_buf body;
	pthread_t thread;

	scar_buf_init(&body, 100);
	assert_int_equal(pthread_create(&thread, NULL, write_flood, &flood), 0);
	assert_int_equal(read_response(f), 1);
	assert_int_equal(read_all(f, &body), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
	scar_http1_close(&f->conn);
	pthread_join(thread, NULL);
}

static void a_large_body_passes_through_a_small_window(void **state)
{
	struct fixture *f = *state;
	struct flood flood = {f->peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 'z',
			      1000000};
	size_t total = 0, len = 0;
	pthread_t thread;
	char data[777];

	assert_int_equal(pthread_create(&thread, NULL, write_flood, &flood), 0);
	assert_int_equal(read_response(f), 1);
	do {
		assert_int_equal(scar_http1_read_body(&f->conn, &f->msg, data, sizeof data, 0, &len,
						      &f->err),
				 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(data[i], 'z');
		total += len;
	} while (len > 0);
	pthread_join(thread, NULL);
	assert_int_equal(total, 1000000);
}

static void a_deadline_ends_every_wait(void **state)
{
	struct fixture *f = *state;
	int64_t start = scar_clock_monotonic_us(), elapsed;
	size_t len;
	char byte;

	assert_int_equal(scar_http1_read_request(&f->conn, &f->msg, start + 20000, &f->err), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TIMEOUT);
	elapsed = scar_clock_monotonic_us() - start;
	assert_true(elapsed >= 20000 && elapsed < 2000000);
	send_text(f, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	start = scar_clock_monotonic_us();
	assert_int_equal(
		scar_http1_read_response(&f->conn, &f->msg, false, start + 1000000, &f->err), 1);
	assert_int_equal(
		scar_http1_read_body(&f->conn, &f->msg, &byte, 1, start + 20000, &len, &f->err),
		-1);
	assert_int_equal(f->err.kind, SCAR_ERR_TIMEOUT);
}

static void what_is_written_is_what_is_read(void **state)
{
	struct fixture *f = *state;
	struct scar_http1 other;
	scar_buf_auto struct scar_buf body;
	const struct scar_http1_field trailers[] = {
		{"Lambda-Runtime-Function-Error-Type", "Runtime.X"}};
	static const char head[] = "POST /r HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

	scar_buf_init(&body, 100);
	scar_http1_init(&other, f->peer);
	f->peer = -1;
	assert_int_equal(scar_http1_write(&other, head, sizeof head - 1, NULL, 0, &f->err), 0);
	assert_int_equal(scar_http1_write_chunk(&other, "hello ", 6, &f->err), 0);
	assert_int_equal(scar_http1_write_chunk(&other, NULL, 0, &f->err), 0);
	assert_int_equal(scar_http1_write_chunk(&other, "0123456789abcdefXYZ", 19, &f->err), 0);
	assert_int_equal(scar_http1_write_last_chunk(&other, trailers, 1, &f->err), 0);
	scar_http1_close(&other);
	assert_int_equal(read_request(f), 1);
	assert_int_equal(read_all(f, &body), 0);
	assert_string_equal(body.data, "hello 0123456789abcdefXYZ");
	assert_string_equal(scar_http1_field(&f->msg, "lambda-runtime-function-error-type"),
			    "Runtime.X");
}

static void trailers_that_break_the_framing_are_not_written(void **state)
{
	struct fixture *f = *state;
	const struct scar_http1_field bad[] = {
		{"A", "b\r\nC: d"}, {"A:", "b"}, {"", "b"}, {"A b", "c"}};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(scar_http1_write_last_chunk(&f->conn, &bad[i], 1, &f->err), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_INTERNAL);
	}
	assert_int_equal(recv(f->peer, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_false(scar_http1_value_ok("a\rb"));
	assert_false(scar_http1_value_ok("a\nb"));
	assert_true(scar_http1_value_ok(""));
}

struct drain {
	int fd;
	size_t total;
};

static void *read_slowly(void *arg)
{
	struct drain *drain = arg;
	char data[1000];
	ssize_t n;

	while ((n = read(drain->fd, data, sizeof data)) > 0)
		drain->total += (size_t)n;
	return NULL;
}

static void a_write_larger_than_the_socket_goes_out_whole(void **state)
{
	struct fixture *f = *state;
	struct drain drain = {f->peer, 0};
	size_t size = 2000000;
	char *body = calloc(1, size);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &drain), 0);
	assert_int_equal(scar_http1_write(&f->conn, "head", 4, body, size, &f->err), 0);
	scar_http1_close(&f->conn);
	pthread_join(thread, NULL);
	assert_int_equal(drain.total, size + 4);
	free(body);
}

static void writing_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
	struct fixture *f = *state;

	hang_up(f);
	assert_int_equal(scar_http1_write(&f->conn, "x", 1, NULL, 0, &f->err), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(f->err.errnum, EPIPE);
}

static int listen_on_loopback(int family, uint16_t *ret_port)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4
						     : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;

	if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, address, &len) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static void it_connects_by_name_and_by_address(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		uint16_t port = 0;
		int listener = listen_on_loopback(i == 2 ? AF_INET6 : AF_INET, &port);
		int fd = -1, no_delay = 0;
		socklen_t len = sizeof no_delay;
		char address[64];

		if (listener < 0 && i == 2) {
			print_message("no IPv6 loopback here: [::1] is not tested\n");
			continue;
		}
		snprintf(address, sizeof address, "%s:%u", hosts[i], port);
		assert_int_equal(scar_http1_connect(address, 2000, &fd, &f->err), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len), 0);
		assert_true(no_delay != 0);
		close(fd);
		close(listener);
	}
}

static void a_closed_port_is_a_network_error(void **state)
{
	struct fixture *f = *state;
	uint16_t port = 0;
	int listener = listen_on_loopback(AF_INET, &port), fd = -1;
	char address[64];

	close(listener);
	snprintf(address, sizeof address, "127.0.0.1:%u", port);
	assert_int_equal(scar_http1_connect(address, 2000, &fd, &f->err), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(f->err.errnum, ECONNREFUSED);
	assert_int_equal(fd, -1);
}

static void addresses_without_host_or_port_are_refused(void **state)
{
	static const char *const texts[] = {"",      "host",    "host:", ":80",  "::1:80",
					    "[::1]", "[::1:80", "h:80x", "[]:80"};
	struct fixture *f = *state;
	int fd = -1;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_int_equal(scar_http1_connect(texts[i], 100, &fd, &f->err), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_CONFIG);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_read_with_its_fields_and_body),
		TEST(messages_that_arrive_together_are_read_one_by_one),
		TEST(single_bytes_make_the_same_message),
		TEST(malformed_heads_are_refused),
		TEST(a_nul_in_a_head_is_refused),
		TEST(the_same_length_twice_is_accepted),
		TEST(responses_without_a_body_have_none),
		TEST(interim_responses_are_skipped),
		TEST(malformed_responses_are_refused),
		TEST(a_body_of_unknown_length_ends_with_the_connection),
		TEST(bodies_cut_short_are_errors),
		TEST(a_head_cut_short_is_an_error_but_a_quiet_close_is_none),
		TEST(heads_and_fields_are_bounded),
		TEST(a_whole_body_is_bounded_by_its_buffer),
		TEST(trailers_are_bounded),
		TEST(a_large_body_passes_through_a_small_window),
		TEST(a_deadline_ends_every_wait),
		TEST(what_is_written_is_what_is_read),
		TEST(trailers_that_break_the_framing_are_not_written),
		TEST(a_write_larger_than_the_socket_goes_out_whole),
		TEST(writing_to_a_closed_peer_is_an_error_and_no_signal),
		TEST(it_connects_by_name_and_by_address),
		TEST(a_closed_port_is_a_network_error),
		TEST(addresses_without_host_or_port_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
