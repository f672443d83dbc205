/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file run.h
 * Runs a program through an engine to its end: feeds its standard input, hands on its output as it comes, and ends it and its whole
 * process group before a deadline.
 *
 * Standard error goes to ours, whole lines at a time, and its tail is kept. When the program ends, what it leaves behind is
 * killed, as the end of a container would; output that a process which escaped keeps open is waited for only shortly. One poll(2)
 * loop, and a thread that keeps the time even while the sink blocks (stopper.h); no signal handlers (the process ignores SIGPIPE). When
 * scar_run() returns no descriptor and no thread of it is left.
 */
#ifndef SCAR_INVOKE_RUN_H
#define SCAR_INVOKE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/engine.h"
#include "runtime/base/limits.h"

struct scar_err;

/** Takes the next piece of standard output; -1 with err ends the run with that error. */
typedef int (*scar_run_sink)(void *ctx, const void *data, size_t len, struct scar_err *err);

struct scar_run_options {
	const struct scar_engine_ops *engine;
	/** What to start; its three descriptors are set here. */
	const struct scar_engine_spec *spec;
	const void *input;
	size_t input_len;
	scar_run_sink sink;
	void *sink_ctx;
	int stderr_fd;       /**< where standard error goes */
	bool json_log;       /**< as the lines of a JSON log */
	int64_t deadline_ms; /**< epoch ms at which SIGTERM is sent; 0: none */
	int64_t grace_ms;    /**< from SIGTERM to SIGKILL */
	int stop_fd; /**< the program is ended as at the deadline when this becomes readable; -1: never */
	/** "NAME=value" of envp by which processes that leave the group are found and killed; NULL: they are not. */
	const char *marker;
};

struct scar_run_result {
	struct scar_process_status status;
	bool timed_out;   /**< we ended it, at the deadline */
	bool interrupted; /**< we ended it, because of stop_fd */
	uint64_t stdout_bytes;
	int64_t elapsed_ms;
	size_t stderr_tail_len; /**< cut at the front, on a character's boundary */
	char stderr_tail[SCAR_LIMIT_STDERR_TAIL_BYTES];
};

/**
 * 0: the program ran and has ended, in whatever way. -1: it could not be started (SCAR_ERR_EXEC, ...), or the sink failed and it
 * was killed.
 */
int scar_run(const struct scar_run_options *options, struct scar_run_result *ret_result,
	     struct scar_err *err);

#endif
