/* SPDX-License-Identifier: Apache-2.0 */
/* Invoking a function. What may have begun to run is never sent again. */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/event_stream.h"
#include "deployer/aws/lambda_private.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* Lambda answers with at most 6 MB, and its own documents. */
#define PAYLOAD_MAX SCAR_MIB(8)
#define LOG_MAX SCAR_KIB(64)
#define TIMEOUT_DEFAULT_S 900
/* What Lambda takes beside the function's own time. */
#define TIMEOUT_MARGIN_S 30
#define CLIENT_CONTEXT_MAX 3583

void scar_lambda_result_clear(struct scar_lambda_result *result)
{
	free(result->function_error);
	free(result->version);
	free(result->log_tail);
	free(result->payload);
	*result = (struct scar_lambda_result){.status = 0};
}

/* Headers of a request, and what they point into. */
struct fields {
	struct scar_http_header list[4];
	size_t count;
	struct scar_buf context;
	struct scar_buf query;
};

static void clear_fields(struct fields *fields)
{
	scar_buf_clear(&fields->context);
	scar_buf_clear(&fields->query);
}

static const char *type_name(enum scar_lambda_invocation type)
{
	switch (type) {
	case SCAR_LAMBDA_ASYNC: return "Event";
	case SCAR_LAMBDA_DRY_RUN: return "DryRun";
	case SCAR_LAMBDA_SYNC: break;
	}
	return "RequestResponse";
}

static int write_fields(const struct scar_lambda_call *call, struct fields *fields,
			struct scar_err *err)
{
	fields->list[fields->count++] = (struct scar_http_header){"X-Amz-Invocation-Type",
								  type_name(call->type)};
	if (call->log_tail && call->type == SCAR_LAMBDA_SYNC)
		fields->list[fields->count++] = (struct scar_http_header){"X-Amz-Log-Type", "Tail"};
	if (call->client_context) {
		if (scar_base64_encode(call->client_context, strlen(call->client_context),
				       &fields->context, err) < 0)
			return scar_err_wrap(err, "the client context");
		fields->list[fields->count++] = (struct scar_http_header){"X-Amz-Client-Context",
									  fields->context.data};
	}
	return scar_aws_query(&fields->query, "Qualifier", call->qualifier, err);
}

static int init_fields(const struct scar_lambda_call *call, struct fields *fields,
		       struct scar_err *err)
{
	*fields = (struct fields){.count = 0};
	scar_buf_init(&fields->context, CLIENT_CONTEXT_MAX);
	scar_buf_init(&fields->query, SCAR_KIB(1));
	return write_fields(call, fields, err);
}

static struct scar_aws_call complete(const struct scar_lambda_call *call,
				     const struct fields *fields, const char *operation,
				     const char *path)
{
	int timeout_s = call->timeout_s > 0 ? call->timeout_s : TIMEOUT_DEFAULT_S;

	return (struct scar_aws_call){
		.service = SCAR_AWS_LAMBDA,
		.operation = operation,
		.path = path,
		.query = fields->query.data,
		.headers = fields->list,
		.header_count = fields->count,
		/* Whatever the function takes it for. */
		.content_type = "",
		.body = call->payload,
		.body_len = call->payload ? call->payload_len : 0,
		.max_answer_bytes = PAYLOAD_MAX,
		.raw_answer = true,
		.once = call->type != SCAR_LAMBDA_DRY_RUN,
		/* Nothing comes while the function works. */
		.stall_timeout_ms = (int64_t)(timeout_s + TIMEOUT_MARGIN_S) * 1000,
	};
}

/* ---- the answer ---- */

static int take_header(const struct scar_http_response *http, const char *name, char **ret_text,
		       struct scar_err *err)
{
	char text[256];

	if (scar_http_header_get(http, name, 0, text, sizeof text) != 1)
		return 0;
	return scar_aws_copy(text, ret_text, err);
}

static int decode_log(const char *text, char **ret_log, struct scar_err *err)
{
	scar_buf_auto struct scar_buf log;

	scar_buf_init(&log, LOG_MAX);
	if (scar_base64_decode(text, &log, err) < 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the log's tail is not Base64");
	*ret_log = scar_buf_steal(&log);
	return *ret_log ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int take_headers(const struct scar_aws_answer *answer, struct scar_lambda_result *result,
			struct scar_err *err)
{
	char log[8192];

	result->status = answer->http.status;
	snprintf(result->request_id, sizeof result->request_id, "%s", answer->request_id);
	if (take_header(&answer->http, "X-Amz-Function-Error", &result->function_error, err) < 0 ||
	    take_header(&answer->http, "X-Amz-Executed-Version", &result->version, err) < 0)
		return -1;
	if (scar_http_header_get(&answer->http, "X-Amz-Log-Result", 0, log, sizeof log) == 1)
		return decode_log(log, &result->log_tail, err);
	return 0;
}

static int take_payload(struct scar_buf *body, struct scar_lambda_result *result,
			struct scar_err *err)
{
	result->payload_len = body->len;
	result->payload = scar_buf_steal(body);
	return result->payload ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int invoke(struct scar_aws *aws, const struct scar_lambda_call *call, struct fields *fields,
		  struct scar_lambda_result *result, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf path;
	struct scar_aws_call request;

	scar_aws_answer_init(&answer);
	scar_buf_init(&path, SCAR_KIB(4));
	if (scar_aws_path(&path, err, "/2015-03-31/functions/{}/invocations", call->function) < 0)
		return -1;
	request = complete(call, fields, "Invoke", path.data);
	if (scar_aws_perform(aws, &request, &answer, err) < 0 ||
	    take_headers(&answer, result, err) < 0)
		return -1;
	return take_payload(&answer.http.body, result, err);
}

int scar_lambda_invoke(struct scar_aws *aws, const struct scar_lambda_call *call,
		       struct scar_lambda_result *ret_result, struct scar_err *err)
{
	scar_lambda_result_auto struct scar_lambda_result result = {.status = 0};
	struct fields fields;
	int failed = init_fields(call, &fields, err);

	if (!failed)
		failed = invoke(aws, call, &fields, &result, err);
	clear_fields(&fields);
	if (failed)
		return -1;
	*ret_result = result;
	result = (struct scar_lambda_result){.status = 0};
	return 0;
}

/* ---- streaming ---- */

struct streaming {
	struct scar_event_stream stream;
	int (*sink)(void *ctx, const void *data, size_t len, struct scar_err *err);
	void *ctx;
	struct scar_lambda_result *result;
	bool complete;
};

/* ErrorDetails is the error's document, or a sentence. */
static int note_error(struct streaming *s, const char *code, const char *details,
		      struct scar_err *err)
{
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_json_writer w;
	struct scar_err ignored;

	scar_buf_init(&text, PAYLOAD_MAX);
	if (scar_json_parse(details, strlen(details), "", &document, &ignored) == 0 &&
	    scar_json_type(document) == SCAR_JSON_OBJECT) {
		if (scar_buf_append_str(&text, details, err) < 0)
			return -1;
	} else {
		scar_json_writer_init(&w, &text, err);
		scar_json_write_open(&w, NULL, '{');
		scar_json_write_string(&w, "errorType", code);
		scar_json_write_string(&w, "errorMessage", details);
		scar_json_write_close(&w, '}');
		if (scar_json_writer_end(&w) < 0)
			return -1;
	}
	if (scar_aws_copy("Unhandled", &s->result->function_error, err) < 0)
		return -1;
	return take_payload(&text, s->result, err);
}

static int on_complete(struct streaming *s, const struct scar_event_frame *frame,
		       struct scar_err *err)
{
	scar_json_auto struct scar_json *end = NULL;
	const char *code, *details, *log;

	if (s->complete)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the stream ends twice");
	s->complete = true;
	if (frame->payload_len == 0)
		return 0;
	if (scar_json_parse(frame->payload, frame->payload_len, "InvokeComplete", &end, err) < 0)
		return -1;
	code = scar_json_string(scar_json_get(end, "ErrorCode"));
	details = scar_json_string(scar_json_get(end, "ErrorDetails"));
	log = scar_json_string(scar_json_get(end, "LogResult"));
	if (log && *log && decode_log(log, &s->result->log_tail, err) < 0)
		return -1;
	return code ? note_error(s, code, details ? details : "", err) : 0;
}

static int on_frame(void *ctx, const struct scar_event_frame *frame, struct scar_err *err)
{
	struct streaming *s = ctx;

	if (strcmp(frame->message_type, "error") == 0)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "Lambda ended the stream: %s (%s)",
				    frame->error_message, frame->error_code);
	if (strcmp(frame->message_type, "exception") == 0)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "Lambda ended the stream: %.*s (%s)",
				    (int)(frame->payload_len < 500 ? frame->payload_len : 500),
				    (const char *)frame->payload, frame->event_type);
	if (strcmp(frame->event_type, "PayloadChunk") == 0)
		return s->sink(s->ctx, frame->payload, frame->payload_len, err);
	if (strcmp(frame->event_type, "InvokeComplete") == 0)
		return on_complete(s, frame, err);
	return 0; /* kinds of events that came later than this program */
}

static int on_bytes(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct streaming *s = ctx;

	return scar_event_stream_feed(&s->stream, data, len, err);
}

static int invoke_stream(struct scar_aws *aws, const struct scar_lambda_call *call,
			 struct fields *fields, struct streaming *s, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf path, empty;
	struct scar_aws_call request;

	scar_aws_answer_init(&answer);
	scar_buf_init(&path, SCAR_KIB(4));
	scar_buf_init(&empty, 1);
	if (scar_aws_path(&path, err, "/2021-11-15/functions/{}/response-streaming-invocations",
			  call->function) < 0)
		return -1;
	request = complete(call, fields, "InvokeWithResponseStream", path.data);
	request.sink = on_bytes;
	request.sink_ctx = s;
	if (scar_aws_perform(aws, &request, &answer, err) < 0 ||
	    scar_event_stream_finish(&s->stream, err) < 0 ||
	    take_headers(&answer, s->result, err) < 0)
		return -1;
	if (!s->complete && call->type == SCAR_LAMBDA_SYNC)
		return scar_err_set(err, SCAR_ERR_NETWORK,
				    "lambda InvokeWithResponseStream: the stream broke off");
	return s->result->payload ? 0 : take_payload(&empty, s->result, err);
}

int scar_lambda_invoke_stream(struct scar_aws *aws, const struct scar_lambda_call *call,
			      int (*sink)(void *ctx, const void *data, size_t len,
					  struct scar_err *err),
			      void *ctx, struct scar_lambda_result *ret_result,
			      struct scar_err *err)
{
	scar_lambda_result_auto struct scar_lambda_result result = {.status = 0};
	struct streaming s = {.sink = sink, .ctx = ctx, .result = &result};
	struct fields fields;
	int failed = init_fields(call, &fields, err);

	scar_event_stream_init(&s.stream, on_frame, &s);
	if (!failed)
		failed = invoke_stream(aws, call, &fields, &s, err);
	scar_event_stream_clear(&s.stream);
	clear_fields(&fields);
	if (failed)
		return -1;
	*ret_result = result;
	result = (struct scar_lambda_result){.status = 0};
	return 0;
}
