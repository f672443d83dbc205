/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

/* dXNlcjpwYTpzcw== is "user:pa:ss" */
static const char logins[] =
	"{\"auths\":{"
	"\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpwYTpzcw==\"},"
	"\"ghcr.io\":{\"username\":\"u\",\"password\":\"p\"},"
	"\"quay.io/org\":{\"auth\":\"dXNlcjpwYTpzcw==\"},"
	"\"helper.example\":{},"
	"\"azure.example\":{\"auth\":\"dXNlcjo=\",\"identitytoken\":\"refresh/1\"},"
	"\"old.example\":{\"auth\":\"dXNlcjo=\",\"identitytoken\":\"\"},"
	"\"broken.example\":{\"auth\":\"!!\"},"
	"\"nocolon.example\":{\"auth\":\"dXNlcg==\"},"
	"\"localhost:5000\":{\"auth\":\"dXNlcjo=\"}}}";

static int look_up(const char *registry, struct scar_credentials *found, struct scar_err *err)
{
	return scar_credentials_parse(logins, strlen(logins), "config.json", registry, found, err);
}

static void finds_logins_in_each_form(void **state)
{
	static const struct {
		const char *registry, *username, *password;
	} cases[] = {
		{"docker.io", "user", "pa:ss"},
		{"ghcr.io", "u", "p"},
		{"localhost:5000", "user", ""},
		{"azure.example", SCAR_CREDENTIALS_TOKEN, "refresh/1"},
		{"old.example", "user", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_credentials_auto struct scar_credentials found = {.username = NULL};
		struct scar_err err;

		assert_int_equal(look_up(cases[i].registry, &found, &err), 0);
		assert_string_equal(found.username, cases[i].username);
		assert_string_equal(found.password, cases[i].password);
	}
}

static void gives_a_login_to_no_other_registry(void **state)
{
	static const char *const registries[] = {
		"quay.io",   "helper.example", "ghcr.io.evil.example",
		"localhost", "localhost:5001", "index.docker.io.x"};

	(void)state;
	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++) {
		scar_credentials_auto struct scar_credentials found = {.username = NULL};
		struct scar_err err;

		assert_int_equal(look_up(registries[i], &found, &err), 0);
		assert_null(found.username);
	}
}

static void refuses_a_damaged_login(void **state)
{
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	struct scar_err err;

	(void)state;
	assert_int_equal(look_up("broken.example", &found, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	assert_int_equal(look_up("nocolon.example", &found, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	assert_null(strstr(err.msg, "user"));
	assert_int_equal(scar_credentials_parse("{", 1, "config.json", "a", &found, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

static void does_without_the_file(void **state)
{
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_credentials_load("/nonexistent/config.json", "ghcr.io", &found, &err),
			 0);
	assert_null(found.username);
}

static void reads_a_secret_in_each_form(void **state)
{
	static const struct {
		const char *text;
		bool is_pinned;
		const char *username; /* NULL: none */
	} cases[] = {
		{"u:p:q\n", true, "u"},
		{"u:p:q\n", false, NULL},
		{" {\"username\":\"u\",\"password\":\"p:q\"}", true, "u"},
		{"{\"username\":\"u\",\"accessToken\":\"p:q\"}", true, "u"},
		{"{\"username\":\"u\",\"password\":\"p:q\"}", false, NULL},
		{"{\"auths\":{\"a.example\":{\"auth\":\"dTpwOnE=\"}}}", false, "u"},
		{"{\"auths\":{\"b.example\":{\"auth\":\"dTpwOnE=\"}}}", true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_credentials_auto struct scar_credentials found = {.username = NULL};
		struct scar_err err;

		assert_int_equal(scar_credentials_from_secret(cases[i].text, "secret", "a.example",
							      cases[i].is_pinned, &found, &err),
				 0);
		if (!cases[i].username) {
			assert_null(found.username);
			continue;
		}
		assert_string_equal(found.username, cases[i].username);
		assert_string_equal(found.password, "p:q");
	}
}

static void refuses_a_secret_without_quoting_it(void **state)
{
	static const char *const cases[] = {"hunter2", "{\"hunter2\"", "{\"username\":\"hunter2\"}",
					    "{\"hunter2\":1}"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_credentials_auto struct scar_credentials found = {.username = NULL};
		struct scar_err err;

		assert_int_equal(scar_credentials_from_secret(cases[i], "the secret", "a.example",
							      true, &found, &err),
				 -1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
		assert_non_null(strstr(err.msg, "the secret"));
		assert_null(strstr(err.msg, "hunter2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_logins_in_each_form),
		cmocka_unit_test(gives_a_login_to_no_other_registry),
		cmocka_unit_test(refuses_a_damaged_login),
		cmocka_unit_test(does_without_the_file),
		cmocka_unit_test(reads_a_secret_in_each_form),
		cmocka_unit_test(refuses_a_secret_without_quoting_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
