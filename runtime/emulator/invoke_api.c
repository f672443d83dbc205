/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/invoke_api.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/api/protocol.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/eventstream.h"
#include "runtime/emulator/function.h"
#include "runtime/emulator/output.h"
#include "runtime/emulator/pool.h"
#include "runtime/emulator/url_answer.h"
#include "runtime/emulator/url_event.h"

#define INVOKE_PREFIX "/2015-03-31/functions/"
#define INVOKE_SUFFIX "/invocations"
#define STREAM_PREFIX "/2021-11-15/functions/"
#define STREAM_SUFFIX "/response-streaming-invocations"

/* Lambda's limits of an event: synchronous 6 MB, asynchronous 1 MB. */
#define SYNC_BYTES ((size_t)6 * 1024 * 1024)
#define ASYNC_BYTES SCAR_MIB(1)
/* A client that stops in the middle of a request. */
#define REQUEST_US (60 * 1000000LL)
#define HEAD_BYTES SCAR_KIB(32)

struct exchange {
	struct scar_http1 *conn;
	struct scar_http1_message msg;
	struct scar_pool *pool;
	struct scar_buf body;
	bool close; /**< the connection cannot be used again */
};

/* ---- answers -------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 413: return "Request Entity Too Large";
	case 429: return "Too Many Requests";
	default: return "Internal Server Error";
	}
}

static int begin_head(struct scar_buf *head, int status, const char *request_id,
		      struct scar_err *err)
{
	scar_buf_init(head, HEAD_BYTES);
	return scar_buf_printf(head, err, "HTTP/1.1 %d %s\r\nx-amzn-RequestId: %s\r\n", status,
			       reason_of(status), request_id);
}

static void send_answer(struct exchange *x, struct scar_buf *head, const char *type,
			const void *body, size_t len)
{
	struct scar_err gone;

	if (scar_buf_printf(head, &gone, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type,
			    len) < 0 ||
	    scar_http1_write(x->conn, head->data, head->len, body, len, &gone) < 0)
		x->close = true;
}

/* An error of the request, as the AWS SDKs read it. */
static void refuse(struct exchange *x, int status, const char *type, const char *message)
{
	scar_buf_auto struct scar_buf head;
	char body[512];
	struct scar_err gone;

	snprintf(body, sizeof(body), "{\"Type\":\"User\",\"Message\":\"%s\",\"message\":\"%s\"}",
		 message, message);
	if (begin_head(&head, status, "00000000-0000-0000-0000-000000000000", &gone) < 0 ||
	    scar_buf_printf(&head, &gone, "x-amzn-ErrorType: %s\r\n%s", type,
			    x->close ? "Connection: close\r\n" : "") < 0)
		x->close = true;
	else
		send_answer(x, &head, SCAR_API_CONTENT_TYPE_JSON, body, strlen(body));
}

static bool wants_tail(const struct exchange *x)
{
	const char *type = scar_http1_field(&x->msg, "X-Amz-Log-Type");

	return type && strcasecmp(type, "Tail") == 0;
}

static int add_tail(struct scar_buf *head, const struct scar_call *call, struct scar_err *err)
{
	const struct scar_buf *tail = scar_call_log_tail(call);

	if (scar_buf_append_str(head, "X-Amz-Log-Result: ", err) < 0 ||
	    scar_base64_encode(tail->data, tail->len, head, err) < 0)
		return -1;
	return scar_buf_append_str(head, "\r\n", err);
}

static void answer_buffered(struct exchange *x, struct scar_call *call)
{
	const char *type = scar_call_answer_type(call);
	scar_buf_auto struct scar_buf head;
	scar_buf_auto struct scar_buf body;
	struct scar_err err;
	bool failed;

	scar_buf_init(&head, 0);
	scar_buf_init(&body, SCAR_LIMIT_RESPONSE_BYTES);
	scar_call_wait(call);
	failed = scar_call_error_type(call) != NULL;
	if (scar_call_read(call, &body, &err) < 0 ||
	    begin_head(&head, 200, scar_call_id(call), &err) < 0 ||
	    scar_buf_append_str(&head, "X-Amz-Executed-Version: " SCAR_FUNCTION_VERSION "\r\n",
				&err) < 0 ||
	    (failed &&
	     scar_buf_append_str(&head, "X-Amz-Function-Error: Unhandled\r\n", &err) < 0) ||
	    (wants_tail(x) && add_tail(&head, call, &err) < 0)) {
		x->close = true;
		refuse(x, 500, "ServiceException", "out of memory");
		return;
	}
	if (failed) {
		const struct scar_buf *document = scar_call_error_document(call);

		send_answer(x, &head, SCAR_API_CONTENT_TYPE_JSON, document->data, document->len);
		return;
	}
	send_answer(x, &head, scar_http1_value_ok(type) ? type : SCAR_API_CONTENT_TYPE_BYTES,
		    body.data, body.len);
}

/* ---- streaming ------------------------------------------------------------------------------ */

static int send_event(struct exchange *x, const char *type, const char *content_type,
		      const void *data, size_t len, struct scar_err *err)
{
	scar_buf_auto struct scar_buf message;

	scar_buf_init(&message, SCAR_EVENTSTREAM_PAYLOAD_MAX + SCAR_KIB(1));
	if (scar_eventstream_append(&message, type, content_type, data, len, err) < 0)
		return -1;
	return scar_http1_write_chunk(x->conn, message.data, message.len, err);
}

static int add_member(struct scar_buf *json, const char *key, const char *text, size_t len,
		      struct scar_err *err)
{
	if (scar_buf_printf(json, err, "%s\"%s\":", json->len > 1 ? "," : "", key) < 0)
		return -1;
	return scar_json_append_string(json, text, len, err);
}

static int send_complete(struct exchange *x, const struct scar_call *call, struct scar_err *err)
{
	const char *type = scar_call_error_type(call);
	const struct scar_buf *document = scar_call_error_document(call);
	const struct scar_buf *tail = scar_call_log_tail(call);
	scar_buf_auto struct scar_buf json;
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&json, SCAR_EVENTSTREAM_PAYLOAD_MAX);
	scar_buf_init(&text, 2 * SCAR_OUTPUT_TAIL_BYTES);
	if (scar_buf_append_char(&json, '{', err) < 0)
		return -1;
	if (type && (add_member(&json, "ErrorCode", type, strlen(type), err) < 0 ||
		     add_member(&json, "ErrorDetails", document->data, document->len, err) < 0))
		return -1;
	if (wants_tail(x) && (scar_base64_encode(tail->data, tail->len, &text, err) < 0 ||
			      add_member(&json, "LogResult", text.data, text.len, err) < 0))
		return -1;
	if (scar_buf_append_char(&json, '}', err) < 0)
		return -1;
	return send_event(x, "InvokeComplete", SCAR_API_CONTENT_TYPE_JSON, json.data, json.len,
			  err);
}

static int send_stream(struct exchange *x, struct scar_call *call, struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;
	scar_buf_auto struct scar_buf piece;
	int got;

	scar_buf_init(&piece, SCAR_EVENTSTREAM_PAYLOAD_MAX);
	scar_call_wait(call);
	if (begin_head(&head, 200, scar_call_id(call), err) < 0 ||
	    scar_buf_printf(&head, err,
			    "X-Amz-Executed-Version: " SCAR_FUNCTION_VERSION "\r\n"
			    "Content-Type: application/vnd.amazon.eventstream\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n") < 0 ||
	    scar_http1_write(x->conn, head.data, head.len, NULL, 0, err) < 0)
		return -1;
	while ((got = scar_call_read(call, &piece, err)) > 0) {
		if (send_event(x, "PayloadChunk", SCAR_API_CONTENT_TYPE_BYTES, piece.data,
			       piece.len, err) < 0)
			return -1;
	}
	if (got < 0 || send_complete(x, call, err) < 0)
		return -1;
	return scar_http1_write_last_chunk(x->conn, NULL, 0, err);
}

/* ---- requests ------------------------------------------------------------------------------- */

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define SMALL_LETTERS "abcdefghijklmnopqrstuvwxyz"
#define NAME_PARTS_MAX 8 /* arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER */

/* What stands between the colons. */
struct name_parts {
	const char *items[NAME_PARTS_MAX];
	size_t count;
};

static bool is_made_of(const char *text, const char *characters, size_t len_max)
{
	size_t len = strlen(text);

	return len > 0 && len <= len_max && strspn(text, characters) == len;
}

/* eu-west-1, us-gov-east-1 */
static bool is_region(const char *text)
{
	unsigned words = 0;

	if (strspn(text, SMALL_LETTERS) != 2)
		return false;
	for (text += 2; *text == '-'; words++) {
		size_t len = strspn(text + 1, SMALL_LETTERS);

		if (len == 0)
			break;
		text += 1 + len;
	}
	return (words == 1 || words == 2) && *text == '-' && is_made_of(text + 1, "0123456789", 1);
}

static bool is_account(const char *text)
{
	return strlen(text) == 12 && is_made_of(text, "0123456789", 12);
}

static bool is_function(const char *text)
{
	return strcmp(text, "function") == 0;
}

/* NAME or NAME:QUALIFIER */
static bool ends_with_name(const struct name_parts *parts, size_t at)
{
	const char *qualifier;

	if (parts->count - at < 1 || parts->count - at > 2 ||
	    !is_made_of(parts->items[at], NAME_CHARACTERS, 64))
		return false;
	if (parts->count - at == 1)
		return true;
	qualifier = parts->items[at + 1];
	return is_made_of(qualifier + (*qualifier == '$'), NAME_CHARACTERS, 128);
}

/* What may stand before the name may be a name itself, so each is tried as both. */
static bool fits_from(const struct name_parts *parts, size_t at, size_t stage)
{
	static bool (*const stages[])(const char *) = {is_region, is_account, is_function};

	for (; stage < sizeof stages / sizeof *stages && at < parts->count; stage++) {
		if (stages[stage](parts->items[at]) && fits_from(parts, at + 1, stage + 1))
			return true;
	}
	return ends_with_name(parts, at);
}

static bool has_arn_head(const struct name_parts *parts)
{
	const char *partition = parts->count > 3 ? parts->items[1] : "";

	return parts->count > 3 && strcmp(parts->items[0], "arn") == 0 &&
	       strncmp(partition, "aws", 3) == 0 &&
	       partition[3 + strspn(partition + 3, SMALL_LETTERS "-")] == '\0' &&
	       strcmp(parts->items[2], "lambda") == 0;
}

/* Writes the `len` (at most as much as there is room) bytes with ':' and '$' decoded. */
static void decode_name(const char *text, size_t len, char *name)
{
	for (; len > 0; text++, len--) {
		bool colon = len >= 3 && strncmp(text, "%3A", 3) == 0;
		bool dollar = len >= 3 && strncmp(text, "%24", 3) == 0;

		*name++ = colon ? ':' : dollar ? '$' : *text;
		if (colon || dollar) {
			text += 2;
			len -= 2;
		}
	}
	*name = '\0';
}

/* As the Lambda API has it: a name, or an ARN or part of one, and a version or alias. ':' and '$' may be percent-encoded. */
static bool is_function_name(const char *text, size_t len)
{
	struct name_parts parts = {.count = 0};
	char name[256];
	char *at = name, *part;

	if (len >= sizeof(name) || memchr(text, '\0', len))
		return false;
	decode_name(text, len, name);
	while ((part = strsep(&at, ":"))) {
		if (parts.count == NAME_PARTS_MAX)
			return false;
		parts.items[parts.count++] = part;
	}
	return fits_from(&parts, has_arn_head(&parts) ? 3 : 0, 0);
}

static bool has_function_name(const char *target, const char *prefix, const char *suffix)
{
	size_t len = strcspn(target, "?") - strlen(prefix) - strlen(suffix);

	return is_function_name(target + strlen(prefix), len);
}

/* The name between prefix and suffix; a query (Qualifier=...) may follow. */
static bool match_target(const char *target, const char *prefix, const char *suffix)
{
	size_t len = strcspn(target, "?");
	size_t prefix_len = strlen(prefix);
	size_t suffix_len = strlen(suffix);

	return len > prefix_len + suffix_len && strncmp(target, prefix, prefix_len) == 0 &&
	       strncmp(target + len - suffix_len, suffix, suffix_len) == 0 &&
	       !memchr(target + prefix_len, '/', len - prefix_len - suffix_len);
}

static bool read_event(struct exchange *x, size_t max_bytes)
{
	const char *expect = scar_http1_field(&x->msg, "Expect");
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct scar_err err;

	scar_buf_init(&x->body, max_bytes);
	if (x->msg.content_length <= max_bytes && expect &&
	    strcasecmp(expect, "100-continue") == 0 &&
	    scar_http1_write(x->conn, go_on, sizeof(go_on) - 1, NULL, 0, &err) < 0) {
		x->close = true;
		return false;
	}
	if (scar_http1_read_body_all(x->conn, &x->msg, &x->body,
				     scar_clock_monotonic_us() + REQUEST_US, &err) == 0)
		return true;
	x->close = true;
	if (err.kind == SCAR_ERR_LIMIT)
		refuse(x, 413, "RequestTooLargeException",
		       "Request must be smaller than the limit for the InvokeFunction operation");
	return false;
}

/* Lambda takes nothing else, though clients can send it; no event at all is fine. */
static bool is_json(const struct scar_buf *event)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err err;

	return event->len == 0 ||
	       scar_json_parse(event->data, event->len, "event", &root, &err) == 0;
}

static int make_call(struct exchange *x, bool stream, struct scar_call **ret_call,
		     struct scar_err *err)
{
	const char *context = scar_http1_field(&x->msg, "X-Amz-Client-Context");
	scar_buf_auto struct scar_buf decoded;
	struct scar_call_request request = {
		.event = x->body.data,
		.event_len = x->body.len,
		.content_type = scar_http1_field(&x->msg, "Content-Type"),
		.trace_id = scar_http1_field(&x->msg, "X-Amzn-Trace-Id"),
		.tenant_id = scar_http1_field(&x->msg, "X-Amz-Tenant-Id"),
		.stream = stream,
	};

	scar_buf_init(&decoded, SCAR_KIB(4));
	if (context && scar_base64_decode(context, &decoded, err) < 0)
		return scar_err_set(err, SCAR_ERR_EVENT,
				    "Client context must be a valid Base64-encoded JSON");
	request.client_context = context ? decoded.data : NULL;
	return scar_call_create(&request, ret_call, err);
}

/* @return the queued call, or NULL after an answer that says why not */
static struct scar_call *queue_call(struct exchange *x, bool stream)
{
	struct scar_call *call = NULL;
	struct scar_err err;

	if (!is_json(&x->body)) {
		refuse(x, 400, "InvalidRequestContentException",
		       "Could not parse request body into json");
		return NULL;
	}
	if (make_call(x, stream, &call, &err) < 0) {
		if (err.kind == SCAR_ERR_EVENT)
			refuse(x, 400, "InvalidRequestContentException", err.msg);
		else
			refuse(x, 500, "ServiceException", "out of memory");
		return NULL;
	}
	if (scar_pool_invoke(x->pool, call, &err) == 0)
		return call;
	scar_call_unref(call);
	if (err.kind == SCAR_ERR_RATE_LIMIT)
		refuse(x, 429, "TooManyRequestsException", "Rate Exceeded.");
	else
		refuse(x, 500, "ServiceException", "the environment is ending");
	return NULL;
}

static void answer_accepted(struct exchange *x, int status, const char *request_id)
{
	scar_buf_auto struct scar_buf head;
	struct scar_err gone;

	if (begin_head(&head, status, request_id, &gone) < 0 ||
	    scar_buf_append_str(&head, status == 204 ? "\r\n" : "Content-Length: 0\r\n\r\n",
				&gone) < 0 ||
	    scar_http1_write(x->conn, head.data, head.len, NULL, 0, &gone) < 0)
		x->close = true;
}

static void invoke(struct exchange *x)
{
	const char *type = scar_http1_field(&x->msg, "X-Amz-Invocation-Type");
	bool event = type && strcasecmp(type, "Event") == 0;
	struct scar_call *call;

	if (!read_event(x, event ? ASYNC_BYTES : SYNC_BYTES))
		return;
	if (type && strcasecmp(type, "DryRun") == 0) {
		answer_accepted(x, 204, "00000000-0000-0000-0000-000000000000");
		return;
	}
	if (type && !event && strcasecmp(type, "RequestResponse") != 0) {
		refuse(x, 400, "InvalidParameterValueException", "Unsupported invocation type");
		return;
	}
	call = queue_call(x, false);
	if (!call)
		return;
	if (event)
		answer_accepted(x, 202, scar_call_id(call));
	else
		answer_buffered(x, call);
	scar_call_unref(call);
}

static void invoke_streaming(struct exchange *x)
{
	struct scar_call *call;
	struct scar_err err;

	if (!read_event(x, SYNC_BYTES))
		return;
	call = queue_call(x, true);
	if (!call)
		return;
	if (send_stream(x, call, &err) < 0) {
		scar_call_leave(call);
		x->close = true;
	}
	scar_call_unref(call);
}

/* The function's URL: a request becomes an event, and the answer that of the request. */
static void invoke_by_url(struct exchange *x)
{
	scar_buf_auto struct scar_buf event;
	struct scar_call *call;
	struct scar_err err;

	scar_buf_init(&event, SCAR_LIMIT_EVENT_BYTES);
	if (!read_event(x, SYNC_BYTES))
		return;
	if (scar_url_event_append(&x->msg, x->body.data, x->body.len, scar_clock_epoch_ms(), &event,
				  &err) < 0) {
		refuse(x, 413, "RequestTooLargeException", "the request makes too large an event");
		return;
	}
	scar_buf_clear(&x->body);
	x->body = event;
	scar_buf_init(&event, 0);
	call = queue_call(x, true);
	if (!call)
		return;
	if (scar_url_answer_send(x->conn, call, strcmp(x->msg.method, "HEAD") == 0, &err) < 0) {
		scar_call_leave(call);
		x->close = true;
	}
	scar_call_unref(call);
}

/* Lambda's own paths begin with the date of an API's version. */
static bool is_api(const char *target)
{
	return fnmatch("/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]/*", target, 0) == 0;
}

static void refuse_unread(struct exchange *x, int status, const char *type, const char *message)
{
	/* Its body, if any, is not read. */
	x->close = x->msg.framing != SCAR_HTTP1_NO_BODY;
	refuse(x, status, type, message);
}

static void route(struct exchange *x)
{
	bool post = strcmp(x->msg.method, "POST") == 0;
	bool whole = post && match_target(x->msg.target, INVOKE_PREFIX, INVOKE_SUFFIX);
	bool stream = post && match_target(x->msg.target, STREAM_PREFIX, STREAM_SUFFIX);

	if ((whole && !has_function_name(x->msg.target, INVOKE_PREFIX, INVOKE_SUFFIX)) ||
	    (stream && !has_function_name(x->msg.target, STREAM_PREFIX, STREAM_SUFFIX))) {
		refuse_unread(x, 400, "ValidationException", "not the name of a function");
	} else if (whole) {
		invoke(x);
	} else if (stream) {
		invoke_streaming(x);
	} else if (!is_api(x->msg.target)) {
		invoke_by_url(x);
	} else {
		refuse_unread(x, 404, "ResourceNotFoundException",
			      "no such operation on this function");
	}
}

void scar_invoke_api_serve(struct scar_http1 *conn, struct scar_pool *pool)
{
	struct exchange x = {.conn = conn, .pool = pool};
	struct scar_err err;

	scar_http1_message_init(&x.msg);
	scar_buf_init(&x.body, 0);
	while (!x.close && scar_http1_read_request(conn, &x.msg, 0, &err) == 1) {
		route(&x);
		scar_buf_clear(&x.body);
		x.close = x.close || !x.msg.keep_alive;
	}
	scar_http1_message_clear(&x.msg);
}
