/* SPDX-License-Identifier: Apache-2.0 */
/* The calls themselves are tested against moto in tests/e2e/test_registries.py. */
#include "registry/aws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/client.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static void knows_the_names_of_ecr(void **state)
{
	static const char *const ecr[] = {
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
		"123456789012.dkr-ecr.us-east-1.on.aws",
	};
	static const char *const others[] = {
		"docker.io",
		"public.ecr.aws",
		"12345678901.dkr.ecr.eu-west-1.amazonaws.com",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com:443",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
		"123456789012.dkr.ecr.eu-west-1.evil.example",
		"123456789012.dkr.ecr.evil.example.amazonaws.com",
		"123456789012.dkr.ecr",
		"123456789012.dkr-ecr.us-east-1.amazonaws.com",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ecr) / sizeof(ecr[0]); i++)
		assert_true(scar_aws_is_ecr(ecr[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(scar_aws_is_ecr(others[i]));
}

static void refuses_what_is_no_arn_of_a_secret(void **state)
{
	static const char *const arns[] = {
		"",
		"secret",
		"arn:aws:secretsmanager:eu-west-1:123456789012:",
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:a\"b",
		"arn:aws:secretsmanager:eu.evil.example/:123456789012:secret:a",
		"arn:aws:sns:eu-west-1:123456789012:topic",
		"arn:aws:ssm.evil.example:eu-west-1:123456789012:parameter/x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(arns) / sizeof(arns[0]); i++) {
		struct scar_source_options options = {.aws_endpoint = "http://127.0.0.1:1"};
		scar_buf_auto struct scar_buf text;
		struct scar_err err;

		scar_buf_init(&text, 100);
		assert_int_equal(scar_aws_secret(arns[i], &options, &text, &err), -1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
		assert_int_equal(text.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_names_of_ecr),
		cmocka_unit_test(refuses_what_is_no_arn_of_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
