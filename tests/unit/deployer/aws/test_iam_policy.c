/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/iam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

static struct scar_json *policy(const struct scar_iam_needs *needs)
{
	scar_buf_auto struct scar_buf text;
	struct scar_json *root = NULL;
	struct scar_err err;

	scar_buf_init(&text, 10240);
	assert_int_equal(scar_iam_write_policy(needs, &text, &err), 0);
	assert_int_equal(scar_json_parse(text.data, text.len, "policy", &root, &err), 0);
	return root;
}

static const struct scar_json *statement(const struct scar_json *root, const char *id)
{
	const struct scar_json *found = scar_json_first(scar_json_get(root, "Statement"));

	while (found && strcmp(scar_json_string(scar_json_get(found, "Sid")), id) != 0)
		found = scar_json_next(found);
	return found;
}

static const char *resource(const struct scar_json *root, const char *id, size_t number)
{
	const struct scar_json *found = scar_json_first(
		scar_json_get(statement(root, id), "Resource"));

	while (found && number-- > 0)
		found = scar_json_next(found);
	return found ? scar_json_string(found) : NULL;
}

static void a_bare_function_may_write_its_own_log_only(void **state)
{
	const struct scar_iam_needs needs = {.partition = "aws-cn",
					     .region = "cn-north-1",
					     .account = "123456789012",
					     .function = "f"};
	scar_json_auto struct scar_json *root = policy(&needs);

	(void)state;
	assert_int_equal(scar_json_size(scar_json_get(root, "Statement")), 2);
	assert_string_equal(resource(root, "OwnLogs", 0),
			    "arn:aws-cn:logs:cn-north-1:123456789012:log-group:/aws/lambda/f:*");
}

static void only_what_is_needed_is_allowed(void **state)
{
	static const char *const reads[] = {"in/a/", "whole", NULL}, *const writes[] = {"out/b",
											NULL};
	const struct scar_iam_needs needs = {.partition = "aws",
					     .region = "eu-west-1",
					     .account = "123456789012",
					     .function = "f",
					     .read = reads,
					     .write = writes,
					     .batch = true};
	scar_json_auto struct scar_json *root = policy(&needs);

	(void)state;
	assert_string_equal(resource(root, "ReadInputs", 0), "arn:aws:s3:::in/a/*");
	assert_string_equal(resource(root, "ReadInputs", 1), "arn:aws:s3:::whole/*");
	assert_string_equal(resource(root, "ListInputs", 0), "arn:aws:s3:::in");
	assert_string_equal(resource(root, "WriteOutputs", 0), "arn:aws:s3:::out/b/*");
	assert_null(resource(root, "WriteOutputs", 1));
	assert_string_equal(resource(root, "OwnJobs", 0),
			    "arn:aws:batch:eu-west-1:123456789012:job-queue/f");
	assert_null(statement(root, "Network"));
	assert_null(statement(root, "Secrets"));
}

static void nothing_but_what_has_no_name_is_a_star(void **state)
{
	static const char *const list[] = {"arn:x", NULL};
	const struct scar_iam_needs needs = {.partition = "aws",
					     .region = "eu-west-1",
					     .account = "123456789012",
					     .function = "f",
					     .read = list,
					     .write = list,
					     .vpc = true,
					     .files = true,
					     .batch = true,
					     .repositories = list,
					     .secrets = list};
	scar_json_auto struct scar_json *root = policy(&needs);
	const struct scar_json *found = scar_json_first(scar_json_get(root, "Statement"));

	(void)state;
	for (; found; found = scar_json_next(found)) {
		const char *id = scar_json_string(scar_json_get(found, "Sid"));
		const char *first = scar_json_string(
			scar_json_first(scar_json_get(found, "Resource")));
		bool nameless = strcmp(id, "Network") == 0 || strcmp(id, "Files") == 0 ||
				strcmp(id, "DescribeJobs") == 0 ||
				strcmp(id, "RegistryPassword") == 0;

		assert_int_equal(strcmp(first, "*") == 0, nameless);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_function_may_write_its_own_log_only),
		cmocka_unit_test(only_what_is_needed_is_allowed),
		cmocka_unit_test(nothing_but_what_has_no_name_is_a_star),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
