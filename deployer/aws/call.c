/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/call.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "deployer/aws/session.h"
#include "deployer/aws/xml.h"
#include "runtime/base/clock.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/sigv4.h"

#define CALL_HEADERS_MAX 8
#define STALL_TIMEOUT_MS 60000
#define ANSWER_MAX SCAR_MIB(8)
#define BACKOFF_MAX_S 20
#define RETRY_COST 5
#define RETRY_COST_TIMEOUT 10
/* Clocks that differ by less than this are not why a signature was refused. */
#define SKEW_MIN_S 120

/* One call with all its attempts. */
struct attempts {
	struct scar_aws *aws;
	const struct scar_aws_call *call;
	struct scar_aws_answer *answer;
	struct scar_aws_refusal refusal;
	char payload[65];
	unsigned number;                            /* of the attempt under way, from 1 on */
	uint64_t sent;                              /* of the body, by this attempt */
	bool gave;                                  /* the sink has got something */
	bool fixed_clock, fixed_region, fixed_keys; /* each is tried once */
};

enum verdict { VERDICT_DONE, VERDICT_FAILED, VERDICT_AGAIN_LATER, VERDICT_AGAIN_AT_ONCE };

void scar_aws_answer_init(struct scar_aws_answer *answer)
{
	*answer = (struct scar_aws_answer){.json = NULL};
	scar_http_response_init(&answer->http);
}

void scar_aws_answer_clear(struct scar_aws_answer *answer)
{
	scar_json_free(answer->json);
	scar_xml_free(answer->xml);
	/* Answers of the token service are credentials. */
	explicit_bzero(answer->http.body.data, answer->http.body.len);
	scar_http_response_clear(&answer->http);
	answer->json = NULL;
	answer->xml = NULL;
}

/* ---- bodies ---- */

static int give_body(void *ctx, void *data, size_t size, size_t *ret_len, struct scar_err *err)
{
	struct attempts *a = ctx;
	const struct scar_aws_call *call = a->call;
	size_t left = call->body_len - (size_t)a->sent;
	size_t len = left < size ? left : size;

	*ret_len = 0;
	if (len == 0)
		return 0;
	if (!call->has_body_fd) {
		memcpy(data, (const char *)call->body + a->sent, len);
		*ret_len = len;
	} else if (scar_fs_read_at(call->body_fd, call->body_offset + a->sent, data, len, ret_len,
				   err) < 0) {
		return -1;
	}
	a->sent += *ret_len;
	if (call->progress)
		call->progress(call->progress_ctx, call->progress_base + a->sent,
			       call->progress_total);
	return 0;
}

static int take_body(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct attempts *a = ctx;

	a->gave = true;
	return a->call->sink(a->call->sink_ctx, data, len, err);
}

static int hash_body(struct attempts *a, struct scar_err *err)
{
	const struct scar_aws_call *call = a->call;
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	if (call->payload) {
		snprintf(a->payload, sizeof a->payload, "%s", call->payload);
		return 0;
	}
	if (!call->has_body_fd)
		return scar_sigv4_payload(call->body, call->body_len, a->payload, err);
	if (scar_digest_of_file(SCAR_DIGEST_SHA256, call->body_fd, call->body_offset,
				call->body_len, &digest, err) < 0)
		return -1;
	snprintf(a->payload, sizeof a->payload, "%s", scar_digest_hex(&digest, hex));
	return 0;
}

/* ---- one attempt ---- */

static const char *content_type(const struct scar_aws_call *call)
{
	if (call->content_type)
		return *call->content_type ? call->content_type : NULL;
	if (!call->body_len)
		return NULL;
	switch (scar_aws_service_info(call->service)->protocol) {
	case SCAR_AWS_REST_JSON: return "application/json";
	case SCAR_AWS_JSON: return "application/x-amz-json-1.1";
	case SCAR_AWS_REST_XML: return "application/xml";
	case SCAR_AWS_QUERY:
	case SCAR_AWS_EC2_QUERY: return "application/x-www-form-urlencoded; charset=utf-8";
	}
	return NULL;
}

static int sign(const struct attempts *a, struct scar_http_request *req, const char *region,
		const struct scar_aws_keys *keys, struct scar_sigv4_headers *signature,
		struct scar_err *err)
{
	const struct scar_aws_service_info *info = scar_aws_service_info(a->call->service);
	const struct scar_sigv4 sig = {
		.credentials = {keys->id, keys->secret, keys->token},
		.region = region,
		.service = info->signing_name ? info->signing_name : info->name,
		.time_s = scar_clock_epoch_ms() / 1000 + a->aws->clock_offset_s,
	};
	struct scar_http_header *list = (struct scar_http_header *)req->headers;

	if (scar_sigv4_sign(&sig, req, a->payload, signature, err) < 0)
		return -1;
	for (size_t i = 0; i < signature->count; i++)
		list[req->header_count++] = signature->list[i];
	return 0;
}

static int send_signed(struct attempts *a, const char *url, const char *region, bool custom,
		       const struct scar_aws_keys *keys, struct scar_err *err)
{
	const struct scar_aws_call *call = a->call;
	const struct scar_aws_service_info *info = scar_aws_service_info(call->service);
	scar_sigv4_headers_auto struct scar_sigv4_headers signature = {.count = 0};
	struct scar_http_header list[CALL_HEADERS_MAX + 8];
	char target[160];
	struct scar_http_request req = {
		.method = call->method ? call->method : "POST",
		.url = url,
		.headers = list,
		.body_source = call->body_len ? give_body : NULL,
		.body_ctx = a,
		.body_len = call->body_len,
		.max_body_bytes = call->max_answer_bytes ? call->max_answer_bytes : ANSWER_MAX,
		.stall_timeout_ms = call->stall_timeout_ms ? call->stall_timeout_ms
							   : STALL_TIMEOUT_MS,
		.total_timeout_ms = call->total_timeout_ms,
		/* Whoever names an http:// endpoint wants it. */
		.allow_plain = custom,
		.fresh_connection = call->once,
		.sink = call->sink ? take_body : NULL,
		.sink_ctx = a,
		.cancel = a->aws->finishing ? NULL : a->aws->cancel,
	};

	scar_buf_init(&signature.authorization, SCAR_LIMIT_HTTP_HEADER_BYTES);
	if (content_type(call))
		list[req.header_count++] = (struct scar_http_header){"Content-Type",
								     content_type(call)};
	if (info->protocol == SCAR_AWS_JSON) {
		snprintf(target, sizeof target, "%s.%s", info->target, call->operation);
		list[req.header_count++] = (struct scar_http_header){"X-Amz-Target", target};
	}
	for (size_t i = 0; i < call->header_count && i < CALL_HEADERS_MAX; i++)
		list[req.header_count++] = call->headers[i];
	if (keys && sign(a, &req, region, keys, &signature, err) < 0)
		return -1;
	a->sent = 0;
	return scar_http_perform(a->aws->http, &req, &a->answer->http, err);
}

static int send_once(struct attempts *a, struct scar_err *err)
{
	const struct scar_aws_call *call = a->call;
	scar_aws_keys_auto struct scar_aws_keys own = {.id = NULL};
	const struct scar_aws_keys *keys = call->keys;
	scar_buf_auto struct scar_buf url;
	char region[64];
	bool custom = false;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	scar_aws_answer_clear(a->answer);
	if (scar_aws_url(a->aws, call, &url, region, &custom, err) < 0)
		return -1;
	if (!keys && !call->is_anonymous) {
		if (scar_aws_keys_get(a->aws, &own, err) < 0)
			return -1;
		keys = &own;
	}
	return send_signed(a, url.data, region, custom, call->is_anonymous ? NULL : keys, err);
}

/* ---- the answer ---- */

static int read_document(struct attempts *a, struct scar_err *err)
{
	const struct scar_buf *body = &a->answer->http.body;
	enum scar_aws_protocol protocol = scar_aws_service_info(a->call->service)->protocol;
	const char *operation = a->call->operation;

	if (a->call->sink || a->call->raw_answer || body->len == 0)
		return 0;
	if (protocol == SCAR_AWS_REST_JSON || protocol == SCAR_AWS_JSON)
		return scar_json_parse(body->data, body->len, operation, &a->answer->json, err);
	return scar_xml_parse(body->data, body->len, operation, &a->answer->xml, err);
}

/* Operations of S3 that take long begin with 200 and may end with an error. */
static bool has_late_error(const struct attempts *a)
{
	return a->call->service == SCAR_AWS_S3 && a->answer->xml &&
	       strcmp(scar_xml_name(a->answer->xml), "Error") == 0;
}

static int judge(struct attempts *a, struct scar_err *err)
{
	struct scar_http_response *http = &a->answer->http;
	int status = http->status;

	a->refusal = (struct scar_aws_refusal){.code = ""};
	if (status >= 200 && status < 300) {
		scar_aws_request_id(http, a->answer->request_id);
		if (read_document(a, err) < 0)
			return scar_err_wrap(err, "%s",
					     scar_aws_service_info(a->call->service)->name);
		if (!has_late_error(a))
			return 0;
		status = 500;
	}
	scar_aws_refusal_read(scar_aws_service_info(a->call->service)->protocol, http, &a->refusal);
	return scar_aws_refuse(a->aws, a->call, status, &a->refusal, err);
}

/* ---- once more? ---- */

static bool is_about_time(const struct scar_aws_refusal *refusal)
{
	return strcmp(refusal->code, "RequestTimeTooSkewed") == 0 ||
	       strcmp(refusal->code, "RequestExpired") == 0 ||
	       (strstr(refusal->code, "Signature") &&
		(strstr(refusal->message, "Signature expired") ||
		 strstr(refusal->message, "Signature not yet current")));
}

/* The server's clock counts. @return whether ours differs so much that a signature by its time may do */
static bool fix_clock(struct attempts *a)
{
	char date[64];
	struct tm tm = {.tm_sec = 0};
	int64_t offset_s;

	if (a->fixed_clock || !is_about_time(&a->refusal) ||
	    scar_http_header_get(&a->answer->http, "Date", 0, date, sizeof date) != 1 ||
	    !strptime(date, "%a, %d %b %Y %H:%M:%S", &tm))
		return false;
	offset_s = (int64_t)timegm(&tm) - scar_clock_epoch_ms() / 1000;
	if (llabs(offset_s - a->aws->clock_offset_s) < SKEW_MIN_S)
		return false;
	a->fixed_clock = true;
	a->aws->clock_offset_s = offset_s;
	return true;
}

/* A bucket that is elsewhere, where S3 says so. */
static bool fix_region(struct attempts *a)
{
	int status = a->answer->http.status;

	if (a->fixed_region || !a->call->bucket || !a->refusal.region[0] ||
	    (status != 301 && status != 307 && status != 400) ||
	    scar_aws_settings_check_region(a->refusal.region, &(struct scar_err){0}) < 0)
		return false;
	a->fixed_region = true;
	scar_aws_note_bucket(a->aws, a->call->bucket, a->refusal.region);
	return true;
}

/* Credentials that ended before they should have. */
static bool fix_keys(struct attempts *a)
{
	struct scar_aws_shared *shared = a->aws->shared;

	if (a->fixed_keys || a->call->keys || strncmp(a->refusal.code, "ExpiredToken", 12) != 0)
		return false;
	a->fixed_keys = true;
	pthread_mutex_lock(&shared->lock);
	if (shared->keys.expires_ms)
		shared->keys.expires_ms = 1;
	pthread_mutex_unlock(&shared->lock);
	return true;
}

static bool is_transient(const struct attempts *a, const struct scar_err *err)
{
	int status = a->answer->http.status;
	const char *code = a->refusal.code;

	/* Without a refusal the network failed, or the answer was cut short. */
	if (err->kind == SCAR_ERR_NETWORK || err->kind == SCAR_ERR_TIMEOUT)
		return true;
	return status == 500 || status == 502 || status == 503 || status == 504 ||
	       strcmp(code, "RequestTimeout") == 0 ||
	       strcmp(code, "RequestTimeoutException") == 0 || has_late_error(a);
}

static enum verdict decide(struct attempts *a, const struct scar_err *err)
{
	unsigned most = a->call->attempts ? (unsigned)a->call->attempts
					  : (unsigned)a->aws->shared->settings.max_attempts;
	bool throttled = a->refusal.code[0] || a->answer->http.status == 429
				 ? scar_aws_is_throttle(a->refusal.code, a->answer->http.status)
				 : false;
	/* Without a byte of its body a request has begun nothing. */
	bool began = a->sent > 0 || a->call->body_len == 0 || a->answer->http.status != 0;

	if (err->kind == SCAR_ERR_INTERRUPTED || a->gave || scar_aws_is_cancelled(a->aws))
		return VERDICT_FAILED;
	if (fix_clock(a) || fix_region(a) || fix_keys(a))
		return VERDICT_AGAIN_AT_ONCE;
	if (!throttled && (!is_transient(a, err) || (a->call->once && began)))
		return VERDICT_FAILED;
	return a->number < most ? VERDICT_AGAIN_LATER : VERDICT_FAILED;
}

/* ---- all attempts ---- */

static int64_t backoff_ms(const struct attempts *a)
{
	int64_t most_ms = a->number < 5 ? (int64_t)1000 << (a->number - 1) : BACKOFF_MAX_S * 1000;
	char text[16];
	uint32_t random = 0;
	int64_t ms, said_ms;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
		random = (uint32_t)scar_clock_monotonic_us();
	ms = (int64_t)((uint64_t)most_ms * random >> 32);
	if (scar_http_header_get(&a->answer->http, "Retry-After", 0, text, sizeof text) != 1)
		return ms;
	said_ms = strtol(text, NULL, 10) * 1000;
	if (said_ms > BACKOFF_MAX_S * 1000)
		said_ms = BACKOFF_MAX_S * 1000;
	return ms > said_ms ? ms : said_ms;
}

static void note(const struct attempts *a, int64_t started_us, const struct scar_err *err)
{
	const struct scar_aws_service_info *info = scar_aws_service_info(a->call->service);
	long long ms = (scar_clock_monotonic_us() - started_us) / 1000;

	if (a->answer->http.status)
		scar_debug("aws %s %s: attempt %u: HTTP %d%s%s in %lld ms", info->name,
			   a->call->operation, a->number, a->answer->http.status,
			   a->refusal.code[0] ? " " : "", a->refusal.code, ms);
	else
		scar_debug("aws %s %s: attempt %u: %s in %lld ms", info->name, a->call->operation,
			   a->number, scar_err_info(err->kind)->name, ms);
}

/* Pays for another attempt. @return false: this session has had its share of failures */
static bool pay(struct scar_aws *aws, const struct scar_err *err, int *paid)
{
	int cost = err->kind == SCAR_ERR_TIMEOUT ? RETRY_COST_TIMEOUT : RETRY_COST;

	if (aws->retry_quota < cost)
		return false;
	aws->retry_quota -= cost;
	*paid = cost;
	return true;
}

static int name_failure(const struct attempts *a, struct scar_err *err)
{
	/* AWS's refusal names the operation already. */
	if (a->aws->failure.status)
		return -1;
	return scar_err_wrap(err, "%s %s", scar_aws_service_info(a->call->service)->name,
			     a->call->operation);
}

int scar_aws_perform(struct scar_aws *aws, const struct scar_aws_call *call,
		     struct scar_aws_answer *answer, struct scar_err *err)
{
	struct attempts a = {.aws = aws, .call = call, .answer = answer, .number = 1};
	int paid = 0;

	if (hash_body(&a, err) < 0)
		return name_failure(&a, err);
	for (;;) {
		int64_t started_us = scar_clock_monotonic_us();
		int failed;

		aws->failure = (struct scar_aws_failure){.service = "", .operation = ""};
		a.refusal = (struct scar_aws_refusal){.code = ""};
		scar_err_clear(err);
		failed = send_once(&a, err);
		if (!failed)
			failed = judge(&a, err);
		note(&a, started_us, err);
		if (!failed) {
			aws->retry_quota += paid ? paid : aws->retry_quota < 500;
			return 0;
		}
		switch (decide(&a, err)) {
		case VERDICT_AGAIN_AT_ONCE: continue;
		case VERDICT_AGAIN_LATER:
			if (!pay(aws, err, &paid))
				return name_failure(&a, err);
			if (scar_aws_sleep(aws, backoff_ms(&a), err) < 0)
				return scar_err_wrap(err, "%s", call->operation);
			a.number++;
			continue;
		case VERDICT_DONE:
		case VERDICT_FAILED: return name_failure(&a, err);
		}
	}
}

int scar_aws_perform_json(struct scar_aws *aws, const struct scar_aws_call *call,
			  struct scar_json **ret_json, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	if (scar_aws_perform(aws, call, &answer, err) < 0)
		return -1;
	if (ret_json)
		*ret_json = scar_steal(answer.json);
	return 0;
}

int scar_aws_send(struct scar_aws *aws, const struct scar_aws_call *call,
		  const struct scar_json_writer *body, struct scar_json **ret_json,
		  struct scar_err *err)
{
	struct scar_aws_call complete = *call;

	if (scar_json_writer_end(body) < 0)
		return scar_err_wrap(err, "%s", call->operation);
	complete.body = body->buf->data;
	complete.body_len = body->buf->len;
	return scar_aws_perform_json(aws, &complete, ret_json, err);
}

int scar_aws_rest(struct scar_aws *aws, const struct scar_aws_call *call,
		  struct scar_json **ret_json, struct scar_err *err, const char *form, ...)
{
	struct scar_aws_call complete = *call;
	scar_buf_auto struct scar_buf path;
	va_list args;
	int failed;

	scar_buf_init(&path, SCAR_KIB(8));
	va_start(args, form);
	failed = scar_aws_path_v(&path, err, form, args);
	va_end(args);
	if (failed)
		return scar_err_wrap(err, "%s", call->operation);
	complete.path = path.data;
	return scar_aws_perform_json(aws, &complete, ret_json, err);
}

/* ---- pages ---- */

int scar_aws_list(struct scar_aws *aws, scar_aws_ask ask, void *ask_ctx, const char *key,
		  const char *marker_key, scar_aws_each each, void *ctx, struct scar_err *err)
{
	scar_free_auto char *marker = NULL;

	do {
		scar_json_auto struct scar_json *answer = NULL;
		const struct scar_json *item;
		const char *next;

		if (ask(aws, ask_ctx, marker, &answer, err) < 0)
			return -1;
		for (item = scar_json_first(scar_json_get(answer, key)); item;
		     item = scar_json_next(item)) {
			if (each(ctx, item, err) < 0)
				return -1;
		}
		next = scar_json_string(scar_json_get(answer, marker_key));
		if (next && marker && strcmp(next, marker) == 0)
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "AWS's list of %s does not go on: %s comes again", key,
					    marker_key);
		free(marker);
		marker = NULL;
		if (next && *next && scar_aws_copy(next, &marker, err) < 0)
			return -1;
	} while (marker);
	return 0;
}

/* ---- patience ---- */

struct scar_aws_patience scar_aws_patience(int64_t total_ms, int64_t first_ms, int64_t most_ms)
{
	return (struct scar_aws_patience){scar_clock_epoch_ms() + total_ms, first_ms, most_ms};
}

int scar_aws_be_patient(const struct scar_aws *aws, struct scar_aws_patience *patience,
			struct scar_err *err)
{
	if (scar_clock_left_ms(patience->deadline_ms) < patience->pause_ms)
		return 0;
	if (scar_aws_sleep(aws, patience->pause_ms, err) < 0)
		return -1;
	patience->pause_ms *= 2;
	if (patience->pause_ms > patience->most_ms)
		patience->pause_ms = patience->most_ms;
	return 1;
}

bool scar_aws_try_again(const struct scar_aws *aws, struct scar_aws_patience *patience,
			struct scar_err *err)
{
	struct scar_err other;
	int more = scar_aws_be_patient(aws, patience, &other);

	if (more < 0)
		*err = other;
	return more > 0;
}

int scar_aws_copy(const char *text, char **ret_text, struct scar_err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	*ret_text = copy;
	return 0;
}
