/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/client.h"
#include "runtime/api/document.h"
#include "runtime/api/exchange.h"
#include "runtime/api/protocol.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* A trailer is a header field to most servers, and those bound their fields at 64 KiB or less. */
#define TRAILER_DOCUMENT_BYTES SCAR_KIB(8)
#define TARGET_BYTES 256
#define LAST_WORDS_MS 1000

enum state {
	NEW,
	BEGUN, /**< content type and mode are known, nothing has been sent */
	SENT,  /**< streaming: head and first chunk are out */
	FINISHED
};

struct scar_response {
	struct scar_client *client; /**< borrowed */
	char *request_id;
	char *content_type;
	enum state state;
	enum scar_response_mode mode;
	bool overflowed; /**< buffered: more than Lambda takes */
	bool too_large;
	struct scar_buf body;
};

int scar_client_response(struct scar_client *client, const char *request_id,
			 struct scar_response **ret_response, struct scar_err *err)
{
	struct scar_response *response = calloc(1, sizeof(*response));

	if (!response)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	response->client = client;
	scar_buf_init(&response->body, SCAR_LIMIT_RESPONSE_BYTES);
	response->request_id = strdup(request_id);
	if (!response->request_id) {
		scar_response_free(response);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	*ret_response = response;
	return 0;
}

void scar_response_free(struct scar_response *response)
{
	if (!response)
		return;
	/* A streamed answer that nobody ended must not look complete: hang up without the last chunk. */
	if (response->state == SENT)
		scar_client_disconnect(response->client);
	scar_buf_clear(&response->body);
	free(response->content_type);
	free(response->request_id);
	free(response);
}

bool scar_response_too_large(const struct scar_response *response)
{
	return response->too_large;
}

bool scar_response_sent(const struct scar_response *response)
{
	return response->state == SENT ||
	       (response->state == FINISHED && response->mode == SCAR_RESPONSE_STREAMING);
}

bool scar_response_finished(const struct scar_response *response)
{
	return response->state == FINISHED;
}

static void target_of(const struct scar_response *response, const char *suffix, char *target)
{
	snprintf(target, TARGET_BYTES, "%s%s%s", SCAR_API_INVOCATION, response->request_id, suffix);
}

int scar_response_begin(struct scar_response *response, enum scar_response_mode mode,
			const char *content_type, struct scar_err *err)
{
	if (!content_type)
		content_type = SCAR_API_CONTENT_TYPE_BYTES;
	if (response->state != NEW)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "the response has begun already");
	if (!scar_http1_value_ok(content_type))
		return scar_err_set(err, SCAR_ERR_INTERNAL, "the content type holds control bytes");
	response->content_type = strdup(content_type);
	if (!response->content_type)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	response->mode = mode;
	response->state = BEGUN;
	return 0;
}

/* What the service said when it stopped taking the stream tells more than a broken pipe does. */
static int explain_broken_stream(struct scar_response *response, struct scar_err *err)
{
	struct scar_http1_message msg;
	struct scar_err unread;

	scar_http1_message_init(&msg);
	if (scar_client_read_answer(response->client, &msg, LAST_WORDS_MS, &unread) == 0)
		(void)scar_client_verdict(response->client, "streamed response", msg.status, err);
	scar_http1_message_clear(&msg);
	scar_client_disconnect(response->client);
	response->state = FINISHED;
	return scar_err_wrap(err, "the response was cut short");
}

/*
 * Head of a streamed answer. It has its connection to itself: it must be closed afterwards anyway,
 * and a head sent into a connection that the service has given up could not be sent again later.
 */
static int send_stream_head(struct scar_response *response, struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;
	char target[TARGET_BYTES];

	target_of(response, SCAR_API_RESPONSE_SUFFIX, target);
	if (scar_client_head(response->client, &head, "POST", target, err) < 0 ||
	    scar_buf_printf(&head, err,
			    "Content-Type: %s\r\n"
			    "%s: %s\r\n"
			    "Transfer-Encoding: chunked\r\n"
			    "Trailer: %s, %s\r\n"
			    "Connection: close\r\n\r\n",
			    response->content_type, SCAR_API_RESPONSE_MODE,
			    SCAR_API_RESPONSE_MODE_STREAMING, SCAR_API_ERROR_TYPE,
			    SCAR_API_ERROR_BODY) < 0)
		return -1;
	scar_client_disconnect(response->client);
	if (scar_client_connect(response->client, err) < 0)
		return -1;
	response->client->used = true;
	response->state = SENT;
	if (scar_http1_write(&response->client->conn, head.data, head.len, NULL, 0, err) < 0)
		return explain_broken_stream(response, err);
	return 0;
}

static int write_streaming(struct scar_response *response, const void *data, size_t len,
			   struct scar_err *err)
{
	if (response->state == BEGUN && send_stream_head(response, err) < 0)
		return -1;
	if (scar_http1_write_chunk(&response->client->conn, data, len, err) < 0)
		return explain_broken_stream(response, err);
	return 0;
}

int scar_response_write(struct scar_response *response, const void *data, size_t len,
			struct scar_err *err)
{
	if (response->state != BEGUN && response->state != SENT)
		return scar_err_set(err, SCAR_ERR_INTERNAL,
				    "the response has not begun or has ended");
	if (len == 0)
		return 0;
	if (response->mode == SCAR_RESPONSE_STREAMING)
		return write_streaming(response, data, len, err);
	if (response->overflowed)
		return 0;
	if (scar_buf_append(&response->body, data, len, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_LIMIT)
		return -1;
	response->overflowed = true;
	scar_buf_clear(&response->body);
	return 0;
}

static int finish_stream(struct scar_response *response, const struct scar_http1_field *trailers,
			 size_t count, struct scar_err *err)
{
	struct scar_http1_message msg;
	int result;

	if (scar_http1_write_last_chunk(&response->client->conn, trailers, count, err) < 0)
		return explain_broken_stream(response, err);
	response->state = FINISHED;
	scar_http1_message_init(&msg);
	result = scar_client_read_answer(response->client, &msg, 0, err);
	if (result == 0)
		result = scar_client_verdict(response->client, "streamed response", msg.status,
					     err);
	scar_http1_message_clear(&msg);
	scar_client_disconnect(response->client);
	return result;
}

/* The words of the service itself for an answer that it does not take. */
static int post_too_large(struct scar_response *response, struct scar_err *err)
{
	char message[128];
	char target[TARGET_BYTES];
	const struct scar_function_error error = {
		.error_type = SCAR_API_TYPE_TOO_LARGE,
		.error_message = message,
	};

	snprintf(message, sizeof(message),
		 "Response payload size exceeded maximum allowed payload size (%zu bytes).",
		 SCAR_LIMIT_RESPONSE_BYTES);
	target_of(response, SCAR_API_ERROR_SUFFIX, target);
	response->too_large = true;
	return scar_client_post_error(response->client, target, &error, err);
}

static int end_buffered(struct scar_response *response, struct scar_err *err)
{
	char target[TARGET_BYTES];

	response->state = FINISHED;
	if (response->overflowed)
		return post_too_large(response, err);
	target_of(response, SCAR_API_RESPONSE_SUFFIX, target);
	if (scar_client_post(response->client, target, response->content_type, "",
			     response->body.data, response->body.len, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_LIMIT)
		return -1;
	/* 413: the service has told the caller already. */
	response->too_large = true;
	return 0;
}

int scar_response_end(struct scar_response *response, struct scar_err *err)
{
	if (response->state == FINISHED)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "the response has ended already");
	if (response->state == NEW &&
	    scar_response_begin(response, SCAR_RESPONSE_BUFFERED, NULL, err) < 0)
		return -1;
	if (response->mode == SCAR_RESPONSE_BUFFERED)
		return end_buffered(response, err);
	if (response->state == BEGUN && send_stream_head(response, err) < 0)
		return -1;
	return finish_stream(response, NULL, 0, err);
}

static int fail_stream(struct scar_response *response, const struct scar_function_error *error,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf document;
	scar_buf_auto struct scar_buf text;
	struct scar_http1_field trailers[2];

	scar_buf_init(&document, TRAILER_DOCUMENT_BYTES);
	scar_buf_init(&text, TRAILER_DOCUMENT_BYTES * 2);
	if (scar_document_append(&document, error, TRAILER_DOCUMENT_BYTES, err) < 0 ||
	    scar_base64_encode(document.data, document.len, &text, err) < 0)
		return -1;
	trailers[0] = (struct scar_http1_field){SCAR_API_ERROR_TYPE, scar_document_type(error)};
	trailers[1] = (struct scar_http1_field){SCAR_API_ERROR_BODY, text.data};
	return finish_stream(response, trailers, 2, err);
}

int scar_response_fail(struct scar_response *response, const struct scar_function_error *error,
		       struct scar_err *err)
{
	char target[TARGET_BYTES];

	if (response->state == FINISHED)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "the response has ended already");
	if (response->state == SENT)
		return fail_stream(response, error, err);
	response->state = FINISHED;
	response->mode = SCAR_RESPONSE_BUFFERED;
	scar_buf_clear(&response->body);
	target_of(response, SCAR_API_ERROR_SUFFIX, target);
	return scar_client_post_error(response->client, target, error, err);
}
