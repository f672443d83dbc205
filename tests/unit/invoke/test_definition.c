/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "invoke/config.h"
#include "invoke/definition.h"
#include "invoke/storage/storage.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define API "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"
#define NOWHERE "LAMBDA_TASK_ROOT=/nonexistent"

static char fdl[4096];

/* The variable FDL with that definition. */
static char *variable(const char *yaml)
{
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	scar_buf_init(&text, sizeof fdl);
	assert_int_equal(scar_base64_encode(yaml, strlen(yaml), &text, &err), 0);
	snprintf(fdl, sizeof fdl, "FDL=%s", text.data);
	return fdl;
}

static void load(const char *yaml, const char *extra, struct scar_invoke_config *ret_config)
{
	char *const environment[] = {(char *)API, (char *)NOWHERE, variable(yaml), (char *)extra,
				     NULL};
	struct scar_err err;

	if (scar_invoke_config_load(environment, ret_config, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_refused(const char *yaml, const char *message)
{
	char *const environment[] = {(char *)API, (char *)NOWHERE, variable(yaml), NULL};
	struct scar_invoke_config config;
	struct scar_err err;

	assert_int_equal(scar_invoke_config_load(environment, &config, &err), -1);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

static void keys_stand_for_settings(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};

	(void)state;
	load("container: {image: grycap/cowsay, timeout_threshold: 2.5}\nlog_level: CRITICAL\n"
	     "download_input: no\n",
	     NULL, &config);
	assert_string_equal(config.image, "grycap/cowsay");
	assert_int_equal(config.threshold_ms, 2500);
	assert_string_equal(config.log_level_text, "FATAL");
	assert_false(config.download_input);
	assert_non_null(config.storage);
}

static void variables_win_over_keys(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};

	(void)state;
	load("container: {image: a}", "SCAR_IMAGE=b", &config);
	assert_string_equal(config.image, "b");
}

/* SCAR's command line cut A=b=c at its last "=". */
static void the_programs_variables_keep_every_character(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};

	(void)state;
	load("container: {environment: {Variables: {A: b=c=d, E: '', N: 010, T: yes}}}",
	     "CONT_VAR_N=mine", &config);
	assert_string_equal(scar_environment_get(config.environment, "CONT_VAR_A"), "b=c=d");
	assert_string_equal(scar_environment_get(config.environment, "CONT_VAR_E"), "");
	assert_string_equal(scar_environment_get(config.environment, "CONT_VAR_N"), "mine");
	assert_string_equal(scar_environment_get(config.environment, "CONT_VAR_T"), "yes");
}

static void what_is_wrong_is_refused_with_line_and_key(void **state)
{
	(void)state;
	assert_refused("a: 1\ncontainer:\n  timeout_threshold: soon",
		       "FDL: line 3: container.timeout_threshold is not a number of seconds from "
		       "0 to 900");
	assert_refused("download_input: perhaps",
		       "FDL, line 1: download_input is \"perhaps\", not one of 1, true, yes, on, "
		       "0, false, no, off");
	assert_refused("container:\n  image: [a]",
		       "FDL: line 2: container.image is not a single value");
	assert_refused("- a", "FDL: line 1: is not a mapping");
	assert_refused("a: 1\na: 2",
		       "FDL: line 2, column 1: key \"a\" is there twice, first in line 1");
	assert_refused("output:\n- path: ''", "FDL: line 2: path: is empty");
}

static void what_is_no_base64_is_refused(void **state)
{
	char *const environment[] = {(char *)API, (char *)NOWHERE, (char *)"FDL=*", NULL};
	struct scar_invoke_config config;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_invoke_config_load(environment, &config, &err), -1);
	assert_int_equal(strncmp(err.msg, "FDL", 3), 0);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

static void the_packages_file_comes_before_the_variable(void **state)
{
	char folder[] = "/tmp/scar-definition-XXXXXX", root[64], path[64];
	scar_invoke_config_auto struct scar_invoke_config config = {0};
	char *const environment[] = {(char *)API, root, variable("container: {image: other}"),
				     NULL};
	struct scar_err err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(root, sizeof root, "LAMBDA_TASK_ROOT=%s", folder);
	snprintf(path, sizeof path, "%s/function_config.yaml", folder);
	assert_int_equal(scar_fs_write_file(AT_FDCWD, path, 0644,
					    "container: {image: here}\ninit_script: run.sh\n", 45,
					    &err),
			 0);
	snprintf(path, sizeof path, "%s/run.sh", folder);
	assert_int_equal(scar_fs_write_file(AT_FDCWD, path, 0644, "echo", 4, &err), 0);
	if (scar_invoke_config_load(environment, &config, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(config.image, "here");
	assert_string_equal(config.script.data, "echo");
	assert_int_equal(scar_fs_remove_tree(AT_FDCWD, folder, &err), 0);
}

static void every_key_stands_for_a_setting_that_exists(void **state)
{
	size_t count, settings;
	const struct scar_definition_key *keys = scar_definition_keys(&count);
	const struct scar_setting *table = scar_settings(&settings);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		size_t j = 0;

		while (j < settings && strcmp(table[j].name, keys[i].setting) != 0)
			j++;
		assert_true(j < settings);
	}
}

/* docs/storage.md is read from the root of the tree, where tests run. */
static void every_key_is_documented(void **state)
{
	scar_buf_auto struct scar_buf text;
	struct scar_err err;
	size_t count;
	const struct scar_definition_key *keys = scar_definition_keys(&count);

	(void)state;
	scar_buf_init(&text, SCAR_MIB(1));
	assert_int_equal(scar_fs_read_file(AT_FDCWD, "docs/storage.md", &text, &err), 0);
	for (size_t i = 0; i < count; i++) {
		char row[256];

		snprintf(row, sizeof row, "| `%s` | `%s` | %s%s|\n", keys[i].key, keys[i].setting,
			 keys[i].doc, *keys[i].doc ? " " : "");
		if (!strstr(text.data, row))
			fail_msg("docs/storage.md lacks: %s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_stand_for_settings),
		cmocka_unit_test(variables_win_over_keys),
		cmocka_unit_test(the_programs_variables_keep_every_character),
		cmocka_unit_test(what_is_wrong_is_refused_with_line_and_key),
		cmocka_unit_test(what_is_no_base64_is_refused),
		cmocka_unit_test(the_packages_file_comes_before_the_variable),
		cmocka_unit_test(every_key_stands_for_a_setting_that_exists),
		cmocka_unit_test(every_key_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
