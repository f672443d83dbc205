/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "deployer/arguments.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ARGS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})
#define NONE ((char **)(const char *[]){NULL})

/* As main.c does it; the arguments outlive the configuration, which borrows from them. */
static struct scar_arguments arguments;

static int parse(bool serve, char **args, char **environment, struct scar_local_config *ret_config,
		 struct scar_err *err)
{
	const struct scar_command *command = scar_arguments_command(serve ? SCAR_COMMAND_LOCAL_SERVE
									  : SCAR_COMMAND_LOCAL_RUN);

	scar_arguments_clear(&arguments);
	if (scar_arguments_parse(command, args, &arguments, err) < 0)
		return -1;
	return scar_local_config_read(serve, &arguments, environment, ret_config, err);
}

static struct scar_local_config parsed(bool serve, char **args, char **environment)
{
	struct scar_local_config config;
	struct scar_err err = {0};

	if (parse(serve, args, environment, &config, &err) < 0)
		fail_msg("%s", err.msg);
	return config;
}

static void refused(bool serve, char **args, char **environment, const char *words)
{
	struct scar_local_config config;
	struct scar_err err = {0};

	assert_int_equal(parse(serve, args, environment, &config, &err), -1);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

/* The value that the function will see, or NULL: the last of several counts. */
static const char *variable(const struct scar_local_config *config, const char *name)
{
	const char *value = NULL;

	for (char **v = config->variables; *v; v++) {
		if (strncmp(*v, name, strlen(name)) == 0 && (*v)[strlen(name)] == '=')
			value = *v + strlen(name) + 1;
	}
	return value;
}

static void the_image_ends_the_options(void **state)
{
	struct scar_local_config config = parsed(
		false, ARGS("--memory", "128", "alpine", "ls", "--memory", "9"), NONE);

	(void)state;
	assert_int_equal(config.function.memory_mb, 128);
	assert_string_equal(variable(&config, "SCAR_IMAGE"), "alpine");
	assert_string_equal(config.args[0], "ls");
	assert_string_equal(config.args[1], "--memory");
	scar_local_config_clear(&config);
}

static void two_dashes_stand_between_image_and_arguments(void **state)
{
	struct scar_local_config config = parsed(false, ARGS("alpine", "--", "--", "-x"), NONE);

	(void)state;
	assert_string_equal(config.args[0], "--");
	assert_string_equal(config.args[1], "-x");
	scar_local_config_clear(&config);
}

static void every_option_has_its_effect(void **state)
{
	struct scar_local_config config = parsed(
		false,
		ARGS("--engine", "ptrace", "--no-jail", "--tmp-size=64", "--timeout", "9",
		     "--plain-http", "--bootstrap", "/b", "-e", "A=b=c", "--env", "E=", "--script",
		     "s", "--stdin", "-", "--name", "n", "x"),
		NONE);

	(void)state;
	assert_string_equal(variable(&config, "SCAR_ENGINE"), "ptrace");
	assert_true(config.function.no_jail);
	assert_int_equal(config.function.tmp_mb, 64);
	assert_int_equal(config.function.timeout_s, 9);
	assert_string_equal(variable(&config, "SCAR_PLAIN_HTTP"), "1");
	assert_string_equal(config.function.bootstrap, "/b");
	assert_string_equal(variable(&config, "A"), "b=c");
	assert_string_equal(variable(&config, "E"), "");
	assert_string_equal(config.script, "s");
	assert_string_equal(config.stdin_path, "-");
	assert_string_equal(config.function.name, "n");
	scar_local_config_clear(&config);
}

static void serve_needs_no_image_and_has_a_port(void **state)
{
	struct scar_local_config config = parsed(true, ARGS("--port", "1234"), NONE);

	(void)state;
	assert_int_equal(config.port, 1234);
	assert_null(variable(&config, "SCAR_IMAGE"));
	scar_local_config_clear(&config);
	config = parsed(true, NONE, NONE);
	assert_int_equal(config.port, 9001);
	scar_local_config_clear(&config);
}

static void wrong_command_lines_are_refused_by_name(void **state)
{
	(void)state;
	refused(false, ARGS("--nothing", "x"), NONE, "--nothing");
	refused(false, ARGS("--memory"), NONE, "--memory");
	refused(false, ARGS("--memory", "lots", "x"), NONE, "lots");
	refused(false, ARGS("--memory", "1", "x"), NONE, "16");
	refused(false, ARGS("--timeout", "901", "x"), NONE, "900");
	refused(false, ARGS("--no-jail=yes", "x"), NONE, "--no-jail");
	refused(false, ARGS("-e", "NOVALUE", "x"), NONE, "NOVALUE");
	refused(false, NONE, NONE, "image");
	refused(false, ARGS("--port", "1", "x"), NONE, "--port");
	refused(true, ARGS("--stdin", "-"), NONE, "--stdin");
	refused(true, ARGS("x", "y"), NONE, "y");
	refused(false, ARGS("oci:/no/such/folder"), NONE, "/no/such/folder");
}

static void only_settings_of_the_callers_environment_are_handed_on(void **state)
{
	struct scar_local_config config = parsed(
		false, ARGS("-e", "SCAR_ENGINE=native", "x"),
		ARGS("HOME=/root", "SCAR_ENGINE=ptrace", "SCAR_REGISTRY_USERNAME=u",
		     "SCAR_JAIL=kernel-4.14", "AWS_SECRET_ACCESS_KEY=k"));

	(void)state;
	assert_null(variable(&config, "HOME"));
	assert_null(variable(&config, "AWS_SECRET_ACCESS_KEY"));
	assert_null(variable(&config, "SCAR_JAIL"));
	assert_string_equal(variable(&config, "SCAR_REGISTRY_USERNAME"), "u");
	assert_string_equal(variable(&config, "SCAR_ENGINE"), "native");
	assert_int_equal(config.function.kernel, SCAR_JAIL_KERNEL_4_14);
	scar_local_config_clear(&config);
	refused(false, ARGS("x"), ARGS("SCAR_JAIL=leaky"), "leaky");
}

static void a_path_image_becomes_absolute_and_visible(void **state)
{
	struct scar_local_config config = parsed(false, ARGS("oci:.:latest"), NONE);
	const char *image = variable(&config, "SCAR_IMAGE");

	(void)state;
	assert_true(strncmp(image, "oci:/", 5) == 0);
	assert_non_null(config.binds[0]);
	assert_true(strncmp(image + 4, config.binds[0], strlen(config.binds[0])) == 0);
	assert_string_equal(image + 4 + strlen(config.binds[0]), ":latest");
	scar_local_config_clear(&config);
}

static void the_event_carries_arguments_as_scar_does(void **state)
{
	struct scar_local_config config = parsed(false, ARGS("x", "sh", "-c", "echo \"\n\""), NONE);
	scar_json_auto struct scar_json *root = NULL;
	scar_buf_auto struct scar_buf event;
	struct scar_err err;

	(void)state;
	scar_buf_init(&event, SCAR_LIMIT_EVENT_BYTES);
	assert_int_equal(scar_local_config_event(&config, &event, &err), 0);
	assert_int_equal(scar_json_parse(event.data, event.len, "event", &root, &err), 0);
	assert_string_equal(scar_json_string(scar_json_get(root, "cmd_args")),
			    "[\"sh\",\"-c\",\"echo \\\"\\n\\\"\"]");
	scar_local_config_clear(&config);
}

static void without_arguments_the_event_is_empty(void **state)
{
	struct scar_local_config config = parsed(false, ARGS("x"), NONE);
	scar_buf_auto struct scar_buf event;
	struct scar_err err;

	(void)state;
	scar_buf_init(&event, SCAR_LIMIT_EVENT_BYTES);
	assert_int_equal(scar_local_config_event(&config, &event, &err), 0);
	assert_string_equal(event.data, "{}");
	scar_local_config_clear(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_image_ends_the_options),
		cmocka_unit_test(two_dashes_stand_between_image_and_arguments),
		cmocka_unit_test(every_option_has_its_effect),
		cmocka_unit_test(serve_needs_no_image_and_has_a_port),
		cmocka_unit_test(wrong_command_lines_are_refused_by_name),
		cmocka_unit_test(only_settings_of_the_callers_environment_are_handed_on),
		cmocka_unit_test(a_path_image_becomes_absolute_and_visible),
		cmocka_unit_test(the_event_carries_arguments_as_scar_does),
		cmocka_unit_test(without_arguments_the_event_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
