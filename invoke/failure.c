/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/failure.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "invoke/run.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

/* As timeout(1) exits, and as a shell tells a signal. */
#define EXIT_TIMEOUT 124
#define EXIT_SIGNAL 128

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

static void set_kind(struct scar_failure *failure, enum scar_err_kind kind)
{
	failure->type = scar_err_info(kind)->error_type;
	failure->http_status = scar_err_info(kind)->http_status;
	if (failure->http_status < 500)
		failure->http_status = kind == SCAR_ERR_EVENT ? 400 : 500;
}

static void describe_signal(const struct scar_process_status *status, uint64_t memory_bytes,
			    struct scar_failure *failure)
{
	failure->signal = status->signal;
	failure->signal_name = name_of_signal(status->signal);
	failure->exit_code = EXIT_SIGNAL + status->signal;
	if (ran_out_of_memory(status, memory_bytes)) {
		set_kind(failure, SCAR_ERR_OOM);
		snprintf(failure->message, sizeof failure->message,
			 "the program was killed, most likely for lack of memory: it used %" PRIu64
			 " MB of the function's %" PRIu64 " MB",
			 status->max_rss_bytes >> 20, memory_bytes >> 20);
		return;
	}
	set_kind(failure, SCAR_ERR_SIGNAL);
	snprintf(failure->message, sizeof failure->message,
		 "the program was ended by signal %d (%s)%s", status->signal, failure->signal_name,
		 status->dumped ? ", core dumped" : "");
}

bool scar_failure_of_run(const struct scar_run_result *result, uint64_t memory_bytes,
			 struct scar_failure *ret_failure)
{
	*ret_failure = (struct scar_failure){.ran = true};
	if (result->timed_out) {
		set_kind(ret_failure, SCAR_ERR_TIMEOUT);
		ret_failure->exit_code = EXIT_TIMEOUT;
		snprintf(ret_failure->message, sizeof ret_failure->message,
			 "the program was stopped after %" PRId64
			 " ms, since the function's deadline was near",
			 result->elapsed_ms);
		return true;
	}
	if (result->interrupted) {
		set_kind(ret_failure, SCAR_ERR_INTERRUPTED);
		ret_failure->exit_code = EXIT_SIGNAL + SIGTERM;
		snprintf(ret_failure->message, sizeof ret_failure->message,
			 "the program was stopped, since the environment is shutting down");
		return true;
	}
	if (!result->status.exited) {
		describe_signal(&result->status, memory_bytes, ret_failure);
		return true;
	}
	if (result->status.code == 0)
		return false;
	set_kind(ret_failure, SCAR_ERR_EXIT);
	ret_failure->exit_code = result->status.code;
	snprintf(ret_failure->message, sizeof ret_failure->message,
		 "the program exited with status %d", result->status.code);
	return true;
}

void scar_failure_of_err(const struct scar_err *why, struct scar_failure *ret_failure)
{
	*ret_failure = (struct scar_failure){.ran = false};
	set_kind(ret_failure, why->kind);
	snprintf(ret_failure->message, sizeof ret_failure->message, "%s", why->msg);
}

int scar_failure_members(const struct scar_failure *failure, const struct scar_run_result *result,
			 struct scar_buf *members, struct scar_err *err)
{
	if (scar_buf_printf(members, err, "\"exitCode\":%d", failure->exit_code) < 0)
		return -1;
	if (failure->signal && scar_buf_printf(members, err, ",\"signal\":%d,\"signalName\":\"%s\"",
					       failure->signal, failure->signal_name) < 0)
		return -1;
	if (scar_buf_append_str(members, ",\"stderrTail\":", err) < 0)
		return -1;
	return scar_json_append_string(members, result->stderr_tail, result->stderr_tail_len, err);
}
