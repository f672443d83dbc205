/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http1_io.h
 * What http1.c, http1_body.c and http1_io.c share; nobody else includes it.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP1_IO_H
#define SCAR_RUNTIME_BASE_HTTP1_IO_H

#include <stddef.h>
#include <stdint.h>

struct scar_err;
struct scar_buf;
struct scar_http1;
struct scar_http1_message;

/** Bytes read ahead and not consumed yet. */
size_t scar_http1_buffered(const struct scar_http1 *conn);
const char *scar_http1_peek(const struct scar_http1 *conn);
void scar_http1_skip(struct scar_http1 *conn, size_t len);

/** Reads once into the read-ahead buffer. @return bytes added, 0 at the end of the stream, -1 */
int scar_http1_fill(struct scar_http1 *conn, int64_t deadline_us, struct scar_err *err);
/** Reads once, from the read-ahead buffer if it holds anything. *ret_len 0: end of the stream. */
int scar_http1_read_some(struct scar_http1 *conn, void *data, size_t size, int64_t deadline_us,
			 size_t *ret_len, struct scar_err *err);

/** Appends the fields in buf from `start` on, in place; buf must not change afterwards. */
int scar_http1_parse_fields(struct scar_http1_message *msg, struct scar_buf *buf, size_t start,
			    struct scar_err *err);

#endif
