/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "tests/support/image_builder.h"

/* Collects the output; rooms are small and odd, so that formats must stop and go on anywhere. */
struct output {
	struct scar_buf buf;
	size_t room;
};

static int reserve(void *ctx, uint8_t **ret_data, size_t *ret_size, struct scar_err *err)
{
	struct output *output = ctx;

	if (scar_buf_reserve(&output->buf, output->room, err) < 0)
		return -1;
	*ret_data = (uint8_t *)output->buf.data + output->buf.len;
	*ret_size = output->room;
	return 0;
}

static void commit(void *ctx, size_t len)
{
	struct output *output = ctx;

	output->buf.len += len;
}

/* Decodes in pieces into rooms; the output is in *ret_output, which the caller clears. */
static int decode(const void *data, size_t len, size_t piece, size_t room,
		  struct output *ret_output, struct scar_err *err)
{
	const struct scar_decoder_sink sink = {
		.ctx = ret_output, .reserve = reserve, .commit = commit};
	struct scar_decoder *decoder = scar_decoder_create(&sink, err);
	const uint8_t *bytes = data;
	int result = 0;
	size_t n;

	assert_non_null(decoder);
	scar_buf_init(&ret_output->buf, SCAR_MIB(64));
	ret_output->room = room;
	for (; result == 0 && len > 0; bytes += n, len -= n) {
		uint8_t *copy;

		n = len < piece ? len : piece;
		/* A copy of exactly that size lets the sanitizer see reads beyond it. */
		copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, bytes, n);
		result = scar_decoder_push(decoder, copy, n, err);
		free(copy);
	}
	if (result == 0)
		result = scar_decoder_finish(decoder, err);
	scar_decoder_free(decoder);
	return result;
}

static void must_give(const void *data, size_t len, const void *expected, size_t expected_len)
{
	static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 100000};
	static const size_t rooms[] = {1, 13, 4096, 262144};
	size_t i, j;

	for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		for (j = 0; j < sizeof rooms / sizeof rooms[0]; j++) {
			struct output output;
			struct scar_err err;

			if (decode(data, len, pieces[i], rooms[j], &output, &err) < 0)
				fail_msg("pieces of %zu, rooms of %zu: %s", pieces[i], rooms[j],
					 err.msg);
			assert_int_equal(output.buf.len, expected_len);
			assert_memory_equal(output.buf.data, expected, expected_len);
			scar_buf_clear(&output.buf);
		}
	}
}

static void must_not_give(const void *data, size_t len, enum scar_err_kind kind)
{
	static const size_t pieces[] = {1, 100, 100000};
	size_t i;

	for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct output output;
		struct scar_err err;

		assert_int_equal(decode(data, len, pieces[i], 4096, &output, &err), -1);
		assert_int_equal(err.kind, kind);
		scar_buf_clear(&output.buf);
	}
}

/* Text that compresses, then bytes that do not. */
static uint8_t *sample(size_t len)
{
	uint8_t *data = malloc(len + 1);
	uint32_t state = 1;
	size_t i;

	assert_non_null(data);
	for (i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = i < len / 2 ? (uint8_t)("layers and layers "[i % 18])
				      : (uint8_t)(state >> 24);
	}
	return data;
}

static void append(struct scar_buf *buf, const void *data, size_t len)
{
	struct scar_err err;

	assert_int_equal(scar_buf_append(buf, data, len, &err), 0);
}

static void append_gzip(struct scar_buf *buf, const void *data, size_t len)
{
	size_t packed_len;
	uint8_t *packed = image_gzip(data, len, &packed_len);

	append(buf, packed, packed_len);
	free(packed);
}

static void append_zstd(struct scar_buf *buf, const void *data, size_t len)
{
	size_t packed_len;
	uint8_t *packed = image_zstd(data, len, &packed_len);

	append(buf, packed, packed_len);
	free(packed);
}

static int setup(void **state)
{
	static struct scar_buf buf;

	scar_buf_init(&buf, SCAR_MIB(16));
	*state = &buf;
	return 0;
}

static int teardown(void **state)
{
	scar_buf_clear(*state);
	return 0;
}

static void gzip_is_inflated_however_it_is_cut(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(20000);

	append_gzip(buf, data, 20000);
	must_give(buf->data, buf->len, data, 20000);
	free(data);
}

static void gzip_members_follow_one_another(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(9000);

	append_gzip(buf, data, 3000);
	append_gzip(buf, data, 0);
	append_gzip(buf, data + 3000, 6000);
	must_give(buf->data, buf->len, data, 9000);
	free(data);
}

static void zeros_may_follow_a_gzip_member(void **state)
{
	static const uint8_t zeros[700];
	struct scar_buf *buf = *state;
	uint8_t *data = sample(9000);

	append_gzip(buf, data, 3000);
	append(buf, zeros, 5);
	append_gzip(buf, data + 3000, 6000);
	append(buf, zeros, sizeof zeros);
	must_give(buf->data, buf->len, data, 9000);
	free(data);
}

static void other_bytes_after_a_gzip_member_are_refused(void **state)
{
	struct scar_buf *buf = *state;

	append_gzip(buf, "content", 7);
	append(buf, "garbage", 7);
	must_not_give(buf->data, buf->len, SCAR_ERR_INTEGRITY);
}

static void gzip_headers_with_all_fields_are_read(void **state)
{
	/* FTEXT, FEXTRA, FNAME, FCOMMENT; then a stored block of "hi". */
	static const uint8_t packed[] = "\x1f\x8b\x08\x1d\0\0\0\0\0\x03"
					"\x04\0SGab"
					"name\0comment\0"
					"\x01\x02\x00\xfd\xffhi\xac\x2a\x93\xd8\x02\0\0\0";

	(void)state;
	must_give(packed, sizeof packed - 1, "hi", 2);
}

static void gzip_cut_anywhere_is_refused(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(300);
	size_t len;

	append_gzip(buf, data, 300);
	for (len = 2; len < buf->len; len++)
		must_not_give(buf->data, len, SCAR_ERR_INTEGRITY);
	free(data);
}

static void a_wrong_gzip_checksum_or_size_is_refused(void **state)
{
	struct scar_buf *buf = *state;

	append_gzip(buf, "content", 7);
	buf->data[buf->len - 8] ^= 1;
	must_not_give(buf->data, buf->len, SCAR_ERR_INTEGRITY);
	buf->data[buf->len - 8] ^= 1;
	buf->data[buf->len - 4] ^= 1;
	must_not_give(buf->data, buf->len, SCAR_ERR_INTEGRITY);
}

static void zstd_is_decompressed_however_it_is_cut(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(20000);

	append_zstd(buf, data, 20000);
	must_give(buf->data, buf->len, data, 20000);
	free(data);
}

static void zstd_frames_and_skippable_ones_follow_one_another(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(9000);

	append(buf, "\x5f\x2a\x4d\x18\x04\0\0\0skip", 12);
	append_zstd(buf, data, 3000);
	append(buf, "\x50\x2a\x4d\x18\x03\0\0\0toc", 11);
	append_zstd(buf, data + 3000, 6000);
	append(buf, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	must_give(buf->data, buf->len, data, 9000);
	free(data);
}

static void zstd_cut_anywhere_is_refused(void **state)
{
	struct scar_buf *buf = *state;
	uint8_t *data = sample(300);
	size_t len;

	append_zstd(buf, data, 300);
	for (len = 4; len < buf->len; len++)
		must_not_give(buf->data, len, SCAR_ERR_INTEGRITY);
	free(data);
}

static void a_zstd_window_too_large_is_refused(void **state)
{
	/* Frame header: no single segment, no content size; window descriptor 18 << 3: 2^(10+18). */
	static const uint8_t packed[] = "\x28\xb5\x2f\xfd\x00\x90\x01\0\0";

	(void)state;
	must_not_give(packed, sizeof packed - 1, SCAR_ERR_UNSUPPORTED);
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static void a_large_window_waits_for_leave(void **state)
{
	/* Window descriptors of 2^22 and 2^23; a raw block of one byte, the last. */
	static const uint8_t small[] = "\x28\xb5\x2f\xfd\x00\x60\x09\0\0x";
	static const uint8_t large[] = "\x28\xb5\x2f\xfd\x00\x68\x09\0\0x";
	struct output out = {.room = 16};
	struct scar_decoder_sink sink = {.ctx = &out, .reserve = reserve, .commit = commit};
	struct scar_err err;
	int i;

	(void)state;
	scar_buf_init(&out.buf, 1 << 20);
	for (i = 0; i < 4; i++) {
		const uint8_t *packed = i & 1 ? large : small;
		struct scar_decoder *decoder;

		sink.may_be_large = i & 2 ? never : NULL;
		decoder = scar_decoder_create(&sink, &err);
		assert_non_null(decoder);
		if (i == 3) {
			assert_int_equal(scar_decoder_push(decoder, packed, sizeof small - 1, &err),
					 -1);
			assert_int_equal(err.kind, SCAR_ERR_INTERRUPTED);
		} else {
			assert_int_equal(scar_decoder_push(decoder, packed, sizeof small - 1, &err),
					 0);
			assert_int_equal(scar_decoder_finish(decoder, &err), 0);
		}
		scar_decoder_free(decoder);
	}
	assert_int_equal(out.buf.len, 3);
	scar_buf_clear(&out.buf);
}

static void plain_bytes_go_through(void **state)
{
	uint8_t *data = sample(20000);

	(void)state;
	must_give(data, 20000, data, 20000);
	must_give(data, 3, data, 3);
	must_give("", 0, "", 0);
	free(data);
}

static void other_compressions_are_named(void **state)
{
	(void)state;
	must_not_give("\xfd"
		      "7zXZ\0........",
		      14, SCAR_ERR_UNSUPPORTED);
	must_not_give("BZh91AY&SY....", 14, SCAR_ERR_UNSUPPORTED);
	must_not_give("\x04\x22\x4d\x18..........", 14, SCAR_ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(gzip_is_inflated_however_it_is_cut),
		T(gzip_members_follow_one_another),
		T(zeros_may_follow_a_gzip_member),
		T(other_bytes_after_a_gzip_member_are_refused),
		T(gzip_headers_with_all_fields_are_read),
		T(gzip_cut_anywhere_is_refused),
		T(a_wrong_gzip_checksum_or_size_is_refused),
		T(zstd_is_decompressed_however_it_is_cut),
		T(zstd_frames_and_skippable_ones_follow_one_another),
		T(zstd_cut_anywhere_is_refused),
		T(a_zstd_window_too_large_is_refused),
		T(a_large_window_waits_for_leave),
		T(plain_bytes_go_through),
		T(other_compressions_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
