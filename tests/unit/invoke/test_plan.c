/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/config.h"
#include "invoke/events/event.h"
#include "invoke/job.h"
#include "invoke/text.h"
#include "invoke/variables.h"
#include "invoke/workspace.h"
#include "registry/manifest.h"
#include "runtime/api/event.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define LIST(...) ((char *[]){__VA_ARGS__, NULL})

static struct scar_err err;
static struct scar_invoke_config config;
static struct scar_image_config image;
static struct scar_invocation invocation;
static struct scar_job job;
static struct scar_user user;
static struct scar_workspace workspace;
static bool image_has_tmp;
static struct scar_plan plan;
static struct scar_event event;

static int setup(void **state)
{
	static char *nothing[] = {NULL};

	(void)state;
	memset(&config, 0, sizeof config);
	memset(&image, 0, sizeof image);
	memset(&job, 0, sizeof job);
	memset(&user, 0, sizeof user);
	memset(&plan, 0, sizeof plan);
	config.environment = nothing;
	config.pass_credentials = true;
	scar_buf_init(&config.script, 1 << 20);
	scar_buf_init(&job.script, 1 << 20);
	scar_buf_init(&job.input, 1 << 20);
	scar_invocation_init(&invocation);
	invocation.request_id = strdup("id-1");
	user.home = (char *)"/root";
	workspace = SCAR_WORKSPACE_NONE;
	workspace.path = (char *)"/store/run/id-1";
	workspace.tmp_path = (char *)"/store/run/id-1/tmp";
	image_has_tmp = false;
	workspace.scar_path = (char *)"/store/run/id-1/tmp/scar";
	workspace.shm_path = (char *)"/store/run/id-1/shm";
	return invocation.request_id ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	scar_plan_clear(&plan);
	scar_event_clear(&event);
	scar_invocation_clear(&invocation);
	scar_buf_clear(&config.script);
	scar_buf_clear(&job.script);
	scar_buf_clear(&job.input);
	return 0;
}

static int make(void)
{
	const struct scar_plan_input input = {
		.config = &config,
		.image_has_tmp = image_has_tmp,
		.image = &image,
		.invocation = &invocation,
		.job = &job,
		.user = &user,
		.workspace = &workspace,
		.event = event.source ? &event : NULL,
		.item = event.source ? &event.items[0] : NULL,
	};

	return scar_plan_make(&input, &plan, &err);
}

static void expect_argv(const char *joined)
{
	char text[1024] = "";
	size_t len = 0;

	if (make() < 0)
		fail_msg("%s", err.msg);
	for (char **arg = plan.argv; *arg; arg++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s[%s]",
					arg == plan.argv ? "" : " ", *arg);
	assert_string_equal(text, joined);
}

static void set_script(struct scar_buf *buf, const char *text)
{
	assert_int_equal(scar_buf_append_str(buf, text, &err), 0);
	job.has_script = buf == &job.script;
}

static const char *variable(const char *name)
{
	return scar_environment_get(plan.envp, name);
}

/* ---- what runs ---- */

static void the_image_says_what_runs(void **state)
{
	(void)state;
	image.entrypoint = LIST((char *)"/entry", (char *)"-e");
	image.cmd = LIST((char *)"default", (char *)"two");
	expect_argv("[/entry] [-e] [default] [two]");
}

static void a_command_alone_is_the_program(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"/bin/sh");
	expect_argv("[/bin/sh]");
}

static void arguments_replace_the_command_and_not_the_entrypoint(void **state)
{
	(void)state;
	image.entrypoint = LIST((char *)"/entry");
	image.cmd = LIST((char *)"default");
	job.args = LIST((char *)"mine", (char *)"and mine");
	expect_argv("[/entry] [mine] [and mine]");
}

static void a_script_names_its_interpreter(void **state)
{
	(void)state;
	image.entrypoint = LIST((char *)"/entry");
	image.cmd = LIST((char *)"default");
	set_script(&job.script, "#!/usr/bin/python3\n");
	expect_argv("[/tmp/scar/script]");
	assert_ptr_equal(plan.script, &job.script);
}

static void a_script_without_one_is_for_the_shell(void **state)
{
	(void)state;
	set_script(&job.script, "echo hello\n");
	expect_argv("[/bin/sh] [/tmp/scar/script]");
}

static void a_program_as_script_starts_itself(void **state)
{
	(void)state;
	set_script(&job.script, "\177ELF...");
	expect_argv("[/tmp/scar/script]");
}

static void arguments_beside_a_script_are_its_own(void **state)
{
	(void)state;
	set_script(&job.script, "#!/bin/sh\n");
	job.args = LIST((char *)"a");
	expect_argv("[/tmp/scar/script] [a]");
}

static void the_configured_script_runs_where_the_event_asks_for_nothing(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"default");
	set_script(&config.script, "#!/bin/sh\n");
	expect_argv("[/tmp/scar/script]");
	assert_ptr_equal(plan.script, &config.script);
}

static void an_event_s_arguments_go_before_the_configured_script(void **state)
{
	(void)state;
	set_script(&config.script, "#!/bin/sh\n");
	job.args = LIST((char *)"df", (char *)"-h");
	expect_argv("[df] [-h]");
	assert_null(plan.script);
}

static void an_event_s_script_goes_before_the_configured_one(void **state)
{
	(void)state;
	set_script(&config.script, "#!/bin/sh\n");
	set_script(&job.script, "echo");
	expect_argv("[/bin/sh] [/tmp/scar/script]");
	assert_ptr_equal(plan.script, &job.script);
}

static void nothing_to_run_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(make(), -1);
	assert_int_equal(err.kind, SCAR_ERR_EXEC);
	assert_non_null(strstr(err.msg, "command"));
}

/* ---- with what ---- */

static void variables_of_image_function_and_invocation_meet(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	image.env = LIST((char *)"PATH=/image/bin", (char *)"LEVEL=image",
			 (char *)"EMPTY=", (char *)"REQUEST_ID=forged", (char *)"A=b = c");
	config.environment = LIST((char *)"LEVEL=function", (char *)"GIVEN=by hand = yes",
				  (char *)"AWS_REGION=eu-west-1", (char *)"AWS_ACCESS_KEY_ID=AKID",
				  (char *)"AWS_LAMBDA_FUNCTION_NAME=f");
	invocation.trace_id = strdup("Root=1-2");
	assert_int_equal(make(), 0);
	assert_string_equal(variable("PATH"), "/image/bin");
	assert_string_equal(variable("HOME"), "/root");
	assert_string_equal(variable("LEVEL"), "function");
	assert_string_equal(variable("GIVEN"), "by hand = yes");
	assert_string_equal(variable("EMPTY"), "");
	assert_string_equal(variable("A"), "b = c");
	assert_string_equal(variable("AWS_REGION"), "eu-west-1");
	assert_string_equal(variable("AWS_ACCESS_KEY_ID"), "AKID");
	assert_string_equal(variable("AWS_LAMBDA_FUNCTION_NAME"), "f");
	assert_string_equal(variable("REQUEST_ID"), "id-1");
	assert_string_equal(variable("_X_AMZN_TRACE_ID"), "Root=1-2");
	assert_string_equal(variable("TMP_INPUT_DIR"), "/tmp/scar/input");
	assert_string_equal(variable("TMP_OUTPUT_DIR"), "/tmp/scar/output");
	assert_string_equal(variable("INPUT_FILE_PATH"), "/tmp/scar/input/event");
}

static void no_name_is_there_twice(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	image.env = LIST((char *)"A=1", (char *)"PATH=/p", (char *)"A=2", (char *)"AB=3");
	config.environment = LIST((char *)"A=4", (char *)"AB=5", (char *)"AB=6");
	assert_int_equal(make(), 0);
	for (char **a = plan.envp; *a; a++) {
		for (char **b = a + 1; *b; b++) {
			size_t len = strcspn(*a, "=") + 1;

			if (strncmp(*a, *b, len) == 0)
				fail_msg("%s and %s", *a, *b);
		}
	}
	assert_string_equal(variable("A"), "4");
	assert_string_equal(variable("AB"), "6");
}

static void what_belongs_to_lambda_stays_with_lambda(void **state)
{
	static const char *const names[] = {
		"PATH",
		"LD_LIBRARY_PATH",
		"LD_PRELOAD",
		"_HANDLER",
		"LAMBDA_TASK_ROOT",
		"LANG",
		"AWS_LAMBDA_RUNTIME_API",
		"SCAR_REGISTRY_PASSWORD",
		"TZ",
		"PYTHONPATH",
		"_LAMBDA_TELEMETRY_LOG_FD",
		"IMAGE_ID",
		"HOME",
		"AWS_EXECUTION_ENV",
	};

	(void)state;
	image.cmd = LIST((char *)"x");
	config.environment = LIST(
		(char *)"PATH=/var/lang/bin", (char *)"LD_LIBRARY_PATH=/var/lang/lib",
		(char *)"LD_PRELOAD=/x.so", (char *)"_HANDLER=h",
		(char *)"LAMBDA_TASK_ROOT=/var/task", (char *)"LANG=en_US.UTF-8",
		(char *)"AWS_LAMBDA_RUNTIME_API=1:2", (char *)"SCAR_REGISTRY_PASSWORD=secret",
		(char *)"TZ=:UTC", (char *)"PYTHONPATH=/var/runtime",
		(char *)"_LAMBDA_TELEMETRY_LOG_FD=3", (char *)"IMAGE_ID=x",
		(char *)"HOME=/home/sbx_user1051",
		(char *)"AWS_EXECUTION_ENV=AWS_Lambda_python3.12",
		(char *)"=C:", (char *)"nonsense");
	assert_int_equal(make(), 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], "PATH") == 0)
			assert_string_equal(variable("PATH"), SCAR_DEFAULT_PATH);
		else if (strcmp(names[i], "HOME") == 0)
			assert_string_equal(variable("HOME"), "/root");
		else if (variable(names[i]))
			fail_msg("%s is passed", names[i]);
	}
	for (char **entry = plan.envp; *entry; entry++) {
		assert_non_null(strchr(*entry, '='));
		assert_true(**entry != '=');
		assert_null(strstr(*entry, "secret"));
	}
}

static void locale_and_zone_that_somebody_chose_are_passed(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	config.environment = LIST((char *)"LANG=C.UTF-8", (char *)"TZ=Europe/Madrid");
	assert_int_equal(make(), 0);
	assert_string_equal(variable("LANG"), "C.UTF-8");
	assert_string_equal(variable("TZ"), "Europe/Madrid");
}

static void a_variable_can_be_forced(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	image.env = LIST((char *)"PATH=/image/bin");
	config.environment = LIST((char *)"CONT_VAR_PATH=/forced", (char *)"CONT_VAR_TZ=:UTC",
				  (char *)"CONT_VAR_=nothing");
	assert_int_equal(make(), 0);
	assert_string_equal(variable("PATH"), "/forced");
	assert_string_equal(variable("TZ"), ":UTC");
	assert_null(variable("CONT_VAR_PATH"));
	assert_null(variable("CONT_VAR_"));
}

static void set_event(const char *data, size_t len)
{
	scar_buf_reset(&invocation.event);
	assert_int_equal(scar_buf_append(&invocation.event, data, len, &err), 0);
	scar_plan_clear(&plan);
	assert_int_equal(make(), 0);
}

static void the_event_is_a_variable_if_the_kernel_takes_it(void **state)
{
	scar_free_auto char *large = malloc(SCAR_LIMIT_ARG_BYTES);

	(void)state;
	assert_non_null(large);
	memset(large, 'x', SCAR_LIMIT_ARG_BYTES);
	image.cmd = LIST((char *)"x");
	set_event("{\"a\":1}", 7);
	assert_string_equal(variable("EVENT"), "{\"a\":1}");
	set_event("a\0b", 3);
	assert_null(variable("EVENT"));
	/* The kernel's limit counts the name, the '=' and the NUL. */
	set_event(large, SCAR_LIMIT_ARG_BYTES - sizeof "EVENT=" - 1);
	assert_non_null(variable("EVENT"));
	set_event(large, SCAR_LIMIT_ARG_BYTES - sizeof "EVENT=");
	assert_null(variable("EVENT"));
}

static void nothing_of_one_event_is_in_the_next_plan(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	set_event("first", 5);
	assert_string_equal(variable("EVENT"), "first");
	set_event("", 0);
	assert_null(variable("EVENT"));
}

static void standard_input_is_the_event_or_what_it_names(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	assert_int_equal(make(), 0);
	assert_ptr_equal(plan.input, &invocation.event);
	scar_plan_clear(&plan);
	job.has_input = true;
	assert_int_equal(make(), 0);
	assert_ptr_equal(plan.input, &job.input);
}

/* ---- what the event tells ---- */

static void event_is(const char *text)
{
	assert_int_equal(scar_event_read(text, strlen(text), false, &event, &err), 0);
	image.cmd = LIST((char *)"x");
	assert_int_equal(make(), 0);
}

static void a_file_s_event_tells_its_key_and_time(void **state)
{
	(void)state;
	event_is(
		"{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventTime\":\"2019-02-23T11:40:46.473Z\","
		"\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"in/a+b.txt\"}}}]}");
	assert_string_equal(variable("STORAGE_OBJECT_KEY"), "in/a b.txt");
	assert_string_equal(variable("EVENT_TIME"), "2019-02-23T11:40:46.473Z");
	assert_ptr_equal(plan.payload, &event.items[0].document);
	assert_string_equal(variable("EVENT"), event.items[0].document.data);
}

static void a_direct_event_has_neither_key_nor_time(void **state)
{
	(void)state;
	event_is("{\"a\": 1}");
	assert_null(variable("STORAGE_OBJECT_KEY"));
	assert_null(variable("EVENT_TIME"));
	assert_null(variable("REQUEST_METHOD"));
}

static void a_request_s_body_is_input_and_its_parts_are_variables(void **state)
{
	(void)state;
	event_is(
		"{\"httpMethod\":\"POST\",\"path\":\"/p\",\"body\":\"AAE=\",\"isBase64Encoded\":true,"
		"\"headers\":{\"Content-Type\":\"a/b\",\"X-Y\":\"z\",\"Proxy\":\"http://evil\",\"Bad Name\":\"x\"},"
		"\"queryStringParameters\":{\"test1\":\"val 1\",\"LD_PRELOAD\":\"/x.so\",\"a-b\":\"no\",\"1\":\"no\"}}");
	assert_int_equal(plan.input->len, 2);
	assert_memory_equal(plan.input->data, "\0\1", 2);
	assert_ptr_equal(plan.payload, plan.input);
	assert_string_equal(variable("REQUEST_METHOD"), "POST");
	assert_string_equal(variable("PATH_INFO"), "/p");
	assert_string_equal(variable("CONTENT_TYPE"), "a/b");
	assert_string_equal(variable("CONTENT_LENGTH"), "2");
	assert_string_equal(variable("HTTP_X_Y"), "z");
	assert_null(variable("HTTP_PROXY"));
	assert_string_equal(variable("CONT_VAR_test1"), "val 1");
	assert_string_equal(variable("CONT_VAR_LD_PRELOAD"), "/x.so");
	assert_null(variable("LD_PRELOAD"));
	assert_null(variable("CONT_VAR_a-b"));
	assert_null(variable("CONT_VAR_1"));
	assert_non_null(strstr(variable("QUERY_STRING"), "test1=val%201"));
}

static void a_stranger_cannot_set_what_the_invocation_sets(void **state)
{
	(void)state;
	event_is("{\"httpMethod\":\"GET\",\"queryStringParameters\":{\"REQUEST_ID\":\"forged\"}}");
	assert_string_equal(variable("REQUEST_ID"), "id-1");
}

static void credentials_can_be_kept_from_the_program(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	config.pass_credentials = false;
	config.environment = LIST(
		(char *)"AWS_ACCESS_KEY_ID=a", (char *)"AWS_SECRET_ACCESS_KEY=b",
		(char *)"AWS_SESSION_TOKEN=c", (char *)"AWS_CONTAINER_CREDENTIALS_FULL_URI=d",
		(char *)"AWS_REGION=r", (char *)"CONT_VAR_AWS_ACCESS_KEY_ID=mine");
	assert_int_equal(make(), 0);
	assert_string_equal(variable("AWS_ACCESS_KEY_ID"), "mine");
	assert_null(variable("AWS_SECRET_ACCESS_KEY"));
	assert_null(variable("AWS_SESSION_TOKEN"));
	assert_null(variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
	assert_string_equal(variable("AWS_REGION"), "r");
}

static void an_extra_payload_shows_the_function_s_package(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	config.environment = LIST((char *)"LAMBDA_TASK_ROOT=/var/task",
				  (char *)"EXTRA_PAYLOAD=/var/task/x");
	assert_int_equal(make(), 0);
	assert_string_equal(variable("EXTRA_PAYLOAD"), "/var/task/x");
	assert_int_equal(plan.bind_count, 3);
	assert_string_equal(plan.binds[2].guest, "/var/task");
	assert_true(plan.binds[2].read_only);
}

static void make_resident(enum scar_plan_resident resident)
{
	const struct scar_plan_input input = {
		.config = &config,
		.image = &image,
		.invocation = &invocation,
		.job = &job,
		.user = &user,
		.workspace = &workspace,
		.resident = resident,
		.port = 8080,
	};

	config.environment = LIST((char *)"AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001",
				  (char *)"_HANDLER=f.g", (char *)"LD_LIBRARY_PATH=/var/lang/lib",
				  (char *)"AWS_REGION=r");
	assert_int_equal(scar_plan_make(&input, &plan, &err), 0);
	assert_null(variable("LD_LIBRARY_PATH"));
	assert_null(variable("REQUEST_ID"));
	assert_null(variable("EVENT"));
	assert_string_equal(variable("AWS_REGION"), "r");
	assert_non_null(plan.marker);
}

static void a_server_is_told_its_port_and_no_event(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	make_resident(SCAR_PLAN_SERVER);
	assert_string_equal(variable("PORT"), "8080");
	assert_null(variable("AWS_LAMBDA_RUNTIME_API"));
}

static void an_images_runtime_is_told_where_the_service_is(void **state)
{
	(void)state;
	image.entrypoint = LIST((char *)"x");
	make_resident(SCAR_PLAN_RUNTIME);
	assert_string_equal(variable("AWS_LAMBDA_RUNTIME_API"), "127.0.0.1:9001");
	assert_string_equal(variable("_HANDLER"), "f.g");
	assert_null(variable("PORT"));
	scar_plan_clear(&plan);
	/* Its own Cmd names the handler. */
	image.cmd = LIST((char *)"mine");
	make_resident(SCAR_PLAN_RUNTIME);
	assert_null(variable("_HANDLER"));
}

/* ---- as whom and where ---- */

static void identity_directory_and_binds_are_in_the_plan(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	image.working_dir = (char *)"/data/work";
	user.uid = 1000;
	user.gid = 1001;
	user.groups[0] = 29;
	user.group_count = 1;
	assert_int_equal(make(), 0);
	assert_int_equal(plan.uid, 1000);
	assert_int_equal(plan.gid, 1001);
	assert_int_equal(plan.group_count, 1);
	assert_int_equal(plan.groups[0], 29);
	assert_string_equal(plan.cwd, "/data/work");
	assert_int_equal(plan.bind_count, 2);
	assert_string_equal(plan.binds[0].guest, "/tmp");
	assert_string_equal(plan.binds[0].host, "/store/run/id-1/tmp");
	assert_false(plan.binds[0].read_only);
	assert_string_equal(plan.binds[1].guest, "/dev/shm");
	assert_string_equal(plan.binds[1].host, "/store/run/id-1/shm");
}

static void an_image_with_files_in_tmp_keeps_its_own(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	image_has_tmp = true;
	assert_int_equal(make(), 0);
	assert_true(plan.image_tmp);
	assert_int_equal(plan.bind_count, 2);
	assert_string_equal(plan.binds[0].guest, "/tmp/scar");
	assert_string_equal(plan.binds[0].host, "/store/run/id-1/tmp/scar");
}

static void the_working_directory_is_the_root_or_absolute(void **state)
{
	(void)state;
	image.cmd = LIST((char *)"x");
	assert_int_equal(make(), 0);
	assert_string_equal(plan.cwd, "/");
	scar_plan_clear(&plan);
	image.working_dir = (char *)"relative";
	assert_int_equal(make(), -1);
	assert_int_equal(err.kind, SCAR_ERR_IMAGE);
	assert_non_null(strstr(err.msg, "relative"));
}

static void a_marker_tells_the_processes_of_this_invocation(void **state)
{
	size_t i = 0;

	(void)state;
	image.cmd = LIST((char *)"x");
	assert_int_equal(make(), 0);
	assert_string_equal(plan.marker, "SCAR_WORKSPACE=/store/run/id-1");
	while (plan.envp[i] && plan.envp[i] != plan.marker)
		i++;
	assert_non_null(plan.envp[i]);
}

#define PLAN_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAN_TEST(the_image_says_what_runs),
		PLAN_TEST(a_command_alone_is_the_program),
		PLAN_TEST(arguments_replace_the_command_and_not_the_entrypoint),
		PLAN_TEST(a_script_names_its_interpreter),
		PLAN_TEST(a_script_without_one_is_for_the_shell),
		PLAN_TEST(a_program_as_script_starts_itself),
		PLAN_TEST(arguments_beside_a_script_are_its_own),
		PLAN_TEST(the_configured_script_runs_where_the_event_asks_for_nothing),
		PLAN_TEST(an_event_s_arguments_go_before_the_configured_script),
		PLAN_TEST(an_event_s_script_goes_before_the_configured_one),
		PLAN_TEST(nothing_to_run_is_an_error),
		PLAN_TEST(variables_of_image_function_and_invocation_meet),
		PLAN_TEST(no_name_is_there_twice),
		PLAN_TEST(what_belongs_to_lambda_stays_with_lambda),
		PLAN_TEST(locale_and_zone_that_somebody_chose_are_passed),
		PLAN_TEST(a_variable_can_be_forced),
		PLAN_TEST(the_event_is_a_variable_if_the_kernel_takes_it),
		PLAN_TEST(nothing_of_one_event_is_in_the_next_plan),
		PLAN_TEST(standard_input_is_the_event_or_what_it_names),
		PLAN_TEST(a_file_s_event_tells_its_key_and_time),
		PLAN_TEST(a_direct_event_has_neither_key_nor_time),
		PLAN_TEST(a_request_s_body_is_input_and_its_parts_are_variables),
		PLAN_TEST(a_stranger_cannot_set_what_the_invocation_sets),
		PLAN_TEST(credentials_can_be_kept_from_the_program),
		PLAN_TEST(an_extra_payload_shows_the_function_s_package),
		PLAN_TEST(a_server_is_told_its_port_and_no_event),
		PLAN_TEST(an_images_runtime_is_told_where_the_service_is),
		PLAN_TEST(identity_directory_and_binds_are_in_the_plan),
		PLAN_TEST(an_image_with_files_in_tmp_keeps_its_own),
		PLAN_TEST(the_working_directory_is_the_root_or_absolute),
		PLAN_TEST(a_marker_tells_the_processes_of_this_invocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
