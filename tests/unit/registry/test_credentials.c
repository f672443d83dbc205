/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"

/* dXNlcjpwYTpzcw== is "user:pa:ss" */
static const char logins[] = "{\"auths\":{"
			     "\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpwYTpzcw==\"},"
			     "\"ghcr.io\":{\"username\":\"u\",\"password\":\"p\"},"
			     "\"quay.io/org\":{\"auth\":\"dXNlcjpwYTpzcw==\"},"
			     "\"helper.example\":{},"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_logins_in_each_form),
		cmocka_unit_test(gives_a_login_to_no_other_registry),
		cmocka_unit_test(refuses_a_damaged_login),
		cmocka_unit_test(does_without_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
