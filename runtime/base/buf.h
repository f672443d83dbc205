/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file buf.h
 * A byte buffer that grows up to a maximum given at init. All bytes that come from
 * outside are collected in one of these. The content is always followed by a NUL that
 * `len` does not count, so text can be read as a C string.
 */
#ifndef SCAR_RUNTIME_BASE_BUF_H
#define SCAR_RUNTIME_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_err;

struct scar_buf {
	char *data; /**< never NULL after init: "" while empty; owned */
	size_t len;
	size_t cap;
	size_t max_bytes; /**< appending beyond gives SCAR_ERR_LIMIT and changes nothing */
};

/** Allocates nothing. */
void scar_buf_init(struct scar_buf *buf, size_t max_bytes);
/** Frees; the buffer is empty and usable again with the same maximum. */
void scar_buf_clear(struct scar_buf *buf);
/** Empties but keeps the memory. */
void scar_buf_reset(struct scar_buf *buf);
/** Makes room for `more` bytes after len. Fails with SCAR_ERR_LIMIT or SCAR_ERR_NOMEM. */
int scar_buf_reserve(struct scar_buf *buf, size_t more, struct scar_err *err);
int scar_buf_append(struct scar_buf *buf, const void *data, size_t len, struct scar_err *err);
int scar_buf_append_str(struct scar_buf *buf, const char *str, struct scar_err *err);
int scar_buf_append_char(struct scar_buf *buf, char c, struct scar_err *err);
int scar_buf_printf(struct scar_buf *buf, struct scar_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** Removes the first `len` bytes (len <= buf->len). */
void scar_buf_consume(struct scar_buf *buf, size_t len);
/** Gives the NUL-terminated bytes to the caller (free()); the buffer is empty. NULL if out of memory. */
char *scar_buf_steal(struct scar_buf *buf);

#define scar_buf_auto scar_auto(scar_buf_clear)

#endif
