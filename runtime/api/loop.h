/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file loop.h
 * The life of a runtime: take an invocation, hand it to the handler, finish the answer, again.
 *
 * For each invocation the loop sets _X_AMZN_TRACE_ID in the environment (or removes it) and the
 * request id of log lines. Whatever a handler does, each invocation gets exactly one answer.
 */
#ifndef SCAR_RUNTIME_API_LOOP_H
#define SCAR_RUNTIME_API_LOOP_H

#include <stdint.h>

#include "runtime/api/event.h"
#include "runtime/api/response.h"

struct scar_err;

/**
 * Answers one invocation through `response`. -1: if the answer is not finished, it becomes an error
 * document made from err (errorType by err->kind, errorMessage its text).
 */
typedef int (*scar_handler)(void *ctx, const struct scar_invocation *invocation,
			    struct scar_response *response, struct scar_err *err);

struct scar_loop_options {
	const char *api; /**< "host:port" of AWS_LAMBDA_RUNTIME_API */
	scar_handler handler;
	void *ctx;
	/**
	 * Told what went wrong without ending the loop (an answer that the service refused); NULL:
	 * nobody is.
	 */
	void (*problem)(void *ctx, const struct scar_err *err);
	int64_t connect_timeout_ms; /**< 0: as client.h says */
	int64_t retry_for_ms;       /**< 0: as client.h says */
};

/**
 * Never returns 0: it ends with -1 when the service is gone (SCAR_ERR_NETWORK), beyond recovery
 * (SCAR_ERR_UNAVAILABLE), or keeps refusing to name an invocation (SCAR_ERR_PROTOCOL); the
 * process should exit then.
 */
int scar_loop_run(const struct scar_loop_options *options, struct scar_err *err);

/** Reports that initialisation failed; the process should exit non-zero after it. */
int scar_loop_init_error(const char *api, const struct scar_function_error *error,
			 struct scar_err *err);

/** A function error made from `err`, borrowing its text. */
struct scar_function_error scar_function_error_from(const struct scar_err *err);

#endif
