/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/err.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void set_fills_kind_and_text_and_fails(void **state)
{
	struct scar_err err = {.errnum = 7};

	(void)state;
	assert_int_equal(scar_err_set(&err, SCAR_ERR_LIMIT, "%d of %s", 3, "them"), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
	assert_int_equal(err.errnum, 0);
	assert_string_equal(err.msg, "3 of them");
	scar_err_clear(&err);
	assert_int_equal(err.kind, SCAR_ERR_NONE);
	assert_string_equal(err.msg, "");
}

static void errno_values_choose_the_kind(void **state)
{
	static const struct {
		int errnum;
		enum scar_err_kind kind;
	} cases[] = {{ENOSPC, SCAR_ERR_NOSPACE},
		     {EDQUOT, SCAR_ERR_NOSPACE},
		     {ENOMEM, SCAR_ERR_NOMEM},
		     {EACCES, SCAR_ERR_IO}};
	struct scar_err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(scar_err_errno(&err, cases[i].errnum, "open %s", "x"), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_int_equal(err.errnum, cases[i].errnum);
	}
	assert_string_equal(err.msg, "open x: Permission denied");
}

static void wrap_adds_context_and_keeps_kind_and_errno(void **state)
{
	struct scar_err err;

	(void)state;
	scar_err_errno(&err, ENOENT, "open");
	assert_int_equal(scar_err_wrap(&err, "layer %d", 2), -1);
	assert_string_equal(err.msg, "layer 2: open: No such file or directory");
	assert_int_equal(err.kind, SCAR_ERR_IO);
	assert_int_equal(err.errnum, ENOENT);
}

static void wrap_may_quote_the_text_it_wraps(void **state)
{
	struct scar_err err;

	(void)state;
	scar_err_set(&err, SCAR_ERR_IO, "cause");
	scar_err_wrap(&err, "[%s]", err.msg);
	assert_string_equal(err.msg, "[cause]: cause");
}

static void too_long_a_text_loses_the_front_of_the_context(void **state)
{
	struct scar_err err;
	char context[SCAR_ERR_MSG_MAX - 10];

	(void)state;
	memset(context, 'x', sizeof context - 1);
	context[0] = 'F';
	context[sizeof context - 2] = 'E';
	context[sizeof context - 1] = '\0';
	scar_err_set(&err, SCAR_ERR_IO, "the very cause of it");
	scar_err_wrap(&err, "%s", context);
	assert_int_equal(strlen(err.msg), SCAR_ERR_MSG_MAX - 1);
	assert_memory_equal(err.msg, "...x", 4);
	assert_null(strchr(err.msg, 'F'));
	assert_non_null(strstr(err.msg, "xE: the very cause of it"));
	/* As often as it is wrapped, the cause stays. */
	for (int i = 0; i < 5; i++)
		scar_err_wrap(&err, "%s", context);
	assert_non_null(strstr(err.msg, "xE: the very cause of it"));
}

static void a_full_text_leaves_no_room_for_context(void **state)
{
	struct scar_err err;
	char text[2 * SCAR_ERR_MSG_MAX];

	(void)state;
	memset(text, 'c', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	scar_err_set(&err, SCAR_ERR_IO, "%s", text);
	assert_int_equal(strlen(err.msg), SCAR_ERR_MSG_MAX - 1);
	scar_err_wrap(&err, "context");
	assert_int_equal(strlen(err.msg), SCAR_ERR_MSG_MAX - 1);
	assert_int_equal(strspn(err.msg, "c"), SCAR_ERR_MSG_MAX - 1);
}

/* What Lambda accepts as a function error type; anything else becomes "Runtime.Unknown". */
static void every_kind_is_known_outside(void **state)
{
	regex_t type;

	(void)state;
	assert_int_equal(regcomp(&type, "^(Runtime|Function)\\.[A-Z][a-zA-Z]+$", REG_EXTENDED), 0);
	for (int kind = SCAR_ERR_NONE + 1; kind < SCAR_ERR_KINDS; kind++) {
		const struct scar_err_info *info = scar_err_info((enum scar_err_kind)kind);

		assert_non_null(info->name);
		assert_int_equal(regexec(&type, info->error_type, 0, NULL, 0), 0);
		assert_in_range(info->http_status, 400, 599);
		assert_in_range(info->exit_code, 1, 255);
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(info->name,
						scar_err_info((enum scar_err_kind)other)->name);
	}
	regfree(&type);
	assert_int_equal(scar_err_info(SCAR_ERR_NONE)->exit_code, 0);
}

static void an_unknown_kind_is_a_bug_of_ours(void **state)
{
	(void)state;
	assert_ptr_equal(scar_err_info(SCAR_ERR_KINDS), scar_err_info(SCAR_ERR_INTERNAL));
	assert_ptr_equal(scar_err_info((enum scar_err_kind)4000), scar_err_info(SCAR_ERR_INTERNAL));
}

static void an_error_fits_a_pipe_at_once(void **state)
{
	(void)state;
	assert_true(sizeof(struct scar_err) <= PIPE_BUF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_kind_and_text_and_fails),
		cmocka_unit_test(errno_values_choose_the_kind),
		cmocka_unit_test(wrap_adds_context_and_keeps_kind_and_errno),
		cmocka_unit_test(wrap_may_quote_the_text_it_wraps),
		cmocka_unit_test(too_long_a_text_loses_the_front_of_the_context),
		cmocka_unit_test(a_full_text_leaves_no_room_for_context),
		cmocka_unit_test(every_kind_is_known_outside),
		cmocka_unit_test(an_unknown_kind_is_a_bug_of_ours),
		cmocka_unit_test(an_error_fits_a_pipe_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
