/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/runtime_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/api/protocol.h"
#include "runtime/base/base64.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"

#define PIECE_BYTES 65536

typedef struct scar_runtime_server server_t;

int scar_runtime_server_open(server_t *server, const char *function_arn, struct scar_err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	memset(server, 0, sizeof(*server));
	server->waiting = -1;
	server->function_arn = function_arn;
	scar_buf_init(&server->init_error, SCAR_LIMIT_RESPONSE_BYTES);
	server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listen_fd < 0 ||
	    bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(server->listen_fd, SCAR_RUNTIME_CONNECTIONS) < 0 ||
	    getsockname(server->listen_fd, (struct sockaddr *)&address, &len) < 0) {
		scar_err_errno(err, errno, "cannot listen for the runtime");
		if (server->listen_fd >= 0)
			close(server->listen_fd);
		server->listen_fd = -1;
		return -1;
	}
	server->port = ntohs(address.sin_port);
	return 0;
}

static void hang_up(server_t *server, int i)
{
	scar_http1_close(&server->conns[i].http);
	server->conns[i].open = false;
	if (server->waiting == i)
		server->waiting = -1;
}

void scar_runtime_server_reset(server_t *server)
{
	for (int i = 0; i < SCAR_RUNTIME_CONNECTIONS; i++) {
		if (server->conns[i].open)
			hang_up(server, i);
	}
	server->call = NULL;
	server->answered = false;
	server->init_error_type[0] = '\0';
	scar_buf_clear(&server->init_error);
}

void scar_runtime_server_close(server_t *server)
{
	scar_runtime_server_reset(server);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	server->listen_fd = -1;
}

/* ---- answers -------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 413: return "Request Entity Too Large";
	default: return "Internal Server Error";
	}
}

static int reply(server_t *server, int i, int status, const char *body)
{
	struct scar_err gone;
	char head[256];
	int len = snprintf(
		head, sizeof(head),
		"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		status, reason_of(status), strlen(body));

	if (scar_http1_write(&server->conns[i].http, head, (size_t)len, body, strlen(body),
			     &gone) == 0)
		return 0;
	hang_up(server, i);
	return -1;
}

static int refuse(server_t *server, int i, int status, const char *type, const char *message)
{
	char body[512];

	snprintf(body, sizeof(body), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}", message,
		 type);
	return reply(server, i, status, body);
}

/* ---- what the runtime posts ----------------------------------------------------------------- */

/* The request id of /invocation/ID/suffix, or false. */
static bool match_target(const char *target, const char *suffix, char *id, size_t size)
{
	size_t prefix_len = strlen(SCAR_API_INVOCATION);
	size_t suffix_len = strlen(suffix);
	size_t len = strlen(target);

	if (len <= prefix_len + suffix_len ||
	    strncmp(target, SCAR_API_INVOCATION, prefix_len) != 0 ||
	    strcmp(target + len - suffix_len, suffix) != 0)
		return false;
	len -= prefix_len + suffix_len;
	if (len >= size || memchr(target + prefix_len, '/', len))
		return false;
	memcpy(id, target + prefix_len, len);
	id[len] = '\0';
	return true;
}

/* Reads and drops a body, so that the connection can be used again. */
static void skip_body(server_t *server, int i, struct scar_http1_message *msg)
{
	char piece[4096];
	struct scar_err err;
	size_t n = 1;

	while (n > 0) {
		if (scar_http1_read_body(&server->conns[i].http, msg, piece, sizeof(piece),
					 server->deadline_us, &n, &err) < 0) {
			hang_up(server, i);
			return;
		}
	}
}

/* A refusal, after the body: the runtime reads its answer when it has sent everything. */
static void refuse_post(server_t *server, int i, struct scar_http1_message *msg, int status,
			const char *type, const char *message)
{
	skip_body(server, i, msg);
	if (server->conns[i].open)
		(void)refuse(server, i, status, type, message);
}

static bool may_answer(server_t *server, int i, struct scar_http1_message *msg, const char *id)
{
	if (!server->call || strcmp(id, scar_call_id(server->call)) != 0) {
		refuse_post(server, i, msg, 400, "InvalidRequestID", "Invalid request ID");
		return false;
	}
	if (server->answered) {
		refuse_post(server, i, msg, 403, "InvalidStateTransition",
			    "the invocation has its answer already");
		return false;
	}
	return true;
}

static void fail_too_large(server_t *server)
{
	char document[256];

	snprintf(
		document, sizeof(document),
		"{\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (%zu bytes).\","
		"\"errorType\":\"" SCAR_API_TYPE_TOO_LARGE "\"}",
		SCAR_LIMIT_RESPONSE_BYTES);
	scar_call_fail(server->call, SCAR_API_TYPE_TOO_LARGE, document);
}

/* An error that came in the trailers of a streamed response. */
static void take_trailers(server_t *server, const struct scar_http1_message *msg)
{
	const char *type = scar_http1_field(msg, SCAR_API_ERROR_TYPE);
	const char *body = scar_http1_field(msg, SCAR_API_ERROR_BODY);
	scar_buf_auto struct scar_buf document;
	struct scar_err bad;

	scar_buf_init(&document, SCAR_LIMIT_RESPONSE_BYTES);
	if (!type)
		return;
	if (!body || scar_base64_decode(body, &document, &bad) < 0)
		scar_buf_clear(&document);
	scar_call_fail(server->call, type, document.data);
}

static void fail_truncated(server_t *server)
{
	scar_call_fail(
		server->call, SCAR_API_TYPE_TRUNCATED,
		"{\"errorMessage\":\"The response of the function was cut short.\",\"errorType\":\"" SCAR_API_TYPE_TRUNCATED
		"\"}");
}

/* Passes the body on piece by piece. @return false when the connection broke */
static bool pass_body(server_t *server, int i, struct scar_http1_message *msg, bool *ret_too_large)
{
	char piece[PIECE_BYTES];
	struct scar_err err;
	size_t n = 1;

	while (n > 0) {
		if (scar_http1_read_body(&server->conns[i].http, msg, piece, sizeof(piece),
					 server->deadline_us, &n, &err) < 0)
			return false;
		if (n == 0 || *ret_too_large)
			continue;
		if (scar_call_write(server->call, piece, n, server->deadline_us, &err) == 0)
			continue;
		if (err.kind != SCAR_ERR_LIMIT)
			return false;
		*ret_too_large = true;
	}
	return true;
}

static void take_response(server_t *server, int i, struct scar_http1_message *msg)
{
	const char *mode = scar_http1_field(msg, SCAR_API_RESPONSE_MODE);
	const char *type = scar_http1_field(msg, "Content-Type");
	bool streamed = mode && strcmp(mode, SCAR_API_RESPONSE_MODE_STREAMING) == 0;
	bool too_large = !streamed && msg->framing == SCAR_HTTP1_LENGTH &&
			 msg->content_length > SCAR_LIMIT_RESPONSE_BYTES;

	if (mode && !streamed) {
		refuse_post(server, i, msg, 400, "InvalidFunctionResponseMode",
			    "Invalid function response mode");
		return;
	}
	server->answered = true;
	scar_call_begin(server->call, type ? type : SCAR_API_CONTENT_TYPE_BYTES);
	if (!pass_body(server, i, msg, &too_large)) {
		fail_truncated(server);
		hang_up(server, i);
		return;
	}
	take_trailers(server, msg);
	if (too_large) {
		fail_too_large(server);
		(void)refuse(server, i, 413, "RequestEntityTooLarge",
			     "Exceeded maximum allowed payload size (6291556 bytes).");
		return;
	}
	(void)reply(server, i, 202, "{\"status\":\"OK\"}");
}

static bool read_document(server_t *server, int i, struct scar_http1_message *msg,
			  struct scar_buf *document)
{
	struct scar_err err;

	scar_buf_init(document, SCAR_LIMIT_RESPONSE_BYTES);
	if (scar_http1_read_body_all(&server->conns[i].http, msg, document, server->deadline_us,
				     &err) == 0)
		return true;
	if (err.kind == SCAR_ERR_LIMIT)
		refuse_post(server, i, msg, 413, "RequestEntityTooLarge",
			    "Error document too large");
	else
		hang_up(server, i);
	return false;
}

static const char *error_type_of(const struct scar_http1_message *msg)
{
	const char *type = scar_http1_field(msg, SCAR_API_ERROR_TYPE);

	return type && *type ? type : "Unhandled";
}

static void take_error(server_t *server, int i, struct scar_http1_message *msg)
{
	scar_buf_auto struct scar_buf document;

	if (!read_document(server, i, msg, &document))
		return;
	server->answered = true;
	scar_call_fail(server->call, error_type_of(msg), document.data);
	(void)reply(server, i, 202, "{\"status\":\"OK\"}");
}

static void take_init_error(server_t *server, int i, struct scar_http1_message *msg)
{
	scar_buf_auto struct scar_buf document;

	if (server->call || server->waiting >= 0) {
		refuse_post(server, i, msg, 403, "InvalidStateTransition",
			    "the runtime is initialised");
		return;
	}
	if (!read_document(server, i, msg, &document))
		return;
	snprintf(server->init_error_type, sizeof(server->init_error_type), "%s",
		 error_type_of(msg));
	scar_buf_clear(&server->init_error);
	server->init_error = document;
	scar_buf_init(&document, 0);
	(void)reply(server, i, 202, "{\"status\":\"OK\"}");
}

static void take_next(server_t *server, int i)
{
	if (server->call && !server->answered) {
		(void)refuse(server, i, 403, "InvalidStateTransition",
			     "the invocation has no answer yet");
		return;
	}
	/* Another connection that waited has lost its turn: the runtime asks here now. */
	server->waiting = i;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void route(server_t *server, int i, struct scar_http1_message *msg)
{
	bool post = strcmp(msg->method, "POST") == 0;
	char id[128];

	if (strcmp(msg->method, "GET") == 0 && strcmp(msg->target, SCAR_API_NEXT) == 0) {
		take_next(server, i);
	} else if (post && match_target(msg->target, SCAR_API_RESPONSE_SUFFIX, id, sizeof(id))) {
		if (may_answer(server, i, msg, id))
			take_response(server, i, msg);
	} else if (post && strcmp(msg->target, SCAR_API_INIT_ERROR) == 0) {
		take_init_error(server, i, msg);
	} else if (post && match_target(msg->target, SCAR_API_ERROR_SUFFIX, id, sizeof(id))) {
		if (may_answer(server, i, msg, id))
			take_error(server, i, msg);
	} else {
		refuse_post(server, i, msg, 404, "NotFound", "no such path in the Runtime API");
	}
}

static void serve(server_t *server, int i)
{
	struct scar_http1_message msg;
	struct scar_err err;

	scar_http1_message_init(&msg);
	if (scar_http1_read_request(&server->conns[i].http, &msg, server->deadline_us, &err) == 1) {
		route(server, i, &msg);
		if (server->conns[i].open && !msg.keep_alive && server->waiting != i)
			hang_up(server, i);
	} else {
		hang_up(server, i);
	}
	scar_http1_message_clear(&msg);
}

static void accept_one(server_t *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	int yes = 1;

	if (fd < 0)
		return;
	for (int i = 0; i < SCAR_RUNTIME_CONNECTIONS; i++) {
		if (server->conns[i].open)
			continue;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		scar_http1_init(&server->conns[i].http, fd);
		server->conns[i].open = true;
		return;
	}
	close(fd);
}

static int timeout_of(int64_t deadline_us)
{
	int64_t left_us = deadline_us - scar_clock_monotonic_us();

	if (!deadline_us)
		return -1;
	if (left_us <= 0)
		return 0;
	return left_us > 3600LL * 1000000 ? 3600 * 1000 : (int)((left_us + 999) / 1000);
}

int scar_runtime_server_step(server_t *server, int first_fd, int second_fd, int64_t deadline_us,
			     struct scar_err *err)
{
	struct pollfd fds[SCAR_RUNTIME_CONNECTIONS + 3] = {
		{.fd = first_fd, .events = POLLIN},
		{.fd = second_fd, .events = POLLIN},
		{.fd = server->listen_fd, .events = POLLIN},
	};
	int result;

	for (int i = 0; i < SCAR_RUNTIME_CONNECTIONS; i++) {
		fds[i + 3].fd = server->conns[i].open ? server->conns[i].http.fd : -1;
		fds[i + 3].events = POLLIN;
	}
	if (poll(fds, SCAR_RUNTIME_CONNECTIONS + 3, timeout_of(deadline_us)) < 0)
		return errno == EINTR ? 0 : scar_err_errno(err, errno, "poll");
	result = (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
	server->deadline_us = deadline_us;
	for (int i = 0; i < SCAR_RUNTIME_CONNECTIONS; i++) {
		if (fds[i + 3].revents && server->conns[i].open)
			serve(server, i);
	}
	if (fds[2].revents)
		accept_one(server);
	return result;
}

/* ---- delivery ------------------------------------------------------------------------------- */

static int add_field(struct scar_buf *head, const char *name, const char *value,
		     struct scar_err *err)
{
	if (!value || !*value || !scar_http1_value_ok(value))
		return 0;
	return scar_buf_printf(head, err, "%s: %s\r\n", name, value);
}

int scar_runtime_server_deliver(server_t *server, struct scar_call *call, int64_t deadline_ms,
				struct scar_err *err)
{
	const struct scar_buf *event = scar_call_event(call);
	scar_buf_auto struct scar_buf head;
	int i = server->waiting;

	scar_buf_init(&head, SCAR_KIB(32));
	if (i < 0)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "the runtime is not waiting");
	if (scar_buf_printf(&head, err, "HTTP/1.1 200 OK\r\n%s: %s\r\n%s: %" PRId64 "\r\n",
			    SCAR_API_REQUEST_ID, scar_call_id(call), SCAR_API_DEADLINE_MS,
			    deadline_ms) < 0 ||
	    add_field(&head, SCAR_API_FUNCTION_ARN, server->function_arn, err) < 0 ||
	    add_field(&head, SCAR_API_TRACE_ID, scar_call_trace_id(call), err) < 0 ||
	    add_field(&head, SCAR_API_CLIENT_CONTEXT, scar_call_client_context(call), err) < 0 ||
	    add_field(&head, SCAR_API_TENANT_ID, scar_call_tenant_id(call), err) < 0 ||
	    add_field(&head, "Content-Type", scar_call_content_type(call), err) < 0 ||
	    scar_buf_printf(&head, err, "Content-Length: %zu\r\n\r\n", event->len) < 0)
		return -1;
	server->waiting = -1;
	server->call = call;
	server->answered = false;
	if (scar_http1_write(&server->conns[i].http, head.data, head.len, event->data, event->len,
			     err) == 0)
		return 0;
	hang_up(server, i);
	server->call = NULL;
	return scar_err_wrap(err, "cannot hand the event to the runtime");
}
