/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/event_stream.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/base/crc32.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define PRELUDE 12
#define FRAME_MIN 16
#define FRAME_MAX SCAR_MIB(24)
#define HEADERS_MAX SCAR_KIB(128)

enum value_type {
	VALUE_TRUE,
	VALUE_FALSE,
	VALUE_BYTE,
	VALUE_SHORT,
	VALUE_INT,
	VALUE_LONG,
	VALUE_BYTES,
	VALUE_STRING,
	VALUE_TIME,
	VALUE_UUID
};

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void scar_event_stream_init(struct scar_event_stream *stream, scar_event_stream_each each,
			    void *ctx)
{
	*stream = (struct scar_event_stream){.each = each, .ctx = ctx};
	scar_buf_init(&stream->pending, FRAME_MAX);
}

void scar_event_stream_clear(struct scar_event_stream *stream)
{
	scar_buf_clear(&stream->pending);
}

/* ---- headers ---- */

struct header {
	const uint8_t *name;
	size_t name_len;
	enum value_type type;
	const uint8_t *value;
	size_t value_len;
};

/* Bytes that a value takes, without the length before those that have one; SIZE_MAX: not a type. */
static size_t size_of(uint8_t type)
{
	switch (type) {
	case VALUE_TRUE:
	case VALUE_FALSE:
	case VALUE_BYTES:
	case VALUE_STRING: return 0;
	case VALUE_BYTE: return 1;
	case VALUE_SHORT: return 2;
	case VALUE_INT: return 4;
	case VALUE_LONG:
	case VALUE_TIME: return 8;
	case VALUE_UUID: return 16;
	default: return SIZE_MAX;
	}
}

/* Takes one header off the front of the `*len` bytes at `*at`. */
static bool take_header(const uint8_t **at, size_t *len, struct header *ret_header)
{
	const uint8_t *p = *at, *end = p + *len;
	size_t size;

	if (p == end || p[0] == 0 || (size_t)(end - p) < 2u + p[0])
		return false;
	ret_header->name = p + 1;
	ret_header->name_len = p[0];
	p += 1 + p[0];
	size = size_of(*p);
	if (size == SIZE_MAX)
		return false;
	ret_header->type = (enum value_type) * p++;
	if (ret_header->type == VALUE_BYTES || ret_header->type == VALUE_STRING) {
		if (end - p < 2)
			return false;
		size = (size_t)p[0] << 8 | p[1];
		p += 2;
	}
	if ((size_t)(end - p) < size)
		return false;
	ret_header->value = p;
	ret_header->value_len = size;
	*at = p + size;
	*len = (size_t)(end - *at);
	return true;
}

static bool is_named(const struct header *header, const char *name)
{
	return header->name_len == strlen(name) &&
	       memcmp(header->name, name, header->name_len) == 0;
}

/* What is too long is cut: these are words of a protocol, and a message for people. */
static void copy(const struct header *header, char *text, size_t size)
{
	size_t len = header->value_len < size ? header->value_len : size - 1;

	memcpy(text, header->value, len);
	text[len] = '\0';
}

static void note_header(struct scar_event_frame *frame, const struct header *header)
{
	if (header->type != VALUE_STRING)
		return;
	if (is_named(header, ":message-type"))
		copy(header, frame->message_type, sizeof frame->message_type);
	else if (is_named(header, ":event-type") || is_named(header, ":exception-type"))
		copy(header, frame->event_type, sizeof frame->event_type);
	else if (is_named(header, ":error-code"))
		copy(header, frame->error_code, sizeof frame->error_code);
	else if (is_named(header, ":error-message"))
		copy(header, frame->error_message, sizeof frame->error_message);
}

/* ---- frames ---- */

static int give(struct scar_event_stream *stream, const uint8_t *bytes, size_t total,
		size_t headers_len, struct scar_err *err)
{
	struct scar_event_frame frame = {.message_type = ""};
	const uint8_t *at = bytes + PRELUDE;
	struct header header;

	while (headers_len > 0) {
		if (!take_header(&at, &headers_len, &header))
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "event stream: malformed headers of a frame");
		note_header(&frame, &header);
	}
	frame.payload = at;
	frame.payload_len = (size_t)(bytes + total - 4 - at);
	return stream->each(stream->ctx, &frame, err);
}

/* Length of the frame at the front; 0: not known yet; -1: err. */
static int measure(const struct scar_buf *pending, size_t *ret_total, size_t *ret_headers_len,
		   struct scar_err *err)
{
	const uint8_t *bytes = (const uint8_t *)pending->data;
	uint32_t total, headers_len;

	if (pending->len < PRELUDE)
		return 0;
	if (number_at(bytes + 8) != scar_crc32(bytes, 8))
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "event stream: the check sum of a frame's begin is wrong");
	total = number_at(bytes);
	headers_len = number_at(bytes + 4);
	if (total > FRAME_MAX || headers_len > HEADERS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "event stream: a frame of %u bytes",
				    total);
	if (total < FRAME_MIN || headers_len > total - FRAME_MIN)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "event stream: impossible lengths");
	*ret_total = total;
	*ret_headers_len = headers_len;
	return pending->len >= total;
}

static int give_complete(struct scar_event_stream *stream, struct scar_err *err)
{
	for (;;) {
		const uint8_t *bytes = (const uint8_t *)stream->pending.data;
		size_t total = 0, headers_len = 0;
		int complete = measure(&stream->pending, &total, &headers_len, err);

		if (complete <= 0)
			return complete;
		if (number_at(bytes + total - 4) != scar_crc32(bytes, total - 4))
			return scar_err_set(err, SCAR_ERR_INTEGRITY,
					    "event stream: the check sum of a frame is wrong");
		if (give(stream, bytes, total, headers_len, err) < 0)
			return -1;
		scar_buf_consume(&stream->pending, total);
	}
}

int scar_event_stream_feed(struct scar_event_stream *stream, const void *data, size_t len,
			   struct scar_err *err)
{
	const char *bytes = data;

	/* Piece by piece, so that what waits never exceeds one frame and a piece. */
	while (len > 0) {
		size_t room = stream->pending.max_bytes - stream->pending.len;
		size_t piece = len < room ? len : room;

		if (piece == 0)
			return scar_err_set(err, SCAR_ERR_LIMIT, "event stream: a frame too long");
		if (scar_buf_append(&stream->pending, bytes, piece, err) < 0 ||
		    give_complete(stream, err) < 0)
			return -1;
		bytes += piece;
		len -= piece;
	}
	return 0;
}

int scar_event_stream_finish(const struct scar_event_stream *stream, struct scar_err *err)
{
	if (stream->pending.len == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_NETWORK, "event stream: it ends within a frame");
}
