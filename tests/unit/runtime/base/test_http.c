/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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
#include "runtime/base/http1.h"
#include "runtime/base/limits.h"

/* ---- a server in a thread: it answers by the path of the request ---- */

struct fixture {
	int listener;
	int stop[2];
	uint16_t port;
	pthread_t thread;
	unsigned connections;
	bool blurts; /* answers before it is asked */
	char seen
		[4096]; /* the last request's head fields, one "Name: value\n" each, and its body */
	struct scar_http *http;
	struct scar_http_response resp;
	struct scar_err err;
	char url[256];
};

static void reply(struct scar_http1 *conn, const char *text)
{
	struct scar_err err;

	scar_http1_write(conn, text, strlen(text), NULL, 0, &err);
}

static void reply_long(struct scar_http1 *conn, const char *status, size_t size)
{
	char *body = malloc(size);
	char head[128];
	struct scar_err err;
	int len = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status,
			   size);

	for (size_t i = 0; body && i < size; i++)
		body[i] = (char)(i % 251);
	if (body)
		scar_http1_write(conn, head, (size_t)len, body, size, &err);
	free(body);
}

/* Waits until the client hangs up. */
static void hold(struct scar_http1 *conn)
{
	struct pollfd pfd = {.fd = conn->fd, .events = POLLIN};

	poll(&pfd, 1, 5000);
}

/* @return whether the connection lives on */
static bool answer(struct scar_http1 *conn, const struct scar_http1_message *msg)
{
	const char *path = msg->target;

	if (strcmp(path, "/hello") == 0)
		reply(conn,
		      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Two: a\r\nX-Two:  b \r\n\r\nhello");
	else if (strcmp(path, "/chunked") == 0)
		reply(conn,
		      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	else if (strcmp(path, "/head") == 0)
		reply(conn, "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
	else if (strcmp(path, "/redirect") == 0)
		reply(conn, "HTTP/1.1 307 Moved\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/gzip") == 0)
		reply(conn,
		      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip");
	else if (strcmp(path, "/interim") == 0)
		reply(conn, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
			    "HTTP/1.1 201 Created\r\nX-Late: 1\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/denied") == 0)
		reply(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	else if (strcmp(path, "/large") == 0)
		reply_long(conn, "200 OK", 3000000);
	else if (strcmp(path, "/long-error") == 0)
		reply_long(conn, "502 Bad Gateway", 3000000);
	else if (strcmp(path, "/short") == 0)
		reply(conn,
		      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhello");
	else if (strcmp(path, "/short-chunks") == 0)
		reply(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	else if (strcmp(path, "/stall") == 0)
		reply(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
	else if (strcmp(path, "/nonsense") == 0)
		reply(conn, "SSH-2.0-OpenSSH\r\n\r\n");
	else if (strcmp(path, "/many-fields") == 0) {
		reply(conn, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 1200; i++)
			reply(conn,
			      "X-Field: 0123456789012345678901234567890123456789012345678901234567\r\n");
		reply(conn, "Content-Length: 0\r\n\r\n");
	} else if (strcmp(path, "/then-close") == 0)
		reply(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	else if (strcmp(path, "/close") != 0 && strcmp(path, "/silent") != 0)
		reply(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	if (strcmp(path, "/stall") == 0 || strcmp(path, "/silent") == 0)
		hold(conn);
	return strncmp(path, "/short", 6) != 0 && strcmp(path, "/close") != 0 &&
	       strcmp(path, "/nonsense") != 0 && strcmp(path, "/then-close") != 0;
}

static void note(struct fixture *f, const struct scar_http1_message *msg,
		 const struct scar_buf *body)
{
	size_t len = (size_t)snprintf(f->seen, sizeof f->seen, "%s %s\n", msg->method, msg->target);

	for (size_t i = 0; i < msg->field_count && len < sizeof f->seen; i++)
		len += (size_t)snprintf(f->seen + len, sizeof f->seen - len, "%s: %s\n",
					msg->fields[i].name, msg->fields[i].value);
	if (len < sizeof f->seen)
		snprintf(f->seen + len, sizeof f->seen - len, "\n%s", body->data);
}

static void serve_connection(struct fixture *f, int fd)
{
	struct scar_http1 conn;
	struct scar_http1_message msg;
	struct scar_err err;
	bool alive = true;

	scar_http1_init(&conn, fd);
	scar_http1_message_init(&msg);
	if (f->blurts)
		reply(&conn, "HTTP/1.1 400 Bad Request\r\n\r\n");
	while (!f->blurts && alive && scar_http1_read_request(&conn, &msg, 0, &err) == 1) {
		scar_buf_auto struct scar_buf body;

		scar_buf_init(&body, 1000000);
		if (scar_http1_read_body_all(&conn, &msg, &body, 0, &err) < 0)
			break;
		note(f, &msg, &body);
		alive = answer(&conn, &msg);
	}
	scar_http1_message_clear(&msg);
	scar_http1_close(&conn);
}

static void *serve(void *arg)
{
	struct fixture *f = arg;
	struct pollfd fds[] = {{.fd = f->listener, .events = POLLIN},
			       {.fd = f->stop[0], .events = POLLIN}};

	while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
		int fd = accept(f->listener, NULL, NULL);

		if (fd < 0)
			break;
		f->connections++;
		serve_connection(f, fd);
	}
	return NULL;
}

static int listen_on_loopback(uint16_t *ret_port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -1;
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	f->listener = listen_on_loopback(&f->port);
	f->http = scar_http_create(NULL, &f->err);
	scar_http_response_init(&f->resp);
	if (f->listener < 0 || !f->http || pipe(f->stop) < 0 ||
	    pthread_create(&f->thread, NULL, serve, f) != 0)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	/* First the client: the server waits for its connections to close. */
	scar_http_free(f->http);
	scar_http_response_clear(&f->resp);
	close(f->stop[1]);
	pthread_join(f->thread, NULL);
	close(f->stop[0]);
	close(f->listener);
	free(f);
	return 0;
}

static struct scar_http_request get(struct fixture *f, const char *path)
{
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u%s", f->port, path);
	return (struct scar_http_request){.url = f->url};
}

static int perform(struct fixture *f, const struct scar_http_request *req)
{
	return scar_http_perform(f->http, req, &f->resp, &f->err);
}

static int perform_get(struct fixture *f, const char *path)
{
	struct scar_http_request req = get(f, path);

	return perform(f, &req);
}

/* ---- requests and responses ---- */

static void a_response_has_status_headers_and_body(void **state)
{
	struct fixture *f = *state;
	char value[16] = "";

	assert_int_equal(perform_get(f, "/hello"), 0);
	assert_int_equal(f->resp.status, 200);
	assert_string_equal(f->resp.body.data, "hello");
	assert_int_equal(f->resp.body_bytes, 5);
	assert_int_equal(scar_http_header_get(&f->resp, "x-two", 0, value, sizeof value), 1);
	assert_string_equal(value, "a");
	assert_int_equal(scar_http_header_get(&f->resp, "X-TWO", 1, value, sizeof value), 1);
	assert_string_equal(value, "b");
	assert_int_equal(scar_http_header_get(&f->resp, "X-Two", 2, value, sizeof value), 0);
	assert_int_equal(scar_http_header_get(&f->resp, "X-Tw", 0, value, sizeof value), 0);
	assert_int_equal(scar_http_header_get(&f->resp, "Content-Length", 0, value, 1), 0);
}

static void a_request_says_what_it_was_told_and_little_else(void **state)
{
	struct fixture *f = *state;
	const struct scar_http_header headers[] = {{"Accept", "a/b, c/d"}, {"X-Empty", ""}};
	struct scar_http_request req = get(f, "/hello");

	req.headers = headers;
	req.header_count = 2;
	assert_int_equal(perform(f, &req), 0);
	assert_memory_equal(f->seen, "GET /hello\n", 11);
	assert_non_null(strstr(f->seen, "\nAccept: a/b, c/d\n"));
	assert_non_null(strstr(f->seen, "\nX-Empty: \n"));
	assert_non_null(strstr(f->seen, "\nUser-Agent: scar/"));
	assert_null(strstr(f->seen, "Accept-Encoding"));
	assert_null(strstr(f->seen, "Content-Type"));
}

static void bodies_are_sent_whole_with_their_length(void **state)
{
	struct fixture *f = *state;
	const struct scar_http_header type = {"Content-Type", "text/plain"};
	struct scar_http_request req = get(f, "/hello");

	req.method = "POST";
	req.body = "some text";
	req.body_len = 9;
	req.headers = &type;
	req.header_count = 1;
	assert_int_equal(perform(f, &req), 0);
	assert_non_null(strstr(f->seen, "\nContent-Length: 9\n"));
	assert_non_null(strstr(f->seen, "\nContent-Type: text/plain\n"));
	assert_null(strstr(f->seen, "Expect"));
	assert_non_null(strstr(f->seen, "\n\nsome text"));
	/* A POST without one says so, and is no form. */
	req = get(f, "/hello");
	req.method = "POST";
	assert_int_equal(perform(f, &req), 0);
	assert_non_null(strstr(f->seen, "\nContent-Length: 0\n"));
	assert_null(strstr(f->seen, "Content-Type"));
}

struct pieces {
	int left;
	bool fails;
};

static int give_piece(void *ctx, void *data, size_t size, size_t *ret_len, struct scar_err *err)
{
	struct pieces *pieces = ctx;

	if (pieces->fails)
		return scar_err_set(err, SCAR_ERR_NOSPACE, "the source's own error");
	*ret_len = pieces->left > 0 && size >= 3 ? 3 : 0;
	memcpy(data, "abc", *ret_len);
	pieces->left--;
	return 0;
}

static void a_body_can_come_from_a_source(void **state)
{
	struct fixture *f = *state;
	struct pieces pieces = {.left = 3};
	struct scar_http_request req = get(f, "/hello");

	req.method = "PUT";
	req.body_source = give_piece;
	req.body_ctx = &pieces;
	req.body_len = 9;
	assert_int_equal(perform(f, &req), 0);
	assert_memory_equal(f->seen, "PUT /hello\n", 11);
	assert_non_null(strstr(f->seen, "\nContent-Length: 9\n"));
	assert_non_null(strstr(f->seen, "\n\nabcabcabc"));
	pieces.fails = true;
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NOSPACE);
	assert_string_equal(f->err.msg, "the source's own error");
}

static void head_has_headers_and_no_body(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = get(f, "/head");
	char value[16] = "";

	req.method = "HEAD";
	assert_int_equal(perform(f, &req), 0);
	assert_memory_equal(f->seen, "HEAD /head\n", 11);
	assert_int_equal(scar_http_header_get(&f->resp, "Content-Length", 0, value, sizeof value),
			 1);
	assert_string_equal(value, "12345");
	assert_int_equal(f->resp.body_bytes, 0);
}

static void redirects_are_handed_to_the_caller(void **state)
{
	struct fixture *f = *state;
	char value[16] = "";

	assert_int_equal(perform_get(f, "/redirect"), 0);
	assert_int_equal(f->resp.status, 307);
	assert_int_equal(scar_http_header_get(&f->resp, "Location", 0, value, sizeof value), 1);
	assert_string_equal(value, "/hello");
}

static void content_encodings_are_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/gzip"), 0);
	assert_string_equal(f->resp.body.data, "notgzip");
}

static void only_the_last_header_block_is_kept(void **state)
{
	struct fixture *f = *state;
	char value[8];

	assert_int_equal(perform_get(f, "/interim"), 0);
	assert_int_equal(f->resp.status, 201);
	assert_int_equal(scar_http_header_get(&f->resp, "X-Late", 0, value, sizeof value), 1);
	assert_int_equal(scar_http_header_get(&f->resp, "X-Early", 0, value, sizeof value), 0);
}

static void connections_are_kept_and_a_dead_one_is_replaced(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(perform_get(f, i == 1 ? "/chunked" : "/hello"), 0);
	assert_int_equal(f->connections, 1);
	assert_int_equal(perform_get(f, "/then-close"), 0);
	assert_int_equal(perform_get(f, "/hello"), 0);
	assert_int_equal(f->connections, 2);
}

/* ---- sinks ---- */

struct sink {
	struct scar_http_response *resp;
	size_t bytes;
	size_t wrong;
	size_t largest;
	int status;
	size_t fail_after;
};

static int take_piece(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct sink *sink = ctx;
	const char *bytes = data;

	sink->status = sink->resp->status;
	for (size_t i = 0; i < len; i++)
		sink->wrong += bytes[i] != (char)((sink->bytes + i) % 251);
	sink->bytes += len;
	sink->largest = len > sink->largest ? len : sink->largest;
	if (sink->fail_after > 0 && sink->bytes >= sink->fail_after)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the sink's own error");
	return 0;
}

static struct scar_http_request get_into(struct fixture *f, const char *path, struct sink *sink)
{
	struct scar_http_request req = get(f, path);

	sink->resp = &f->resp;
	req.sink = take_piece;
	req.sink_ctx = sink;
	return req;
}

static void a_sink_takes_a_body_of_any_size_and_knows_the_status(void **state)
{
	struct fixture *f = *state;
	struct sink sink = {0};
	struct scar_http_request req = get_into(f, "/large", &sink);

	assert_int_equal(perform(f, &req), 0);
	assert_int_equal(sink.bytes, 3000000);
	assert_int_equal(sink.wrong, 0);
	assert_int_equal(sink.status, 200);
	assert_int_equal(f->resp.body_bytes, 3000000);
	assert_int_equal(f->resp.body.len, 0);
}

static void the_error_of_a_sink_comes_out_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct sink sink = {.fail_after = 100000};
	struct scar_http_request req = get_into(f, "/large", &sink);

	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_INTEGRITY);
	assert_string_equal(f->err.msg, "the sink's own error");
	/* The client is of use afterwards. */
	assert_int_equal(perform_get(f, "/hello"), 0);
}

static void the_body_of_an_error_does_not_reach_the_sink(void **state)
{
	struct fixture *f = *state;
	struct sink sink = {0};
	struct scar_http_request req = get_into(f, "/denied", &sink);

	assert_int_equal(perform(f, &req), 0);
	assert_int_equal(f->resp.status, 403);
	assert_string_equal(f->resp.body.data, "no");
	assert_int_equal(sink.bytes, 0);
}

/* ---- bounds ---- */

static void a_kept_body_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = get(f, "/large");

	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
	req.max_body_bytes = 3000000;
	assert_int_equal(perform(f, &req), 0);
	assert_int_equal(f->resp.body.len, 3000000);
}

static void a_long_error_page_does_not_hide_the_status(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/long-error"), 0);
	assert_int_equal(f->resp.status, 502);
	assert_int_equal(f->resp.body.len, SCAR_HTTP_BODY_DEFAULT);
}

static void headers_are_bounded(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/many-fields"), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
}

static void a_url_is_bounded(void **state)
{
	struct fixture *f = *state;
	char *url = calloc(1, SCAR_LIMIT_URL_BYTES + 2);
	struct scar_http_request req = {.url = url};

	memset(url, 'a', SCAR_LIMIT_URL_BYTES + 1);
	memcpy(url, "http://127.0.0.1/", 17);
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_LIMIT);
	free(url);
}

/* ---- failures ---- */

static void a_body_cut_short_is_an_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/short"), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(perform_get(f, "/short-chunks"), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
}

static void a_connection_closed_without_answer_is_a_network_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/close"), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(f->resp.status, 0);
}

static void a_closed_port_is_a_network_error_without_query(void **state)
{
	struct fixture *f = *state;
	uint16_t port = 0;
	struct scar_http_request req = {.url = f->url};

	close(listen_on_loopback(&port));
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/x?token=secret", port);
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
	assert_null(strstr(f->err.msg, "secret"));
	assert_non_null(strstr(f->err.msg, "/x"));
}

static void what_is_no_http_is_an_error(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(perform_get(f, "/nonsense"), -1);
	assert_true(f->err.kind == SCAR_ERR_PROTOCOL || f->err.kind == SCAR_ERR_NETWORK);
}

static void silence_ends_after_the_stall_time(void **state)
{
	static const char *const paths[] = {"/silent", "/stall"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct scar_http_request req = get(f, paths[i]);
		int64_t start = scar_clock_monotonic_us();

		req.stall_timeout_ms = 100;
		assert_int_equal(perform(f, &req), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_NETWORK);
		assert_in_range(scar_clock_monotonic_us() - start, 100000, 900000);
	}
}

static void the_total_time_is_a_deadline(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = get(f, "/stall");
	int64_t start = scar_clock_monotonic_us();

	req.total_timeout_ms = 100;
	req.stall_timeout_ms = -1;
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TIMEOUT);
	assert_in_range(scar_clock_monotonic_us() - start, 100000, 900000);
}

static void *cancel_soon(void *arg)
{
	volatile int *cancel = arg;

	scar_clock_sleep_ms(50);
	*cancel = 1;
	return NULL;
}

static void another_thread_can_cancel(void **state)
{
	struct fixture *f = *state;
	volatile int cancel = 0;
	struct scar_http_request req = get(f, "/stall");
	int64_t start = scar_clock_monotonic_us();
	pthread_t thread;

	req.cancel = &cancel;
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, (void *)(uintptr_t)&cancel), 0);
	assert_int_equal(perform(f, &req), -1);
	pthread_join(thread, NULL);
	assert_int_equal(f->err.kind, SCAR_ERR_INTERRUPTED);
	assert_true(scar_clock_monotonic_us() - start < 900000);
}

static int take_slowly(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	size_t *total = ctx;

	(void)data;
	(void)err;
	if (*total == 0)
		scar_clock_sleep_ms(200);
	*total += len;
	return 0;
}

static void a_slow_sink_is_no_stall(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = get(f, "/large");
	size_t total = 0;

	req.sink = take_slowly;
	req.sink_ctx = &total;
	req.stall_timeout_ms = 100;
	assert_int_equal(perform(f, &req), 0);
	assert_int_equal(total, 3000000);
}

static void headers_that_break_the_framing_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct scar_http_header bad[] = {
		{"A", "b\r\nC: d"}, {"A\r\nB", "c"}, {"A:", "b"}, {"", "b"}};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct scar_http_request req = get(f, "/hello");

		req.headers = &bad[i];
		req.header_count = 1;
		assert_int_equal(perform(f, &req), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_PROTOCOL);
	}
	assert_int_equal(f->connections, 0);
}

/* ---- plain HTTP and other schemes ---- */

static void urls_that_are_no_business_of_ours_are_refused(void **state)
{
	static const char *const urls[] = {
		"file:///etc/passwd",        "ftp://127.0.0.1/", "gopher://127.0.0.1/", "",
		"http://user:pw@127.0.0.1/", "http://",          "http://a b/"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct scar_http_request req = {.url = urls[i], .allow_plain = true};

		assert_int_equal(perform(f, &req), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_CONFIG);
		assert_null(strstr(f->err.msg, "pw"));
	}
}

static void plain_http_is_for_loopback_or_on_demand(void **state)
{
	static const char *const far[] = {"http://192.0.2.1/", "http://127.0.0.1.example.com/",
					  "http://localhost.example.com/", "http://notlocalhost/"};
	static const char *const near[] = {"http://127.0.0.1", "http://localhost", "http://127.1"};
	struct fixture *f = *state;
	volatile int cancel = 1;

	for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
		struct scar_http_request req = {.url = far[i], .cancel = &cancel};

		assert_int_equal(perform(f, &req), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_CONFIG);
		if (i > 0)
			continue;
		/* Allowed, it would be tried: it is cancelled before a byte leaves. */
		req.allow_plain = true;
		assert_int_equal(perform(f, &req), -1);
		assert_int_equal(f->err.kind, SCAR_ERR_INTERRUPTED);
	}
	for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
		struct scar_http_request req = {.url = f->url};

		/* The server serves one connection after the other. */
		scar_http_free(f->http);
		f->http = scar_http_create(NULL, &f->err);
		snprintf(f->url, sizeof f->url, "%s:%u/hello", near[i], f->port);
		if (perform(f, &req) < 0)
			fail_msg("%s", f->err.msg);
		assert_int_equal(f->resp.status, 200);
	}
}

static void loopback_is_never_sent_to_a_proxy(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(setenv("http_proxy", "http://192.0.2.1:9", 1), 0);
	assert_int_equal(perform_get(f, "/hello"), 0);
	assert_int_equal(f->resp.status, 200);
	unsetenv("http_proxy");
}

static void a_proxy_of_the_environment_is_used(void **state)
{
	struct fixture *f = *state;
	char proxy[64];
	struct scar_http_request req = {.url = "http://registry.example/hello",
					.allow_plain = true};

	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", f->port);
	assert_int_equal(setenv("http_proxy", proxy, 1), 0);
	assert_int_equal(perform(f, &req), 0);
	unsetenv("http_proxy");
	assert_memory_equal(f->seen, "GET http://registry.example/hello\n", 34);
}

/* ---- TLS ---- */

/* A TLS server with a certificate of its own making, for "localhost". */
struct tls_server {
	SSL_CTX *ctx;
	int listener;
	uint16_t port;
	pthread_t thread;
	char bundle[64];
	/* How the bundle is written; NULL: the certificate alone. */
	void (*write)(FILE *file, X509 *cert);
};

static X509 *make_certificate_of(EVP_PKEY *key, const char *common_name)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
							"DNS:localhost");

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1,
				   -1, 0);
	X509_set_issuer_name(cert, name);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static X509 *make_certificate(EVP_PKEY *key)
{
	return make_certificate_of(key, "localhost");
}

/* Certificates that the server has no part in; the last bears its name, but has another key. */
static void write_strangers(FILE *file)
{
	static const char *const names[] = {"one", "two", "localhost"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		X509 *cert = make_certificate_of(key, names[i]);

		fprintf(file, "# number %zu\n", i);
		PEM_write_X509(file, cert);
		X509_free(cert);
		EVP_PKEY_free(key);
	}
}

static void write_strangers_only(FILE *file, X509 *cert)
{
	(void)cert;
	write_strangers(file);
}

static void write_many(FILE *file, X509 *cert)
{
	write_strangers(file);
	fputs("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	      "-----BEGIN CERTIFICATE-----\n*damaged*\n-----END CERTIFICATE-----\n"
	      "-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----\n",
	      file);
	PEM_write_X509(file, cert);
	fputs("-----BEGIN CERTIFICATE-----\nMIIB", file);
}

static void write_trusted(FILE *file, X509 *cert)
{
	PEM_write_X509_AUX(file, cert);
}

static void write_nothing(FILE *file, X509 *cert)
{
	(void)cert;
	fputs("no certificates today\n", file);
}

static void *serve_tls(void *arg)
{
	static const char response[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
	struct tls_server *server = arg;
	int fd = accept(server->listener, NULL, NULL);
	SSL *ssl = SSL_new(server->ctx);
	char request[4096];
	sigset_t pipe_signal;

	/* For this server only: the client must not raise it. */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
		SSL_write(ssl, response, sizeof response - 1);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void start_tls(struct tls_server *server)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_certificate(key);
	FILE *file;

	server->ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server->ctx, key), 1);
	snprintf(server->bundle, sizeof server->bundle, "/tmp/scar-test-ca-%d.pem", (int)getpid());
	file = fopen(server->bundle, "w");
	assert_non_null(file);
	if (server->write)
		server->write(file, cert);
	else
		PEM_write_X509(file, cert);
	fclose(file);
	X509_free(cert);
	EVP_PKEY_free(key);
	server->listener = listen_on_loopback(&server->port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve_tls, server), 0);
}

static void end_tls(struct tls_server *server)
{
	pthread_join(server->thread, NULL);
	close(server->listener);
	SSL_CTX_free(server->ctx);
	unlink(server->bundle);
}

/* One request to a fresh server. @return what scar_http_perform() did */
static int ask_tls_with(struct fixture *f, const char *host, bool trusted,
			void (*write)(FILE *file, X509 *cert))
{
	struct tls_server server = {.write = write};
	struct scar_http_options options = {0};
	struct scar_http_request req = {.url = f->url};
	int status;

	start_tls(&server);
	options.ca_bundle = trusted ? server.bundle : NULL;
	scar_http_free(f->http);
	f->http = scar_http_create(&options, &f->err);
	snprintf(f->url, sizeof f->url, "https://%s:%u/", host, server.port);
	status = perform(f, &req);
	end_tls(&server);
	return status;
}

static int ask_tls(struct fixture *f, const char *host, bool trusted)
{
	return ask_tls_with(f, host, trusted, NULL);
}

static void a_certificate_of_the_bundle_is_trusted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls(f, "localhost", true), 0);
	assert_string_equal(f->resp.body.data, "secret");
}

static void a_certificate_is_found_among_many_and_damaged_ones(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls_with(f, "localhost", true, write_many), 0);
	assert_string_equal(f->resp.body.data, "secret");
}

static void a_certificate_with_trust_settings_counts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls_with(f, "localhost", true, write_trusted), 0);
	assert_string_equal(f->resp.body.data, "secret");
}

static void a_certificate_of_the_same_name_with_another_key_is_not_trusted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls_with(f, "localhost", true, write_strangers_only), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
	assert_int_equal(f->resp.body.len, 0);
}

static void a_bundle_without_certificates_is_a_tls_error_that_names_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls_with(f, "localhost", true, write_nothing), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
	assert_non_null(strstr(f->err.msg, "scar-test-ca"));
}

static void other_certificates_are_not(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls(f, "localhost", false), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
	assert_int_equal(f->resp.body.len, 0);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask_tls(f, "127.0.0.1", true), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
}

static void a_missing_bundle_is_a_tls_error_that_names_it(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = {.url = "https://127.0.0.1:1/"};

	assert_int_equal(setenv("SCAR_CA_BUNDLE", "/nowhere/ca.pem", 1), 0);
	scar_http_free(f->http);
	f->http = scar_http_create(NULL, &f->err);
	unsetenv("SCAR_CA_BUNDLE");
	assert_non_null(f->http);
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
	assert_non_null(strstr(f->err.msg, "/nowhere/ca.pem"));
	/* Plain HTTP needs none. */
	assert_int_equal(perform_get(f, "/hello"), 0);
}

static void a_server_without_tls_is_a_tls_error(void **state)
{
	struct fixture *f = *state;
	struct scar_http_request req = {.url = f->url};

	f->blurts = true;
	snprintf(f->url, sizeof f->url, "https://127.0.0.1:%u/", f->port);
	assert_int_equal(perform(f, &req), -1);
	assert_int_equal(f->err.kind, SCAR_ERR_TLS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_response_has_status_headers_and_body),
		TEST(a_request_says_what_it_was_told_and_little_else),
		TEST(bodies_are_sent_whole_with_their_length),
		TEST(a_body_can_come_from_a_source),
		TEST(head_has_headers_and_no_body),
		TEST(redirects_are_handed_to_the_caller),
		TEST(content_encodings_are_left_alone),
		TEST(only_the_last_header_block_is_kept),
		TEST(connections_are_kept_and_a_dead_one_is_replaced),
		TEST(a_sink_takes_a_body_of_any_size_and_knows_the_status),
		TEST(the_error_of_a_sink_comes_out_as_it_is),
		TEST(the_body_of_an_error_does_not_reach_the_sink),
		TEST(a_kept_body_is_bounded),
		TEST(a_long_error_page_does_not_hide_the_status),
		TEST(headers_are_bounded),
		TEST(a_url_is_bounded),
		TEST(a_body_cut_short_is_an_error),
		TEST(a_connection_closed_without_answer_is_a_network_error),
		TEST(a_closed_port_is_a_network_error_without_query),
		TEST(what_is_no_http_is_an_error),
		TEST(silence_ends_after_the_stall_time),
		TEST(the_total_time_is_a_deadline),
		TEST(another_thread_can_cancel),
		TEST(a_slow_sink_is_no_stall),
		TEST(headers_that_break_the_framing_are_refused),
		TEST(urls_that_are_no_business_of_ours_are_refused),
		TEST(plain_http_is_for_loopback_or_on_demand),
		TEST(loopback_is_never_sent_to_a_proxy),
		TEST(a_proxy_of_the_environment_is_used),
		TEST(a_certificate_of_the_bundle_is_trusted),
		TEST(other_certificates_are_not),
		TEST(a_certificate_for_another_name_is_refused),
		TEST(a_certificate_is_found_among_many_and_damaged_ones),
		TEST(a_certificate_with_trust_settings_counts),
		TEST(a_certificate_of_the_same_name_with_another_key_is_not_trusted),
		TEST(a_bundle_without_certificates_is_a_tls_error_that_names_it),
		TEST(a_missing_bundle_is_a_tls_error_that_names_it),
		TEST(a_server_without_tls_is_a_tls_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
