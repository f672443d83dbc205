/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "registry/auth.h"
#include "registry/status.h"
#include "registry/url.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

/* Layers are pulled by a few threads; more idle clients are not worth their connections. */
#define POOL_MAX 16
#define RETRY_DELAY_DEFAULT_MS 500
#define RETRY_DELAY_MAX_MS 8000
/* Progress that makes a failure the first one again; a server that drips does not retry for ever. */
#define PROGRESS_BYTES SCAR_MIB(1)
/* So often a wait looks whether it was cancelled. */
#define CANCEL_POLL_MS 50

struct scar_transfer {
	char *host;
	pthread_mutex_t scheme_lock; /* until the scheme is settled */
	bool scheme_settled;
	char *base; /* "https://host:port" */
	struct scar_url origin;
	char *name;
	char *reference;
	char *ca_bundle;
	struct scar_auth *auth;
	bool has_credentials;
	bool allow_plain;
	int64_t deadline_ms;
	int64_t retry_delay_ms;
	const volatile int *cancel;

	pthread_mutex_t pool_lock;
	struct scar_http *idle[POOL_MAX];
	size_t idle_count;

	atomic_uint_least64_t requests;
	atomic_uint_least64_t bytes_received;
	atomic_uint_least64_t retries;
};

/* ---- pool of clients ---- */

static struct scar_http *pool_take(struct scar_transfer *transfer, struct scar_err *err)
{
	struct scar_http_options options = {.ca_bundle = transfer->ca_bundle};
	struct scar_http *http = NULL;

	pthread_mutex_lock(&transfer->pool_lock);
	if (transfer->idle_count)
		http = transfer->idle[--transfer->idle_count];
	pthread_mutex_unlock(&transfer->pool_lock);
	return http ? http : scar_http_create(&options, err);
}

static void pool_give(struct scar_transfer *transfer, struct scar_http *http)
{
	pthread_mutex_lock(&transfer->pool_lock);
	if (transfer->idle_count < POOL_MAX) {
		transfer->idle[transfer->idle_count++] = http;
		http = NULL;
	}
	pthread_mutex_unlock(&transfer->pool_lock);
	scar_http_free(http);
}

/* ---- create, free ---- */

static int copy_text(const char *text, char **ret_copy, struct scar_err *err)
{
	*ret_copy = text ? strdup(text) : NULL;
	return *ret_copy || !text ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int make_auth(struct scar_transfer *transfer, const struct scar_transfer_options *options,
		     struct scar_err *err)
{
	struct scar_auth_options auth = {.repository = options->repository,
					 .username = options->username,
					 .password = options->password,
					 .realm = options->realm,
					 .service = options->service,
					 .allow_plain = transfer->allow_plain};

	return scar_auth_create(&auth, &transfer->auth, err);
}

static int set_base(struct scar_transfer *transfer, bool is_https, struct scar_err *err)
{
	char *base = NULL;

	if (asprintf(&base, "http%s://%s", is_https ? "s" : "", transfer->host) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free(transfer->base);
	transfer->base = base;
	if (scar_url_parse(base, &transfer->origin, err) < 0)
		return -1;
	scar_auth_set_origin(transfer->auth, &transfer->origin);
	return 0;
}

int scar_transfer_create(const struct scar_transfer_options *options,
			 struct scar_transfer **ret_transfer, struct scar_err *err)
{
	scar_auto(scar_cleanup_transfer) struct scar_transfer *transfer = calloc(1,
										 sizeof(*transfer));
	const struct scar_source_options *source = options->source;
	struct scar_http *http;

	if (!transfer)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	pthread_mutex_init(&transfer->pool_lock, NULL);
	pthread_mutex_init(&transfer->scheme_lock, NULL);
	transfer->has_credentials = options->username;
	transfer->allow_plain = source->allow_plain;
	transfer->deadline_ms = source->deadline_ms;
	transfer->retry_delay_ms = source->retry_delay_ms > 0 ? source->retry_delay_ms
							      : RETRY_DELAY_DEFAULT_MS;
	transfer->cancel = source->cancel;
	transfer->scheme_settled = options->scheme != SCAR_SCHEME_GUESS;
	if (copy_text(options->host, &transfer->host, err) < 0 ||
	    copy_text(options->name, &transfer->name, err) < 0 ||
	    copy_text(options->reference, &transfer->reference, err) < 0 ||
	    copy_text(source->ca_bundle, &transfer->ca_bundle, err) < 0 ||
	    make_auth(transfer, options, err) < 0 ||
	    set_base(transfer, options->scheme == SCAR_SCHEME_HTTPS, err) < 0)
		return -1;
	/* The first client initialises the library, which must happen before there are threads. */
	http = pool_take(transfer, err);
	if (!http)
		return -1;
	pool_give(transfer, http);
	*ret_transfer = scar_steal(transfer);
	return 0;
}

void scar_transfer_free(struct scar_transfer *transfer)
{
	if (!transfer)
		return;
	while (transfer->idle_count)
		scar_http_free(transfer->idle[--transfer->idle_count]);
	pthread_mutex_destroy(&transfer->pool_lock);
	pthread_mutex_destroy(&transfer->scheme_lock);
	scar_auth_free(transfer->auth);
	free(transfer->host);
	free(transfer->base);
	free(transfer->name);
	free(transfer->reference);
	free(transfer->ca_bundle);
	free(transfer);
}

void scar_transfer_stats(const struct scar_transfer *transfer, struct scar_source_stats *ret_stats)
{
	ret_stats->requests = atomic_load(&transfer->requests);
	ret_stats->bytes_received = atomic_load(&transfer->bytes_received);
	ret_stats->retries = atomic_load(&transfer->retries);
}

/* ---- one request, with redirects and authorization ---- */

/** A GET that may take several attempts. */
struct job {
	struct scar_transfer *transfer;
	const struct scar_transfer_request *req;
	struct scar_http_response *resp;
	struct scar_http *http;
	uint64_t received; /* bytes that the sink has, over all attempts */
	/* of the running attempt */
	uint64_t skip;
	bool body_begun;
	bool sink_failed;
	/* of the failed attempt */
	bool retry;
	int64_t wait_ms;
};

/** Looks at the answer before the first byte of its body is taken. */
static int begin_body(struct job *job, struct scar_err *err)
{
	char range[64];
	unsigned long long first;

	job->body_begun = true;
	if (job->resp->status != 206) {
		job->skip = job->received;
		return 0;
	}
	if (!scar_http_header_get(job->resp, "Content-Range", 0, range, sizeof(range)) ||
	    sscanf(range, "bytes %20llu-", &first) != 1 || first != job->received)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a partial answer is not the part that was asked for");
	return 0;
}

static int job_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct job *job = ctx;
	const char *bytes = data;

	if (!job->body_begun && begin_body(job, err) < 0)
		return -1;
	if (job->skip) {
		size_t n = len < job->skip ? len : (size_t)job->skip;

		job->skip -= n;
		bytes += n;
		len -= n;
	}
	if (!len)
		return 0;
	if (job->req->sink(job->req->sink_ctx, bytes, len, err) < 0) {
		job->sink_failed = true;
		return -1;
	}
	job->received += len;
	return 0;
}

static void reset_response(struct scar_http_response *resp)
{
	scar_http_response_clear(resp);
	scar_http_response_init(resp);
}

static int perform(struct scar_transfer *transfer, struct scar_http *http,
		   struct scar_http_request *req, struct scar_http_response *resp,
		   struct scar_err *err)
{
	int64_t left_ms = scar_clock_left_ms(transfer->deadline_ms);
	int result;

	if (!left_ms)
		return scar_err_set(err, SCAR_ERR_TIMEOUT, "no time is left for a request");
	if (left_ms != INT64_MAX)
		req->total_timeout_ms = left_ms;
	req->allow_plain = transfer->allow_plain;
	req->cancel = transfer->cancel;
	reset_response(resp);
	atomic_fetch_add(&transfer->requests, 1);
	result = scar_http_perform(http, req, resp, err);
	if (result < 0 && !scar_clock_left_ms(transfer->deadline_ms))
		err->kind = SCAR_ERR_TIMEOUT;
	atomic_fetch_add(&transfer->bytes_received, resp->body_bytes);
	return result;
}

static int token_get(void *ctx, const char *url, const char *authorization,
		     struct scar_http_response *resp, struct scar_err *err)
{
	struct job *job = ctx;
	struct scar_http_header header = {"Authorization", authorization};
	struct scar_http_request req = {.url = url,
					.headers = &header,
					.header_count = authorization ? 1 : 0,
					.max_body_bytes = SCAR_LIMIT_TOKEN_BYTES};

	return perform(job->transfer, job->http, &req, resp, err);
}

static int send_to(struct job *job, const char *url, const char *authorization,
		   struct scar_err *err)
{
	struct scar_http_header headers[3];
	struct scar_http_request req = {
		.url = url, .headers = headers, .max_body_bytes = job->req->max_body_bytes};
	char range[64];

	if (job->req->accept)
		headers[req.header_count++] = (struct scar_http_header){"Accept", job->req->accept};
	if (authorization)
		headers[req.header_count++] = (struct scar_http_header){"Authorization",
									authorization};
	if (job->received) {
		snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)job->received);
		headers[req.header_count++] = (struct scar_http_header){"Range", range};
	}
	if (job->req->sink) {
		req.sink = job_sink;
		req.sink_ctx = job;
	}
	job->body_begun = false;
	job->skip = 0;
	return perform(job->transfer, job->http, &req, job->resp, err);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/** Replaces *url by where the answer points. */
static int follow(struct job *job, char **url, struct scar_err *err)
{
	char location[SCAR_LIMIT_URL_BYTES];
	scar_free_auto char *next = NULL;
	struct scar_url from, to;

	if (!scar_http_header_get(job->resp, "Location", 0, location, sizeof(location)))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a redirect does not say where to, or too long-windedly");
	if (scar_url_resolve(*url, location, &next, err) < 0 ||
	    scar_url_parse(*url, &from, err) < 0 || scar_url_parse(next, &to, err) < 0)
		return scar_err_wrap(err, "redirect");
	if (!scar_url_may_lead(&from, &to, job->transfer->allow_plain))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "a redirect from http%s://%s to http%s://%s is not followed",
				    from.is_https ? "s" : "", from.host, to.is_https ? "s" : "",
				    to.host);
	free(*url);
	*url = scar_steal(next);
	return 0;
}

static int answer_error(struct job *job, const char *elsewhere, struct scar_err *err)
{
	struct scar_status_context context = {.what = job->req->what,
					      .registry = job->transfer->name,
					      .elsewhere = elsewhere,
					      .has_credentials = job->transfer->has_credentials};

	/* What is beyond the end of a blob was asked for only because its descriptor promised it. */
	if (job->resp->status == 416 && job->received)
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "the %s ends after %llu bytes, its descriptor says %llu",
				    job->req->what, (unsigned long long)job->received,
				    (unsigned long long)job->req->size_bytes);
	return scar_status_error(job->resp, &context, &job->retry, &job->wait_ms, err);
}

static int check_complete(struct job *job, struct scar_err *err)
{
	int status = job->resp->status;

	if (status != 200 && !(status == 206 && job->req->sink && job->received))
		return answer_error(job, NULL, err);
	if (!job->req->sink || job->received == job->req->size_bytes)
		return 0;
	/* A connection that ends early is not always told from the end of a body. */
	job->retry = true;
	return scar_err_set(err, SCAR_ERR_INTEGRITY,
			    "the %s has %llu bytes, its descriptor says %llu", job->req->what,
			    (unsigned long long)job->received,
			    (unsigned long long)job->req->size_bytes);
}

/** Whether a transfer that failed in the network or in authorization may work the next time. */
static bool passes_by(const struct job *job, const struct scar_err *err)
{
	if (job->sink_failed)
		return false;
	switch ((int)err->kind) {
	case SCAR_ERR_NETWORK:
	case SCAR_ERR_TIMEOUT:
	case SCAR_ERR_UNAVAILABLE: return true;
	case SCAR_ERR_PROTOCOL: /* a part that was not asked for */ return job->body_begun;
	default: return false;
	}
}

static int challenged(struct job *job, unsigned serial, struct scar_err *err)
{
	if (scar_auth_challenged(job->transfer->auth, job->resp, serial, token_get, job, err) == 0)
		return 0;
	job->retry = passes_by(job, err);
	return scar_err_wrap(err, "%s, %s", job->transfer->name, job->req->what);
}

/**
 * Sends to the registry with credentials, goes where it sends us without them; one refused pair of credentials is
 * replaced by another once.
 */
static int attempt(struct job *job, struct scar_err *err)
{
	struct scar_transfer *transfer = job->transfer;
	scar_free_auto char *url = NULL;
	bool away = false, was_challenged = false;
	unsigned redirects = 0;

	if (asprintf(&url, "%s%s", transfer->base, job->req->path) < 0) {
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
		away = away || !scar_url_same_origin(&parsed, &transfer->origin);
		if ((!away && scar_auth_header(transfer->auth, token_get, job, &authorization,
					       &serial, err) < 0) ||
		    send_to(job, url, authorization, err) < 0) {
			job->retry = passes_by(job, err);
			return -1;
		}
		status = job->resp->status;
		if (status >= 200 && status < 300)
			return check_complete(job, err);
		if (status == 401 && !away && !was_challenged) {
			was_challenged = true;
			if (challenged(job, serial, err) < 0)
				return -1;
			continue;
		}
		if (!is_redirect(status))
			return answer_error(job, away ? parsed.host : NULL, err);
		if (++redirects > SCAR_LIMIT_REDIRECTS)
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "more than %d redirects for the %s",
					    SCAR_LIMIT_REDIRECTS, job->req->what);
		if (follow(job, &url, err) < 0)
			return scar_err_wrap(err, "%s", job->req->what);
	}
}

/* ---- TLS or not ---- */

/** @return the status that the server at base answers with, 0 if none */
static int ask_base(struct job *job)
{
	scar_free_auto char *url = NULL;
	struct scar_http_request req = {.method = "HEAD"};
	struct scar_err ignored;

	if (asprintf(&url, "%s/v2/", job->transfer->base) < 0) {
		url = NULL;
		return 0;
	}
	req.url = url;
	return perform(job->transfer, job->http, &req, job->resp, &ignored) < 0 ? 0
										: job->resp->status;
}

/**
 * TLS servers hang up on what is not TLS, or answer it with 400. If neither way works it stays at http, and the
 * request that follows says what is wrong.
 */
static int settle_scheme(struct job *job, struct scar_err *err)
{
	struct scar_transfer *transfer = job->transfer;
	int result = 0, status;

	pthread_mutex_lock(&transfer->scheme_lock);
	status = transfer->scheme_settled ? 200 : ask_base(job);
	if (status == 0 || status == 400)
		result = set_base(transfer, true, err);
	if (status == 0 && result == 0 && ask_base(job) == 0)
		result = set_base(transfer, false, err);
	transfer->scheme_settled = result == 0;
	pthread_mutex_unlock(&transfer->scheme_lock);
	return result;
}

/* ---- retries ---- */

/** Half of the delay is random: many functions that failed together must not come back together. */
static int64_t back_off_ms(const struct scar_transfer *transfer, unsigned failures)
{
	int64_t delay_ms = transfer->retry_delay_ms;
	uint32_t random = 0;

	for (unsigned i = 1; i < failures && delay_ms < RETRY_DELAY_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms > RETRY_DELAY_MAX_MS)
		delay_ms = RETRY_DELAY_MAX_MS;
	/* Without randomness the delay is merely not spread. */
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return delay_ms / 2 + (int64_t)(random % (uint32_t)(delay_ms / 2 + 1));
}

static int wait_for_retry(const struct scar_transfer *transfer, int64_t wait_ms,
			  struct scar_err *err)
{
	int64_t end_us = scar_clock_monotonic_us() + wait_ms * 1000;

	for (;;) {
		int64_t left_ms = (end_us - scar_clock_monotonic_us() + 999) / 1000;

		if (transfer->cancel && *transfer->cancel)
			return scar_err_set(err, SCAR_ERR_INTERRUPTED,
					    "told to stop while waiting to try again");
		if (left_ms <= 0)
			return 0;
		scar_clock_sleep_ms(left_ms < CANCEL_POLL_MS ? left_ms : CANCEL_POLL_MS);
	}
}

/** @return 0 to try again, after the wait; -1 with err as it is to give up. */
static int prepare_retry(struct job *job, unsigned failures, struct scar_err *err)
{
	struct scar_transfer *transfer = job->transfer;
	int64_t wait_ms = back_off_ms(transfer, failures);

	if (!job->retry || failures > SCAR_LIMIT_RETRIES)
		return -1;
	if (wait_ms < job->wait_ms)
		wait_ms = job->wait_ms;
	if (scar_clock_left_ms(transfer->deadline_ms) <= wait_ms)
		return -1;
	scar_debug("%s: %s; trying again in %lld ms", transfer->reference, err->msg,
		   (long long)wait_ms);
	atomic_fetch_add(&transfer->retries, 1);
	return wait_for_retry(transfer, wait_ms, err);
}

static int run_job(struct job *job, struct scar_err *err)
{
	uint64_t mark = 0;
	unsigned failures = 0;

	for (;;) {
		job->retry = false;
		job->wait_ms = 0;
		if (attempt(job, err) == 0)
			return 0;
		if (job->received - mark >= PROGRESS_BYTES) {
			mark = job->received;
			failures = 0;
		}
		if (prepare_retry(job, ++failures, err) < 0)
			return -1;
	}
}

int scar_transfer_get(struct scar_transfer *transfer, const struct scar_transfer_request *req,
		      struct scar_http_response *resp, struct scar_err *err)
{
	struct job job = {.transfer = transfer, .req = req, .resp = resp};
	int result;

	job.http = pool_take(transfer, err);
	if (!job.http)
		return -1;
	result = settle_scheme(&job, err);
	if (result == 0)
		result = run_job(&job, err);
	pool_give(transfer, job.http);
	return result;
}
