/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "invoke/events/event.h"
#include "invoke/http_answer.h"
#include "invoke/outputs.h"
#include "invoke/report.h"
#include "invoke/text.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

/* Lambda's own name for it. */
#define TYPE_TOO_LARGE "Function.ResponseSizeTooLarge"
#define TYPE_JSON "application/json"

static bool may_spill(const struct scar_answer *answer);

void scar_answer_init(struct scar_answer *answer, const struct scar_answer_options *options)
{
	*answer = (struct scar_answer){.options = *options, .overflow = options->overflow};
	scar_buf_init(&answer->kept, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&answer->report, SCAR_LIMIT_RESPONSE_BYTES);
	scar_answer_files_init(&answer->files, may_spill(answer) ? &answer->overflow : NULL);
	scar_tail_init(&answer->log, options->log_fd, options->json_log);
}

void scar_answer_clear(struct scar_answer *answer)
{
	scar_buf_clear(&answer->kept);
	scar_buf_clear(&answer->report);
	scar_answer_files_clear(&answer->files);
	scar_content_head_clear(&answer->head);
	scar_tail_finish(&answer->log);
	scar_overflow_clear(&answer->overflow);
}

/* ---- who asked ---- */

static bool is_http(const struct scar_answer *answer)
{
	return answer->options.event && answer->options.event->is_http;
}

static bool is_batch(const struct scar_answer *answer)
{
	const struct scar_event *event = answer->options.event;

	return event && (event->reply == SCAR_EVENT_REPLY_ANY_FAILURES ||
			 event->reply == SCAR_EVENT_REPLY_FROM_FAILURE);
}

/* A load balancer takes no stream. */
static bool is_stream(const struct scar_answer *answer)
{
	return answer->options.mode == SCAR_RESPONSE_STREAMING && !is_batch(answer) &&
	       !(is_http(answer) && answer->options.event->http.form == SCAR_EVENT_HTTP_ALB);
}

static bool wants_head(const struct scar_answer *answer)
{
	return is_http(answer) && answer->options.head &&
	       answer->options.output == SCAR_ANSWER_STDOUT;
}

static struct scar_http_answer http_answer(const struct scar_answer *answer)
{
	return (struct scar_http_answer){
		.form = answer->options.event->http.form,
		.multi_value = answer->options.event->http.multi_value,
		.plain_text = answer->options.plain_text,
		.request_id = answer->options.request_id,
		.log_group = answer->options.log_group,
		.log_stream = answer->options.log_stream,
		.status = answer->has_head ? answer->head.status : 200,
		.content_type = answer->content_type,
		.head = answer->has_head ? &answer->head : NULL,
	};
}

/* ---- streams ---- */

static int begin_stream(struct scar_answer *answer, const void *data, size_t len,
			const struct scar_http_answer *http, struct scar_err *err)
{
	scar_buf_auto struct scar_buf prelude;

	scar_buf_init(&prelude, SCAR_LIMIT_RESPONSE_BYTES);
	answer->begun = true;
	if (scar_response_begin(answer->options.response, SCAR_RESPONSE_STREAMING,
				http ? SCAR_HTTP_PRELUDE_TYPE : NULL, err) < 0)
		return -1;
	if (!http)
		return 0;
	if (scar_http_answer_prelude(http, data, len, &prelude, err) < 0)
		return -1;
	return scar_response_write(answer->options.response, prelude.data, prelude.len, err);
}

/* Everything goes out at once, after the prelude if there must be one. */
/* Also what scar_fs_read_through() calls. */
static int stream(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_answer *answer = ctx;

	if (!answer->begun) {
		const struct scar_http_answer http = is_http(answer) ? http_answer(answer)
								     : (struct scar_http_answer){0};

		if (begin_stream(answer, data, len, is_http(answer) ? &http : NULL, err) < 0)
			return -1;
	}
	return scar_response_write(answer->options.response, data, len, err);
}

/* Takes the header fields off what was kept. @return 1: they are known; 0: not yet; -1 */
static int take_head(struct scar_answer *answer, bool ended, struct scar_err *err)
{
	size_t len = 0;
	int got = scar_content_read_head(answer->kept.data, answer->kept.len, ended, &answer->head,
					 &len, err);

	if (got <= 0)
		return got;
	answer->has_head = true;
	scar_buf_consume(&answer->kept, len);
	return 1;
}

/* While the header fields of a stream are not complete, they are kept. */
static int stream_head(struct scar_answer *answer, const void *data, size_t len,
		       struct scar_err *err)
{
	int got;

	if (scar_buf_append(&answer->kept, data, len, err) < 0)
		return -1;
	got = take_head(answer, false, err);
	if (got <= 0)
		return got;
	if (stream(answer, answer->kept.data, answer->kept.len, err) < 0)
		return -1;
	scar_buf_clear(&answer->kept);
	return 0;
}

/* Header fields are for the caller, and a report of several runs is no file. */
static bool may_overflow(const struct scar_answer *answer)
{
	return answer->options.output != SCAR_ANSWER_JSON && !wants_head(answer) &&
	       scar_overflow_is_possible(&answer->overflow);
}

/* A stream needs the file only, not a place to deliver it to. */
static bool may_spill(const struct scar_answer *answer)
{
	return is_stream(answer) || may_overflow(answer);
}

/* Files are the answer then; of what is printed, error documents have the beginning. */
static bool is_output_forgotten(const struct scar_answer *answer)
{
	return answer->has_files || answer->options.output == SCAR_ANSWER_ZIP;
}

static int keep(struct scar_answer *answer, const void *data, size_t len, struct scar_err *err)
{
	const size_t room = answer->kept.max_bytes - answer->kept.len;

	if (answer->overflow.begun && !answer->has_files)
		return scar_overflow_add(&answer->overflow, data, len, err);
	if (len > room && is_output_forgotten(answer)) {
		len = room;
	} else if (len > room) {
		answer->too_large = true;
		if (may_overflow(answer))
			return scar_overflow_add(&answer->overflow, answer->kept.data,
						 answer->kept.len, err) < 0
				       ? -1
				       : scar_overflow_add(&answer->overflow, data, len, err);
		len = room;
	}
	return scar_buf_append(&answer->kept, data, len, err);
}

int scar_answer_write(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_answer *answer = ctx;

	answer->written += len;
	if (is_batch(answer)) {
		scar_tail_add(&answer->log, data, len);
		return 0;
	}
	if (!is_stream(answer) || answer->options.output != SCAR_ANSWER_STDOUT)
		return keep(answer, data, len, err);
	if (wants_head(answer) && !answer->has_head)
		return stream_head(answer, data, len, err);
	return stream(answer, data, len, err);
}

/* ---- the end of one item ---- */

static const char *record_id(const struct scar_answer *answer, size_t index)
{
	const struct scar_event *event = answer->options.event;

	return index < event->count ? event->items[index].record_id : NULL;
}

static int report_record(struct scar_answer *answer, size_t index, struct scar_err *err)
{
	const char *id = record_id(answer, index);

	/* Several items of one message, which lie side by side, fail as one. */
	if (!id || (answer->reported && strcmp(answer->reported, id) == 0))
		return 0;
	answer->reported = id;
	if (scar_buf_printf(&answer->report, err,
			    "%s{\"itemIdentifier\":", answer->report.len > 0 ? "," : "") < 0 ||
	    scar_json_append_string(&answer->report, id, strlen(id), err) < 0)
		return -1;
	return scar_buf_append_char(&answer->report, '}', err);
}

/* @return 1 to go on, 0 to stop, -1 */
static int fail_record(struct scar_answer *answer, size_t index, struct scar_err *err)
{
	const struct scar_event *event = answer->options.event;

	if (event->reply == SCAR_EVENT_REPLY_ANY_FAILURES)
		return report_record(answer, index, err) < 0 ? -1 : 1;
	/* The rest was not done, and must come again after this one. */
	for (; index < event->count; index++) {
		if (report_record(answer, index, err) < 0)
			return -1;
	}
	return 0;
}

static int note_failure(struct scar_answer *answer, size_t index,
			const struct scar_failure *failure, struct scar_err *err)
{
	scar_warn("%s", failure->message);
	if (!answer->failure.type)
		answer->failure = *failure;
	if (is_batch(answer))
		return fail_record(answer, index, err);
	return 1;
}

static int pack_files(struct scar_answer *answer, size_t index, int output_fd, char *const *paths,
		      struct scar_err *err)
{
	char prefix[32] = "";

	/* Items do not know of each other: their files may have the same names. */
	if (answer->options.event && answer->options.event->count > 1)
		snprintf(prefix, sizeof prefix, "%zu", index + 1);
	return scar_answer_files_pack(&answer->files, output_fd, paths, prefix, err);
}

/* The one file of a stream may be larger than memory. */
static int stream_file(struct scar_answer *answer, int output_fd, const char *path,
		       struct scar_err *err)
{
	scar_fd_auto int fd = -1;

	if (scar_outputs_open(output_fd, path, &fd, err) < 0)
		return -1;
	return scar_fs_read_through(fd, path, stream, answer, err);
}

static int take_file(struct scar_answer *answer, int output_fd, const char *path,
		     struct scar_err *err)
{
	return is_stream(answer) ? stream_file(answer, output_fd, path, err)
				 : scar_answer_files_take(&answer->files, output_fd, path, err);
}

static int take_files(struct scar_answer *answer, size_t index, int output_fd, struct scar_err *err)
{
	scar_strings_auto char **paths = NULL;
	bool only = !answer->options.event || answer->options.event->count == 1;
	size_t count = 0;
	int result;

	if (scar_outputs_list(output_fd, &paths, &count, err) < 0)
		return -1;
	if (answer->options.output == SCAR_ANSWER_FILES && count == 0)
		return 0;
	/* What was printed is not the answer, however much it was. */
	if (!answer->has_files) {
		answer->too_large = false;
		scar_overflow_clear(&answer->overflow);
	}
	answer->has_files = true;
	result = answer->options.output == SCAR_ANSWER_FILES && count == 1 && only
			 ? take_file(answer, output_fd, paths[0], err)
			 : pack_files(answer, index, output_fd, paths, err);
	if (result < 0 && err->kind == SCAR_ERR_LIMIT) {
		answer->too_large = true;
		return 0;
	}
	return result;
}

static int take_report(struct scar_answer *answer, const struct scar_failure *failure,
		       const struct scar_run_result *result, struct scar_err *err)
{
	const struct scar_report report = {
		.request_id = answer->options.request_id,
		.failure = failure,
		.result = result,
		.output = answer->kept.data,
		.output_len = answer->kept.len,
		.truncated = answer->too_large,
	};

	if (answer->runs > 1 && scar_buf_append_char(&answer->report, ',', err) < 0)
		return -1;
	if (scar_report_append(&report, &answer->report, err) < 0)
		return -1;
	scar_buf_reset(&answer->kept);
	answer->too_large = false;
	return 0;
}

int scar_answer_ran(struct scar_answer *answer, size_t index, const struct scar_run_result *result,
		    int output_fd, struct scar_err *err)
{
	enum scar_answer_output output = answer->options.output;
	struct scar_failure failure;
	bool failed = scar_failure_of_run(result, answer->options.memory_bytes, &failure);

	answer->runs++;
	scar_tail_finish(&answer->log);
	if (!answer->failure.type)
		answer->last = *result;
	if (output == SCAR_ANSWER_JSON && !is_batch(answer) &&
	    take_report(answer, failed ? &failure : NULL, result, err) < 0)
		return -1;
	if (failed)
		return note_failure(answer, index, &failure, err);
	if ((output == SCAR_ANSWER_FILES || output == SCAR_ANSWER_ZIP) && !is_batch(answer) &&
	    output_fd >= 0 && take_files(answer, index, output_fd, err) < 0)
		return -1;
	return 1;
}

int scar_answer_broke(struct scar_answer *answer, size_t index, const struct scar_err *why,
		      struct scar_err *err)
{
	struct scar_failure failure;

	answer->runs++;
	scar_tail_finish(&answer->log);
	scar_failure_of_err(why, &failure);
	return note_failure(answer, index, &failure, err);
}

/* ---- the end of all ---- */

static int send_buffered(struct scar_answer *answer, const char *content_type, const void *data,
			 size_t len, struct scar_err *err)
{
	if (!answer->begun && scar_response_begin(answer->options.response, SCAR_RESPONSE_BUFFERED,
						  content_type, err) < 0)
		return -1;
	answer->begun = true;
	if (scar_response_write(answer->options.response, data, len, err) < 0)
		return -1;
	return scar_response_end(answer->options.response, err);
}

static int send_batch(struct scar_answer *answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_RESPONSE_BYTES);
	if (scar_buf_printf(&text, err, "{\"batchItemFailures\":[%s]}", answer->report.data) < 0)
		return -1;
	return send_buffered(answer, TYPE_JSON, text.data, text.len, err);
}

/* stdout of a direct, buffered answer that failed. */
static int add_output(const struct scar_answer *answer, struct scar_buf *members,
		      struct scar_err *err)
{
	size_t len = answer->kept.len;
	bool cut = answer->too_large || len > SCAR_ANSWER_STDOUT_BYTES;

	if (is_stream(answer) && answer->options.output == SCAR_ANSWER_STDOUT)
		return 0;
	if (len > SCAR_ANSWER_STDOUT_BYTES)
		len = SCAR_ANSWER_STDOUT_BYTES;
	if (scar_buf_append_str(members, ",\"stdout\":\"", err) < 0 ||
	    scar_base64_encode(answer->kept.data, len, members, err) < 0)
		return -1;
	return scar_buf_append_str(members, cut ? "\",\"stdoutTruncated\":true" : "\"", err);
}

static int fail_directly(struct scar_answer *answer, struct scar_err *err)
{
	struct scar_function_error error = {.error_type = answer->failure.type,
					    .error_message = answer->failure.message};
	scar_buf_auto struct scar_buf members;

	scar_buf_init(&members, SCAR_LIMIT_RESPONSE_BYTES);
	if (answer->failure.ran) {
		if (scar_failure_members(&answer->failure, &answer->last, &members, err) < 0 ||
		    add_output(answer, &members, err) < 0)
			return -1;
		error.extra_json = members.data;
	}
	return scar_response_fail(answer->options.response, &error, err);
}

static int fail_http(struct scar_answer *answer, struct scar_err *err)
{
	struct scar_http_answer http = http_answer(answer);
	scar_buf_auto struct scar_buf body;
	scar_buf_auto struct scar_buf document;

	scar_buf_init(&body, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&document, SCAR_LIMIT_RESPONSE_BYTES);
	http.status = answer->failure.http_status;
	http.content_type = TYPE_JSON;
	http.head = NULL;
	if (scar_http_answer_failure(&answer->failure, &body, err) < 0)
		return -1;
	if (is_stream(answer)) {
		if (begin_stream(answer, body.data, body.len, &http, err) < 0 ||
		    scar_response_write(answer->options.response, body.data, body.len, err) < 0)
			return -1;
		return scar_response_end(answer->options.response, err);
	}
	if (scar_http_answer_document(&http, body.data, body.len, &document, err) < 0)
		return -1;
	return send_buffered(answer, TYPE_JSON, document.data, document.len, err);
}

/* After the first byte of a stream an error can only be a trailer, which a direct failure becomes. */
static int send_failure(struct scar_answer *answer, struct scar_err *err)
{
	return is_http(answer) && !answer->begun ? fail_http(answer, err)
						 : fail_directly(answer, err);
}

static int fail_too_large(struct scar_answer *answer, struct scar_err *err)
{
	answer->failure = (struct scar_failure){.type = TYPE_TOO_LARGE, .http_status = 500};
	if (answer->files.overflow && answer->has_files)
		snprintf(answer->failure.message, sizeof answer->failure.message,
			 "the files are more than a zip archive holds");
	else if (answer->has_files || is_http(answer))
		snprintf(
			answer->failure.message, sizeof answer->failure.message,
			"the answer is larger than the %zu bytes that a buffered response holds%s; "
			"with an output in the function's definition it is delivered there",
			SCAR_LIMIT_RESPONSE_BYTES,
			is_http(answer) ? ", base64 and header fields counted in" : "");
	else
		snprintf(
			answer->failure.message, sizeof answer->failure.message,
			"the program wrote %" PRIu64
			" bytes to standard output, and a buffered response holds at most %zu; "
			"with SCAR_RESPONSE_MODE=streaming output has no such limit, and with an output "
			"in the function's definition it is delivered there",
			answer->written, SCAR_LIMIT_RESPONSE_BYTES);
	return send_failure(answer, err);
}

/* What is to be sent, if no stream has sent it yet. */
static const struct scar_buf *choose_content(struct scar_answer *answer, struct scar_err *err)
{
	if (answer->options.output == SCAR_ANSWER_JSON) {
		answer->content_type = TYPE_JSON;
		if (answer->runs == 1)
			return &answer->report;
		scar_buf_reset(&answer->kept);
		return scar_buf_printf(&answer->kept, err, "[%s]", answer->report.data) < 0
			       ? NULL
			       : &answer->kept;
	}
	return answer->has_files ? &answer->files.bytes : &answer->kept;
}

static int send_elsewhere(struct scar_answer *answer, struct scar_err *err);

static int send_document(struct scar_answer *answer, const struct scar_buf *content,
			 struct scar_err *err)
{
	struct scar_http_answer http = http_answer(answer);
	scar_buf_auto struct scar_buf document;

	scar_buf_init(&document, SCAR_LIMIT_RESPONSE_BYTES);
	if (answer->failure.type)
		http.status = answer->failure.http_status;
	if (scar_http_answer_document(&http, content->data, content->len, &document, err) == 0)
		return send_buffered(answer, TYPE_JSON, document.data, document.len, err);
	if (err->kind != SCAR_ERR_LIMIT)
		return -1;
	/* Base64 may make too large what was not. */
	if (!may_overflow(answer) || answer->overflow.begun)
		return fail_too_large(answer, err);
	if (scar_overflow_add(&answer->overflow, content->data, content->len, err) < 0)
		return -1;
	return send_elsewhere(answer, err);
}

/* What no response holds is delivered; the response says where. */
static int send_elsewhere(struct scar_answer *answer, struct scar_err *err)
{
	const struct scar_buf *content = answer->has_files ? &answer->files.bytes : &answer->kept;
	const char *type = answer->content_type ? answer->content_type
						: scar_content_sniff(content->data, content->len);
	scar_buf_auto struct scar_buf place;
	struct scar_err why;

	scar_buf_init(&place, SCAR_KIB(16));
	if (scar_overflow_deliver(&answer->overflow, type, &place, &why) < 0) {
		scar_failure_of_err(&why, &answer->failure);
		return send_failure(answer, err);
	}
	answer->content_type = TYPE_JSON;
	return is_http(answer) ? send_document(answer, &place, err)
			       : send_buffered(answer, TYPE_JSON, place.data, place.len, err);
}

/* An archive that memory did not hold. */
static int stream_overflow(struct scar_answer *answer, struct scar_err *err)
{
	if (scar_fs_read_through(answer->overflow.fd, "the file of a large answer", stream, answer,
				 err) < 0)
		return -1;
	return scar_response_end(answer->options.response, err);
}

static int send_overflow(struct scar_answer *answer, struct scar_err *err)
{
	return is_stream(answer) ? stream_overflow(answer, err) : send_elsewhere(answer, err);
}

/* @return 1: all files are there, 0: they are too many bytes, -1 */
static int end_files(struct scar_answer *answer, struct scar_err *err)
{
	if (answer->too_large)
		return 0;
	if (scar_answer_files_end(&answer->files, err) < 0)
		return err->kind == SCAR_ERR_LIMIT ? 0 : -1;
	answer->content_type = answer->files.content_type;
	return 1;
}

static int send_content(struct scar_answer *answer, struct scar_err *err)
{
	const struct scar_buf *content;

	/* A stream of standard output that has begun has sent all of it. */
	if (answer->begun)
		return scar_response_end(answer->options.response, err);
	content = choose_content(answer, err);
	if (!content)
		return err->kind == SCAR_ERR_LIMIT ? fail_too_large(answer, err) : -1;
	if (is_stream(answer)) {
		if (stream(answer, content->data, content->len, err) < 0)
			return -1;
		return scar_response_end(answer->options.response, err);
	}
	if (is_http(answer))
		return send_document(answer, content, err);
	return send_buffered(answer, NULL, content->data, content->len, err);
}

int scar_answer_finish(struct scar_answer *answer, struct scar_err *err)
{
	bool told = answer->options.output == SCAR_ANSWER_JSON && answer->report.len > 0;

	if (is_batch(answer))
		return send_batch(answer, err);
	if (answer->failure.type && !told)
		return send_failure(answer, err);
	if (answer->has_files) {
		int got = end_files(answer, err);

		if (got <= 0)
			return got < 0 ? -1 : fail_too_large(answer, err);
	}
	if (answer->overflow.begun)
		return send_overflow(answer, err);
	if (answer->too_large)
		return fail_too_large(answer, err);
	if (wants_head(answer) && !answer->has_head && answer->runs > 0 &&
	    take_head(answer, true, err) < 0) {
		const struct scar_err why = *err;

		scar_failure_of_err(&why, &answer->failure);
		answer->failure.http_status = 502;
		return send_failure(answer, err);
	}
	return send_content(answer, err);
}
