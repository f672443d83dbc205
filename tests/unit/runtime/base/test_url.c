/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

static struct scar_url parsed(const char *text)
{
	struct scar_url url = {.is_https = false};
	struct scar_err err;

	if (scar_url_parse(text, &url, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return url;
}

static void takes_urls_apart(void **state)
{
	struct scar_url url = parsed("HTTPS://Host.Example:8443/a/b?c=d");

	(void)state;
	assert_true(url.is_https);
	assert_string_equal(url.host, "host.example");
	assert_int_equal(url.port, 8443);
	assert_string_equal(url.rest, "/a/b?c=d");
	url = parsed("http://[::1]:5000");
	assert_false(url.is_https);
	assert_string_equal(url.host, "[::1]");
	assert_int_equal(url.port, 5000);
	assert_string_equal(url.rest, "");
	assert_int_equal(parsed("http://h").port, 80);
	assert_int_equal(parsed("https://h:/x").port, 443);
	assert_string_equal(parsed("https://h?q").rest, "?q");
}

static void refuses_what_could_mean_two_hosts(void **state)
{
	static const char *const texts[] = {
		"ftp://h/",        "//h/",
		"/path",           "https://",
		"https://user@h/", "https://h:p@h/",
		"https://h\\@x/",  "https://h x/",
		"https://h:0/",    "https://h:65536/",
		"https://h:1x/",   "https://[::1/",
		"https://[]/",     "https://h\n/",
		"https://h/\x80",  "https://h#@x/ ",
		"file:///etc",     "https:/h",
		"https://:80/",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct scar_url url;
		struct scar_err err;

		if (scar_url_parse(texts[i], &url, &err) == 0)
			fail_msg("'%s' was accepted", texts[i]);
		assert_int_equal(err.kind, SCAR_ERR_PROTOCOL);
	}
}

static void compares_origins(void **state)
{
	struct scar_url a = parsed("https://h/x"), b = parsed("https://H:443/y");
	struct scar_url other[] = {parsed("http://h/x"), parsed("https://h:444/x"),
				   parsed("https://h2/x"), parsed("https://h.h/x")};

	(void)state;
	assert_true(scar_url_same_origin(&a, &b));
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(scar_url_same_origin(&a, &other[i]));
}

static void knows_this_machine(void **state)
{
	static const char *const yes[] = {"localhost",    "localhost:5000", "127.0.0.1",
					  "127.9.8.7:80", "[::1]",          "[::1]:5000"};
	static const char *const no[] = {"127.0.0.1.evil.example",
					 "localhost.example",
					 "128.0.0.1",
					 "127.0.0",
					 "[::2]",
					 "10.0.0.1",
					 "127.0.0.256",
					 "127.0.0.1@evil.example",
					 ""};

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!scar_url_host_is_loopback(yes[i]))
			fail_msg("%s is this machine", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (scar_url_host_is_loopback(no[i]))
			fail_msg("%s is not this machine", no[i]);
}

static void resolves_locations(void **state)
{
	static const struct {
		const char *base, *location, *want;
	} cases[] = {
		{"https://h/v2/x", "https://cdn/y?sig=1", "https://cdn/y?sig=1"},
		{"https://h/v2/x", "//cdn/y", "https://cdn/y"},
		{"http://h/v2/x", "//cdn/y", "http://cdn/y"},
		{"https://h:5/v2/x?q", "/y", "https://h:5/y"},
		{"https://h/v2/x?q/r", "y", "https://h/v2/y"},
		{"https://h/v2/x?q", "?z", "https://h/v2/x?z"},
		{"https://h", "y", "https://h/y"},
		{"https://h", "?y", "https://h?y"},
		{"https://h/v2/", "y#frag", "https://h/v2/y"},
	};
	scar_free_auto char *bad = NULL;
	struct scar_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_free_auto char *url = NULL;

		assert_int_equal(scar_url_resolve(cases[i].base, cases[i].location, &url, &err), 0);
		assert_string_equal(url, cases[i].want);
	}
	assert_int_equal(scar_url_resolve("https://h/", "https://u:p@x/", &bad, &err), -1);
	assert_int_equal(scar_url_resolve("https://h/", "/a b", &bad, &err), -1);
}

static void lets_no_one_lead_to_a_weaker_place(void **state)
{
	static const struct {
		const char *from, *to;
		bool with_tls_only, with_plain;
	} cases[] = {
		{"https://h/", "https://cdn/", true, true},
		{"https://h/", "http://cdn/", false, false},
		{"https://h/", "http://127.0.0.1:9001/", false, false},
		{"https://h/", "https://127.0.0.1/", false, false},
		{"http://h/", "http://cdn/", false, true},
		{"http://h/", "http://127.0.0.1:9001/", false, false},
		{"http://h/", "https://cdn/", true, true},
		{"http://127.0.0.1:5000/", "http://localhost:6000/", true, true},
		{"http://127.0.0.1:5000/", "http://cdn/", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_url from = parsed(cases[i].from), to = parsed(cases[i].to);

		assert_int_equal(scar_url_may_lead(&from, &to, false), cases[i].with_tls_only);
		assert_int_equal(scar_url_may_lead(&from, &to, true), cases[i].with_plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_urls_apart),
		cmocka_unit_test(refuses_what_could_mean_two_hosts),
		cmocka_unit_test(compares_origins),
		cmocka_unit_test(knows_this_machine),
		cmocka_unit_test(resolves_locations),
		cmocka_unit_test(lets_no_one_lead_to_a_weaker_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
