/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file report.h
 * What is known of a run, as a JSON document: requestId, exitCode, signal, signalName, stderrTail, errorType and errorMessage (null if it ended
 * well), durationMs, maxMemoryBytes, stdout with stdoutEncoding ("utf-8" or "base64"), stdoutBytes and stdoutTruncated.
 */
#ifndef SCAR_INVOKE_REPORT_H
#define SCAR_INVOKE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/limits.h"

struct scar_buf;
struct scar_err;
struct scar_failure;
struct scar_run_result;

/** Output beyond this is cut. */
#define SCAR_REPORT_OUTPUT_BYTES SCAR_MIB(1)

struct scar_report {
	const char *request_id;
	const struct scar_failure *failure; /**< NULL: it ended well */
	const struct scar_run_result *result;
	const void *output;
	size_t output_len;
	bool truncated; /**< there was more output */
};

int scar_report_append(const struct scar_report *report, struct scar_buf *text,
		       struct scar_err *err);

#endif
