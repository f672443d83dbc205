/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "registry/manifest.h"
#include "runtime/base/err.h"

static struct scar_platform platform(const char *text)
{
	struct scar_platform parsed = {.os = ""};
	struct scar_err err;

	if (scar_platform_parse(text, &parsed, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return parsed;
}

static void names_this_machine_as_the_kernel_does(void **state)
{
	struct scar_platform host;
	struct utsname uts;

	(void)state;
	scar_platform_host(&host);
	assert_int_equal(uname(&uts), 0);
	assert_string_equal(host.os, "linux");
	assert_string_equal(host.architecture,
			    strcmp(uts.machine, "x86_64") == 0 ? "amd64" : "arm64");
	assert_true(scar_platform_match(&host, &host) > 0);
}

static void runs_older_variants_and_prefers_newer_ones(void **state)
{
	static const struct {
		const char *have, *want;
		bool runs;
	} cases[] = {
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64/v1", "linux/amd64", true},
		{"linux/x86_64", "linux/amd64", true},
		{"linux/amd64/v3", "linux/amd64/v2", false},
		{"linux/amd64/v2", "linux/amd64/v3", true},
		{"linux/386", "linux/amd64", false},
		{"windows/amd64", "linux/amd64", false},
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm64/v9", "linux/arm64", false},
		{"linux/arm/v6", "linux/arm/v7", true},
		{"linux/arm/v7", "linux/arm/v6", false},
		{"linux/arm/v7", "linux/arm64", false},
		{"linux/s390x", "linux/s390x", true},
		{"linux/arm64/8", "linux/arm64/v8", true},
	};
	struct scar_platform v1 = platform("linux/amd64"), v2 = platform("linux/amd64/v2"),
			     v3 = platform("linux/amd64/v3");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_platform have = platform(cases[i].have), want = platform(cases[i].want);

		if ((scar_platform_match(&have, &want) > 0) != cases[i].runs)
			fail_msg("%s on %s", cases[i].have, cases[i].want);
	}
	assert_true(scar_platform_match(&v2, &v3) > scar_platform_match(&v1, &v3));
	assert_true(scar_platform_match(&v3, &v3) > scar_platform_match(&v2, &v3));
}

static void never_runs_a_variant_it_does_not_know(void **state)
{
	struct scar_platform have = platform("linux/amd64"), want = platform("linux/amd64/v4");

	(void)state;
	memcpy(have.variant, "v77", 4);
	assert_int_equal(scar_platform_match(&have, &want), 0);
}

static void refuses_what_is_no_platform(void **state)
{
	static const char *const texts[] = {"",
					    "linux",
					    "linux/",
					    "/amd64",
					    "linux/amd64/",
					    "linux//v8",
					    "linux/amd64/v8/x",
					    "linux/amd64/v9",
					    "li nux/amd64",
					    "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct scar_platform parsed;
		struct scar_err err;

		if (scar_platform_parse(texts[i], &parsed, &err) == 0)
			fail_msg("'%s' was accepted", texts[i]);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	}
}

static void formats_what_it_parses(void **state)
{
	char text[SCAR_PLATFORM_TEXT_MAX];
	struct scar_platform p = platform("linux/arm/v7"), empty = {.os = ""};

	(void)state;
	assert_string_equal(scar_platform_format(&p, text), "linux/arm/v7");
	p = platform("linux/amd64");
	assert_string_equal(scar_platform_format(&p, text), "linux/amd64");
	assert_string_equal(scar_platform_format(&empty, text), "?/?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_this_machine_as_the_kernel_does),
		cmocka_unit_test(runs_older_variants_and_prefers_newer_ones),
		cmocka_unit_test(never_runs_a_variant_it_does_not_know),
		cmocka_unit_test(refuses_what_is_no_platform),
		cmocka_unit_test(formats_what_it_parses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
