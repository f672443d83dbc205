/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file answer.h
 * From what programs put out, and how they ended, to the one answer of the invocation. An invocation runs a program once for each item of
 * its event, most often once.
 *
 * The content is the program's standard output byte for byte, or (SCAR_OUTPUT) the files it left, or a JSON document about the run. How it is
 * sent depends on who asked:
 *
 *   directly      as it is; a program that did not end well makes a function error whose document besides errorType and errorMessage has
 *                 exitCode, signal and signalName, stderrTail, and unless they were streamed stdout (base64 of the first
 *                 SCAR_ANSWER_STDOUT_BYTES) and stdoutTruncated
 *   over HTTP     in the document that http_answer.h tells, or after the prelude of a stream; a failure has a status of 500 or more
 *   queue, stream {"batchItemFailures": [...]}; what programs put out goes to the log
 */
#ifndef SCAR_INVOKE_ANSWER_H
#define SCAR_INVOKE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/answer_files.h"
#include "invoke/content.h"
#include "invoke/failure.h"
#include "invoke/overflow.h"
#include "invoke/run.h"
#include "invoke/tail.h"
#include "runtime/api/response.h"
#include "runtime/base/buf.h"
#include "runtime/base/limits.h"

struct scar_err;
struct scar_event;

#define SCAR_ANSWER_STDOUT_BYTES SCAR_KIB(256)

enum scar_answer_output {
	SCAR_ANSWER_STDOUT,
	SCAR_ANSWER_FILES, /**< no file: standard output; one: its bytes; several: a zip archive (OSCAR's rule) */
	SCAR_ANSWER_ZIP, /**< a zip archive of all files */
	SCAR_ANSWER_JSON /**< a document of exit code, time, output and errors; no function error then */
};

/** Everything is borrowed. */
struct scar_answer_options {
	struct scar_response *response;
	const struct scar_event *event; /**< NULL: invoked directly, with one item */
	enum scar_response_mode mode;
	enum scar_answer_output output;
	bool head;             /**< over HTTP: standard output begins with header fields */
	bool plain_text;       /**< over HTTP: see http_answer.h */
	uint64_t memory_bytes; /**< what the function has, 0 if not known */
	const char *request_id, *log_group, *log_stream;
	int log_fd; /**< where output goes that nobody is answered with; -1: nowhere */
	bool json_log;
	struct scar_overflow
		overflow; /**< for output and files that a buffered response does not hold */
};

struct scar_answer {
	struct scar_answer_options options;
	bool begun;     /* the response was begun */
	bool too_large; /* buffered: kept holds the beginning; all is in overflow, if that is begun and there are no files */
	uint64_t written; /* bytes of standard output */
	struct scar_buf
		kept; /* buffered output; streamed: what waits for the head of the answer to be known */
	struct scar_buf
		report; /* SCAR_ANSWER_JSON: documents with commas between them; batches: failed ids */
	struct scar_content_head head;
	bool has_head;
	const char *content_type; /* NULL: guessed */
	struct scar_answer_files files;
	bool has_files;
	size_t runs;                 /* items done */
	const char *reported;        /* id of the last record told to have failed */
	struct scar_failure failure; /* of the first item that failed */
	struct scar_run_result last; /* of the first that failed, or the last */
	struct scar_tail log;
	struct scar_overflow overflow;
};

/** Sends nothing yet. */
void scar_answer_init(struct scar_answer *answer, const struct scar_answer_options *options);
/** A piece of standard output; a scar_run_sink. A buffered answer that gets too large goes to storage, or where there is none forgets the rest. */
int scar_answer_write(void *answer, const void *data, size_t len, struct scar_err *err);
/** The program of item `index` has ended. output_fd: its TMP_OUTPUT_DIR, or -1. @return 1: go on with the next item, 0: stop here, -1 */
int scar_answer_ran(struct scar_answer *answer, size_t index, const struct scar_run_result *result,
		    int output_fd, struct scar_err *err);
/** Item `index` could not be run. @return as scar_answer_ran() */
int scar_answer_broke(struct scar_answer *answer, size_t index, const struct scar_err *why,
		      struct scar_err *err);
/** Sends what is left and ends the answer. */
int scar_answer_finish(struct scar_answer *answer, struct scar_err *err);
void scar_answer_clear(struct scar_answer *answer);

#define scar_answer_auto scar_auto(scar_answer_clear)

#endif
