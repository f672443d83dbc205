/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/http1_io.h"
#include "runtime/base/limits.h"

/* A chunk-size line with its extensions, of which nobody here makes use. */
#define CHUNK_LINE_MAX SCAR_KIB(4)
/* Room asked at a time while the size of a body is not known. */
#define BODY_STEP SCAR_KIB(32)

static int cut_short(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "HTTP: connection closed inside a body");
}

/*
 * Length of the next line without its CRLF; the line stays in the read-ahead buffer, where
 * scar_http1_peek() finds it.
 */
static int peek_line(struct scar_http1 *conn, size_t max_len, int64_t deadline_us, size_t *ret_len,
		     struct scar_err *err)
{
	size_t scanned = 0;

	for (;;) {
		const char *text = scar_http1_peek(conn);
		size_t ready = scar_http1_buffered(conn);
		const char *end = memmem(text + scanned, ready - scanned, "\r\n", 2);
		size_t len = end ? (size_t)(end - text) : ready;
		int n;

		/* A CR may be half of the line end. */
		if (!end && ready > 0 && text[ready - 1] == '\r')
			len--;
		if (len > max_len)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "HTTP: line of more than %zu bytes", max_len);
		if (end) {
			*ret_len = len;
			return 0;
		}
		scanned = ready > 1 ? ready - 1 : 0;
		n = scar_http1_fill(conn, deadline_us, err);
		if (n <= 0)
			return n < 0 ? -1 : cut_short(err);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* chunk-size [chunk-ext] (RFC 9112 section 7.1) */
static int parse_chunk_size(const char *line, size_t len, uint64_t *ret_size, struct scar_err *err)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < len && hex_value(line[i]) >= 0; i++) {
		if (size >> 60 != 0)
			return scar_err_set(err, SCAR_ERR_PROTOCOL, "HTTP: chunk too long");
		size = size << 4 | (uint64_t)hex_value(line[i]);
	}
	if (i == 0 || (i < len && line[i] != ';' && line[i] != ' ' && line[i] != '\t') ||
	    memchr(line, '\n', len) || memchr(line, '\r', len))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "HTTP: malformed chunk size");
	*ret_size = size;
	return 0;
}

static int read_trailer(struct scar_http1 *conn, struct scar_http1_message *msg,
			int64_t deadline_us, struct scar_err *err)
{
	for (;;) {
		size_t len;

		if (peek_line(conn, SCAR_LIMIT_HTTP_HEADER_BYTES, deadline_us, &len, err) < 0)
			return -1;
		if (len == 0)
			break;
		if (scar_buf_append(&msg->trailer, scar_http1_peek(conn), len + 2, err) < 0)
			return scar_err_wrap(err, "HTTP: trailer");
		scar_http1_skip(conn, len + 2);
	}
	scar_http1_skip(conn, 2);
	/* Parsed when complete, since the buffer moves while it grows. */
	return scar_http1_parse_fields(msg, &msg->trailer, 0, err);
}

/* Goes on to the next chunk, or past the last one and the trailer. */
static int next_chunk(struct scar_http1 *conn, struct scar_http1_message *msg, int64_t deadline_us,
		      struct scar_err *err)
{
	size_t len;

	if (msg->in_chunk) {
		if (peek_line(conn, 0, deadline_us, &len, err) < 0) {
			if (err->kind == SCAR_ERR_LIMIT)
				scar_err_set(err, SCAR_ERR_PROTOCOL, "HTTP: chunk without an end");
			return -1;
		}
		scar_http1_skip(conn, 2);
		msg->in_chunk = false;
	}
	if (peek_line(conn, CHUNK_LINE_MAX, deadline_us, &len, err) < 0 ||
	    parse_chunk_size(scar_http1_peek(conn), len, &msg->left, err) < 0)
		return -1;
	scar_http1_skip(conn, len + 2);
	if (msg->left > 0) {
		msg->in_chunk = true;
		return 0;
	}
	if (read_trailer(conn, msg, deadline_us, err) < 0)
		return -1;
	msg->done = true;
	return 0;
}

/* One read of at most `size` bytes of body, which is known to go on. */
static int read_piece(struct scar_http1 *conn, struct scar_http1_message *msg, void *data,
		      size_t size, int64_t deadline_us, size_t *ret_len, struct scar_err *err)
{
	bool bounded = msg->framing != SCAR_HTTP1_UNTIL_CLOSE;
	size_t len;

	if (bounded && size > msg->left)
		size = (size_t)msg->left;
	/* A small chunk is read together with the line of the next one. */
	if (msg->framing == SCAR_HTTP1_CHUNKED && msg->left < BODY_STEP &&
	    scar_http1_buffered(conn) == 0 && scar_http1_fill(conn, deadline_us, err) < 0)
		return -1;
	if (scar_http1_read_some(conn, data, size, deadline_us, &len, err) < 0)
		return -1;
	if (len == 0 && bounded)
		return cut_short(err);
	if (bounded)
		msg->left -= len;
	msg->done = len == 0 || (msg->framing == SCAR_HTTP1_LENGTH && msg->left == 0);
	*ret_len = len;
	return 0;
}

int scar_http1_read_body(struct scar_http1 *conn, struct scar_http1_message *msg, void *data,
			 size_t size, int64_t deadline_us, size_t *ret_len, struct scar_err *err)
{
	if (!msg->done && msg->framing == SCAR_HTTP1_CHUNKED && msg->left == 0 &&
	    next_chunk(conn, msg, deadline_us, err) < 0)
		return -1;
	if (msg->done) {
		*ret_len = 0;
		return 0;
	}
	return read_piece(conn, msg, data, size, deadline_us, ret_len, err);
}

/* Room for the next piece: all that is left where the length is known, else a step. */
static int body_room(struct scar_buf *buf, const struct scar_http1_message *msg, size_t *ret_room,
		     struct scar_err *err)
{
	size_t free_bytes = buf->max_bytes - buf->len;
	size_t room = msg->framing == SCAR_HTTP1_LENGTH ? (size_t)msg->left : BODY_STEP;

	if (msg->framing != SCAR_HTTP1_LENGTH && room > free_bytes)
		room = free_bytes;
	if (scar_buf_reserve(buf, room, err) < 0)
		return scar_err_wrap(err, "HTTP: body");
	*ret_room = room;
	return 0;
}

int scar_http1_read_body_all(struct scar_http1 *conn, struct scar_http1_message *msg,
			     struct scar_buf *buf, int64_t deadline_us, struct scar_err *err)
{
	if (msg->framing == SCAR_HTTP1_LENGTH && msg->left > buf->max_bytes - buf->len)
		return scar_err_set(err, SCAR_ERR_LIMIT, "HTTP: body of more than %zu bytes",
				    buf->max_bytes);
	while (!msg->done) {
		char beyond;
		size_t room = 0, len = 0;

		if (body_room(buf, msg, &room, err) < 0)
			return -1;
		/* A full buffer is fine if the body ends here, too. */
		if (scar_http1_read_body(conn, msg, room > 0 ? buf->data + buf->len : &beyond,
					 room > 0 ? room : 1, deadline_us, &len, err) < 0)
			return -1;
		if (len > room)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "HTTP: body of more than %zu bytes", buf->max_bytes);
		if (len > 0) {
			buf->len += len;
			buf->data[buf->len] = '\0';
		}
	}
	return 0;
}
