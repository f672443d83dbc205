/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an engine, with probes forced to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "invoke/engine/engine.h"
#include "runtime/base/err.h"

static const char *chosen(const char *name, const char *refused, struct scar_err *err)
{
	const struct scar_engine_ops *ops = NULL;

	if (refused)
		assert_int_equal(setenv("SCAR_ENGINE_REFUSE", refused, 1), 0);
	else
		assert_int_equal(unsetenv("SCAR_ENGINE_REFUSE"), 0);
	return scar_engine_choose(name, &ops, err) ? NULL : ops->name;
}

static void auto_takes_rewrite_where_namespaces_are_refused(void **state)
{
	struct scar_err err;

	(void)state;
	assert_string_equal(chosen("auto", "native", &err), "rewrite");
	assert_string_equal(chosen(NULL, "native", &err), "rewrite");
	assert_string_equal(chosen("", "native", &err), "rewrite");
}

static void auto_takes_ptrace_where_nothing_else_works(void **state)
{
	struct scar_err err;

	(void)state;
	assert_string_equal(chosen("auto", "native,rewrite", &err), "ptrace");
}

static void no_engine_is_an_error_that_tells_of_each(void **state)
{
	struct scar_err err = {.msg = ""};

	(void)state;
	assert_null(chosen("auto", "native,rewrite,ptrace", &err));
	assert_int_equal(err.kind, SCAR_ERR_ENGINE);
	assert_non_null(strstr(err.msg, "native: refused by SCAR_ENGINE_REFUSE"));
	assert_non_null(strstr(err.msg, "rewrite: refused"));
	assert_non_null(strstr(err.msg, "ptrace: refused"));
}

static void an_engine_asked_for_is_probed_too(void **state)
{
	struct scar_err err = {.msg = ""};

	(void)state;
	assert_string_equal(chosen("rewrite", "native", &err), "rewrite");
	assert_string_equal(chosen("ptrace", NULL, &err), "ptrace");
	assert_null(chosen("rewrite", "rewrite", &err));
	assert_int_equal(err.kind, SCAR_ERR_ENGINE);
	assert_non_null(strstr(err.msg, "engine rewrite"));
}

static void a_part_of_a_name_refuses_nothing(void **state)
{
	struct scar_err err;

	(void)state;
	assert_string_equal(chosen("rewrite", "rewrit,rewrite2,,native", &err), "rewrite");
}

static void an_unknown_engine_is_a_wrong_configuration(void **state)
{
	struct scar_err err;

	(void)state;
	assert_null(chosen("docker", NULL, &err));
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auto_takes_rewrite_where_namespaces_are_refused),
		cmocka_unit_test(auto_takes_ptrace_where_nothing_else_works),
		cmocka_unit_test(no_engine_is_an_error_that_tells_of_each),
		cmocka_unit_test(an_engine_asked_for_is_probed_too),
		cmocka_unit_test(a_part_of_a_name_refuses_nothing),
		cmocka_unit_test(an_unknown_engine_is_a_wrong_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
