/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file document.h
 * The JSON document of a failed invocation: errorMessage, errorType, stackTrace and whatever
 * more the caller adds.
 */
#ifndef SCAR_RUNTIME_API_DOCUMENT_H
#define SCAR_RUNTIME_API_DOCUMENT_H

#include <stddef.h>

struct scar_buf;
struct scar_err;
struct scar_function_error;

/**
 * Appends the document to `buf`. One that would exceed max_bytes is made anew without extra_json,
 * then without the stack: type and message always arrive.
 */
int scar_document_append(struct scar_buf *buf, const struct scar_function_error *error,
			 size_t max_bytes, struct scar_err *err);
/** The type as a header field may carry it: "Runtime.Unknown" stands in for one that it may not. */
const char *scar_document_type(const struct scar_function_error *error);

#endif
