/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file failure.h
 * How a program ended, if it did not end well, in the words of an error document.
 */
#ifndef SCAR_INVOKE_FAILURE_H
#define SCAR_INVOKE_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"

struct scar_buf;
struct scar_run_result;

struct scar_failure {
	const char *type; /**< errorType; NULL: none, all is well */
	char message[SCAR_ERR_MSG_MAX];
	int http_status; /**< 400 if the event is to blame, else 500 or more: nothing else is the caller's fault */
	bool ran; /**< the program ran, and what follows is known */
	int exit_code; /**< 128 + N for signal N, 124 for a time-out, as shells and timeout(1) tell them */
	int signal;
	const char *signal_name;
};

/** @return false if the program ended well, with status 0. memory_bytes: what the function has, 0 if not known. */
bool scar_failure_of_run(const struct scar_run_result *result, uint64_t memory_bytes,
			 struct scar_failure *ret_failure);
void scar_failure_of_err(const struct scar_err *why, struct scar_failure *ret_failure);
/** Appends the members exitCode, signal, signalName and stderrTail, as JSON without braces. */
int scar_failure_members(const struct scar_failure *failure, const struct scar_run_result *result,
			 struct scar_buf *members, struct scar_err *err);

#endif
