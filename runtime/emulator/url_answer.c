/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/url_answer.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"

#define PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"
#define PRELUDE_END_BYTES 8
#define PRELUDE_MAX SCAR_MIB(1)
#define FAILED "{\"message\":\"Internal Server Error\"}"

/* ---- heads ---- */

static bool is_ours(const char *name)
{
	return strcasecmp(name, "content-length") == 0 || strcasecmp(name, "connection") == 0 ||
	       strcasecmp(name, "transfer-encoding") == 0;
}

static int add_field(struct scar_buf *head, const char *name, const char *value,
		     struct scar_err *err)
{
	if (!value || !scar_http1_name_ok(name) || !scar_http1_value_ok(value) || is_ours(name))
		return 0;
	return scar_buf_printf(head, err, "%s: %s\r\n", name, value);
}

/* Status and fields of a document or prelude. type: where it names none. */
static int make_head(const struct scar_json *document, const char *type, struct scar_buf *head,
		     struct scar_err *err)
{
	const struct scar_json *fields = scar_json_get(document, "headers");
	const struct scar_json *cookies = scar_json_get(document, "cookies");
	bool typed = false;
	int64_t status = 200;

	(void)scar_json_int(scar_json_get(document, "statusCode"), &status);
	if (status < 200 || status > 599)
		status = 502;
	if (scar_buf_printf(head, err, "HTTP/1.1 %" PRId64 " \r\n", status) < 0)
		return -1;
	for (const struct scar_json *field = scar_json_first(fields); field;
	     field = scar_json_next(field)) {
		typed = typed || strcasecmp(scar_json_key(field), "content-type") == 0;
		if (add_field(head, scar_json_key(field), scar_json_string(field), err) < 0)
			return -1;
	}
	for (const struct scar_json *cookie = scar_json_first(cookies); cookie;
	     cookie = scar_json_next(cookie)) {
		if (add_field(head, "Set-Cookie", scar_json_string(cookie), err) < 0)
			return -1;
	}
	return typed ? 0 : add_field(head, "Content-Type", type, err);
}

static int send_whole(struct scar_http1 *conn, struct scar_buf *head, bool head_request,
		      const void *body, size_t len, struct scar_err *err)
{
	if (scar_buf_printf(head, err, "Content-Length: %zu\r\n\r\n", len) < 0)
		return -1;
	return scar_http1_write(conn, head->data, head->len, body, head_request ? 0 : len, err);
}

static int send_failed(struct scar_http1 *conn, bool head_request, struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;

	scar_buf_init(&head, SCAR_KIB(4));
	if (scar_buf_append_str(&head,
				"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\n",
				err) < 0)
		return -1;
	return send_whole(conn, &head, head_request, FAILED, sizeof FAILED - 1, err);
}

/* ---- collected answers ---- */

static int unpack_body(const struct scar_json *document, struct scar_buf *body,
		       struct scar_err *err)
{
	const char *text = scar_json_string(scar_json_get(document, "body"));

	if (!text)
		return 0;
	if (scar_json_bool(scar_json_get(document, "isBase64Encoded"), false))
		return scar_base64_decode(text, body, err);
	return scar_buf_append_str(body, text, err);
}

static int send_collected(struct scar_http1 *conn, const struct scar_buf *answer, bool head_request,
			  struct scar_err *err)
{
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf head;
	scar_buf_auto struct scar_buf body;
	struct scar_err other;
	bool json = scar_json_parse(answer->data, answer->len, "answer", &document, &other) == 0;

	scar_buf_init(&head, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&body, SCAR_LIMIT_RESPONSE_BYTES);
	if (!scar_json_get(document, "statusCode")) {
		if (make_head(NULL, json ? "application/json" : "application/octet-stream", &head,
			      err) < 0)
			return -1;
		return send_whole(conn, &head, head_request, answer->data, answer->len, err);
	}
	if (unpack_body(document, &body, &other) < 0)
		return send_failed(conn, head_request, err);
	if (make_head(document, "application/json", &head, err) < 0)
		return -1;
	return send_whole(conn, &head, head_request, body.data, body.len, err);
}

static int collect(struct scar_http1 *conn, struct scar_call *call, bool head_request,
		   struct scar_err *err)
{
	scar_buf_auto struct scar_buf answer;
	scar_buf_auto struct scar_buf piece;
	int got;

	scar_buf_init(&answer, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&piece, SCAR_MIB(8));
	while ((got = scar_call_read(call, &piece, err)) > 0) {
		if (scar_buf_append(&answer, piece.data, piece.len, err) < 0) {
			scar_call_leave(call);
			return send_failed(conn, head_request, err);
		}
	}
	if (got < 0)
		return -1;
	if (scar_call_error_type(call))
		return send_failed(conn, head_request, err);
	return send_collected(conn, &answer, head_request, err);
}

/* ---- streams ---- */

static int send_stream_head(struct scar_http1 *conn, const char *prelude, size_t len,
			    struct scar_err *err)
{
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf head;

	scar_buf_init(&head, PRELUDE_MAX);
	if (scar_json_parse(prelude, len, "prelude", &document, err) < 0 ||
	    make_head(document, "application/octet-stream", &head, err) < 0 ||
	    scar_buf_append_str(&head, "Transfer-Encoding: chunked\r\n\r\n", err) < 0)
		return -1;
	return scar_http1_write(conn, head.data, head.len, NULL, 0, err);
}

/* Collects up to the end of the prelude and sends what is made of it. @return bytes of `begin` that are body, or -1 */
static int64_t take_prelude(struct scar_http1 *conn, struct scar_call *call, struct scar_buf *begin,
			    struct scar_err *err)
{
	static const char end[PRELUDE_END_BYTES] = {0};
	scar_buf_auto struct scar_buf piece;

	scar_buf_init(&piece, SCAR_MIB(8));
	for (;;) {
		const char *at = memmem(begin->data, begin->len, end, sizeof end);
		int got;

		if (at) {
			size_t len = (size_t)(at - begin->data);

			return send_stream_head(conn, begin->data, len, err) < 0
				       ? -1
				       : (int64_t)(begin->len - len - sizeof end);
		}
		got = scar_call_read(call, &piece, err);
		if (got == 0)
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "the answer ended within its prelude");
		if (got < 0 || scar_buf_append(begin, piece.data, piece.len, err) < 0)
			return -1;
	}
}

static int send_stream(struct scar_http1 *conn, struct scar_call *call, bool head_request,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf begin;
	scar_buf_auto struct scar_buf piece;
	int64_t body_len;
	int got;

	scar_buf_init(&begin, PRELUDE_MAX + SCAR_MIB(2));
	scar_buf_init(&piece, SCAR_MIB(8));
	body_len = take_prelude(conn, call, &begin, err);
	if (body_len < 0)
		return -1;
	if (!head_request && scar_http1_write_chunk(conn, begin.data + begin.len - body_len,
						    (size_t)body_len, err) < 0)
		return -1;
	while ((got = scar_call_read(call, &piece, err)) > 0) {
		if (!head_request && scar_http1_write_chunk(conn, piece.data, piece.len, err) < 0)
			return -1;
	}
	if (got < 0)
		return -1;
	/* Nothing but a broken connection can tell that a stream is not whole. */
	if (scar_call_error_type(call))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the function failed in its stream");
	return head_request ? 0 : scar_http1_write_last_chunk(conn, NULL, 0, err);
}

int scar_url_answer_send(struct scar_http1 *conn, struct scar_call *call, bool head_request,
			 struct scar_err *err)
{
	(void)scar_call_wait(call);
	if (strcmp(scar_call_answer_type(call), PRELUDE_TYPE) == 0)
		return send_stream(conn, call, head_request, err);
	return collect(conn, call, head_request, err);
}
