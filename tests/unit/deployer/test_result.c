/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static struct scar_result result_of(const char *type, const char *document, struct scar_buf *output)
{
	struct scar_result result;
	struct scar_buf text = {.data = (char *)document, .len = strlen(document)};

	scar_buf_init(output, 4096);
	scar_result_parse(type, &text, &result, output);
	return result;
}

static void a_program_keeps_its_status_and_output(void **state)
{
	scar_buf_auto struct scar_buf output;
	struct scar_result result = result_of(
		"Function.ExitError",
		"{\"errorType\":\"Function.ExitError\",\"errorMessage\":\"m\",\"exitCode\":42,\"stdout\":\"aGkK\"}",
		&output);

	(void)state;
	assert_int_equal(result.exit_code, 42);
	assert_true(result.has_exit_code);
	assert_string_equal(result.message, "m");
	assert_string_equal(output.data, "hi\n");
}

static void an_error_of_the_runtime_has_the_status_of_its_type(void **state)
{
	scar_buf_auto struct scar_buf output;
	struct scar_result result = result_of(
		"Runtime.InvalidEntrypoint",
		"{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"m\"}", &output);

	(void)state;
	assert_int_equal(result.exit_code, scar_err_info(SCAR_ERR_EXEC)->exit_code);
	assert_false(result.has_exit_code);
}

static void a_timeout_is_124(void **state)
{
	scar_buf_auto struct scar_buf output;

	(void)state;
	assert_int_equal(result_of("Sandbox.Timedout", "{}", &output).exit_code, 124);
}

static void no_document_is_ever_success(void **state)
{
	static const char *const documents[] = {"",
						"null",
						"[]",
						"{\"exitCode\":0}",
						"{\"exitCode\":256}",
						"{\"exitCode\":-1}",
						"{\"exitCode\":\"7\"}",
						"{\"stdout\":\"%%\"}",
						"not JSON"};

	(void)state;
	for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
		scar_buf_auto struct scar_buf output;

		assert_int_equal(result_of("Function.Strange", documents[i], &output).exit_code, 1);
		assert_int_equal(output.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_keeps_its_status_and_output),
		cmocka_unit_test(an_error_of_the_runtime_has_the_status_of_its_type),
		cmocka_unit_test(a_timeout_is_124),
		cmocka_unit_test(no_document_is_ever_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
