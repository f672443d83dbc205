/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

static char written[65536];

/* Runs one scar_log() with fd 2 on a pipe; what it wrote is in `written`. */
#define CAPTURE(...)                                              \
	do {                                                      \
		int saved_, pipe_[2];                             \
		ssize_t n_;                                       \
		assert_int_equal(pipe2(pipe_, O_CLOEXEC), 0);     \
		saved_ = dup(STDERR_FILENO);                      \
		dup2(pipe_[1], STDERR_FILENO);                    \
		close(pipe_[1]);                                  \
		scar_log(__VA_ARGS__);                            \
		dup2(saved_, STDERR_FILENO);                      \
		close(saved_);                                    \
		n_ = read(pipe_[0], written, sizeof written - 1); \
		close(pipe_[0]);                                  \
		written[n_ > 0 ? n_ : 0] = '\0';                  \
	} while (0)

static void use(enum scar_log_level level, int json)
{
	struct scar_log_options options = {.level = level, .json = json, .program = "test"};

	scar_log_setup(&options);
	scar_log_set_request_id(NULL);
}

static void lines_below_the_level_are_dropped(void **state)
{
	(void)state;
	use(SCAR_LOG_WARN, 0);
	CAPTURE(SCAR_LOG_INFO, "quiet");
	assert_string_equal(written, "");
	CAPTURE(SCAR_LOG_WARN, "loud");
	assert_non_null(strstr(written, "WARN test: loud\n"));
	assert_false(scar_log_enabled(SCAR_LOG_INFO));
	use(SCAR_LOG_OFF, 0);
	CAPTURE(SCAR_LOG_FATAL, "never");
	assert_string_equal(written, "");
}

static void a_message_cannot_forge_a_second_line(void **state)
{
	(void)state;
	use(SCAR_LOG_INFO, 0);
	CAPTURE(SCAR_LOG_INFO, "a\nERROR test: forged\x1b[2J\xff");
	assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
	assert_null(strchr(written, '\x1b'));
	assert_non_null(strstr(written, "a\\nERROR test: forged\\u001b[2J\xef\xbf\xbd"));
}

static void a_json_line_is_a_json_object(void **state)
{
	scar_json_auto struct scar_json *line = NULL;
	struct scar_err err;

	(void)state;
	use(SCAR_LOG_DEBUG, 1);
	scar_log_set_request_id("id-1");
	CAPTURE(SCAR_LOG_DEBUG, "say \"%s\" \\ \n\t\x7f\xc3\xa9\xc3", "x");
	assert_int_equal(scar_json_parse(written, strlen(written), "line", &line, &err), 0);
	assert_string_equal(scar_json_string(scar_json_get(line, "level")), "DEBUG");
	assert_string_equal(scar_json_string(scar_json_get(line, "requestId")), "id-1");
	assert_string_equal(scar_json_string(scar_json_get(line, "message")),
			    "say \"x\" \\ \n\t\x7f\xc3\xa9\xef\xbf\xbd");
	assert_int_equal(strlen(scar_json_string(scar_json_get(line, "timestamp"))), 24);
}

static void the_longest_message_still_ends_its_json_line(void **state)
{
	scar_json_auto struct scar_json *line = NULL;
	struct scar_err err;
	char text[10000];

	(void)state;
	memset(text, 1, sizeof text - 1);
	text[sizeof text - 1] = '\0';
	use(SCAR_LOG_DEBUG, 1);
	CAPTURE(SCAR_LOG_DEBUG, "%s", text);
	assert_int_equal(scar_json_parse(written, strlen(written), "line", &line, &err), 0);
	assert_int_equal(strlen(scar_json_string(scar_json_get(line, "message"))), 4095);
}

static void levels_are_parsed_in_any_case(void **state)
{
	enum scar_log_level level = SCAR_LOG_TRACE;

	(void)state;
	assert_int_equal(scar_log_level_parse("warning", &level), 0);
	assert_int_equal(level, SCAR_LOG_WARN);
	assert_int_equal(scar_log_level_parse("CRITICAL", &level), 0);
	assert_int_equal(level, SCAR_LOG_FATAL);
	assert_int_equal(scar_log_level_parse("loud", &level), -1);
	assert_int_equal(scar_log_level_parse("", &level), -1);
	assert_int_equal(level, SCAR_LOG_FATAL);
}

static void urls_lose_users_queries_and_fragments(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"https://u:p@h.example:1/a/b?X-Amz-Signature=1#f", "https://h.example:1/a/b"},
		{"http://h/a@b", "http://h/a@b"},
		{"http://u:a@b@h", "http://h"},
		{"http://h?user@x", "http://h"},
		{"http://h#@/x", "http://h"},
		{"h:1/v2/?t=secret", "h:1/v2/"},
		{"", ""},
	};
	char shown[64], tiny[5];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(scar_log_url(cases[i].url, shown, sizeof shown),
				    cases[i].shown);
	assert_string_equal(scar_log_url("https://host/", tiny, sizeof tiny), "http");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_below_the_level_are_dropped),
		cmocka_unit_test(a_message_cannot_forge_a_second_line),
		cmocka_unit_test(a_json_line_is_a_json_object),
		cmocka_unit_test(the_longest_message_still_ends_its_json_line),
		cmocka_unit_test(levels_are_parsed_in_any_case),
		cmocka_unit_test(urls_lose_users_queries_and_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
