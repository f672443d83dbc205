/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/eventstream.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#define PRELUDE_BYTES 8
#define CRC_BYTES 4
#define TYPE_STRING 7

/* CRC-32 as of zlib: reflected, polynomial 0xedb88320. Four bits at a time. */
static uint32_t crc32_of(const void *data, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *at = data;
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= at[i];
		crc = table[crc & 15] ^ (crc >> 4);
		crc = table[crc & 15] ^ (crc >> 4);
	}
	return ~crc;
}

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
	    append_u32(buf, crc32_of(buf->data + start, PRELUDE_BYTES), err) < 0 ||
	    append_header(buf, ":message-type", "event", err) < 0 ||
	    append_header(buf, ":event-type", event_type, err) < 0 ||
	    append_header(buf, ":content-type", content_type, err) < 0 ||
	    scar_buf_append(buf, payload, len, err) < 0)
		return -1;
	return append_u32(buf, crc32_of(buf->data + start, buf->len - start), err);
}
