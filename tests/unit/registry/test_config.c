/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "registry/manifest.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define ID "\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" ID "," ID "]}"

static int parse(const char *text, struct scar_image_config *ret_config, struct scar_err *err)
{
	return scar_config_parse(text, strlen(text), ret_config, err);
}

static void reads_what_the_image_says_about_running_it(void **state)
{
	scar_config_auto struct scar_image_config config = {.env = NULL};
	struct scar_err err;

	(void)state;
	if (parse("{\"architecture\":\"amd64\",\"os\":\"linux\",\"variant\":\"v2\",\"config\":{"
		  "\"Env\":[\"PATH=/bin\",\"EMPTY=\"],\"Entrypoint\":[\"/bin/sh\",\"-c\"],"
		  "\"Cmd\":[\"\"],\"User\":\"1000:x\",\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\","
		  "\"Labels\":{\"a\":\"b\"},\"Volumes\":null}," ROOTFS ",\"history\":[{},{}]}",
		  &config, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(config.architecture, "amd64");
	assert_string_equal(config.os, "linux");
	assert_string_equal(config.variant, "v2");
	assert_string_equal(config.env[0], "PATH=/bin");
	assert_string_equal(config.env[1], "EMPTY=");
	assert_null(config.env[2]);
	assert_string_equal(config.entrypoint[1], "-c");
	assert_null(config.entrypoint[2]);
	assert_string_equal(config.cmd[0], "");
	assert_null(config.cmd[1]);
	assert_string_equal(config.user, "1000:x");
	assert_string_equal(config.working_dir, "/w");
	assert_string_equal(config.stop_signal, "SIGINT");
	assert_int_equal(config.diff_id_count, 2);
}

static void takes_null_and_absent_for_not_said(void **state)
{
	static const char *const texts[] = {
		"{" ROOTFS "}",
		"{\"config\":null," ROOTFS "}",
		"{\"os\":null,\"config\":{\"Env\":null,\"Entrypoint\":null,\"Cmd\":null,"
		"\"User\":\"\",\"WorkingDir\":null}," ROOTFS ",\"history\":null}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scar_config_auto struct scar_image_config config = {.env = NULL};
		struct scar_err err;

		if (parse(texts[i], &config, &err) < 0)
			fail_msg("%s", err.msg);
		assert_null(config.env);
		assert_null(config.entrypoint);
		assert_null(config.cmd);
		assert_null(config.user);
		assert_null(config.working_dir);
		assert_null(config.os);
		assert_int_equal(config.diff_id_count, 2);
	}
}

static void allows_an_image_without_layers(void **state)
{
	scar_config_auto struct scar_image_config config = {.env = NULL};
	struct scar_err err;

	(void)state;
	assert_int_equal(
		parse("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}", &config, &err), 0);
	assert_int_equal(config.diff_id_count, 0);
}

static void refuses_what_is_malformed(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"nope", "config"},
		{"[]", "not a JSON object"},
		{"{}", "rootfs"},
		{"{\"rootfs\":{\"type\":\"foo\"}}", "rootfs"},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":{}}}", "diff_ids"},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}}", "diff ID"},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:ab\"]}}", "diff ID"},
		{"{\"config\":[]," ROOTFS "}", "'config'"},
		{"{\"config\":{\"Env\":\"A=b\"}," ROOTFS "}", "Env"},
		{"{\"config\":{\"Cmd\":[1]}," ROOTFS "}", "Cmd"},
		{"{\"config\":{\"User\":5}," ROOTFS "}", "User"},
		{"{\"architecture\":[]," ROOTFS "}", "architecture"},
		{"{\"config\":{\"Cmd\":[\"a\\u0000b\"]}," ROOTFS "}", "config"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_image_config config;
		struct scar_err err;

		if (parse(cases[i].text, &config, &err) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(err.kind, SCAR_ERR_IMAGE);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' does not say '%s'", err.msg, cases[i].says);
	}
}

static void append(struct scar_buf *buf, const char *text)
{
	struct scar_err err;

	assert_int_equal(scar_buf_append_str(buf, text, &err), 0);
}

static void bounds_the_number_and_length_of_strings(void **state)
{
	scar_buf_auto struct scar_buf many, text;
	struct scar_image_config config;
	struct scar_err err;

	(void)state;
	scar_buf_init(&many, SCAR_MIB(1));
	append(&many, "{\"config\":{\"Env\":[\"a=b\"");
	for (int i = 0; i < SCAR_LIMIT_ARGS; i++)
		append(&many, ",\"a=b\"");
	append(&many, "]}," ROOTFS "}");
	assert_int_equal(parse(many.data, &config, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	scar_buf_init(&text, SCAR_MIB(1));
	append(&text, "{\"config\":{\"Cmd\":[\"");
	for (size_t i = 0; i <= SCAR_LIMIT_ARG_BYTES / 16; i++)
		append(&text, "0123456789abcdef");
	append(&text, "\"]}," ROOTFS "}");
	assert_int_equal(parse(text.data, &config, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_image_says_about_running_it),
		cmocka_unit_test(takes_null_and_absent_for_not_said),
		cmocka_unit_test(allows_an_image_without_layers),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(bounds_the_number_and_length_of_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
