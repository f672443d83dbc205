/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/crc32.h"
#include "runtime/base/err.h"

/* Frames that boto3 reads. */
static const char chunk_hex[] =
	"0000006f0000005af5fe871f0d3a6d6573736167652d747970650700056576656e740b3a6576656e742d747970"
	"6507000c5061796c6f61644368756e6b0d3a636f6e74656e742d747970650700186170706c69636174696f6e2f"
	"6f637465742d73747265616d68656c6c6f4fe061f2";
static const char complete_hex[] =
	"00000066000000541f56c8690d3a6d6573736167652d747970650700056576656e740b3a6576656e742d747970"
	"6507000e496e766f6b65436f6d706c6574650d3a636f6e74656e742d747970650700106170706c69636174696f"
	"6e2f6a736f6e7b7dface259a";

struct seen {
	unsigned count;
	char types[4][64];
	char payloads[4][64];
};

static size_t decode(const char *hex, uint8_t *bytes)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

static int note(void *ctx, const struct scar_event_frame *frame, struct scar_err *err)
{
	struct seen *seen = ctx;

	(void)err;
	assert_string_equal(frame->message_type, "event");
	assert_true(seen->count < 4 && frame->payload_len < 64);
	memcpy(seen->types[seen->count], frame->event_type, sizeof frame->event_type);
	memcpy(seen->payloads[seen->count], frame->payload, frame->payload_len);
	seen->count++;
	return 0;
}

/* Feeds pieces of that size. */
static int feed(const uint8_t *bytes, size_t len, size_t piece, struct seen *seen,
		struct scar_err *err)
{
	struct scar_event_stream stream;
	int failed = 0;

	scar_event_stream_init(&stream, note, seen);
	for (size_t at = 0; at < len && !failed; at += piece)
		failed = scar_event_stream_feed(&stream, bytes + at,
						len - at < piece ? len - at : piece, err);
	if (!failed)
		failed = scar_event_stream_finish(&stream, err);
	scar_event_stream_clear(&stream);
	return failed;
}

static void reads_frames_however_they_are_cut(void **state)
{
	uint8_t bytes[300];
	size_t len = decode(chunk_hex, bytes);

	(void)state;
	len += decode(complete_hex, bytes + len);
	for (size_t piece = 1; piece <= len; piece++) {
		struct seen seen = {.count = 0};
		struct scar_err err;

		assert_int_equal(feed(bytes, len, piece, &seen, &err), 0);
		assert_int_equal(seen.count, 2);
		assert_string_equal(seen.types[0], "PayloadChunk");
		assert_string_equal(seen.payloads[0], "hello");
		assert_string_equal(seen.types[1], "InvokeComplete");
		assert_string_equal(seen.payloads[1], "{}");
	}
}

static void notices_every_bit_that_is_changed(void **state)
{
	uint8_t bytes[300];
	size_t len = decode(chunk_hex, bytes);

	(void)state;
	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct seen seen = {.count = 0};
		struct scar_err err;

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(feed(bytes, len, len, &seen, &err), -1);
		assert_int_equal(seen.count, 0);
		assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void notices_an_end_within_a_frame(void **state)
{
	uint8_t bytes[300];
	size_t len = decode(chunk_hex, bytes);

	(void)state;
	for (size_t cut = 1; cut < len; cut++) {
		struct seen seen = {.count = 0};
		struct scar_err err;

		assert_int_equal(feed(bytes, cut, cut, &seen, &err), -1);
		assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	}
}

static void put(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Check sums that match say nothing of the lengths. */
static void refuses_lengths_that_cannot_be(void **state)
{
	static const struct {
		uint32_t total, headers;
		enum scar_err_kind kind;
	} cases[] = {{15, 0, SCAR_ERR_PROTOCOL},
		     {16, 1, SCAR_ERR_PROTOCOL},
		     {20, 100, SCAR_ERR_PROTOCOL},
		     {UINT32_MAX, 0, SCAR_ERR_LIMIT},
		     {1u << 20, 1u << 19, SCAR_ERR_LIMIT}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct seen seen = {.count = 0};
		struct scar_err err;
		uint8_t bytes[12];

		put(bytes, cases[i].total);
		put(bytes + 4, cases[i].headers);
		put(bytes + 8, scar_crc32(bytes, 8));
		assert_int_equal(feed(bytes, 12, 12, &seen, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

/* Headers of every type, or broken ones, before an empty payload. */
static int feed_headers(const uint8_t *headers, size_t len, struct scar_err *err)
{
	struct seen seen = {.count = 0};
	uint8_t bytes[200];

	put(bytes, (uint32_t)(len + 16));
	put(bytes + 4, (uint32_t)len);
	put(bytes + 8, scar_crc32(bytes, 8));
	memcpy(bytes + 12, headers, len);
	put(bytes + 12 + len, scar_crc32(bytes, 12 + len));
	return feed(bytes, len + 16, 7, &seen, err);
}

static void knows_every_type_of_header(void **state)
{
	static const uint8_t headers[] = "\001a\000"
					 "\001b\001"
					 "\001c\002x"
					 "\001d\003xx"
					 "\001e\004xxxx"
					 "\001f\005xxxxxxxx"
					 "\001g\006\000\002xx"
					 "\001h\010xxxxxxxx"
					 "\001i\011xxxxxxxxxxxxxxxx"
					 "\015:message-type\007\000\005event";
	struct scar_err err;

	(void)state;
	assert_int_equal(feed_headers(headers, sizeof headers - 1, &err), 0);
}

static void refuses_headers_that_do_not_end(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {{"\000\000", 2},           {"\001a", 2},        {"\005a\000", 3},
		     {"\001a\012", 3},          {"\001a\004xxx", 6}, {"\001a\007\000", 4},
		     {"\001a\007\000\003xx", 7}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct scar_err err;

		assert_int_equal(feed_headers((const uint8_t *)cases[i].bytes, cases[i].len, &err),
				 -1);
		assert_int_equal(err.kind, SCAR_ERR_PROTOCOL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_frames_however_they_are_cut),
		cmocka_unit_test(notices_every_bit_that_is_changed),
		cmocka_unit_test(notices_an_end_within_a_frame),
		cmocka_unit_test(refuses_lengths_that_cannot_be),
		cmocka_unit_test(knows_every_type_of_header),
		cmocka_unit_test(refuses_headers_that_do_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
