/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"

#define FIRST_CAPACITY 256

/* What `data` points to while nothing is allocated (cap is 0). Never written. */
static char empty[1] = "";

void scar_buf_init(struct scar_buf *buf, size_t max_bytes)
{
	buf->data = empty;
	buf->len = 0;
	buf->cap = 0;
	buf->max_bytes = max_bytes;
}

void scar_buf_clear(struct scar_buf *buf)
{
	if (buf->cap > 0)
		free(buf->data);
	scar_buf_init(buf, buf->max_bytes);
}

void scar_buf_reset(struct scar_buf *buf)
{
	buf->len = 0;
	if (buf->cap > 0)
		buf->data[0] = '\0';
}

/* Twice what is there, so that appending is linear, but never above what the maximum can use. */
static size_t grown(const struct scar_buf *buf, size_t need)
{
	size_t limit = buf->max_bytes < SIZE_MAX ? buf->max_bytes + 1 : SIZE_MAX;
	size_t cap = buf->cap > 0 ? buf->cap : FIRST_CAPACITY;

	if (need > cap && __builtin_mul_overflow(cap, 2, &cap))
		cap = need;
	if (cap < need)
		cap = need;
	return cap < limit ? cap : limit;
}

int scar_buf_reserve(struct scar_buf *buf, size_t more, struct scar_err *err)
{
	size_t need; /* with the NUL */
	size_t cap;
	char *data;

	if (more > buf->max_bytes || buf->len > buf->max_bytes - more)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %zu bytes", buf->max_bytes);
	if (__builtin_add_overflow(buf->len, more, &need) || __builtin_add_overflow(need, 1, &need))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (need <= buf->cap)
		return 0;
	cap = grown(buf, need);
	data = realloc(buf->cap > 0 ? buf->data : NULL, cap);
	if (!data)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory (%zu bytes)", cap);
	data[buf->len] = '\0';
	buf->data = data;
	buf->cap = cap;
	return 0;
}

int scar_buf_append(struct scar_buf *buf, const void *data, size_t len, struct scar_err *err)
{
	if (scar_buf_reserve(buf, len, err) < 0)
		return -1;
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int scar_buf_append_str(struct scar_buf *buf, const char *str, struct scar_err *err)
{
	return scar_buf_append(buf, str, strlen(str), err);
}

int scar_buf_append_char(struct scar_buf *buf, char c, struct scar_err *err)
{
	return scar_buf_append(buf, &c, 1, err);
}

int scar_buf_printf(struct scar_buf *buf, struct scar_err *err, const char *fmt, ...)
{
	va_list args;
	size_t room;
	int len;

	/*
	 * Most texts fit what is there; the others are measured by the first try. The capacity
	 * never exceeds the maximum and its NUL, so a text that fits is within bounds.
	 */
	if (scar_buf_reserve(buf, 0, err) < 0)
		return -1;
	room = buf->cap - buf->len;
	va_start(args, fmt);
	len = vsnprintf(buf->data + buf->len, room, fmt, args);
	va_end(args);
	if (len >= 0 && (size_t)len >= room) {
		buf->data[buf->len] = '\0';
		if (scar_buf_reserve(buf, (size_t)len, err) < 0)
			return -1;
		va_start(args, fmt);
		len = vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, args);
		va_end(args);
	}
	if (len < 0) {
		buf->data[buf->len] = '\0';
		return scar_err_set(err, SCAR_ERR_INTERNAL, "cannot format \"%s\"", fmt);
	}
	buf->len += (size_t)len;
	return 0;
}

void scar_buf_consume(struct scar_buf *buf, size_t len)
{
	if (len == 0)
		return;
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len + 1);
}

char *scar_buf_steal(struct scar_buf *buf)
{
	char *data = buf->cap > 0 ? buf->data : calloc(1, 1);

	if (data)
		scar_buf_init(buf, buf->max_bytes);
	return data;
}
