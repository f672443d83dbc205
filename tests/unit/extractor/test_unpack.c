/* SPDX-License-Identifier: Apache-2.0 */
/* Many layers at once; what of it is seen on disk is in test_rootfs.c. */
#include "extractor/unpack.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "extractor/ring.h"
#include "tests/support/rootfs_fixture.h"

static void layers_are_applied_in_order_however_many_fly(void **state)
{
	unsigned in_flight;

	(void)state;
	for (in_flight = 1; in_flight <= SCAR_UNPACK_IN_FLIGHT_MAX; in_flight++) {
		struct fixture f;
		struct tar_builder t = {0};
		char text[16];
		unsigned i;
		struct scar_unpack_options options = {.fetch = image_fetch, .in_flight = in_flight};

		fixture_init(&f);
		for (i = 0; i < 20; i++) {
			snprintf(text, sizeof text, "%u", i);
			tar_file(&t, "last", text);
			tar_file(&t, text, text);
			if (i > 0) {
				snprintf(text, sizeof text, ".wh.%u", i - 1);
				tar_file(&t, text, "");
			}
			fixture_layer(&f, &t);
		}
		options.fetch_ctx = &f.image;
		if (scar_unpack_image(&f.image.image, &options, f.work_fd, "fs", "owners",
				      &f.result, &f.err) < 0)
			fail_msg("%s", f.err.msg);
		f.root_fd = openat(f.work_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fixture_holds(&f, "last", "19"));
		assert_true(fixture_exists(&f, "19"));
		assert_false(fixture_exists(&f, "18"));
		assert_false(fixture_exists(&f, "0"));
		fixture_clear(&f);
	}
}

static void all_compressions_give_the_same(void **state)
{
	static const enum scar_layer_compression compressions[] = {
		SCAR_COMPRESSION_PLAIN, SCAR_COMPRESSION_GZIP, SCAR_COMPRESSION_ZSTD};
	uint8_t *big = malloc(9000000);
	size_t i;

	(void)state;
	assert_non_null(big);
	for (i = 0; i < 9000000; i++)
		big[i] = (uint8_t)((i * i) >> 7);
	for (i = 0; i < 3; i++) {
		struct fixture f;
		struct tar_builder t = {0};
		struct stat st;

		fixture_init(&f);
		/* More than a ring holds. */
		tar_add(&t, &(struct tar_member){
				    .name = "big", .mode = 0644, .data = big, .data_len = 9000000});
		tar_file(&t, "end", "end");
		tar_end(&t);
		image_add(&f.image, t.data, t.len, compressions[i]);
		tar_clear(&t);
		fixture_must_unpack(&f);
		st = fixture_stat(&f, "big");
		assert_int_equal(st.st_size, 9000000);
		assert_true(fixture_holds(&f, "end", "end"));
		fixture_clear(&f);
	}
	free(big);
}

static void chain_ids_are_those_of_the_specification(void **state)
{
	/* Worked out with sha256sum from the text of config.md, "Layer ChainID". */
	static const char *const texts[] = {
		"sha256:1111111111111111111111111111111111111111111111111111111111111111",
		"sha256:2222222222222222222222222222222222222222222222222222222222222222",
		"sha256:3333333333333333333333333333333333333333333333333333333333333333",
	};
	struct scar_digest diff_ids[3], chain_id;
	struct scar_err err;
	char text[SCAR_DIGEST_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(scar_digest_parse(texts[i], &diff_ids[i], &err), 0);
	assert_int_equal(scar_unpack_chain_id(diff_ids, 1, &chain_id, &err), 0);
	assert_true(scar_digest_equal(&chain_id, &diff_ids[0]));
	assert_int_equal(scar_unpack_chain_id(diff_ids, 3, &chain_id, &err), 0);
	assert_string_equal(
		scar_digest_format(&chain_id, text),
		"sha256:50127c0d6b338be78246434b4bce23ecf75e505158ea0bbd15effeb162fbf3ec");
	assert_int_equal(scar_unpack_chain_id(NULL, 0, &chain_id, &err), 0);
}

#define BLOCK_BYTES ((size_t)64 << 10)

static const struct scar_ring_options small = {.block_bytes = BLOCK_BYTES, .block_count = 2};

static void a_full_ring_waits_and_cancel_wakes(void **state)
{
	struct scar_err err;
	struct scar_ring *ring = scar_ring_create(&small, &err);
	const uint8_t *data;
	uint8_t *room;
	size_t size, len;

	(void)state;
	assert_non_null(ring);
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), 0);
	assert_int_equal(size, BLOCK_BYTES);
	memset(room, 'x', size);
	scar_ring_commit(ring, size - 1);
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), 0);
	assert_int_equal(size, 1);
	*room = 'y';
	scar_ring_commit(ring, 1);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, BLOCK_BYTES);
	assert_int_equal(data[len - 1], 'y');
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), 0);
	scar_ring_commit(ring, 3);
	scar_ring_end(ring, NULL);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, 3);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, 0);
	scar_ring_cancel(ring);
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTERRUPTED);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), -1);
	scar_ring_free(ring);
}

static void a_block_is_checked_before_it_is_read(void **state)
{
	static const struct scar_ring_options options = {
		.block_bytes = BLOCK_BYTES, .block_count = 2, .has_checker = true};
	struct scar_err err, failure;
	struct scar_ring *ring = scar_ring_create(&options, &err);
	const uint8_t *data;
	uint8_t *room;
	size_t size, len;

	(void)state;
	assert_non_null(ring);
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), 0);
	memset(room, 'x', size);
	scar_ring_commit(ring, size);
	assert_int_equal(scar_ring_check(ring, &data, &len, &err), 0);
	assert_int_equal(len, BLOCK_BYTES);
	assert_int_equal(scar_ring_reserve(ring, &room, &size, &err), 0);
	scar_ring_commit(ring, 5);
	scar_ring_end(ring, NULL);
	/* The checker has done with a block when it asks for the next. */
	assert_int_equal(scar_ring_check(ring, &data, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, BLOCK_BYTES);
	assert_int_equal(scar_ring_check(ring, &data, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), 0);
	assert_int_equal(len, 0);
	scar_err_set(&failure, SCAR_ERR_NETWORK, "the cause");
	scar_ring_end(ring, &failure);
	assert_int_equal(scar_ring_check(ring, &data, &len, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(scar_ring_next(ring, &data, &len, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	scar_ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_are_applied_in_order_however_many_fly),
		cmocka_unit_test(all_compressions_give_the_same),
		cmocka_unit_test(chain_ids_are_those_of_the_specification),
		cmocka_unit_test(a_full_ring_waits_and_cancel_wakes),
		cmocka_unit_test(a_block_is_checked_before_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
