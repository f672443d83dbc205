/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "registry/attempt.h"
#include "registry/auth.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

/* Layers are pulled by a few threads; more idle clients are not worth their connections. */
#define POOL_MAX 16
#define RETRY_DELAY_DEFAULT_MS 500
#define RETRY_DELAY_MAX_MS 8000
#define RETRIES_WITH_ALTERNATIVE 1
/* Progress that makes a failure the first one again; a server that drips does not retry for ever. */
#define PROGRESS_BYTES SCAR_MIB(1)
/* So often a wait looks whether it was cancelled. */
#define CANCEL_POLL_MS 50

struct scar_transfer {
	char *host;
	pthread_mutex_t scheme_lock; /* until the scheme is settled */
	bool scheme_settled;
	struct scar_attempt_target target;
	char *reference;
	char *ca_bundle;
	int64_t retry_delay_ms;
	unsigned retries_max;

	pthread_mutex_t pool_lock;
	struct scar_http *idle[POOL_MAX];
	size_t idle_count;

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
					 .allow_plain = transfer->target.allow_plain};

	return scar_auth_create(&auth, &transfer->target.auth, err);
}

static int set_base(struct scar_transfer *transfer, bool is_https, struct scar_err *err)
{
	char *base = NULL;

	if (asprintf(&base, "http%s://%s", is_https ? "s" : "", transfer->host) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free(transfer->target.base);
	transfer->target.base = base;
	if (scar_url_parse(base, &transfer->target.origin, err) < 0)
		return -1;
	scar_auth_set_origin(transfer->target.auth, &transfer->target.origin);
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
	transfer->target.has_credentials = options->username;
	transfer->target.allow_plain = source->allow_plain;
	transfer->target.deadline_ms = source->deadline_ms;
	transfer->retry_delay_ms = source->retry_delay_ms > 0 ? source->retry_delay_ms
							      : RETRY_DELAY_DEFAULT_MS;
	transfer->retries_max = options->has_alternative ? RETRIES_WITH_ALTERNATIVE
							 : SCAR_LIMIT_RETRIES;
	transfer->target.cancel = source->cancel;
	transfer->scheme_settled = options->scheme != SCAR_SCHEME_GUESS;
	if (copy_text(options->host, &transfer->host, err) < 0 ||
	    copy_text(options->name, &transfer->target.name, err) < 0 ||
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
	scar_auth_free(transfer->target.auth);
	free(transfer->host);
	free(transfer->target.base);
	free(transfer->target.name);
	free(transfer->reference);
	free(transfer->ca_bundle);
	free(transfer);
}

void scar_transfer_stats(const struct scar_transfer *transfer, struct scar_source_stats *ret_stats)
{
	ret_stats->requests = atomic_load(&transfer->target.requests);
	ret_stats->bytes_received = atomic_load(&transfer->target.bytes_received);
	ret_stats->retries = atomic_load(&transfer->retries);
}

/* ---- TLS or not ---- */

/**
 * TLS servers hang up on what is not TLS, or answer it with 400. If neither way works it stays at http, and the
 * request that follows says what is wrong.
 */
static int settle_scheme(struct scar_transfer *transfer, struct scar_attempt *attempt,
			 struct scar_err *err)
{
	int result = 0, status;

	pthread_mutex_lock(&transfer->scheme_lock);
	status = transfer->scheme_settled ? 200 : scar_attempt_ping(attempt);
	if (status == 0 || status == 400)
		result = set_base(transfer, true, err);
	if (status == 0 && result == 0 && scar_attempt_ping(attempt) == 0)
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

		if (transfer->target.cancel && *transfer->target.cancel)
			return scar_err_set(err, SCAR_ERR_INTERRUPTED,
					    "told to stop while waiting to try again");
		if (left_ms <= 0)
			return 0;
		scar_clock_sleep_ms(left_ms < CANCEL_POLL_MS ? left_ms : CANCEL_POLL_MS);
	}
}

/** @return 0 to try again, after the wait; -1 with err as it is to give up. */
static int prepare_retry(struct scar_transfer *transfer, struct scar_attempt *attempt,
			 unsigned failures, struct scar_err *err)
{
	int64_t wait_ms = back_off_ms(transfer, failures);

	if (!attempt->retry || failures > transfer->retries_max)
		return -1;
	if (wait_ms < attempt->wait_ms)
		wait_ms = attempt->wait_ms;
	if (scar_clock_left_ms(transfer->target.deadline_ms) <= wait_ms)
		return -1;
	scar_debug("%s: %s; trying again in %lld ms", transfer->reference, err->msg,
		   (long long)wait_ms);
	atomic_fetch_add(&transfer->retries, 1);
	return wait_for_retry(transfer, wait_ms, err);
}

static int run(struct scar_transfer *transfer, struct scar_attempt *attempt, struct scar_err *err)
{
	uint64_t mark = attempt->received;
	unsigned failures = 0;

	for (;;) {
		attempt->retry = false;
		attempt->wait_ms = 0;
		if (scar_attempt_run(attempt, err) == 0)
			return 0;
		if (attempt->received - mark >= PROGRESS_BYTES) {
			mark = attempt->received;
			failures = 0;
		}
		if (prepare_retry(transfer, attempt, ++failures, err) < 0)
			return -1;
	}
}

int scar_transfer_get(struct scar_transfer *transfer, const struct scar_transfer_request *req,
		      struct scar_http_response *resp, struct scar_err *err)
{
	struct scar_attempt attempt = {.target = &transfer->target, .req = req, .resp = resp};
	int result;

	attempt.http = pool_take(transfer, err);
	if (!attempt.http)
		return -1;
	if (req->progress)
		attempt.received = req->progress->received;
	result = settle_scheme(transfer, &attempt, err);
	if (result == 0)
		result = run(transfer, &attempt, err);
	if (req->progress)
		*req->progress = (struct scar_transfer_progress){attempt.received,
								 attempt.sink_failed};
	pool_give(transfer, attempt.http);
	return result;
}
