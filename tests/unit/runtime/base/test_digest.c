/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

/* FIPS 180-4 examples of "abc". */
#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                   \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c2" \
	"3a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static struct scar_err err;

static void digests_of_the_standard_come_out(void **state)
{
	struct scar_digest digest;
	char text[SCAR_DIGEST_TEXT_MAX];

	(void)state;
	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, "abc", 3, &digest, &err), 0);
	assert_string_equal(scar_digest_format(&digest, text), "sha256:" ABC_256);
	assert_string_equal(scar_digest_hex(&digest, text), ABC_256);
	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA512, "abc", 3, &digest, &err), 0);
	assert_string_equal(scar_digest_format(&digest, text), "sha512:" ABC_512);
}

static void parsing_reverses_formatting(void **state)
{
	static const char *const texts[] = {"sha256:" ABC_256, "sha512:" ABC_512};
	struct scar_digest digest;
	char text[SCAR_DIGEST_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(scar_digest_parse(texts[i], &digest, &err), 0);
		assert_string_equal(scar_digest_format(&digest, text), texts[i]);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"sha256",
		"sha256:",
		ABC_256,
		"sha256:" ABC_256 "0",
		"sha256:" ABC_256 " ",
		" sha256:" ABC_256,
		"SHA256:" ABC_256,
		"sha512:" ABC_256,
		"sha256:" ABC_512,
		"sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
		"sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:../../bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	};
	struct scar_digest digest = {.alg = SCAR_DIGEST_SHA512};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		scar_err_clear(&err);
		assert_int_equal(scar_digest_parse(texts[i], &digest, &err), -1);
		assert_int_equal(err.kind, SCAR_ERR_IMAGE);
	}
	assert_int_equal(digest.alg, SCAR_DIGEST_SHA512);
}

static void equality_takes_algorithm_and_bytes(void **state)
{
	struct scar_digest a, b;

	(void)state;
	assert_int_equal(scar_digest_parse("sha256:" ABC_256, &a, &err), 0);
	b = a;
	assert_true(scar_digest_equal(&a, &b));
	b.bytes[31] ^= 1;
	assert_false(scar_digest_equal(&a, &b));
	b = a;
	b.alg = SCAR_DIGEST_SHA512;
	assert_false(scar_digest_equal(&a, &b));
}

static void pieces_give_the_digest_of_the_whole(void **state)
{
	scar_hasher_auto struct scar_hasher *hasher = scar_hasher_create(SCAR_DIGEST_SHA256, &err);
	struct scar_digest pieces, whole;

	(void)state;
	assert_non_null(hasher);
	assert_int_equal(scar_hasher_update(hasher, "a", 1, &err), 0);
	assert_int_equal(scar_hasher_update(hasher, NULL, 0, &err), 0);
	assert_int_equal(scar_hasher_update(hasher, "bc", 2, &err), 0);
	assert_int_equal(scar_hasher_finish(hasher, &pieces, &err), 0);
	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, "abc", 3, &whole, &err), 0);
	assert_true(scar_digest_equal(&pieces, &whole));
}

static void an_unknown_algorithm_is_an_error(void **state)
{
	struct scar_digest digest;

	(void)state;
	assert_int_equal(scar_digest_of((enum scar_digest_alg)0, "", 0, &digest, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_of_the_standard_come_out),
		cmocka_unit_test(parsing_reverses_formatting),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(equality_takes_algorithm_and_bytes),
		cmocka_unit_test(pieces_give_the_digest_of_the_whole),
		cmocka_unit_test(an_unknown_algorithm_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
