/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void reads_what_registries_send(void **state)
{
	static const struct {
		const char *value;
		enum scar_challenge_scheme scheme;
		const char *realm, *service, *scope;
	} cases[] = {
		{"Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
		 "scope=\"repository:library/alpine:pull\"",
		 SCAR_CHALLENGE_BEARER, "https://auth.docker.io/token", "registry.docker.io",
		 "repository:library/alpine:pull"},
		{"bearer  REALM = \"r\" , error=\"invalid_token\"", SCAR_CHALLENGE_BEARER, "r", "",
		 ""},
		{"Bearer realm=r,service=s", SCAR_CHALLENGE_BEARER, "r", "s", ""},
		{"Basic realm=\"Registry Realm\"", SCAR_CHALLENGE_BASIC, "Registry Realm", "", ""},
		{"Basic", SCAR_CHALLENGE_BASIC, "", "", ""},
		{"Basic realm=\"b\", Bearer realm=\"t\",service=\"s\"", SCAR_CHALLENGE_BEARER, "t",
		 "s", ""},
		{"Bearer realm=\"t\", Basic realm=\"b\"", SCAR_CHALLENGE_BEARER, "t", "", ""},
		{"Negotiate YWJj==, Basic realm=\"b\"", SCAR_CHALLENGE_BASIC, "b", "", ""},
		{"Digest realm=\"x\", nonce=\"a,b Bearer\"", SCAR_CHALLENGE_NONE, "", "", ""},
		{"Bearer realm=\"a\\\"b\\\\c\"", SCAR_CHALLENGE_BEARER, "a\"b\\c", "", ""},
		/* Without a realm there is nobody to ask. */
		{"Bearer service=\"s\"", SCAR_CHALLENGE_NONE, "", "", ""},
		{"Bearer realm=\"\"", SCAR_CHALLENGE_NONE, "", "", ""},
		{"Bearer realm=\"unfinished", SCAR_CHALLENGE_BEARER, "unfinished", "", ""},
		{",,; \"\" = Basic realm=b", SCAR_CHALLENGE_BASIC, "b", "", ""},
		{"", SCAR_CHALLENGE_NONE, "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_challenge found = {.scheme = SCAR_CHALLENGE_NONE};

		scar_challenge_parse(cases[i].value, &found);
		if (found.scheme != cases[i].scheme)
			fail_msg("%s: scheme %d", cases[i].value, (int)found.scheme);
		assert_string_equal(found.realm, cases[i].realm);
		assert_string_equal(found.service, cases[i].service);
		assert_string_equal(found.scope, cases[i].scope);
	}
}

static void keeps_the_better_of_repeated_headers(void **state)
{
	struct scar_challenge found = {.scheme = SCAR_CHALLENGE_NONE};

	(void)state;
	scar_challenge_parse("Bearer realm=\"t\"", &found);
	scar_challenge_parse("Basic realm=\"b\"", &found);
	assert_int_equal(found.scheme, SCAR_CHALLENGE_BEARER);
	assert_string_equal(found.realm, "t");
}

static void drops_a_parameter_that_is_too_long(void **state)
{
	struct scar_challenge found = {.scheme = SCAR_CHALLENGE_NONE};
	char value[2 * SCAR_CHALLENGE_PARAM_MAX + 64];
	size_t head = strlen("Bearer realm=r,scope=\"");

	(void)state;
	memcpy(value, "Bearer realm=r,scope=\"", head);
	memset(value + head, 's', SCAR_CHALLENGE_PARAM_MAX);
	memcpy(value + head + SCAR_CHALLENGE_PARAM_MAX, "\",service=v", 12);
	scar_challenge_parse(value, &found);
	assert_int_equal(found.scheme, SCAR_CHALLENGE_BEARER);
	assert_string_equal(found.scope, "");
	assert_string_equal(found.service, "v");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_registries_send),
		cmocka_unit_test(keeps_the_better_of_repeated_headers),
		cmocka_unit_test(drops_a_parameter_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
