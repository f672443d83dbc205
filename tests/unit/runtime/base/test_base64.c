/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static void gives_the_vectors_of_rfc_4648(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {{"", ""},
		     {"f", "Zg=="},
		     {"fo", "Zm8="},
		     {"foo", "Zm9v"},
		     {"foob", "Zm9vYg=="},
		     {"fooba", "Zm9vYmE="},
		     {"foobar", "Zm9vYmFy"},
		     {"\xff\xfe\xfd", "//79"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_buf_auto struct scar_buf text, plain;
		struct scar_err err;

		scar_buf_init(&text, 64);
		scar_buf_init(&plain, 64);
		assert_int_equal(
			scar_base64_encode(cases[i].plain, strlen(cases[i].plain), &text, &err), 0);
		assert_string_equal(text.data, cases[i].text);
		assert_int_equal(scar_base64_decode(cases[i].text, &plain, &err), 0);
		assert_string_equal(plain.data, cases[i].plain);
	}
}

static void decodes_without_padding_and_refuses_the_rest(void **state)
{
	static const char *const bad[] = {"Z", "Zm9vY", "Zm 9v", "Zm9-", "=Zm9v", "Zg=v"};
	scar_buf_auto struct scar_buf plain;
	struct scar_err err;

	(void)state;
	scar_buf_init(&plain, 64);
	assert_int_equal(scar_base64_decode("Zm8", &plain, &err), 0);
	assert_string_equal(plain.data, "fo");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(scar_base64_decode(bad[i], &plain, &err), -1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_vectors_of_rfc_4648),
		cmocka_unit_test(decodes_without_padding_and_refuses_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
