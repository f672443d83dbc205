/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/answer.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "invoke/run.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* Lambda's own name for it. */
#define TYPE_TOO_LARGE "Function.ResponseSizeTooLarge"
/* As timeout(1) exits, and as a shell tells a signal. */
#define EXIT_TIMEOUT 124
#define EXIT_SIGNAL 128

void scar_answer_init(struct scar_answer *answer, struct scar_response *response,
		      enum scar_response_mode mode)
{
	*answer = (struct scar_answer){.response = response, .mode = mode};
	scar_buf_init(&answer->kept, SCAR_LIMIT_RESPONSE_BYTES);
}

void scar_answer_clear(struct scar_answer *answer)
{
	scar_buf_clear(&answer->kept);
}

static int begin_once(struct scar_answer *answer, struct scar_err *err)
{
	if (answer->begun)
		return 0;
	answer->begun = true;
	return scar_response_begin(answer->response, answer->mode, NULL, err);
}

int scar_answer_write(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_answer *answer = ctx;

	if (answer->mode == SCAR_RESPONSE_STREAMING) {
		if (begin_once(answer, err) < 0)
			return -1;
		return scar_response_write(answer->response, data, len, err);
	}
	if (len > answer->kept.max_bytes - answer->kept.len) {
		answer->too_large = true;
		len = answer->kept.max_bytes - answer->kept.len;
	}
	return scar_buf_append(&answer->kept, data, len, err);
}

/* ---- error documents ---- */

struct failure {
	const char *type;
	char message[256];
	int exit_code;
	int signal;
	const char *signal_name;
};

static const char *name_of_signal(int sig)
{
	static const struct {
		int sig;
		const char *name;
	} names[] = {
		{SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"},
		{SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"},
		{SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"},
		{SIGUSR1, "SIGUSR1"}, {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"},
		{SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
		{SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}, {SIGSYS, "SIGSYS"},
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i].sig == sig)
			return names[i].name;
	}
	return "another signal";
}

/* The kernel tells nobody why it sent SIGKILL: a program that had most of the memory most likely wanted more. */
static bool ran_out_of_memory(const struct scar_process_status *status, uint64_t memory_bytes)
{
	return status->signal == SIGKILL && memory_bytes &&
	       status->max_rss_bytes >= memory_bytes / 4 * 3;
}

static void describe_signal(const struct scar_process_status *status, uint64_t memory_bytes,
			    struct failure *failure)
{
	enum scar_err_kind kind = SCAR_ERR_SIGNAL;

	failure->signal = status->signal;
	failure->signal_name = name_of_signal(status->signal);
	failure->exit_code = EXIT_SIGNAL + status->signal;
	if (ran_out_of_memory(status, memory_bytes)) {
		kind = SCAR_ERR_OOM;
		snprintf(failure->message, sizeof failure->message,
			 "the program was killed, most likely for lack of memory: it used %" PRIu64
			 " MB of the function's %" PRIu64 " MB",
			 status->max_rss_bytes >> 20, memory_bytes >> 20);
	} else {
		snprintf(failure->message, sizeof failure->message,
			 "the program was ended by signal %d (%s)%s", status->signal,
			 failure->signal_name, status->dumped ? ", core dumped" : "");
	}
	failure->type = scar_err_info(kind)->error_type;
}

/* @return false if the program ended well */
static bool describe(const struct scar_run_result *result, uint64_t memory_bytes,
		     struct failure *failure)
{
	*failure = (struct failure){0};
	if (result->timed_out) {
		failure->type = scar_err_info(SCAR_ERR_TIMEOUT)->error_type;
		failure->exit_code = EXIT_TIMEOUT;
		snprintf(failure->message, sizeof failure->message,
			 "the program was stopped after %" PRId64
			 " ms, since the function's deadline was near",
			 result->elapsed_ms);
		return true;
	}
	if (!result->status.exited) {
		describe_signal(&result->status, memory_bytes, failure);
		return true;
	}
	failure->type = scar_err_info(SCAR_ERR_EXIT)->error_type;
	failure->exit_code = result->status.code;
	snprintf(failure->message, sizeof failure->message, "the program exited with status %d",
		 result->status.code);
	return result->status.code != 0;
}

static int add_output(const struct scar_answer *answer, struct scar_buf *members,
		      struct scar_err *err)
{
	size_t len = answer->kept.len;
	bool cut = answer->too_large || len > SCAR_ANSWER_STDOUT_BYTES;

	if (answer->mode == SCAR_RESPONSE_STREAMING)
		return 0;
	if (len > SCAR_ANSWER_STDOUT_BYTES)
		len = SCAR_ANSWER_STDOUT_BYTES;
	if (scar_buf_append_str(members, ",\"stdout\":\"", err) < 0 ||
	    scar_base64_encode(answer->kept.data, len, members, err) < 0)
		return -1;
	return scar_buf_append_str(members, cut ? "\",\"stdoutTruncated\":true" : "\"", err);
}

static int make_members(const struct scar_answer *answer, const struct failure *failure,
			const struct scar_run_result *result, struct scar_buf *members,
			struct scar_err *err)
{
	if (scar_buf_printf(members, err, "\"exitCode\":%d", failure->exit_code) < 0)
		return -1;
	if (failure->signal && scar_buf_printf(members, err, ",\"signal\":%d,\"signalName\":\"%s\"",
					       failure->signal, failure->signal_name) < 0)
		return -1;
	if (scar_buf_append_str(members, ",\"stderrTail\":", err) < 0 ||
	    scar_json_append_string(members, result->stderr_tail, result->stderr_tail_len, err) < 0)
		return -1;
	return add_output(answer, members, err);
}

static int fail(struct scar_answer *answer, const struct failure *failure,
		const struct scar_run_result *result, struct scar_err *err)
{
	struct scar_function_error error = {.error_type = failure->type,
					    .error_message = failure->message};
	scar_buf_auto struct scar_buf members;

	scar_buf_init(&members, SCAR_LIMIT_RESPONSE_BYTES);
	if (make_members(answer, failure, result, &members, err) < 0)
		return -1;
	error.extra_json = members.data;
	return scar_response_fail(answer->response, &error, err);
}

static int fail_too_large(struct scar_answer *answer, const struct scar_run_result *result,
			  struct scar_err *err)
{
	char message[320];
	const struct scar_function_error error = {.error_type = TYPE_TOO_LARGE,
						  .error_message = message};

	snprintf(message, sizeof message,
		 "the program wrote %" PRIu64
		 " bytes to standard output, and a buffered response holds at most %zu; with "
		 "SCAR_RESPONSE_MODE=streaming output has no such limit",
		 result->stdout_bytes, SCAR_LIMIT_RESPONSE_BYTES);
	return scar_response_fail(answer->response, &error, err);
}

int scar_answer_finish(struct scar_answer *answer, const struct scar_run_result *result,
		       uint64_t memory_bytes, struct scar_err *err)
{
	struct failure failure;

	if (describe(result, memory_bytes, &failure))
		return fail(answer, &failure, result, err);
	if (answer->too_large)
		return fail_too_large(answer, result, err);
	if (begin_once(answer, err) < 0)
		return -1;
	if (answer->mode == SCAR_RESPONSE_BUFFERED &&
	    scar_response_write(answer->response, answer->kept.data, answer->kept.len, err) < 0)
		return -1;
	return scar_response_end(answer->response, err);
}
