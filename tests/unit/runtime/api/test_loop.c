/* SPDX-License-Identifier: Apache-2.0 */
/* The loop and the client against a service that follows a script and records what it is told. */
#include "runtime/api/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* ---- the service ---------------------------------------------------------------------------- */

#define REQUESTS_MAX 16

struct reply {
	const char *text; /**< whole response; NULL: hang up without one */
	bool close;       /**< hang up after it */
};

struct request {
	char target[128];
	char error_type[64];
	char mode[32];
	char framing[32];
	char content_type[64];
	struct scar_buf body;
	char trailer_type[64];
	struct scar_buf trailer_body; /**< decoded */
	unsigned connection;          /**< the how manieth */
};

struct service {
	int listen_fd;
	char api[32];
	pthread_t thread;
	const struct reply *script;
	struct request requests[REQUESTS_MAX];
	unsigned count;
	unsigned connections;
};

static void copy_field(const struct scar_http1_message *msg, const char *name, char *text,
		       size_t size)
{
	const char *value = scar_http1_field(msg, name);

	snprintf(text, size, "%s", value ? value : "");
}

static void record(struct service *service, struct scar_http1 *conn, struct scar_http1_message *msg)
{
	struct request *request = &service->requests[service->count++];
	char text[16384];
	struct scar_err err;

	request->connection = service->connections;
	snprintf(request->target, sizeof request->target, "%s %s", msg->method, msg->target);
	copy_field(msg, "Lambda-Runtime-Function-Error-Type", request->error_type,
		   sizeof request->error_type);
	copy_field(msg, "Lambda-Runtime-Function-Response-Mode", request->mode,
		   sizeof request->mode);
	copy_field(msg, "Transfer-Encoding", request->framing, sizeof request->framing);
	copy_field(msg, "Content-Type", request->content_type, sizeof request->content_type);
	scar_buf_init(&request->body, SCAR_MIB(16));
	scar_buf_init(&request->trailer_body, SCAR_KIB(64));
	/* A body cut short is recorded as it came. */
	if (scar_http1_read_body_all(conn, msg, &request->body, 0, &err) < 0)
		snprintf(request->trailer_type, sizeof request->trailer_type, "cut short");
	else if (msg->framing == SCAR_HTTP1_CHUNKED) {
		copy_field(msg, "Lambda-Runtime-Function-Error-Type", request->trailer_type,
			   sizeof request->trailer_type);
		copy_field(msg, "Lambda-Runtime-Function-Error-Body", text, sizeof text);
		(void)scar_base64_decode(text, &request->trailer_body, &err);
	}
}

/* Serves one connection. @return false when the script has ended */
static bool serve(struct service *service, struct scar_http1 *conn)
{
	struct scar_http1_message msg;
	struct scar_err err;
	bool more = true;

	scar_http1_message_init(&msg);
	while (service->script->text || service->script->close) {
		const struct reply *reply = service->script;

		if (scar_http1_read_request(conn, &msg, 0, &err) != 1)
			break;
		record(service, conn, &msg);
		service->script++;
		if (reply->text)
			(void)scar_http1_write(conn, reply->text, strlen(reply->text), NULL, 0,
					       &err);
		if (reply->close)
			break;
	}
	more = service->script->text || service->script->close;
	scar_http1_message_clear(&msg);
	return more;
}

static void *run_service(void *arg)
{
	struct service *service = arg;
	bool more = true;

	while (more) {
		struct scar_http1 conn;
		int fd = accept(service->listen_fd, NULL, NULL);

		if (fd < 0)
			break;
		service->connections++;
		scar_http1_init(&conn, fd);
		more = serve(service, &conn);
		if (!more) /* nobody listens before the last connection closes: no race for the client */
			close(service->listen_fd);
		scar_http1_close(&conn);
	}
	return NULL;
}

static void start(struct service *service, const struct reply *script)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;

	memset(service, 0, sizeof *service);
	service->script = script;
	service->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(service->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(service->listen_fd, 8), 0);
	assert_int_equal(getsockname(service->listen_fd, (struct sockaddr *)&address, &len), 0);
	snprintf(service->api, sizeof service->api, "127.0.0.1:%u",
		 (unsigned)ntohs(address.sin_port));
	assert_int_equal(pthread_create(&service->thread, NULL, run_service, service), 0);
}

static void clear(struct service *service)
{
	for (unsigned i = 0; i < service->count; i++) {
		scar_buf_clear(&service->requests[i].body);
		scar_buf_clear(&service->requests[i].trailer_body);
	}
}

#define HEAD "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: "
#define INVOCATION_OF(id) HEAD id "\r\nContent-Length: 2\r\n\r\n{}"
#define INVOCATION INVOCATION_OF("id-1")
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"status\":\"OK\"}"
#define STATUS(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"
#define END_OF_STATE                                      \
	{                                                 \
		STATUS("500 Internal Server Error"), true \
	}
#define END_OF_SCRIPT       \
	{                   \
		NULL, false \
	}

/* ---- the handler ---------------------------------------------------------------------------- */

struct context {
	const char *behaviour;
	unsigned calls;
	unsigned problems;
	enum scar_err_kind problem;
	bool too_large;
	char seen[512];
	char trace[64];
	int64_t deadline_ms;
};

static int answer_streaming(struct scar_response *response, bool fail, struct scar_err *err)
{
	const struct scar_function_error error = {.error_type = "Function.Late",
						  .error_message = "after \"all\"",
						  .extra_json = "\"exitCode\":5"};

	if (scar_response_begin(response, SCAR_RESPONSE_STREAMING, "text/plain", err) < 0 ||
	    scar_response_write(response, "one\n", 4, err) < 0 ||
	    scar_response_write(response, "two\n", 4, err) < 0)
		return -1;
	return fail ? scar_response_fail(response, &error, err) : scar_response_end(response, err);
}

static int answer_huge(struct context *context, struct scar_response *response, size_t len,
		       struct scar_err *err)
{
	char *block = calloc(1, len);
	int result = scar_response_begin(response, SCAR_RESPONSE_BUFFERED, NULL, err);

	if (result == 0)
		result = scar_response_write(response, block, len, err);
	free(block);
	if (result == 0)
		result = scar_response_end(response, err);
	context->too_large = scar_response_too_large(response);
	return result;
}

static int handle(void *ctx, const struct scar_invocation *invocation,
		  struct scar_response *response, struct scar_err *err)
{
	struct context *context = ctx;
	const char *trace = getenv("_X_AMZN_TRACE_ID");
	const char *what = context->behaviour;

	context->calls++;
	context->deadline_ms = invocation->deadline_ms;
	snprintf(context->trace, sizeof context->trace, "%s", trace ? trace : "none");
	snprintf(context->seen, sizeof context->seen, "%s|%s|%s|%s|%s|%s|%s",
		 invocation->request_id,
		 invocation->client_context ? invocation->client_context : "-",
		 invocation->cognito_identity ? invocation->cognito_identity : "-",
		 invocation->function_arn ? invocation->function_arn : "-",
		 invocation->tenant_id ? invocation->tenant_id : "-",
		 invocation->content_type ? invocation->content_type : "-", invocation->event.data);
	if (strcmp(what, "fail") == 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "no \"image\"\n%s", "here");
	if (strcmp(what, "stream") == 0 || strcmp(what, "late") == 0)
		return answer_streaming(response, *what == 'l', err);
	if (strcmp(what, "stream-abandoned") == 0) {
		if (scar_response_begin(response, SCAR_RESPONSE_STREAMING, NULL, err) < 0 ||
		    scar_response_write(response, "part", 4, err) < 0)
			return -1;
		return scar_err_set(err, SCAR_ERR_ENGINE, "broke");
	}
	if (strcmp(what, "discard") == 0) {
		if (scar_response_begin(response, SCAR_RESPONSE_BUFFERED, "text/plain", err) < 0 ||
		    scar_response_write(response, "never seen", 10, err) < 0)
			return -1;
		return scar_err_set(err, SCAR_ERR_EXEC, "cannot");
	}
	if (strcmp(what, "limit") == 0)
		return answer_huge(context, response, SCAR_LIMIT_RESPONSE_BYTES, err);
	if (strcmp(what, "over") == 0)
		return answer_huge(context, response, SCAR_LIMIT_RESPONSE_BYTES + 1, err);
	if (strcmp(what, "nothing") == 0)
		return 0;
	return scar_response_begin(response, SCAR_RESPONSE_BUFFERED, "text/plain", err) < 0
		       ? -1
		       : scar_response_write(response, "answer", 6, err);
}

static void note_problem(void *ctx, const struct scar_err *err)
{
	struct context *context = ctx;

	context->problems++;
	context->problem = err->kind;
}

/* Runs the loop until the script ends; it must end in an error of that kind. */
static void run_loop(struct service *service, struct context *context, const struct reply *script,
		     enum scar_err_kind end)
{
	struct scar_loop_options options = {
		.handler = handle, .ctx = context, .problem = note_problem, .retry_for_ms = 300};
	struct scar_err err = {0};

	start(service, script);
	options.api = service->api;
	assert_int_equal(scar_loop_run(&options, &err), -1);
	pthread_join(service->thread, NULL);
	if (err.kind != end)
		fail_msg("ended with %s: %s", scar_err_info(err.kind)->name, err.msg);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void an_answer_goes_back_over_the_same_connection(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, {INVOCATION_OF("id-2"), false},
		{ACCEPTED, false},   END_OF_STATE,      END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 2);
	assert_int_equal(context.problems, 0);
	assert_int_equal(service.connections, 1);
	assert_string_equal(service.requests[0].target, "GET /2018-06-01/runtime/invocation/next");
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/id-1/response");
	assert_string_equal(service.requests[1].body.data, "answer");
	assert_string_equal(service.requests[1].content_type, "text/plain");
	assert_string_equal(service.requests[1].mode, "");
	assert_string_equal(service.requests[3].target,
			    "POST /2018-06-01/runtime/invocation/id-2/response");
	clear(&service);
}

static void all_fields_reach_the_handler(void **state)
{
	char reply[1024];
	const struct reply script[] = {
		{reply, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;
	long long deadline = (long long)scar_clock_epoch_ms() + 60000;

	(void)state;
	snprintf(
		reply, sizeof reply,
		HEAD
		"id-1\r\nLambda-Runtime-Trace-Id: Root=1-2-3\r\nlambda-runtime-client-context: {\"a\":1}\r\n"
		"Lambda-Runtime-Cognito-Identity: {\"b\":2}\r\nLambda-Runtime-Invoked-Function-Arn: arn:x\r\n"
		"Lambda-Runtime-Aws-Tenant-Id: t\r\nLambda-Runtime-Deadline-Ms: %lld\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nevent",
		deadline);
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(context.seen, "id-1|{\"a\":1}|{\"b\":2}|arn:x|t|text/x|event");
	assert_string_equal(context.trace, "Root=1-2-3");
	assert_true(context.deadline_ms == deadline);
	clear(&service);
}

static void a_trace_id_does_not_outlive_its_invocation(void **state)
{
	const struct reply script[] = {
		{HEAD "a\r\nLambda-Runtime-Trace-Id: T\r\nContent-Length: 0\r\n\r\n", false},
		{ACCEPTED, false},
		{INVOCATION, false},
		{ACCEPTED, false},
		END_OF_STATE,
		END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 2);
	assert_string_equal(context.trace, "none");
	clear(&service);
}

static void a_deadline_in_the_past_or_in_no_number_is_none(void **state)
{
	static const char *const deadlines[] = {"5000", "soon", "-1", ""};

	(void)state;
	for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
		char reply[256];
		const struct reply script[] = {
			{reply, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
		struct context context = {.behaviour = "answer", .deadline_ms = 1};
		struct service service;

		snprintf(reply, sizeof reply,
			 HEAD "a\r\nLambda-Runtime-Deadline-Ms: %s\r\nContent-Length: 0\r\n\r\n",
			 deadlines[i]);
		run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
		assert_true(context.deadline_ms == 0);
		clear(&service);
	}
}

static void an_error_becomes_a_document(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "fail"};
	scar_json_auto struct scar_json *root = NULL;
	struct service service;
	struct scar_err err;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/id-1/error");
	assert_string_equal(service.requests[1].error_type, "Runtime.ImageNotFound");
	assert_int_equal(scar_json_parse(service.requests[1].body.data,
					 service.requests[1].body.len, "x", &root, &err),
			 0);
	assert_string_equal(scar_json_string(scar_json_get(root, "errorType")),
			    "Runtime.ImageNotFound");
	assert_string_equal(scar_json_string(scar_json_get(root, "errorMessage")),
			    "no \"image\"\nhere");
	assert_int_equal(scar_json_type(scar_json_get(root, "stackTrace")), SCAR_JSON_ARRAY);
	clear(&service);
}

static void an_error_discards_a_buffered_answer(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "discard"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/id-1/error");
	assert_null(strstr(service.requests[1].body.data, "never seen"));
	clear(&service);
}

static void a_stream_is_chunked_and_has_a_connection_of_its_own(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, true}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "stream"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].mode, "streaming");
	assert_string_equal(service.requests[1].framing, "chunked");
	assert_string_equal(service.requests[1].body.data, "one\ntwo\n");
	assert_string_equal(service.requests[1].trailer_type, "");
	assert_int_equal(service.requests[1].connection, 2);
	assert_int_equal(service.requests[2].connection, 3);
	clear(&service);
}

static void a_late_error_travels_in_trailers(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, true}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "late"};
	scar_json_auto struct scar_json *root = NULL;
	struct service service;
	struct scar_err err;
	int64_t code = 0;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].body.data, "one\ntwo\n");
	assert_string_equal(service.requests[1].trailer_type, "Function.Late");
	assert_int_equal(scar_json_parse(service.requests[1].trailer_body.data,
					 service.requests[1].trailer_body.len, "x", &root, &err),
			 0);
	assert_string_equal(scar_json_string(scar_json_get(root, "errorMessage")), "after \"all\"");
	assert_int_equal(scar_json_int(scar_json_get(root, "exitCode"), &code), 0);
	assert_int_equal(code, 5);
	clear(&service);
}

static void a_handler_that_fails_amid_a_stream_ends_it_with_its_error(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, true}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "stream-abandoned"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].body.data, "part");
	assert_string_equal(service.requests[1].trailer_type, "Runtime.Engine");
	clear(&service);
}

static void an_answer_at_the_limit_is_sent_whole(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "limit"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(service.requests[1].body.len, SCAR_LIMIT_RESPONSE_BYTES);
	assert_false(context.too_large);
	clear(&service);
}

static void an_answer_over_the_limit_is_told_as_lambda_tells_it(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "over"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/id-1/error");
	assert_string_equal(service.requests[1].error_type, "Function.ResponseSizeTooLarge");
	assert_true(context.too_large);
	assert_int_equal(context.problems, 0);
	clear(&service);
}

static void a_413_is_no_problem_and_the_loop_goes_on(void **state)
{
	const struct reply script[] = {{INVOCATION, false}, {STATUS("413 Too Large"), false},
				       {INVOCATION, false}, {STATUS("413 Too Large"), false},
				       END_OF_STATE,        END_OF_SCRIPT};
	struct context context = {.behaviour = "limit"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 2);
	assert_true(context.too_large);
	assert_int_equal(context.problems, 0);
	clear(&service);
}

static void a_refused_answer_is_told_and_the_loop_goes_on(void **state)
{
	const struct reply script[] = {{INVOCATION, false}, {STATUS("403 Forbidden"), false},
				       {INVOCATION, false}, {STATUS("400 Bad Request"), false},
				       END_OF_STATE,        END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 2);
	assert_int_equal(context.problems, 2);
	assert_int_equal(context.problem, SCAR_ERR_PROTOCOL);
	clear(&service);
}

static void a_500_to_an_answer_ends_the_loop(void **state)
{
	const struct reply script[] = {{INVOCATION, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 1);
	assert_int_equal(service.count, 2);
	clear(&service);
}

static void a_refused_next_is_asked_again(void **state)
{
	const struct reply script[] = {{STATUS("403 Forbidden"), false},
				       {STATUS("200 OK"), false},
				       {HEAD "../../x\r\nContent-Length: 0\r\n\r\n", false},
				       {INVOCATION, false},
				       {ACCEPTED, false},
				       END_OF_STATE,
				       END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 1);
	assert_string_equal(service.requests[4].target,
			    "POST /2018-06-01/runtime/invocation/id-1/response");
	clear(&service);
}

static void a_connection_closed_between_requests_is_opened_again(void **state)
{
	const struct reply script[] = {{INVOCATION, true}, {ACCEPTED, true},  {NULL, true},
				       {INVOCATION, true}, {ACCEPTED, false}, END_OF_STATE,
				       END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_int_equal(context.calls, 2);
	assert_int_equal(context.problems, 0);
	assert_string_equal(service.requests[1].body.data, "answer");
	assert_string_equal(service.requests[4].body.data, "answer");
	clear(&service);
}

static void a_service_that_is_gone_ends_the_loop_in_time(void **state)
{
	const struct reply script[] = {{INVOCATION, false}, {ACCEPTED, true}, END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	int64_t start_us = scar_clock_monotonic_us();
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_NETWORK);
	assert_int_equal(context.calls, 1);
	/* 300 ms of patience; the rest is for a busy machine. */
	assert_in_range(scar_clock_monotonic_us() - start_us, 200000, 5000000);
	clear(&service);
}

static void an_event_beyond_the_limit_fails_its_invocation_alone(void **state)
{
	char head[256];
	size_t len = SCAR_LIMIT_EVENT_BYTES + 1;
	char *reply = calloc(1, sizeof head + len + 1);
	const struct reply script[] = {{reply, false},    {ACCEPTED, false}, {INVOCATION, false},
				       {ACCEPTED, false}, END_OF_STATE,      END_OF_SCRIPT};
	struct context context = {.behaviour = "answer"};
	struct service service;
	int head_len = snprintf(head, sizeof head, HEAD "big\r\nContent-Length: %zu\r\n\r\n", len);

	(void)state;
	memcpy(reply, head, (size_t)head_len);
	memset(reply + head_len, 'x', len);
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/big/error");
	assert_string_equal(service.requests[1].error_type, "Runtime.EventTooLarge");
	assert_int_equal(context.calls, 1);
	clear(&service);
	free(reply);
}

static void a_handler_that_does_nothing_answers_with_nothing(void **state)
{
	const struct reply script[] = {
		{INVOCATION, false}, {ACCEPTED, false}, END_OF_STATE, END_OF_SCRIPT};
	struct context context = {.behaviour = "nothing"};
	struct service service;

	(void)state;
	run_loop(&service, &context, script, SCAR_ERR_UNAVAILABLE);
	assert_string_equal(service.requests[1].target,
			    "POST /2018-06-01/runtime/invocation/id-1/response");
	assert_int_equal(service.requests[1].body.len, 0);
	clear(&service);
}

static void an_init_error_is_posted_with_its_type(void **state)
{
	const struct reply script[] = {{ACCEPTED, true}, END_OF_SCRIPT};
	const char *const stack[] = {"a", "b\"", NULL};
	const struct scar_function_error error = {
		.error_type = "Runtime.Bad\r\nX: y", .error_message = "m", .stack_trace = stack};
	struct service service;
	struct scar_err err;

	(void)state;
	start(&service, script);
	assert_int_equal(scar_loop_init_error(service.api, &error, &err), 0);
	pthread_join(service.thread, NULL);
	assert_string_equal(service.requests[0].target, "POST /2018-06-01/runtime/init/error");
	/* A type that could break out of its field is replaced. */
	assert_string_equal(service.requests[0].error_type, "Runtime.Unknown");
	assert_non_null(strstr(service.requests[0].body.data, "\"stackTrace\":[\"a\",\"b\\\"\"]"));
	clear(&service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_goes_back_over_the_same_connection),
		cmocka_unit_test(all_fields_reach_the_handler),
		cmocka_unit_test(a_trace_id_does_not_outlive_its_invocation),
		cmocka_unit_test(a_deadline_in_the_past_or_in_no_number_is_none),
		cmocka_unit_test(an_error_becomes_a_document),
		cmocka_unit_test(an_error_discards_a_buffered_answer),
		cmocka_unit_test(a_stream_is_chunked_and_has_a_connection_of_its_own),
		cmocka_unit_test(a_late_error_travels_in_trailers),
		cmocka_unit_test(a_handler_that_fails_amid_a_stream_ends_it_with_its_error),
		cmocka_unit_test(an_answer_at_the_limit_is_sent_whole),
		cmocka_unit_test(an_answer_over_the_limit_is_told_as_lambda_tells_it),
		cmocka_unit_test(a_413_is_no_problem_and_the_loop_goes_on),
		cmocka_unit_test(a_refused_answer_is_told_and_the_loop_goes_on),
		cmocka_unit_test(a_500_to_an_answer_ends_the_loop),
		cmocka_unit_test(a_refused_next_is_asked_again),
		cmocka_unit_test(a_connection_closed_between_requests_is_opened_again),
		cmocka_unit_test(a_service_that_is_gone_ends_the_loop_in_time),
		cmocka_unit_test(an_event_beyond_the_limit_fails_its_invocation_alone),
		cmocka_unit_test(a_handler_that_does_nothing_answers_with_nothing),
		cmocka_unit_test(an_init_error_is_posted_with_its_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
