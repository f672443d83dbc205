/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file overflow.h
 * An answer that does not fit into memory or a buffered response: kept in a nameless file; delivered to the function's first output under the
 * name of the request, and in its place a document that says where it is:
 *
 *   {"output":{"storage":"s3.default","path":"bucket/prefix/REQUEST-ID","contentType":"text/plain","bytes":7340032}}
 */
#ifndef SCAR_INVOKE_OVERFLOW_H
#define SCAR_INVOKE_OVERFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;
struct scar_storage;

/** Everything is borrowed but the file. */
struct scar_overflow {
	const struct scar_storage *storage; /**< NULL: none */
	const char *dir_path;               /**< where there is room for the file */
	const char *request_id;
	int64_t deadline_ms; /**< of the delivery, epoch; 0: none */
	bool begun;
	int fd;
	uint64_t bytes;
};

/** True if there is an output to deliver to. */
bool scar_overflow_is_possible(const struct scar_overflow *overflow);
/** Adds to the file, which is made first. SCAR_ERR_NOSPACE, _IO */
int scar_overflow_add(struct scar_overflow *overflow, const void *data, size_t len,
		      struct scar_err *err);
/** Changes bytes that were added, `at` bytes after the first. */
int scar_overflow_patch(struct scar_overflow *overflow, uint64_t at, const void *data, size_t len,
			struct scar_err *err);
/** Delivers what was added and appends the document. SCAR_ERR_NETWORK, _AUTH, _TIMEOUT, ...: nothing is there then. */
int scar_overflow_deliver(struct scar_overflow *overflow, const char *content_type,
			  struct scar_buf *ret_document, struct scar_err *err);
/** Forgets what was added. */
void scar_overflow_clear(struct scar_overflow *overflow);

#endif
