/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file call.h
 * One invocation on its way: made by whoever invokes, answered by the environment, read by whoever
 * invokes. The two sides are threads; both hold a reference.
 *
 * A streaming call passes bytes on as they come, through a buffer of bounded size: a slow reader
 * slows the function down, as at Lambda. A buffered one collects up to Lambda's limit.
 */
#ifndef SCAR_RUNTIME_EMULATOR_CALL_H
#define SCAR_RUNTIME_EMULATOR_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct scar_err;
struct scar_call;

#define SCAR_CALL_ID_BYTES 37 /* a UUID and its NUL */
#define SCAR_CALL_TYPE_BYTES 128

struct scar_call_request {
	const void *event;
	size_t event_len;
	const char *content_type;   /**< NULL: application/json */
	const char *client_context; /**< JSON; NULL: none */
	const char *trace_id;       /**< NULL: one is made */
	const char *tenant_id;      /**< NULL: none */
	bool stream;
};

/** Copies the request; one reference for the caller. */
int scar_call_create(const struct scar_call_request *request, struct scar_call **ret_call,
		     struct scar_err *err);
struct scar_call *scar_call_ref(struct scar_call *call);
void scar_call_unref(struct scar_call *call);

/* What was asked for; never changes. */
const char *scar_call_id(const struct scar_call *call);
const struct scar_buf *scar_call_event(const struct scar_call *call);
const char *scar_call_content_type(const struct scar_call *call);
const char *scar_call_client_context(const struct scar_call *call); /**< or NULL */
const char *scar_call_trace_id(const struct scar_call *call);
const char *scar_call_tenant_id(const struct scar_call *call); /**< or NULL */

/* The environment's side. */

void scar_call_begin(struct scar_call *call, const char *content_type);
/**
 * Adds bytes of the answer. Waits until deadline_us (CLOCK_MONOTONIC; 0: without end) for a slow
 * reader. SCAR_ERR_LIMIT: a buffered answer has become too large. A reader that has gone takes
 * everything.
 */
int scar_call_write(struct scar_call *call, const void *data, size_t len, int64_t deadline_us,
		    struct scar_err *err);
/** The function failed; the document takes the place of a buffered answer. The first failure counts. */
void scar_call_fail(struct scar_call *call, const char *error_type, const char *document);
bool scar_call_failed(struct scar_call *call);
/** Nothing more comes. `log_tail` is copied. */
void scar_call_finish(struct scar_call *call, const struct scar_buf *log_tail);

/* The invoker's side. */

/** Waits for the first byte of a streaming answer, or the end of any. @return true if it is the end */
bool scar_call_wait(struct scar_call *call);
/**
 * Moves what has come to `data`, which is emptied first; waits while there is nothing.
 * @return 1 some; 0 the end; -1 out of memory
 */
int scar_call_read(struct scar_call *call, struct scar_buf *data, struct scar_err *err);
/** The reader wants no more. */
void scar_call_leave(struct scar_call *call);

/* After the end: */

const char *scar_call_answer_type(const struct scar_call *call);
/** The type of the function's error, or NULL if it has none. */
const char *scar_call_error_type(const struct scar_call *call);
const struct scar_buf *scar_call_error_document(const struct scar_call *call);
const struct scar_buf *scar_call_log_tail(const struct scar_call *call);

#endif
