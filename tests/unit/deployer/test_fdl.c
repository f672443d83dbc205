/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/fdl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "deployer/arguments.h"
#include "deployer/fdl_keys.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define HEAD "functions:\n  aws:\n  - lambda:\n"
#define GOOD HEAD "      name: f\n      container: {image: i}\n"

static int parse(const char *defaults, const char *text, struct scar_fdl *ret_fdl,
		 struct scar_err *err)
{
	if (scar_fdl_parse(defaults, defaults ? strlen(defaults) : 0, text, strlen(text),
			   "dir/f.yaml", NULL, ret_fdl, err) < 0)
		return -1;
	if (scar_fdl_check(ret_fdl, err) == 0)
		return 0;
	scar_fdl_clear(ret_fdl);
	return -1;
}

static struct scar_fdl parsed(const char *defaults, const char *text)
{
	struct scar_fdl fdl = {0};
	struct scar_err err = {0};

	if (parse(defaults, text, &fdl, &err) < 0)
		fail_msg("%s", err.msg);
	return fdl;
}

static void refused(const char *text, const char *line, const char *words)
{
	struct scar_fdl fdl = {0};
	struct scar_err err = {0};

	if (parse(NULL, text, &fdl, &err) == 0) {
		scar_fdl_clear(&fdl);
		fail_msg("taken: %s", text);
	}
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	if (!strstr(err.msg, words) || !strstr(err.msg, line))
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.msg, line, words);
}

static void a_choice_is_kept_as_the_table_spells_it(void **state)
{
	struct scar_fdl fdl = parsed(NULL, HEAD "      name: f\n"
						"      execution_mode: BATCH\n"
						"      architectures: [ARM64]\n"
						"      url: {invoke_mode: response_stream}\n"
						"      container: {image: i}\n");

	(void)state;
	assert_int_equal(scar_fdl_mode_of(&fdl.functions[0]), SCAR_FDL_BATCH);
	assert_string_equal(fdl.functions[0].architecture, "arm64");
	assert_string_equal(fdl.functions[0].url_mode, "RESPONSE_STREAM");
	scar_fdl_clear(&fdl);
}

static void a_definition_of_scar_is_taken_whole(void **state)
{
	struct scar_fdl fdl = parsed(
		NULL,
		"functions:\n"
		"  aws:\n"
		"  - lambda:\n"
		"      name: f\n"
		"      memory: 1024\n"
		"      log_level: debug\n"
		"      execution_mode: lambda-batch\n"
		"      architectures: [arm64]\n"
		"      layers: [a, b]\n"
		"      vpc: {SubnetIds: [s], SecurityGroupIds: [g]}\n"
		"      file_system: [{Arn: x, LocalMountPath: /mnt/a}]\n"
		"      supervisor: {version: latest}\n"
		"      container:\n"
		"        image: i\n"
		"        timeout_threshold: 0\n"
		"        environment: {Variables: {A: 1, B: yes, C: }}\n"
		"      input: [{storage_provider: s3, path: /b/in/}]\n"
		"      output: [{storage_provider: s3.x, path: b/out, suffix: [a, b], prefix: p}]\n"
		"    iam: {role: r, boto_profile: default}\n"
		"    api_gateway: {name: api}\n"
		"    cloudwatch: {log_retention_policy_in_days: 3}\n"
		"    batch: {vcpus: 2, multi_node_parallel: {enabled: true}}\n"
		"  oscar:\n"
		"  - c: {name: x}\n"
		"storage_providers:\n"
		"  s3: {x: {access_key: k}}\n");
	const struct scar_fdl_function *f = &fdl.functions[0];

	(void)state;
	assert_int_equal(f->memory_mb, 1024);
	assert_string_equal(f->log_level, "DEBUG");
	assert_int_equal(scar_fdl_mode_of(f), SCAR_FDL_LAMBDA_BATCH);
	assert_string_equal(f->architecture, "arm64");
	assert_int_equal(f->layers.count, 2);
	assert_null(f->layers.items[2]);
	assert_string_equal(f->mounts.items[0].path, "/mnt/a");
	assert_true(f->threshold_s.said);
	assert_int_equal(f->program_environment.count, 3);
	assert_string_equal(f->program_environment.items[1].value, "yes");
	assert_string_equal(f->program_environment.items[2].value, "");
	assert_string_equal(f->inputs.items[0].path, "b/in");
	assert_true(scar_fdl_is_s3(&f->inputs.items[0]));
	assert_false(scar_fdl_is_s3(&f->outputs.items[0]));
	assert_string_equal(f->outputs.items[0].prefixes.items[0], "p");
	assert_string_equal(f->role, "r");
	assert_int_equal(f->retention_days, 3);
	assert_true(f->batch.multi_node);
	assert_int_equal(fdl.oscar_count, 1);
	assert_string_equal(fdl.directory, "dir/");
	scar_fdl_clear(&fdl);
}

static void the_image_may_stand_where_it_stood_before(void **state)
{
	struct scar_fdl fdl = parsed(NULL, HEAD "      name: f\n      image: old\n");

	(void)state;
	assert_string_equal(fdl.functions[0].image, "old");
	scar_fdl_clear(&fdl);
}

static void the_file_wins_over_the_defaults_and_lists_add_up(void **state)
{
	struct scar_fdl fdl = parsed(
		"{\"scar\": {\"config_version\": \"1.1.0\"}, \"aws\": {"
		"\"lambda\": {\"memory\": 512, \"timeout\": 10, \"layers\": [\"one\"],"
		" \"environment\": {\"Variables\": {\"A\": \"1\", \"B\": \"2\"}}},"
		"\"iam\": {\"role\": \"r\"}}}",
		GOOD "      memory: 256\n"
		     "      layers: [two]\n"
		     "      environment: {Variables: {B: 3}}\n");
	const struct scar_fdl_function *f = &fdl.functions[0];

	(void)state;
	assert_int_equal(f->memory_mb, 256);
	assert_int_equal(f->timeout_s, 10);
	assert_string_equal(f->role, "r");
	assert_string_equal(f->layers.items[0], "one");
	assert_string_equal(f->layers.items[1], "two");
	assert_int_equal(f->environment.count, 2);
	assert_string_equal(f->environment.items[1].value, "3");
	scar_fdl_clear(&fdl);
}

static void the_command_line_wins_over_the_file(void **state)
{
	char *words[] = {(char *)"-m", (char *)"2048", (char *)"-e", (char *)"A=b=c", NULL};
	scar_arguments_auto struct scar_arguments arguments = {0};
	struct scar_fdl fdl = {0};
	struct scar_err err = {0};

	(void)state;
	assert_int_equal(scar_arguments_parse(scar_arguments_command(SCAR_COMMAND_APPLY), words,
					      &arguments, &err),
			 0);
	assert_int_equal(scar_fdl_parse(NULL, 0, GOOD "      memory: 256\n",
					strlen(GOOD "      memory: 256\n"), "f", &arguments, &fdl,
					&err),
			 0);
	assert_int_equal(fdl.functions[0].memory_mb, 2048);
	assert_string_equal(fdl.functions[0].program_environment.items[0].value, "b=c");
	scar_fdl_clear(&fdl);
}

static void each_error_names_line_and_key(void **state)
{
	(void)state;
	refused(GOOD "      memroy: 1\n", "line 6",
		"lambda.memroy is not known (did you mean memory?)");
	refused(GOOD "      memory: 1\n", "line 6", "lambda.memory is a whole number from 128");
	refused(GOOD "      memory: lots\n", "line 6", "lambda.memory");
	refused(GOOD "      execution_mode: fast\n", "line 6", "lambda|lambda-batch|batch");
	refused(GOOD "      layers: one\n", "line 6", "lambda.layers is not a list");
	refused(GOOD "      layers: [[x]]\n", "line 6", "lambda.layers");
	refused(GOOD "      environment: 1\n", "line 6", "lambda.environment is not a mapping");
	refused(GOOD "      environment: {Variables: {A: [1]}}\n", "line 6", "Variables");
	refused(GOOD "      environment: {Variables: {A=B: 1}}\n", "line 6", "Variables");
	refused(GOOD "      input:\n      - {path: b}\n", "line 7", "storage_provider");
	refused(GOOD "      input:\n      - {storage_provider: s3, paht: b}\n", "line 7",
		"did you mean path?");
	refused(GOOD "      preheat: 3\n", "line 6", "preheat is not true or false");
	refused(GOOD "    iamm: {}\n", "line 6", "did you mean iam?");
	refused(GOOD "      vpc: {SubnetIds: [a]}\n", "line 3", "SecurityGroupIds");
	refused("function: {}\n", "line 1", "did you mean functions?");
	refused("functions: {awz: []}\n", "line 1", "did you mean aws?");
	refused("functions: {aws: {}}\n", "line 1", "functions.aws is not a list");
	refused("functions: {aws: [1]}\n", "line 1", "functions.aws[0]");
	refused("[]", "line 1", "is not a mapping");
	refused("functions:\n\taws: 1\n", "line 2", "f.yaml");
	refused(HEAD "      name: f\n", "line 3", "image");
	refused(HEAD "      image: i\n", "line 3", "name");
	refused(HEAD "      image: i\n      name: a b\n", "line 3", "name");
	refused(GOOD "  - lambda: {name: f, image: i}\n", "line 6", "twice");
}

static void a_function_that_would_feed_itself_is_refused(void **state)
{
	struct scar_fdl fdl;

	(void)state;
	refused(GOOD "      input: [{storage_provider: s3, path: b/x}]\n"
		     "      output:\n      - {storage_provider: s3, path: b/x/out}\n",
		"line 8", "for ever");
	fdl = parsed(NULL, GOOD "      input: [{storage_provider: s3, path: b/x}]\n"
				"      output: [{storage_provider: s3, path: b/x-out}]\n");
	scar_fdl_clear(&fdl);
}

static void the_functions_configuration_is_what_it_reads(void **state)
{
	struct scar_fdl fdl = parsed(
		NULL, GOOD "      init_script: sub/s.sh\n"
			   "      log_level: INFO\n"
			   "      file_stage_in: true\n"
			   "      output: [{storage_provider: minio.m, path: b/o, suffix: [x]}]\n"
			   "storage_providers: {minio: {m: {endpoint: e}}}\n");
	scar_buf_auto struct scar_buf text;
	struct scar_err err = {0};

	(void)state;
	scar_buf_init(&text, SCAR_MIB(1));
	assert_int_equal(scar_fdl_write_config(&fdl, &fdl.functions[0], &text, &err), 0);
	assert_string_equal(
		text.data, "{\"name\":\"f\",\"log_level\":\"INFO\",\"container\":{\"image\":\"i\","
			   "\"environment\":{\"Variables\":{}}},\"init_script\":\"s.sh\","
			   "\"download_input\":false,\"output\":[{\"storage_provider\":\"minio.m\","
			   "\"path\":\"b/o\",\"suffix\":[\"x\"]}],"
			   "\"storage_providers\":{\"minio\":{\"m\":{\"endpoint\":\"e\"}}}}");
	scar_fdl_clear(&fdl);
}

/* ---- many definitions, by chance but always the same ---- */

static uint32_t chance(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static void put_value(struct scar_buf *text, uint32_t *seed, struct scar_err *err)
{
	static const char *const values[] = {
		"1",      "512",          "text", "true",
		"[a, b]", "{A: 1}",       "~",    "[{storage_provider: s3, path: b/c}]",
		"\"\"",   "[1, [2]]",     "-3",   "x|y",
		"{",      "lambda-batch", "&a 1", "*a"};

	scar_buf_append_str(text, values[chance(seed, sizeof values / sizeof values[0])], err);
}

/* Keys of the table, some misspelt, with values of all kinds, nested as their dots say. */
static void put_definition(struct scar_buf *text, uint32_t seed, struct scar_err *err)
{
	size_t count;
	const struct scar_fdl_key *keys = scar_fdl_keys(&count);

	scar_buf_append_str(text, "functions: {aws: [{lambda: {name: f, image: i}", err);
	for (uint32_t n = chance(&seed, 6); n > 0; n--) {
		const char *key = keys[chance(&seed, (uint32_t)count)].key;
		unsigned open = 0;

		scar_buf_append_str(text, ", ", err);
		for (; *key; key++) {
			if (*key == '.') {
				scar_buf_append_str(text, ": {", err);
				open++;
			} else {
				scar_buf_append_char(
					text,
					chance(&seed, 200) ? *key : (char)(33 + chance(&seed, 90)),
					err);
			}
		}
		scar_buf_append_str(text, ": ", err);
		put_value(text, &seed, err);
		while (open-- > 0)
			scar_buf_append_char(text, '}', err);
	}
	scar_buf_append_str(text, "}]}\n", err);
}

static void two_hundred_definitions_by_chance_are_taken_or_refused_with_their_line(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (uint32_t seed = 0; seed < 400; seed++) {
		scar_buf_auto struct scar_buf text;
		struct scar_fdl fdl = {0};
		struct scar_err err = {0};

		scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
		put_definition(&text, seed * 7919u, &err);
		if (parse(NULL, text.data, &fdl, &err) == 0) {
			taken++;
			scar_fdl_clear(&fdl);
		} else if (!strstr(err.msg, "line ")) {
			fail_msg("no line: %s", err.msg);
		}
	}
	/* Both ends have to be met. */
	assert_in_range(taken, 40, 360);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_choice_is_kept_as_the_table_spells_it),
		cmocka_unit_test(a_definition_of_scar_is_taken_whole),
		cmocka_unit_test(the_image_may_stand_where_it_stood_before),
		cmocka_unit_test(the_file_wins_over_the_defaults_and_lists_add_up),
		cmocka_unit_test(the_command_line_wins_over_the_file),
		cmocka_unit_test(each_error_names_line_and_key),
		cmocka_unit_test(a_function_that_would_feed_itself_is_refused),
		cmocka_unit_test(the_functions_configuration_is_what_it_reads),
		cmocka_unit_test(
			two_hundred_definitions_by_chance_are_taken_or_refused_with_their_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
