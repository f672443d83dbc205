/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http_trust.h"
#include "runtime/base/limits.h"

enum {
	CONNECT_TIMEOUT_MS = 10000,
	STALL_TIMEOUT_MS = 30000,
	KEPT_BODY_BYTES = 64 * 1024,
	/* Blobs stream through this buffer; curl's own 16 KiB cost many small writes. */
	RECEIVE_BUFFER_BYTES = 256 * 1024
};

struct scar_http {
	CURL *curl;
	char *user_agent;
	char *ca_bundle;
	bool ipv4_only;
};

/** One running request, as the callbacks see it. */
struct transfer {
	const struct scar_http_request *req;
	struct scar_http_response *resp;
	struct scar_err *err; /**< filled by a callback that ended the transfer */
	CURL *curl;
	int64_t last_byte_us;
	int64_t stall_us;
	curl_off_t seen_bytes;
	bool failed;
	bool stalled;
	bool sinking;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void init_global(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

struct scar_http *scar_http_create(const struct scar_http_options *options, struct scar_err *err)
{
	scar_http_auto struct scar_http *http = calloc(1, sizeof(*http));

	pthread_once(&global_once, init_global);
	if (!http || global_result != CURLE_OK) {
		scar_err_set(err, SCAR_ERR_NOMEM, "HTTP client: out of memory");
		return NULL;
	}
	http->curl = curl_easy_init();
	http->user_agent = strdup(options && options->user_agent ? options->user_agent
								 : "scar/0.1");
	http->ca_bundle = copy_text(options ? options->ca_bundle : NULL);
	if (!http->curl || !http->user_agent ||
	    (options && options->ca_bundle && !http->ca_bundle)) {
		scar_err_set(err, SCAR_ERR_NOMEM, "HTTP client: out of memory");
		return NULL;
	}
	/* musl's resolver stalls when a server refuses the AAAA question; do not ask it in vain. */
	http->ipv4_only = !scar_http_has_ipv6();
	return scar_steal(http);
}

void scar_http_free(struct scar_http *http)
{
	if (!http)
		return;
	if (http->curl)
		curl_easy_cleanup(http->curl);
	free(http->user_agent);
	free(http->ca_bundle);
	free(http);
}

void scar_http_response_init(struct scar_http_response *resp)
{
	*resp = (struct scar_http_response){.status = 0};
	scar_buf_init(&resp->headers, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&resp->body, KEPT_BODY_BYTES);
}

void scar_http_response_clear(struct scar_http_response *resp)
{
	scar_buf_clear(&resp->headers);
	scar_buf_clear(&resp->body);
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;
	size_t len = size * count;

	/* Each block (100 Continue, a proxy's CONNECT, the answer) starts with a status line. */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
		scar_buf_reset(&transfer->resp->headers);
	else if (scar_buf_append(&transfer->resp->headers, data, len, transfer->err) < 0) {
		transfer->failed = true;
		return 0;
	}
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;
	struct scar_http_response *resp = transfer->resp;
	size_t len = size * count;
	int failed;

	if (resp->body_bytes == 0) {
		long status = 0;

		curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
		resp->status = (int)status;
		transfer->sinking = transfer->req->sink && status >= 200 && status < 300;
	}
	resp->body_bytes += len;
	if (transfer->sinking)
		failed = transfer->req->sink(transfer->req->sink_ctx, data, len, transfer->err);
	else
		failed = scar_buf_append(&resp->body, data, len, transfer->err);
	if (failed < 0) {
		transfer->failed = true;
		return len + 1; /* anything but len ends the transfer; len itself may be 0 */
	}
	/* A sink may block for long (back-pressure): that is no stall of the network. */
	transfer->last_byte_us = scar_clock_monotonic_us();
	return len;
}

static size_t on_upload(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;
	size_t len = 0;

	if (transfer->req->body_source(transfer->req->body_ctx, data, size * count, &len,
				       transfer->err) < 0) {
		transfer->failed = true;
		return CURL_READFUNC_ABORT;
	}
	transfer->last_byte_us = scar_clock_monotonic_us();
	return len;
}

/** Called by curl about once a second while nothing happens, and at each piece of data. */
static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	struct transfer *transfer = ctx;

	(void)down_total;
	(void)up_total;
	if (transfer->req->cancel && __atomic_load_n(transfer->req->cancel, __ATOMIC_RELAXED)) {
		scar_err_set(transfer->err, SCAR_ERR_INTERRUPTED, "transfer cancelled");
		transfer->failed = true;
		return 1;
	}
	int64_t now_us = scar_clock_monotonic_us();
	if (down + up != transfer->seen_bytes) {
		transfer->seen_bytes = down + up;
		transfer->last_byte_us = now_us;
	} else if (transfer->stall_us > 0 && now_us - transfer->last_byte_us > transfer->stall_us) {
		transfer->stalled = true;
		return 1;
	}
	return 0;
}

static enum scar_err_kind kind_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_OUT_OF_MEMORY: return SCAR_ERR_NOMEM;
	case CURLE_OPERATION_TIMEDOUT: return SCAR_ERR_NETWORK;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS: return SCAR_ERR_TLS;
	case CURLE_PARTIAL_FILE:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT: return SCAR_ERR_PROTOCOL;
	default: return SCAR_ERR_NETWORK;
	}
}

static int check_url(const struct scar_http_request *req, struct scar_err *err)
{
	char shown[256];
	const char *end = strstr(req->url, "://");

	if (strlen(req->url) >= SCAR_LIMIT_URL_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "URL is longer than %zu bytes",
				    SCAR_LIMIT_URL_BYTES);
	snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(req->url, "?#"), req->url);
	if (strncasecmp(req->url, "https://", 8) == 0)
		return 0;
	if (!end || strncasecmp(req->url, "http://", 7) != 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "'%s' is not an http or https URL",
				    shown);
	if (req->allow_plain || scar_http_is_loopback(req->url))
		return 0;
	return scar_err_set(err, SCAR_ERR_TLS,
			    "refusing plain HTTP to a host that is not loopback: '%s'", shown);
}

/** The list of "Name: value" lines; an empty value needs curl's "Name;" form. */
static int header_list(const struct scar_http_request *req, struct curl_slist **ret_list,
		       struct scar_err *err)
{
	struct curl_slist *list = NULL;
	struct scar_buf line;

	scar_buf_init(&line, SCAR_LIMIT_HTTP_HEADER_BYTES);
	/* Neither of curl's own additions is wanted. */
	struct curl_slist *next = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; next && i < req->header_count; i++) {
		const struct scar_http_header *h = &req->headers[i];

		list = next;
		next = NULL;
		scar_buf_reset(&line);
		if (strpbrk(h->name, "\r\n:") || strpbrk(h->value, "\r\n")) {
			scar_err_set(err, SCAR_ERR_PROTOCOL,
				     "request header '%s' has a line break in it", h->name);
			goto fail;
		}
		if (scar_buf_printf(&line, err, *h->value ? "%s: %s" : "%s;%s", h->name, h->value) <
		    0)
			goto fail;
		next = curl_slist_append(list, line.data);
	}
	scar_buf_clear(&line);
	if (!next) {
		curl_slist_free_all(list);
		return scar_err_set(err, SCAR_ERR_NOMEM, "HTTP request: out of memory");
	}
	*ret_list = next;
	return 0;
fail:
	scar_buf_clear(&line);
	curl_slist_free_all(list);
	return -1;
}

static void set_method(CURL *curl, const struct scar_http_request *req)
{
	const char *method = req->method ? req->method : "GET";
	bool has_body = req->body || req->body_source;

	if (req->body_source) {
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
	} else if (has_body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, req->body);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET") != 0 || has_body)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct scar_http *http, struct transfer *transfer, char *reason)
{
	CURL *curl = http->curl;
	const struct scar_http_request *req = transfer->req;

	/* Drops all options of the request before, but keeps connections and TLS sessions. */
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, req->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, http->user_agent);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES);
	curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(
		curl, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(req->connect_timeout_ms ? req->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)req->total_timeout_ms);
	if (http->ipv4_only && !strstr(req->url, "://["))
		curl_easy_setopt(curl, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	set_method(curl, req);
}

static int set_trust(struct scar_http *http, const struct scar_http_request *req,
		     struct scar_err *err)
{
	if (strncasecmp(req->url, "https://", 8) != 0)
		return 0;
	const char *bundle = scar_http_ca_bundle(http->ca_bundle, err);
	if (!bundle)
		return -1;
	curl_easy_setopt(http->curl, CURLOPT_CAINFO, bundle);
	return 0;
}

static int report(const struct transfer *transfer, CURLcode code, const char *reason,
		  struct scar_err *err)
{
	char shown[256];
	const struct scar_http_request *req = transfer->req;

	if (transfer->failed)
		return -1; /* a callback has filled err */
	snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(req->url, "?#"), req->url);
	if (transfer->stalled)
		return scar_err_set(err, SCAR_ERR_NETWORK, "%s '%s': no data for %lld s",
				    req->method ? req->method : "GET", shown,
				    (long long)(transfer->stall_us / 1000000));
	return scar_err_set(err, kind_of(code), "%s '%s': %s", req->method ? req->method : "GET",
			    shown, *reason ? reason : curl_easy_strerror(code));
}

int scar_http_perform(struct scar_http *http, const struct scar_http_request *req,
		      struct scar_http_response *resp, struct scar_err *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	int64_t stall_ms = req->stall_timeout_ms ? req->stall_timeout_ms : STALL_TIMEOUT_MS;
	struct transfer transfer = {.req = req,
				    .resp = resp,
				    .err = err,
				    .curl = http->curl,
				    .last_byte_us = scar_clock_monotonic_us(),
				    .stall_us = stall_ms > 0 ? stall_ms * 1000 : 0};
	long status = 0;

	resp->status = 0;
	resp->body_bytes = 0;
	scar_buf_reset(&resp->headers);
	scar_buf_reset(&resp->body);
	resp->body.max_bytes = req->max_body_bytes ? req->max_body_bytes : KEPT_BODY_BYTES;
	if (check_url(req, err) < 0)
		return -1;
	set_options(http, &transfer, reason);
	if (set_trust(http, req, err) < 0 || header_list(req, &headers, err) < 0)
		return -1;
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
	CURLcode code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	/* The buffer of reasons and the list end with this call; the handle must not keep them. */
	curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	resp->status = (int)status;
	return code == CURLE_OK ? 0 : report(&transfer, code, reason, err);
}

int scar_http_header_get(const struct scar_http_response *resp, const char *name, unsigned nth,
			 char *value, size_t size)
{
	const char *line = resp->headers.data;
	size_t name_len = strlen(name);

	while (line && *line) {
		size_t len = strcspn(line, "\r\n");

		if (len > name_len && line[name_len] == ':' &&
		    strncasecmp(line, name, name_len) == 0 && nth-- == 0) {
			const char *start = line + name_len + 1;
			const char *end = line + len;

			while (start < end && (*start == ' ' || *start == '\t'))
				start++;
			while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
				end--;
			if ((size_t)(end - start) >= size)
				return 0;
			memcpy(value, start, (size_t)(end - start));
			value[end - start] = '\0';
			return 1;
		}
		line += len;
		line += strspn(line, "\r\n");
	}
	return 0;
}
