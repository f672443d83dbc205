/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

#define API "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001"

static struct scar_err err;

/* Loads these variables besides the one that must be there. */
static int load(struct scar_invoke_config *config, const char *a, const char *b)
{
	char *environment[] = {(char *)API, (char *)a, (char *)b, NULL};

	if (!a)
		environment[1] = NULL;
	return scar_invoke_config_load(environment, config, &err);
}

static void refuses(const char *variable, const char *word)
{
	struct scar_invoke_config config = {0};

	if (load(&config, variable, NULL) == 0)
		fail_msg("%s was accepted", variable);
	if (err.kind != SCAR_ERR_CONFIG && err.kind != SCAR_ERR_REFERENCE)
		fail_msg("%s: kind %s", variable, scar_err_info(err.kind)->name);
	if (!strstr(err.msg, word))
		fail_msg("%s: \"%s\" does not name %s", variable, err.msg, word);
	assert_null(config.runtime_api);
}

static void defaults_hold_where_nothing_is_set(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};

	(void)state;
	assert_int_equal(load(&config, NULL, NULL), 0);
	assert_string_equal(config.runtime_api, "127.0.0.1:9001");
	assert_null(config.image);
	assert_false(config.allow_event_image);
	assert_false(config.plain_http);
	assert_string_equal(config.engine, "auto");
	assert_string_equal(config.store_dir, "/tmp/scar");
	assert_int_equal(config.response_mode, SCAR_RESPOND_BUFFERED);
	assert_int_equal(config.threshold_ms, 1000);
	assert_int_equal(config.log_level, SCAR_LOG_INFO);
	assert_int_equal(config.log_format, SCAR_LOG_FORMAT_TEXT);
	assert_int_equal(config.memory_mb, 0);
	assert_int_equal(config.script.len, 0);
	assert_string_equal(config.environment[0], API);
	assert_null(config.environment[1]);
}

static void an_empty_value_is_not_set(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config config = {0};

	(void)state;
	assert_int_equal(load(&config, "SCAR_IMAGE=", "SCAR_TIMEOUT_THRESHOLD="), 0);
	assert_null(config.image);
	assert_int_equal(config.threshold_ms, 1000);
}

static void the_name_of_scar_4_serves_where_ours_is_not_set(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config alone = {0}, both = {0};

	(void)state;
	assert_int_equal(load(&alone, "IMAGE_ID=grycap/cowsay", NULL), 0);
	assert_string_equal(alone.image, "grycap/cowsay");
	assert_int_equal(load(&both, "IMAGE_ID=grycap/cowsay", "SCAR_IMAGE=alpine:3"), 0);
	assert_string_equal(both.image, "alpine:3");
}

static void values_are_understood_in_their_types(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(load(&a, "SCAR_PLAIN_HTTP=Yes", "SCAR_RESPONSE_MODE=Streaming"), 0);
	assert_true(a.plain_http);
	assert_int_equal(a.response_mode, SCAR_RESPOND_STREAMING);
	assert_int_equal(load(&b, "SCAR_TIMEOUT_THRESHOLD=0", "AWS_LAMBDA_LOG_FORMAT=JSON"), 0);
	assert_int_equal(b.threshold_ms, 0);
	assert_int_equal(b.log_format, SCAR_LOG_FORMAT_JSON);
	assert_int_equal(load(&c, "AWS_LAMBDA_LOG_LEVEL=debug", "SCAR_PLAIN_HTTP=off"), 0);
	assert_int_equal(c.log_level, SCAR_LOG_DEBUG);
	assert_false(c.plain_http);
}

static void a_wrong_value_is_refused_by_the_name_of_its_variable(void **state)
{
	(void)state;
	refuses("SCAR_PLAIN_HTTP=maybe", "SCAR_PLAIN_HTTP");
	refuses("SCAR_TIMEOUT_THRESHOLD=10s", "SCAR_TIMEOUT_THRESHOLD");
	refuses("SCAR_TIMEOUT_THRESHOLD=-1", "SCAR_TIMEOUT_THRESHOLD");
	refuses("SCAR_TIMEOUT_THRESHOLD= 5", "SCAR_TIMEOUT_THRESHOLD");
	refuses("SCAR_TIMEOUT_THRESHOLD=99999999999999999999", "SCAR_TIMEOUT_THRESHOLD");
	refuses("SCAR_RESPONSE_MODE=stream", "SCAR_RESPONSE_MODE");
	refuses("SCAR_LOG_LEVEL=loud", "SCAR_LOG_LEVEL");
	refuses("SCAR_IMAGE=library/UPPER", "SCAR_IMAGE");
	refuses("IMAGE_ID=a//b", "SCAR_IMAGE");
	refuses("SCAR_PLATFORM=linux", "SCAR_PLATFORM");
	refuses("SCAR_STORE_DIR=relative", "SCAR_STORE_DIR");
	refuses("SCAR_SCRIPT=%%%", "SCAR_SCRIPT");
	refuses("SCAR_SCRIPT=/nowhere/at/all", "SCAR_SCRIPT");
	refuses("SCAR_REGISTRY_USERNAME=me", "SCAR_REGISTRY_PASSWORD");
	refuses("SCAR_REGISTRY_PASSWORD=secret", "SCAR_REGISTRY_USERNAME");
}

static void no_error_shows_a_password(void **state)
{
	struct scar_invoke_config config = {0};

	(void)state;
	assert_int_equal(load(&config, "SCAR_REGISTRY_PASSWORD=hunter2", NULL), -1);
	assert_null(strstr(err.msg, "hunter2"));
}

static void without_a_runtime_api_there_is_nothing_to_do(void **state)
{
	char *environment[] = {(char *)"SCAR_IMAGE=alpine", NULL};
	struct scar_invoke_config config = {0};

	(void)state;
	assert_int_equal(scar_invoke_config_load(environment, &config, &err), 0);
	assert_int_equal(scar_invoke_config_need_api(&config, &err), -1);
	assert_non_null(strstr(err.msg, "AWS_LAMBDA_RUNTIME_API"));
	scar_invoke_config_clear(&config);
}

static void a_script_is_base64_or_a_file(void **state)
{
	scar_invoke_config_auto struct scar_invoke_config text = {0}, file = {0};
	char variable[64] = "SCAR_SCRIPT=/tmp/scar-test-XXXXXX";
	int fd = mkostemp(variable + strlen("SCAR_SCRIPT="), O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(scar_fs_write_all(fd, "from a file", 11, "script", &err), 0);
	close(fd);
	assert_int_equal(load(&file, variable, NULL), 0);
	unlink(variable + strlen("SCAR_SCRIPT="));
	assert_string_equal(file.script.data, "from a file");
	assert_int_equal(load(&text, "SCAR_SCRIPT=IyEvYmlu\nL3NoCg==", NULL), 0);
	assert_string_equal(text.script.data, "#!/bin/sh\n");
}

static void count(const char *name, void *ctx)
{
	assert_string_equal(name, "SCAR_IMGE");
	++*(int *)ctx;
}

static void typing_errors_are_found(void **state)
{
	char *environment[] = {(char *)"SCAR_IMGE=alpine",  (char *)"SCAR_IMAGE=alpine",
			       (char *)"SCAR_NO_OPENAT2=1", (char *)"SCAR_ENGINE_REFUSE=native",
			       (char *)"SCARF=warm",        NULL};
	int found = 0;

	(void)state;
	scar_invoke_config_unknown(environment, count, &found);
	assert_int_equal(found, 1);
}

/* The documentation is read by people; this keeps it true. */
static void the_documentation_has_every_setting_as_it_is(void **state)
{
	static const char *const types[] = {"text", "secret", "switch", "number", "choice"};
	scar_buf_auto struct scar_buf document;
	const struct scar_setting *rows;
	size_t row_count, lines = 0;

	(void)state;
	scar_buf_init(&document, 1 << 20);
	if (scar_fs_read_file(AT_FDCWD, "docs/environment.md", &document, &err) < 0)
		fail_msg("%s", err.msg);
	rows = scar_settings(&row_count);
	for (size_t i = 0; i < row_count; i++) {
		const char *alias = rows[i].alias, *fallback = rows[i].fallback;
		char line[1024];

		snprintf(line, sizeof line, "\n| `%s` | %s%s%s | %s | %s%s%s | %s |\n",
			 rows[i].name, alias ? "`" : "", alias ? alias : "", alias ? "`" : "",
			 types[rows[i].type], fallback ? "`" : "", fallback ? fallback : "",
			 fallback ? "`" : "", rows[i].doc);
		if (!strstr(document.data, line))
			fail_msg("docs/environment.md lacks this line:%s", line);
	}
	/* And no other. */
	for (const char *at = strstr(document.data, "|---|---|---|---|---|\n"); at; lines++) {
		at = strchr(at, '\n');
		if (!at || at[1] != '|')
			break;
		at++;
	}
	assert_int_equal(lines, row_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold_where_nothing_is_set),
		cmocka_unit_test(an_empty_value_is_not_set),
		cmocka_unit_test(the_name_of_scar_4_serves_where_ours_is_not_set),
		cmocka_unit_test(values_are_understood_in_their_types),
		cmocka_unit_test(a_wrong_value_is_refused_by_the_name_of_its_variable),
		cmocka_unit_test(no_error_shows_a_password),
		cmocka_unit_test(without_a_runtime_api_there_is_nothing_to_do),
		cmocka_unit_test(a_script_is_base64_or_a_file),
		cmocka_unit_test(typing_errors_are_found),
		cmocka_unit_test(the_documentation_has_every_setting_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
