/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole environment: this program, started again inside the sandbox, is the runtime, and does what
 * the event says.
 */
#include "runtime/emulator/environment.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/api/loop.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/function.h"

/* ---- the runtime ---------------------------------------------------------------------------- */

static int write_many(struct scar_response *response, size_t len, struct scar_err *err)
{
	static char block[65536];
	int result = 0;

	memset(block, 'x', sizeof block);
	for (size_t at = 0; at < len && result == 0; at += sizeof block)
		result = scar_response_write(
			response, block, len - at < sizeof block ? len - at : sizeof block, err);
	return result;
}

static int stream(struct scar_response *response, const char *what, struct scar_err *err)
{
	const struct scar_function_error late = {.error_type = "Function.Late",
						 .error_message = "late"};

	if (scar_response_begin(response, SCAR_RESPONSE_STREAMING, "text/plain", err) < 0 ||
	    scar_response_write(response, "first", 5, err) < 0)
		return -1;
	scar_clock_sleep_ms(300);
	if (scar_response_write(response, "second", 6, err) < 0)
		return -1;
	if (strcmp(what, "stream-exit") == 0)
		_exit(0);
	return strcmp(what, "stream-fail") == 0 ? scar_response_fail(response, &late, err)
						: scar_response_end(response, err);
}

static int obey(void *ctx, const struct scar_invocation *invocation, struct scar_response *response,
		struct scar_err *err)
{
	const char *what = invocation->event.data;
	unsigned *count = ctx;
	char text[256];

	++*count;
	if (strcmp(what, "exit7") == 0)
		_exit(7);
	if (strcmp(what, "exit0") == 0)
		_exit(0);
	if (strcmp(what, "segv") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(what, "hang") == 0)
		pause();
	if (strcmp(what, "fail") == 0)
		return scar_err_set(err, SCAR_ERR_IMAGE, "as told");
	if (strncmp(what, "stream", 6) == 0)
		return stream(response, what, err);
	if (strcmp(what, "log") == 0) {
		dprintf(1, "to stdout\n");
		dprintf(2, "to stderr\n");
	}
	if (scar_response_begin(response, SCAR_RESPONSE_BUFFERED, "text/plain", err) < 0)
		return -1;
	if (strcmp(what, "limit") == 0)
		return write_many(response, SCAR_LIMIT_RESPONSE_BYTES, err);
	if (strcmp(what, "over") == 0)
		return write_many(response, SCAR_LIMIT_RESPONSE_BYTES + 1, err);
	if (strncmp(what, "getenv ", 7) == 0)
		snprintf(text, sizeof text, "%s", getenv(what + 7) ? getenv(what + 7) : "(unset)");
	else if (strcmp(what, "meta") == 0)
		snprintf(text, sizeof text, "%s|%s|%s|%d", invocation->client_context,
			 invocation->trace_id, invocation->function_arn,
			 (int)((invocation->deadline_ms - scar_clock_epoch_ms() + 500) / 1000));
	else
		snprintf(text, sizeof text, "%u:%s", *count, what);
	return scar_response_write(response, text, strlen(text), err);
}

static int be_runtime(const char *api)
{
	const struct scar_function_error error = {.error_type = "Runtime.BadStart",
						  .error_message = "no start"};
	struct scar_loop_options options = {.api = api, .handler = obey};
	struct scar_err err;
	unsigned count = 0;

	if (getenv("BAD_START")) {
		(void)scar_loop_init_error(api, &error, &err);
		return 1;
	}
	if (getenv("DIE_AT_START"))
		return 3;
	options.ctx = &count;
	(void)scar_loop_run(&options, &err);
	return 1;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", NULL};

struct fixture {
	struct scar_function function;
	const char *variables[4];
	struct scar_environment *environment;
	int log_fd;
};

static void begin_with(struct fixture *f, unsigned timeout_s, const char *variable)
{
	struct scar_err err = {0};
	char path[] = "/dev/shm/scar-test-environment-XXXXXX";

	memset(f, 0, sizeof *f);
	f->variables[0] = "ASAN_OPTIONS=detect_leaks=0";
	f->variables[1] = "GIVEN=yes";
	f->variables[2] = variable;
	f->function = (struct scar_function){.name = "test",
					     .memory_mb = 512,
					     .timeout_s = timeout_s,
					     .tmp_mb = 8,
					     .bootstrap = "/proc/self/exe",
					     .variables = f->variables,
					     .binds = libraries};
	f->log_fd = mkostemp(path, O_CLOEXEC | O_APPEND);
	assert_true(f->log_fd >= 0);
	unlink(path);
	if (scar_environment_create(&f->function, f->log_fd, &f->environment, &err) < 0)
		fail_msg("%s", err.msg);
}

static void end(struct fixture *f)
{
	scar_environment_free(f->environment);
	close(f->log_fd);
}

static struct scar_call *queue(struct fixture *f, const char *event, bool streaming)
{
	const struct scar_call_request request = {.event = event,
						  .event_len = strlen(event),
						  .client_context = "{\"c\":1}",
						  .trace_id = "Root=1",
						  .stream = streaming};
	struct scar_call *call = NULL;
	struct scar_err err = {0};

	assert_int_equal(scar_call_create(&request, &call, &err), 0);
	if (scar_environment_invoke(f->environment, call, &err) < 0)
		fail_msg("%s", err.msg);
	return call;
}

static void expect_answer(struct fixture *f, const char *event, const char *answer)
{
	struct scar_call *call = queue(f, event, false);
	scar_buf_auto struct scar_buf body;
	struct scar_err err;

	scar_buf_init(&body, SCAR_MIB(8));
	assert_true(scar_call_wait(call));
	if (scar_call_error_type(call))
		fail_msg("%s: %s", event, scar_call_error_document(call)->data);
	assert_true(scar_call_read(call, &body, &err) >= 0);
	assert_string_equal(body.data, answer);
	scar_call_unref(call);
}

/* The error's document must hold both words. */
static void expect_error(struct fixture *f, const char *event, const char *type, const char *words)
{
	struct scar_call *call = queue(f, event, false);

	assert_true(scar_call_wait(call));
	assert_non_null(scar_call_error_type(call));
	assert_string_equal(scar_call_error_type(call), type);
	if (!strstr(scar_call_error_document(call)->data, words) ||
	    !strstr(scar_call_error_document(call)->data, type))
		fail_msg("%s: %s", event, scar_call_error_document(call)->data);
	scar_call_unref(call);
}

static void read_log(const struct fixture *f, char *text, size_t size)
{
	ssize_t n = pread(f->log_fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void one_runtime_serves_one_call_after_the_other(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, 20, NULL);
	expect_answer(&f, "a", "1:a");
	expect_answer(&f, "b", "2:b");
	expect_answer(&f, "", "3:");
	end(&f);
}

static void what_belongs_to_an_invocation_reaches_the_runtime(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, 20, NULL);
	expect_answer(&f, "meta",
		      "{\"c\":1}|Root=1|arn:aws:lambda:us-east-1:000000000000:function:test|20");
	end(&f);
}

static void the_runtime_sees_lambdas_variables_and_not_the_callers(void **state)
{
	struct fixture f;

	(void)state;
	setenv("OF_THE_CALLER", "secret", 1);
	begin_with(&f, 20, "TZ=Mars");
	expect_answer(&f, "getenv OF_THE_CALLER", "(unset)");
	expect_answer(&f, "getenv HOME", "(unset)");
	expect_answer(&f, "getenv GIVEN", "yes");
	expect_answer(&f, "getenv TZ", "Mars");
	expect_answer(&f, "getenv LAMBDA_TASK_ROOT", "/var/task");
	expect_answer(&f, "getenv AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512");
	end(&f);
}

static void an_error_of_the_function_is_passed_on_and_the_runtime_lives(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, 20, NULL);
	expect_error(&f, "fail", "Runtime.InvalidImage", "as told");
	expect_answer(&f, "next", "2:next");
	end(&f);
}

static void a_runtime_that_exits_is_told_of_and_started_anew(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, 20, NULL);
	expect_answer(&f, "first", "1:first");
	expect_error(&f, "exit7", "Runtime.ExitError",
		     "Error: Runtime exited with error: exit status 7");
	expect_answer(&f, "again", "1:again");
	expect_error(&f, "exit0", "Runtime.ExitError",
		     "Error: Runtime exited without providing a reason");
	expect_error(&f, "segv", "Runtime.ExitError",
		     "Error: Runtime exited with error: signal: killed");
	expect_answer(&f, "again", "1:again");
	end(&f);
}

static void a_timeout_kills_and_the_next_call_starts_anew(void **state)
{
	struct fixture f;
	int64_t start_us;

	(void)state;
	begin_with(&f, 1, NULL);
	expect_answer(&f, "first", "1:first");
	start_us = scar_clock_monotonic_us();
	expect_error(&f, "hang", "Sandbox.Timedout", "Task timed out after 1.00 seconds");
	assert_in_range(scar_clock_monotonic_us() - start_us, 900000, 3000000);
	expect_answer(&f, "again", "1:again");
	end(&f);
}

static void an_answer_at_the_limit_passes_and_one_over_it_does_not(void **state)
{
	struct fixture f;
	struct scar_call *call;
	scar_buf_auto struct scar_buf body;
	struct scar_err err;

	(void)state;
	scar_buf_init(&body, SCAR_MIB(8));
	begin_with(&f, 20, NULL);
	call = queue(&f, "limit", false);
	assert_true(scar_call_wait(call));
	assert_null(scar_call_error_type(call));
	assert_int_equal(scar_call_read(call, &body, &err), 1);
	assert_int_equal(body.len, SCAR_LIMIT_RESPONSE_BYTES);
	scar_call_unref(call);
	expect_error(&f, "over", "Function.ResponseSizeTooLarge",
		     "exceeded maximum allowed payload size");
	expect_answer(&f, "next", "3:next");
	end(&f);
}

static void a_stream_arrives_while_the_function_runs(void **state)
{
	struct fixture f;
	struct scar_call *call;
	scar_buf_auto struct scar_buf piece;
	struct scar_err err;
	int64_t first_us;

	(void)state;
	scar_buf_init(&piece, SCAR_MIB(8));
	begin_with(&f, 20, NULL);
	call = queue(&f, "stream", true);
	assert_int_equal(scar_call_read(call, &piece, &err), 1);
	first_us = scar_clock_monotonic_us();
	assert_string_equal(piece.data, "first");
	assert_int_equal(scar_call_read(call, &piece, &err), 1);
	assert_string_equal(piece.data, "second");
	assert_in_range(scar_clock_monotonic_us() - first_us, 150000, 5000000);
	assert_int_equal(scar_call_read(call, &piece, &err), 0);
	assert_null(scar_call_error_type(call));
	scar_call_unref(call);
	end(&f);
}

static void a_stream_that_fails_late_keeps_its_bytes_and_has_an_error(void **state)
{
	static const char *const events[] = {"stream-fail", "stream-exit"};
	static const char *const types[] = {"Function.Late", "Runtime.TruncatedResponse"};
	struct fixture f;

	(void)state;
	begin_with(&f, 20, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct scar_call *call = queue(&f, events[i], true);
		scar_buf_auto struct scar_buf piece;
		struct scar_err err;
		size_t total = 0;

		scar_buf_init(&piece, SCAR_MIB(8));
		while (scar_call_read(call, &piece, &err) > 0)
			total += piece.len;
		assert_int_equal(total, strlen("firstsecond"));
		assert_string_equal(scar_call_error_type(call), types[i]);
		scar_call_unref(call);
	}
	expect_answer(&f, "again", "1:again");
	end(&f);
}

static void the_log_has_start_end_and_report_around_what_was_written(void **state)
{
	struct fixture f;
	struct scar_call *call;
	char text[8192], id[64];
	const char *tail, *at;

	(void)state;
	begin_with(&f, 20, NULL);
	call = queue(&f, "log", false);
	assert_true(scar_call_wait(call));
	tail = scar_call_log_tail(call)->data;
	snprintf(id, sizeof id, "START RequestId: %s Version: $LATEST\n", scar_call_id(call));
	assert_true(strncmp(tail, id, strlen(id)) == 0);
	assert_non_null(at = strstr(tail, "to stdout\nto stderr\n"));
	assert_non_null(at = strstr(at, "END RequestId: "));
	assert_non_null(at = strstr(at, "REPORT RequestId: "));
	assert_non_null(strstr(at, "Memory Size: 512 MB"));
	assert_non_null(strstr(at, "Init Duration: "));
	read_log(&f, text, sizeof text);
	assert_non_null(strstr(text, tail));
	scar_call_unref(call);
	/* Only the first invocation tells how long initialisation took, and starts a tail of its own. */
	call = queue(&f, "x", false);
	assert_true(scar_call_wait(call));
	assert_null(strstr(scar_call_log_tail(call)->data, "Init Duration"));
	assert_null(strstr(scar_call_log_tail(call)->data, "to stdout"));
	scar_call_unref(call);
	end(&f);
}

static void an_initialisation_that_fails_fails_the_calls_with_its_words(void **state)
{
	struct fixture f;

	(void)state;
	begin_with(&f, 20, "BAD_START=1");
	expect_error(&f, "x", "Runtime.BadStart", "no start");
	expect_error(&f, "x", "Runtime.BadStart", "no start");
	end(&f);
	begin_with(&f, 20, "DIE_AT_START=1");
	expect_error(&f, "x", "Runtime.ExitError", "exit status 3");
	end(&f);
}

static void stopping_answers_those_who_wait(void **state)
{
	struct fixture f;
	struct scar_call *running, *waiting;
	int64_t start_us = scar_clock_monotonic_us();

	(void)state;
	begin_with(&f, 20, NULL);
	running = queue(&f, "hang", false);
	waiting = queue(&f, "x", false);
	scar_clock_sleep_ms(200);
	scar_environment_stop(f.environment);
	assert_true(scar_call_wait(running));
	assert_true(scar_call_wait(waiting));
	assert_non_null(scar_call_error_type(running));
	assert_non_null(scar_call_error_type(waiting));
	assert_in_range(scar_clock_monotonic_us() - start_us, 0, 5000000);
	scar_call_unref(running);
	scar_call_unref(waiting);
	end(&f);
}

static void a_reader_that_leaves_does_not_hold_up_the_function(void **state)
{
	struct fixture f;
	struct scar_call *call;

	(void)state;
	begin_with(&f, 20, NULL);
	call = queue(&f, "limit", true);
	scar_call_leave(call);
	scar_call_unref(call);
	expect_answer(&f, "next", "2:next");
	end(&f);
}

int main(void)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_runtime_serves_one_call_after_the_other),
		cmocka_unit_test(what_belongs_to_an_invocation_reaches_the_runtime),
		cmocka_unit_test(the_runtime_sees_lambdas_variables_and_not_the_callers),
		cmocka_unit_test(an_error_of_the_function_is_passed_on_and_the_runtime_lives),
		cmocka_unit_test(a_runtime_that_exits_is_told_of_and_started_anew),
		cmocka_unit_test(a_timeout_kills_and_the_next_call_starts_anew),
		cmocka_unit_test(an_answer_at_the_limit_passes_and_one_over_it_does_not),
		cmocka_unit_test(a_stream_arrives_while_the_function_runs),
		cmocka_unit_test(a_stream_that_fails_late_keeps_its_bytes_and_has_an_error),
		cmocka_unit_test(the_log_has_start_end_and_report_around_what_was_written),
		cmocka_unit_test(an_initialisation_that_fails_fails_the_calls_with_its_words),
		cmocka_unit_test(stopping_answers_those_who_wait),
		cmocka_unit_test(a_reader_that_leaves_does_not_hold_up_the_function),
	};

	if (api)
		_exit(be_runtime(api));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
