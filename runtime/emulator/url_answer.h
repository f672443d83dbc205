/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url_answer.h
 * The answer of a function as that of its function URL: a streamed one whose first bytes are a prelude goes out as it comes, any other is collected
 * and, if it is a document with statusCode, unpacked. A function error is 502.
 */
#ifndef SCAR_RUNTIME_EMULATOR_URL_ANSWER_H
#define SCAR_RUNTIME_EMULATOR_URL_ANSWER_H

#include <stdbool.h>

struct scar_call;
struct scar_err;
struct scar_http1;

/** Sends it. -1: the connection is of no more use; the caller leaves the call. */
int scar_url_answer_send(struct scar_http1 *conn, struct scar_call *call, bool head_request,
			 struct scar_err *err);

#endif
