/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file answer.h
 * From a program's output and end to the answer of the invocation.
 *
 * A program that exits with status 0 has its standard output as the answer, byte for byte. Any other end is a function error whose
 * document besides errorType and errorMessage has
 *
 *   exitCode         the exit status; 128 + N for signal N, 124 for a time-out, as shells and timeout(1) tell them
 *   signal           number, and signalName, if a signal ended it
 *   stderrTail       the last SCAR_LIMIT_STDERR_TAIL_BYTES of standard error
 *   stdout           base64 of the first SCAR_ANSWER_STDOUT_BYTES of standard output (buffered only: a streamed answer had them)
 *   stdoutTruncated  true if there was more
 */
#ifndef SCAR_INVOKE_ANSWER_H
#define SCAR_INVOKE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/api/response.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"

struct scar_err;
struct scar_run_result;

#define SCAR_ANSWER_STDOUT_BYTES SCAR_KIB(256)

struct scar_answer {
	struct scar_response *response;
	enum scar_response_mode mode;
	bool begun;           /* the response was begun */
	bool too_large;       /* buffered: kept holds the beginning */
	struct scar_buf kept; /* buffered */
};

/** `response` is borrowed. Sends nothing yet. */
void scar_answer_init(struct scar_answer *answer, struct scar_response *response,
		      enum scar_response_mode mode);
/** A piece of standard output; a scar_run_sink. A buffered answer that gets too large forgets the rest. */
int scar_answer_write(void *answer, const void *data, size_t len, struct scar_err *err);
/** Ends the answer as the program ended. memory_bytes: what the function has, 0 if not known. */
int scar_answer_finish(struct scar_answer *answer, const struct scar_run_result *result,
		       uint64_t memory_bytes, struct scar_err *err);
void scar_answer_clear(struct scar_answer *answer);

#define scar_answer_auto scar_auto(scar_answer_clear)

#endif
