/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/err.h"

#define BIG_BYTES 200000

static struct scar_buf whole, window, spilled;
static struct scar_err err;
static unsigned char big[BIG_BYTES];
static unsigned appends, patches;

static int append(void *ctx, const void *data, size_t len, struct scar_err *ret_err)
{
	appends++;
	return scar_buf_append(ctx, data, len, ret_err);
}

static int patch(void *ctx, uint64_t at, const void *data, size_t len, struct scar_err *ret_err)
{
	struct scar_buf *buf = ctx;

	(void)ret_err;
	assert_true(at + len <= buf->len);
	memcpy(buf->data + at, data, len);
	patches++;
	return 0;
}

static const struct scar_zip_spill spill = {append, patch, &spilled};

static int setup(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++) {
		seed = seed * 1664525 + 1013904223;
		big[i] = (unsigned char)(seed >> 24);
	}
	scar_buf_init(&whole, 1 << 20);
	scar_buf_init(&window, 65536);
	scar_buf_init(&spilled, 1 << 20);
	appends = patches = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_buf_clear(&whole);
	scar_buf_clear(&window);
	scar_buf_clear(&spilled);
	return 0;
}

/* Two small files round one that does not compress. @return of the first call that fails */
static int fill(struct scar_zip *zip)
{
	if (scar_zip_add_data(zip, "a", "first", 5, 0644, 0, &err) < 0 ||
	    scar_zip_add_data(zip, "big", big, sizeof big, 0600, 0, &err) < 0 ||
	    scar_zip_add_data(zip, "sub/z", "last", 4, 0755, 0, &err) < 0)
		return -1;
	return scar_zip_end(zip, &err);
}

static void an_archive_is_the_same_whether_it_was_spilled_or_not(void **state)
{
	scar_zip_auto struct scar_zip one, other;

	(void)state;
	scar_zip_begin(&one, &whole);
	scar_zip_begin_spilling(&other, &window, &spill);
	assert_int_equal(fill(&one), 0);
	assert_int_equal(fill(&other), 0);
	assert_true(other.spilled > 0 && one.spilled == 0);
	assert_true(appends > 1 && patches > 0);
	assert_int_equal(other.spilled, spilled.len);
	assert_int_equal(scar_buf_append(&spilled, window.data, window.len, &err), 0);
	assert_int_equal(spilled.len, whole.len);
	assert_memory_equal(spilled.data, whole.data, whole.len);
}

static void what_fits_is_not_spilled(void **state)
{
	scar_zip_auto struct scar_zip zip;

	(void)state;
	scar_zip_begin_spilling(&zip, &window, &spill);
	assert_int_equal(scar_zip_add_data(&zip, "a", "first", 5, 0644, 0, &err), 0);
	assert_int_equal(scar_zip_end(&zip, &err), 0);
	assert_int_equal(zip.spilled, 0);
	assert_int_equal(appends, 0);
	assert_memory_equal(window.data, "PK\3\4", 4);
}

static void without_a_place_a_full_buffer_is_the_limit(void **state)
{
	scar_zip_auto struct scar_zip zip;

	(void)state;
	scar_zip_begin(&zip, &window);
	assert_int_equal(fill(&zip), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void four_gibibytes_are_too_many(void **state)
{
	scar_zip_auto struct scar_zip zip;

	(void)state;
	scar_zip_begin_spilling(&zip, &window, &spill);
	zip.spilled = UINT32_MAX - 10;
	assert_int_equal(scar_zip_add_data(&zip, "a", "first", 5, 0644, 0, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

#define ZIP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ZIP_TEST(an_archive_is_the_same_whether_it_was_spilled_or_not),
		ZIP_TEST(what_fits_is_not_spilled),
		ZIP_TEST(without_a_place_a_full_buffer_is_the_limit),
		ZIP_TEST(four_gibibytes_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
