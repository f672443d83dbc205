/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http_answer.h
 * An answer in the form in which the sender of an HTTP event wants it: a document with statusCode, headers, body and isBase64Encoded,
 * or the prelude of a streamed answer (the same without body, and eight NUL bytes).
 *
 * As SCAR has it: the header fields amz-lambda-request-id, amz-log-group-name and amz-log-stream-name, and a body in
 * base64. With plain_text a body that is UTF-8 goes out as it is.
 */
#ifndef SCAR_INVOKE_HTTP_ANSWER_H
#define SCAR_INVOKE_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "invoke/content.h"
#include "invoke/events/event.h"

struct scar_buf;
struct scar_err;
struct scar_failure;

#define SCAR_HTTP_PRELUDE_TYPE "application/vnd.awslambda.http-integration-response"

struct scar_http_answer {
	enum scar_event_http_form form;
	bool multi_value; /**< of the event */
	bool plain_text;
	const char *request_id, *log_group, *log_stream; /**< NULL: not told */
	int status;
	const char *content_type; /**< used where head has none; NULL: guessed from the body */
	const struct scar_content_head *head; /**< the program's fields, or NULL */
};

/** Appends the document. SCAR_ERR_LIMIT if it gets larger than the buffer may. */
int scar_http_answer_document(const struct scar_http_answer *answer, const void *body, size_t len,
			      struct scar_buf *ret_document, struct scar_err *err);
/** Appends the prelude; body is the beginning of what will follow, to guess its type from. */
int scar_http_answer_prelude(const struct scar_http_answer *answer, const void *body, size_t len,
			     struct scar_buf *ret_prelude, struct scar_err *err);
/** Appends the body for a failure: {"exception": message, "errorType": ..., "exitCode": ...}. */
int scar_http_answer_failure(const struct scar_failure *failure, struct scar_buf *ret_body,
			     struct scar_err *err);

#endif
