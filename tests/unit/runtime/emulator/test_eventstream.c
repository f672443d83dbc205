/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/eventstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static uint32_t u32_at(const struct scar_buf *buf, size_t at)
{
	const uint8_t *p = (const uint8_t *)buf->data + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* zlib's CRC-32 is the reference. */
static uint32_t crc_of(const struct scar_buf *buf, size_t start, size_t len)
{
	return (uint32_t)crc32(0, (const Bytef *)buf->data + start, (uInt)len);
}

static void lengths_and_checksums_are_right(void **state)
{
	scar_buf_auto struct scar_buf buf;
	struct scar_err err;
	char payload[300];

	(void)state;
	scar_buf_init(&buf, 4096);
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (char)i;
	assert_int_equal(scar_eventstream_append(&buf, "PayloadChunk", "application/octet-stream",
						 payload, sizeof payload, &err),
			 0);
	assert_int_equal(u32_at(&buf, 0), buf.len);
	assert_int_equal(u32_at(&buf, 4), buf.len - 12 - sizeof payload - 4);
	assert_int_equal(u32_at(&buf, 8), crc_of(&buf, 0, 8));
	assert_int_equal(u32_at(&buf, buf.len - 4), crc_of(&buf, 0, buf.len - 4));
	assert_memory_equal(buf.data + buf.len - 4 - sizeof payload, payload, sizeof payload);
	assert_memory_equal(buf.data + 12,
			    "\x0d:message-type\x07\x00\x05"
			    "event\x0b:event-type\x07\x00\x0cPayloadChunk",
			    49);
}

static void a_second_message_has_checksums_of_its_own(void **state)
{
	scar_buf_auto struct scar_buf buf;
	struct scar_err err;
	size_t first;

	(void)state;
	scar_buf_init(&buf, 4096);
	assert_int_equal(scar_eventstream_append(&buf, "A", "b", "x", 1, &err), 0);
	first = buf.len;
	assert_int_equal(scar_eventstream_append(&buf, "A", "b", "", 0, &err), 0);
	assert_int_equal(u32_at(&buf, first), buf.len - first);
	assert_int_equal(u32_at(&buf, first + 8), crc_of(&buf, first, 8));
	assert_int_equal(u32_at(&buf, buf.len - 4), crc_of(&buf, first, buf.len - first - 4));
}

static void too_large_a_payload_is_refused(void **state)
{
	scar_buf_auto struct scar_buf buf;
	struct scar_err err = {0};
	char *payload = calloc(1, SCAR_EVENTSTREAM_PAYLOAD_MAX + 1);

	(void)state;
	scar_buf_init(&buf, SCAR_EVENTSTREAM_PAYLOAD_MAX * 2);
	assert_int_equal(scar_eventstream_append(&buf, "A", "b", payload,
						 SCAR_EVENTSTREAM_PAYLOAD_MAX + 1, &err),
			 -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_int_equal(buf.len, 0);
	free(payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_and_checksums_are_right),
		cmocka_unit_test(a_second_message_has_checksums_of_its_own),
		cmocka_unit_test(too_large_a_payload_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
