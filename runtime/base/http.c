/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http_ca.h"
#include "runtime/base/http_private.h"
#include "runtime/base/log.h"
#include "runtime/base/version.h"

#define STALL_TIMEOUT_MS 30000
/* How long a cancelled transfer may go unnoticed. */
#define CANCEL_POLL_MS 50
#define IDLE_POLL_MS 1000
#define IDLE_CONNECTIONS 4L

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;

static void init_global(void)
{
	global_status = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- the client ---- */

struct scar_http *scar_http_create(const struct scar_http_options *options, struct scar_err *err)
{
	scar_http_auto struct scar_http *http = NULL;
	const char *user_agent = options && options->user_agent ? options->user_agent
								: "scar/" SCAR_VERSION;

	pthread_once(&global_once, init_global);
	if (global_status != CURLE_OK) {
		scar_err_set(err, SCAR_ERR_INTERNAL, "libcurl: %s",
			     curl_easy_strerror(global_status));
		return NULL;
	}
	http = calloc(1, sizeof *http);
	if (http) {
		http->multi = curl_multi_init();
		http->easy = curl_easy_init();
		http->user_agent = strdup(user_agent);
		http->ca_bundle = scar_http_find_ca_bundle(options ? options->ca_bundle : NULL);
	}
	if (!http || !http->multi || !http->easy || !http->user_agent) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		return NULL;
	}
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	http->ipv4_only = scar_http_lacks_ipv6();
	return scar_steal(http);
}

void scar_http_free(struct scar_http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	scar_http_ca_free(http->ca);
	free(http->user_agent);
	free(http->ca_bundle);
	free(http);
}

/* ---- what libcurl says, in our words ---- */

static enum scar_err_kind kind_of(CURLcode code, const struct scar_http_transfer *transfer)
{
	int64_t total_us = transfer->req->total_timeout_ms * 1000;

	switch ((int)code) {
	case CURLE_OUT_OF_MEMORY: return SCAR_ERR_NOMEM;
	case CURLE_SSL_CONNECT_ERROR:
		/* What libcurl writes when the connection, not TLS, broke during the handshake. */
		return strstr(transfer->text, "SSL_connect:") ? SCAR_ERR_NETWORK : SCAR_ERR_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_USE_SSL_FAILED: return SCAR_ERR_TLS;
	case CURLE_OPERATION_TIMEDOUT:
		if (total_us > 0 && scar_clock_monotonic_us() - transfer->started_us >= total_us)
			return SCAR_ERR_TIMEOUT;
		return SCAR_ERR_NETWORK;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_UNSUPPORTED_PROTOCOL: return SCAR_ERR_PROTOCOL;
	case CURLE_URL_MALFORMAT: return SCAR_ERR_CONFIG;
	case CURLE_FAILED_INIT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION: return SCAR_ERR_INTERNAL;
	default: return SCAR_ERR_NETWORK;
	}
}

static int report(const struct scar_http_transfer *transfer, CURLcode code)
{
	const char *text = transfer->text[0] ? transfer->text : curl_easy_strerror(code);
	char shown[256];

	if (transfer->failed)
		return -1; /* the callback has said why */
	if (code == CURLE_OK || transfer->body_full)
		return 0;
	return scar_err_set(transfer->err, kind_of(code, transfer), "%s: %s",
			    scar_log_url(transfer->req->url, shown, sizeof shown), text);
}

/* ---- the transfer ---- */

/* Bytes that left count as progress, too: a long upload hears nothing. */
static void note_sent(struct scar_http_transfer *transfer)
{
	curl_off_t sent = 0;

	if (curl_easy_getinfo(transfer->http->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK ||
	    (uint64_t)sent == transfer->sent_bytes)
		return;
	transfer->sent_bytes = (uint64_t)sent;
	transfer->active_us = scar_clock_monotonic_us();
}

/* Milliseconds that may be waited. @return -1 if the transfer must end */
static int check(struct scar_http_transfer *transfer)
{
	const struct scar_http_request *req = transfer->req;
	int64_t stall_ms = req->stall_timeout_ms == 0 ? STALL_TIMEOUT_MS : req->stall_timeout_ms;
	int64_t wait_ms = req->cancel ? CANCEL_POLL_MS : IDLE_POLL_MS;
	char shown[256];

	if (req->cancel && __atomic_load_n(req->cancel, __ATOMIC_RELAXED))
		return scar_err_set(transfer->err, SCAR_ERR_INTERRUPTED, "%s: interrupted",
				    scar_log_url(req->url, shown, sizeof shown));
	note_sent(transfer);
	if (stall_ms > 0) {
		int64_t idle_ms = (scar_clock_monotonic_us() - transfer->active_us) / 1000;

		if (idle_ms >= stall_ms)
			return scar_err_set(
				transfer->err, SCAR_ERR_NETWORK, "%s: no byte for %lld ms",
				scar_log_url(req->url, shown, sizeof shown), (long long)stall_ms);
		if (wait_ms > stall_ms - idle_ms)
			wait_ms = stall_ms - idle_ms;
	}
	return (int)wait_ms;
}

static int multi_failed(struct scar_http_transfer *transfer, CURLMcode code)
{
	return scar_err_set(transfer->err,
			    code == CURLM_OUT_OF_MEMORY ? SCAR_ERR_NOMEM : SCAR_ERR_INTERNAL,
			    "libcurl: %s", curl_multi_strerror(code));
}

static CURLcode result_of(CURLM *multi)
{
	int left;
	const CURLMsg *message = curl_multi_info_read(multi, &left);

	return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

/*
 * The loop is ours, and not curl_easy_perform()'s, so that cancelling and stalls are seen
 * within milliseconds rather than a second.
 */
static int run(struct scar_http_transfer *transfer)
{
	CURLM *multi = transfer->http->multi;
	int running = 1;

	for (;;) {
		CURLMcode code = curl_multi_perform(multi, &running);
		int wait_ms;

		if (code != CURLM_OK)
			return multi_failed(transfer, code);
		if (running == 0)
			return report(transfer, result_of(multi));
		wait_ms = check(transfer);
		if (wait_ms < 0)
			return -1;
		code = curl_multi_poll(multi, NULL, 0, wait_ms, NULL);
		if (code != CURLM_OK)
			return multi_failed(transfer, code);
	}
}

int scar_http_perform(struct scar_http *http, const struct scar_http_request *req,
		      struct scar_http_response *resp, struct scar_err *err)
{
	struct scar_http_transfer transfer = {.http = http, .req = req, .resp = resp, .err = err};
	CURLMcode code;
	int status;

	resp->status = 0;
	resp->body_bytes = 0;
	scar_buf_reset(&resp->headers);
	scar_buf_reset(&resp->body);
	resp->body.max_bytes = req->max_body_bytes > 0 ? req->max_body_bytes
						       : SCAR_HTTP_BODY_DEFAULT;
	transfer.started_us = scar_clock_monotonic_us();
	transfer.active_us = transfer.started_us;
	status = scar_http_setup(&transfer);
	if (status == 0) {
		code = curl_multi_add_handle(http->multi, http->easy);
		status = code == CURLM_OK ? run(&transfer) : multi_failed(&transfer, code);
		curl_multi_remove_handle(http->multi, http->easy);
	}
	/* The options point into this frame. */
	curl_easy_reset(http->easy);
	curl_slist_free_all(transfer.fields);
	return status;
}
