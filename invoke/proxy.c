/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/proxy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "invoke/events/event.h"
#include "invoke/resident.h"
#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/limits.h"

#define CONNECT_MS 1000
#define FIRST_PAUSE_MS 1
#define LONGEST_PAUSE_MS 50
#define CHUNK_BYTES 65536
#define HEAD_BYTES SCAR_MIB(1)

/* ---- connecting ---- */

static int64_t deadline_us(const struct scar_proxy_options *options)
{
	if (!options->deadline_ms)
		return 0;
	return scar_clock_monotonic_us() + scar_clock_left_ms(options->deadline_ms) * 1000 + 1;
}

static int dial(const struct scar_proxy_options *options, struct scar_http1 *conn,
		struct scar_err *err)
{
	char address[64];
	int fd = -1;

	snprintf(address, sizeof address, "127.0.0.1:%" PRId64, options->port);
	if (scar_http1_connect(address, CONNECT_MS, &fd, err) < 0)
		return -1;
	scar_http1_init(conn, fd);
	return 0;
}

/* @return 1: it is well; 0: not yet */
static int ask_health(const struct scar_proxy_options *options, struct scar_http1 *conn)
{
	scar_buf_auto struct scar_buf head;
	struct scar_http1_message answer;
	struct scar_err err;
	int got;

	scar_buf_init(&head, HEAD_BYTES);
	scar_http1_message_init(&answer);
	got = scar_buf_printf(&head, &err,
			      "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
			      options->health_path) == 0 &&
	      scar_http1_write(conn, head.data, head.len, NULL, 0, &err) == 0 &&
	      scar_http1_read_response(conn, &answer, false,
				       scar_clock_monotonic_us() + CONNECT_MS * 1000, &err) == 1 &&
	      answer.status < 500;
	scar_http1_message_clear(&answer);
	return got;
}

static int is_ready(const struct scar_proxy_options *options)
{
	struct scar_http1 conn;
	struct scar_err err;
	int ready;

	if (dial(options, &conn, &err) < 0)
		return 0;
	ready = options->health_path ? ask_health(options, &conn) : 1;
	scar_http1_close(&conn);
	return ready;
}

int scar_proxy_await(const struct scar_proxy_options *options, struct scar_err *err)
{
	int64_t pause_ms = FIRST_PAUSE_MS;

	while (!is_ready(options)) {
		if (scar_resident_ended(options->resident, err))
			return scar_err_wrap(err, "the image's server");
		if (options->deadline_ms && scar_clock_left_ms(options->deadline_ms) == 0)
			return scar_err_set(err, SCAR_ERR_TIMEOUT,
					    "the image's server does not answer at port %" PRId64,
					    options->port);
		scar_clock_sleep_ms(pause_ms);
		pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
	}
	return 0;
}

/* ---- the request ---- */

/* Fields that are about one connection, or that are set anew. */
static bool is_hop(const char *name)
{
	static const char *const names[] = {"connection", "keep-alive",        "proxy-connection",
					    "te",         "transfer-encoding", "trailer",
					    "upgrade",    "content-length",    "expect"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_target(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text == 0x7f)
			return false;
	}
	return true;
}

static int add_fields(const struct scar_event_pairs *fields, struct scar_buf *head,
		      struct scar_err *err)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct scar_event_pair *field = &fields->list[i];

		if (is_hop(field->name) || !scar_http1_name_ok(field->name) ||
		    !scar_http1_value_ok(field->value))
			continue;
		if (scar_buf_printf(head, err, "%s: %s\r\n", field->name, field->value) < 0)
			return -1;
	}
	return 0;
}

static int begin_request(const struct scar_event_http *http, struct scar_buf *head,
			 struct scar_err *err)
{
	const char *upgrade = scar_event_pairs_get(&http->fields, "upgrade");
	const char *path = http->path && *http->path == '/' ? http->path : "/";
	bool query = http->query && *http->query;

	if (upgrade && strcasecmp(upgrade, "websocket") == 0)
		return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
				    "WebSocket connections cannot be kept in a function");
	if (!scar_http1_name_ok(http->method) || !is_target(path) ||
	    (query && !is_target(http->query)))
		return scar_err_set(err, SCAR_ERR_EVENT, "event: not a method or path of HTTP");
	if (scar_buf_printf(head, err, "%s %s%s%s HTTP/1.1\r\n", http->method, path,
			    query ? "?" : "", query ? http->query : "") < 0)
		return -1;
	if (!scar_event_pairs_get(&http->fields, "host") &&
	    scar_buf_append_str(head, "Host: localhost\r\n", err) < 0)
		return -1;
	return add_fields(&http->fields, head, err);
}

static int make_head(const struct scar_proxy_options *options, size_t body_len,
		     struct scar_buf *head, struct scar_err *err)
{
	const struct scar_event *event = options->event;
	int made = event->is_http
			   ? begin_request(&event->http, head, err)
			   : scar_buf_append_str(head,
						 "POST " SCAR_PROXY_EVENTS_PATH " HTTP/1.1\r\n"
						 "Host: localhost\r\n"
						 "Content-Type: application/json\r\n",
						 err);

	if (made < 0)
		return -1;
	return scar_buf_printf(head, err,
			       "Content-Length: %zu\r\nX-Amzn-Request-Id: %s\r\n"
			       "Connection: close\r\n\r\n",
			       body_len, options->request_id);
}

/* ---- the answer ---- */

/* What breaks on loopback is the server's doing, not that of a registry. */
static int blame_server(struct scar_err *err)
{
	if (err->kind == SCAR_ERR_NETWORK || err->kind == SCAR_ERR_PROTOCOL)
		err->kind = SCAR_ERR_SERVER;
	return scar_err_wrap(err, "the image's server");
}

static int tell_head(const struct scar_proxy_options *options,
		     const struct scar_http1_message *answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;

	scar_buf_init(&head, HEAD_BYTES);
	if (scar_buf_printf(&head, err, "Status: %d\r\n", answer->status) < 0)
		return -1;
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct scar_http1_field *field = &answer->fields[i];

		if (!is_hop(field->name) && strcasecmp(field->name, "status") != 0 &&
		    scar_buf_printf(&head, err, "%s: %s\r\n", field->name, field->value) < 0)
			return -1;
	}
	if (scar_buf_append_str(&head, "\r\n", err) < 0)
		return -1;
	return options->sink(options->sink_ctx, head.data, head.len, err);
}

static int pass_body(const struct scar_proxy_options *options, struct scar_http1 *conn,
		     struct scar_http1_message *answer, int64_t until_us, struct scar_err *err)
{
	char chunk[CHUNK_BYTES];
	size_t len = 1;

	while (len > 0) {
		if (scar_http1_read_body(conn, answer, chunk, sizeof chunk, until_us, &len, err) <
		    0)
			return blame_server(err);
		if (len > 0 && options->sink(options->sink_ctx, chunk, len, err) < 0)
			return -1;
	}
	return 0;
}

static int read_answer(const struct scar_proxy_options *options, struct scar_http1 *conn,
		       struct scar_http1_message *answer, struct scar_err *err)
{
	const struct scar_event *event = options->event;
	bool head_request = event->is_http && strcmp(event->http.method, "HEAD") == 0;
	int64_t until_us = deadline_us(options);
	int got = scar_http1_read_response(conn, answer, head_request, until_us, err);

	if (got == 0)
		return scar_err_set(err, SCAR_ERR_SERVER,
				    "the image's server closed the connection without an answer");
	if (got < 0)
		return blame_server(err);
	if (!event->is_http && answer->status >= 400)
		return scar_err_set(err, SCAR_ERR_EXIT,
				    "the image's server answered with status %d", answer->status);
	if (event->is_http && tell_head(options, answer, err) < 0)
		return -1;
	return pass_body(options, conn, answer, until_us, err);
}

int scar_proxy_pass(const struct scar_proxy_options *options, struct scar_err *err)
{
	const struct scar_event_item *item = &options->event->items[options->index];
	const struct scar_buf *body = item->has_payload && options->event->is_http
					      ? &item->payload
					      : &item->document;
	scar_buf_auto struct scar_buf head;
	struct scar_http1_message answer;
	struct scar_http1 conn;
	int result;

	scar_buf_init(&head, HEAD_BYTES);
	if (make_head(options, body->len, &head, err) < 0)
		return -1;
	if (dial(options, &conn, err) < 0) {
		(void)blame_server(err);
		return SCAR_PROXY_NOT_SENT;
	}
	scar_http1_message_init(&answer);
	/* A server may answer before it has read all, and hang up: its answer counts. */
	result = scar_http1_write(&conn, head.data, head.len, body->data, body->len, err);
	if (result == 0 || err->kind == SCAR_ERR_NETWORK)
		result = read_answer(options, &conn, &answer, err);
	scar_http1_message_clear(&answer);
	scar_http1_close(&conn);
	return result;
}
