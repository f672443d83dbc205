/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/eventstream.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/crc32.h"
#include "runtime/base/err.h"

#define PRELUDE_BYTES 8
#define CRC_BYTES 4
#define TYPE_STRING 7

static int append_u32(struct scar_buf *buf, uint32_t value, struct scar_err *err)
{
	const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				  (uint8_t)(value >> 8), (uint8_t)value};

	return scar_buf_append(buf, bytes, sizeof(bytes), err);
}

static size_t header_bytes(const char *name, const char *value)
{
	return 1 + strlen(name) + 1 + 2 + strlen(value);
}

/* Names and values are ours and shorter than 128 bytes. */
static int append_header(struct scar_buf *buf, const char *name, const char *value,
			 struct scar_err *err)
{
	size_t len = strlen(value);
	const uint8_t value_head[3] = {TYPE_STRING, (uint8_t)(len >> 8), (uint8_t)len};

	if (scar_buf_append_char(buf, (char)strlen(name), err) < 0 ||
	    scar_buf_append_str(buf, name, err) < 0 ||
	    scar_buf_append(buf, value_head, sizeof(value_head), err) < 0)
		return -1;
	return scar_buf_append_str(buf, value, err);
}

int scar_eventstream_append(struct scar_buf *buf, const char *event_type, const char *content_type,
			    const void *payload, size_t len, struct scar_err *err)
{
	size_t headers = header_bytes(":message-type", "event") +
			 header_bytes(":event-type", event_type) +
			 header_bytes(":content-type", content_type);
	size_t total = PRELUDE_BYTES + CRC_BYTES + headers + len + CRC_BYTES;
	size_t start = buf->len;

	if (len > SCAR_EVENTSTREAM_PAYLOAD_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the event's payload is too large");
	if (append_u32(buf, (uint32_t)total, err) < 0 ||
	    append_u32(buf, (uint32_t)headers, err) < 0 ||
	    append_u32(buf, scar_crc32(buf->data + start, PRELUDE_BYTES), err) < 0 ||
	    append_header(buf, ":message-type", "event", err) < 0 ||
	    append_header(buf, ":event-type", event_type, err) < 0 ||
	    append_header(buf, ":content-type", content_type, err) < 0 ||
	    scar_buf_append(buf, payload, len, err) < 0)
		return -1;
	return append_u32(buf, scar_crc32(buf->data + start, buf->len - start), err);
}
