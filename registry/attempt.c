/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/attempt.h"

#include <stdio.h>
#include <string.h>

#include "registry/auth.h"
#include "registry/status.h"
#include "registry/transfer.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/** Looks at the answer before the first byte of its body is taken. */
static int begin_body(struct scar_attempt *attempt, struct scar_err *err)
{
	char range[64];
	unsigned long long first;

	attempt->body_begun = true;
	if (attempt->resp->status != 206) {
		attempt->skip = attempt->received;
		return 0;
	}
	if (!scar_http_header_get(attempt->resp, "Content-Range", 0, range, sizeof(range)) ||
	    sscanf(range, "bytes %20llu-", &first) != 1 || first != attempt->received)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a partial answer is not the part that was asked for");
	return 0;
}

static int attempt_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_attempt *attempt = ctx;
	const char *bytes = data;

	if (!attempt->body_begun && begin_body(attempt, err) < 0)
		return -1;
	if (attempt->skip) {
		size_t n = len < attempt->skip ? len : (size_t)attempt->skip;

		attempt->skip -= n;
		bytes += n;
		len -= n;
	}
	if (!len)
		return 0;
	if (attempt->req->sink(attempt->req->sink_ctx, bytes, len, err) < 0) {
		attempt->sink_failed = true;
		return -1;
	}
	attempt->received += len;
	return 0;
}

static void reset_response(struct scar_http_response *resp)
{
	scar_http_response_clear(resp);
	scar_http_response_init(resp);
}

static int perform(struct scar_attempt_target *target, struct scar_http *http,
		   struct scar_http_request *req, struct scar_http_response *resp,
		   struct scar_err *err)
{
	int64_t left_ms = scar_clock_left_ms(target->deadline_ms);
	int result;

	if (!left_ms)
		return scar_err_set(err, SCAR_ERR_TIMEOUT, "no time is left for a request");
	if (left_ms != INT64_MAX)
		req->total_timeout_ms = left_ms;
	req->allow_plain = target->allow_plain;
	req->cancel = target->cancel;
	reset_response(resp);
	atomic_fetch_add(&target->requests, 1);
	result = scar_http_perform(http, req, resp, err);
	if (result < 0 && !scar_clock_left_ms(target->deadline_ms))
		err->kind = SCAR_ERR_TIMEOUT;
	atomic_fetch_add(&target->bytes_received, resp->body_bytes);
	return result;
}

static int ask_for_token(void *ctx, const struct scar_auth_question *question,
			 struct scar_http_response *resp, struct scar_err *err)
{
	struct scar_attempt *attempt = ctx;
	struct scar_http_header headers[2];
	struct scar_http_request req = {
		.url = question->url, .headers = headers, .max_body_bytes = SCAR_LIMIT_TOKEN_BYTES};

	if (question->authorization)
		headers[req.header_count++] = (struct scar_http_header){"Authorization",
									question->authorization};
	if (question->form) {
		req.method = "POST";
		req.body = question->form->data;
		req.body_len = question->form->len;
		headers[req.header_count++] = (struct scar_http_header){
			"Content-Type", "application/x-www-form-urlencoded"};
	}
	return perform(attempt->target, attempt->http, &req, resp, err);
}

static int send_to(struct scar_attempt *attempt, const char *url, const char *authorization,
		   struct scar_err *err)
{
	struct scar_http_header headers[3];
	struct scar_http_request req = {
		.url = url, .headers = headers, .max_body_bytes = attempt->req->max_body_bytes};
	char range[64];

	if (attempt->req->accept)
		headers[req.header_count++] = (struct scar_http_header){"Accept",
									attempt->req->accept};
	if (authorization)
		headers[req.header_count++] = (struct scar_http_header){"Authorization",
									authorization};
	if (attempt->received) {
		snprintf(range, sizeof(range), "bytes=%llu-",
			 (unsigned long long)attempt->received);
		headers[req.header_count++] = (struct scar_http_header){"Range", range};
	}
	if (attempt->req->sink) {
		req.sink = attempt_sink;
		req.sink_ctx = attempt;
	}
	attempt->body_begun = false;
	attempt->skip = 0;
	return perform(attempt->target, attempt->http, &req, attempt->resp, err);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/** Replaces *url by where the answer points. */
static int follow(struct scar_attempt *attempt, char **url, struct scar_err *err)
{
	char location[SCAR_LIMIT_URL_BYTES];
	scar_free_auto char *next = NULL;
	struct scar_url from, to;

	if (!scar_http_header_get(attempt->resp, "Location", 0, location, sizeof(location)))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a redirect does not say where to, or too long-windedly");
	if (scar_url_resolve(*url, location, &next, err) < 0 ||
	    scar_url_parse(*url, &from, err) < 0 || scar_url_parse(next, &to, err) < 0)
		return scar_err_wrap(err, "redirect");
	if (!scar_url_may_lead(&from, &to, attempt->target->allow_plain))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a redirect from http%s://%s to http%s://%s is not followed",
				    from.is_https ? "s" : "", from.host, to.is_https ? "s" : "",
				    to.host);
	free(*url);
	*url = scar_steal(next);
	return 0;
}

static int answer_error(struct scar_attempt *attempt, const char *elsewhere, struct scar_err *err)
{
	struct scar_status_context context = {.what = attempt->req->what,
					      .registry = attempt->target->name,
					      .elsewhere = elsewhere,
					      .has_credentials = attempt->target->has_credentials};

	/* What is beyond the end of a blob was asked for only because its descriptor promised it. */
	if (attempt->resp->status == 416 && attempt->received)
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "the %s ends after %llu bytes, its descriptor says %llu",
				    attempt->req->what, (unsigned long long)attempt->received,
				    (unsigned long long)attempt->req->size_bytes);
	return scar_status_error(attempt->resp, &context, &attempt->retry, &attempt->wait_ms, err);
}

static int check_complete(struct scar_attempt *attempt, struct scar_err *err)
{
	int status = attempt->resp->status;

	if (status != 200 && !(status == 206 && attempt->req->sink && attempt->received))
		return answer_error(attempt, NULL, err);
	if (!attempt->req->sink || attempt->received == attempt->req->size_bytes)
		return 0;
	/* A connection that ends early is not always told from the end of a body. */
	attempt->retry = true;
	return scar_err_set(err, SCAR_ERR_INTEGRITY,
			    "the %s has %llu bytes, its descriptor says %llu", attempt->req->what,
			    (unsigned long long)attempt->received,
			    (unsigned long long)attempt->req->size_bytes);
}

/** Whether a transfer that failed in the network or in authorization may work the next time. */
static bool passes_by(const struct scar_attempt *attempt, const struct scar_err *err)
{
	if (attempt->sink_failed)
		return false;
	switch ((int)err->kind) {
	case SCAR_ERR_NETWORK:
	case SCAR_ERR_TIMEOUT:
	case SCAR_ERR_UNAVAILABLE: return true;
	case SCAR_ERR_PROTOCOL: /* a part that was not asked for */ return attempt->body_begun;
	default: return false;
	}
}

static int challenged(struct scar_attempt *attempt, unsigned serial, struct scar_err *err)
{
	if (scar_auth_challenged(attempt->target->auth, attempt->resp, serial, ask_for_token,
				 attempt, err) == 0)
		return 0;
	attempt->retry = passes_by(attempt, err);
	return scar_err_wrap(err, "%s, %s", attempt->target->name, attempt->req->what);
}

int scar_attempt_run(struct scar_attempt *attempt, struct scar_err *err)
{
	struct scar_attempt_target *target = attempt->target;
	scar_free_auto char *url = NULL;
	bool away = false, was_challenged = false;
	unsigned redirects = 0;

	if (asprintf(&url, "%s%s", target->base, attempt->req->path) < 0) {
		url = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	for (;;) {
		scar_free_auto char *authorization = NULL;
		struct scar_url parsed;
		unsigned serial = 0;
		int status;

		if (scar_url_parse(url, &parsed, err) < 0)
			return -1;
		/* Once elsewhere, a way back does not bring the credentials back. */
		away = away || !scar_url_same_origin(&parsed, &target->origin);
		if ((!away && scar_auth_header(target->auth, ask_for_token, attempt, &authorization,
					       &serial, err) < 0) ||
		    send_to(attempt, url, authorization, err) < 0) {
			attempt->retry = passes_by(attempt, err);
			return -1;
		}
		status = attempt->resp->status;
		if (status >= 200 && status < 300)
			return check_complete(attempt, err);
		if (status == 401 && !away && !was_challenged) {
			was_challenged = true;
			if (challenged(attempt, serial, err) < 0)
				return -1;
			continue;
		}
		if (!is_redirect(status))
			return answer_error(attempt, away ? parsed.host : NULL, err);
		if (++redirects > SCAR_LIMIT_REDIRECTS)
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "more than %d redirects for the %s",
					    SCAR_LIMIT_REDIRECTS, attempt->req->what);
		if (follow(attempt, &url, err) < 0)
			return scar_err_wrap(err, "%s", attempt->req->what);
	}
}

int scar_attempt_ping(struct scar_attempt *attempt)
{
	scar_free_auto char *url = NULL;
	struct scar_http_request req = {.method = "HEAD"};
	struct scar_err ignored;

	if (asprintf(&url, "%s/v2/", attempt->target->base) < 0) {
		url = NULL;
		return 0;
	}
	req.url = url;
	return perform(attempt->target, attempt->http, &req, attempt->resp, &ignored) < 0
		       ? 0
		       : attempt->resp->status;
}
