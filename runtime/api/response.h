/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file response.h
 * Where a handler writes its answer. Exactly one of scar_response_end() and
 * scar_response_fail() finishes it; a handler that returns without either has its answer
 * finished by the loop (ended if it returned 0, failed with its error if -1).
 *
 * Buffered: kept in memory up to Lambda's 6 MiB and posted at the end in one write; an error
 * discards what was written. Streaming: each write goes out at once as one chunk; an error after
 * the first byte travels in trailers, and the caller of the function still gets the bytes.
 *
 * Every function that finds the service gone fails with SCAR_ERR_NETWORK; a handler
 * can stop then, since nobody will read its answer.
 */
#ifndef SCAR_RUNTIME_API_RESPONSE_H
#define SCAR_RUNTIME_API_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

struct scar_err;
struct scar_response;

enum scar_response_mode { SCAR_RESPONSE_BUFFERED, SCAR_RESPONSE_STREAMING };

/** A failed invocation, as its caller will see it. Everything is borrowed. */
struct scar_function_error {
	const char *error_type;         /**< `Runtime.X` or `Function.X`; NULL: "Runtime.Unknown" */
	const char *error_message;      /**< NULL: "" */
	const char *const *stack_trace; /**< NULL-terminated; NULL: an empty list */
	/** More members of the document, as JSON without braces: `"exitCode": 3`; NULL: none. */
	const char *extra_json;
};

/**
 * Starts the answer. A streamed one is not sent before its first byte (so that an error up to there
 * is an error of the invocation), or its end. content_type NULL: application/octet-stream.
 * SCAR_ERR_INTERNAL if it has begun already.
 */
int scar_response_begin(struct scar_response *response, enum scar_response_mode mode,
			const char *content_type, struct scar_err *err);
/**
 * Adds bytes. A buffered answer that grows beyond Lambda's limit keeps no more of it and end()
 * reports it as too large: the handler need not care.
 */
int scar_response_write(struct scar_response *response, const void *data, size_t len,
			struct scar_err *err);
/** Sends what is left. 0 also if the service found the answer too large: see below. */
int scar_response_end(struct scar_response *response, struct scar_err *err);
/** Ends the answer with an error, begun or not. */
int scar_response_fail(struct scar_response *response, const struct scar_function_error *error,
		       struct scar_err *err);
/** After end(): the caller was told that the answer is too large (413), and the loop goes on. */
bool scar_response_too_large(const struct scar_response *response);
/** True from the first byte that went out: from here on an error can only be a trailer. */
bool scar_response_sent(const struct scar_response *response);
/** True after end() or fail(). */
bool scar_response_finished(const struct scar_response *response);

#endif
