/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/storage/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/base64.h"
#include "runtime/base/clock.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"
#include "runtime/base/url.h"

/* First wait before a new try; doubled each time. */
#define WAIT_MS 100

/* One attempt. */
struct attempt {
	const struct scar_exchange *exchange;
	uint64_t sent;   /* of the body */
	uint64_t got;    /* of the file, all attempts together */
	bool wants_rest; /* the request asked for what is missing */
	char *moved;     /* where a redirect led, or NULL; owned */
	bool elsewhere;  /* which is another server */
	int redirects;
	char tag[256]; /* of the object that the file began with; "": not known */
	char range[64];
};

void scar_exchange_header(struct scar_exchange *exchange, const char *name, const char *value)
{
	if (exchange->header_count < SCAR_EXCHANGE_HEADERS_MAX)
		exchange->headers[exchange->header_count++] = (struct scar_http_header){name,
											value};
}

void scar_exchange_add(struct scar_http_request *request, const char *name, const char *value)
{
	/* The list is perform_once()'s, which has room for what authorizing adds. */
	struct scar_http_header *list = (struct scar_http_header *)request->headers;

	list[request->header_count++] = (struct scar_http_header){name, value};
}

void scar_exchange_take_back(const struct scar_storage_transfer *transfer, const char *what,
			     const char *url, scar_exchange_authorize authorize)
{
	struct scar_storage_transfer last = *transfer;
	struct scar_err ignored;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = &last,
		.what = what,
		.method = "DELETE",
		.url = url,
		.authorize = authorize,
	};

	last.cancel = NULL;
	(void)scar_exchange_perform(&exchange, &ignored);
}

void scar_exchange_clear(struct scar_exchange *exchange)
{
	scar_http_response_clear(&exchange->response);
}

int scar_exchange_append_path(struct scar_buf *url, const char *path, struct scar_err *err)
{
	if (scar_buf_append_char(url, '/', err) < 0)
		return -1;
	return scar_sigv4_encode(url, path, strlen(path), "/", err);
}

int scar_exchange_append_below(struct scar_buf *url, const char *path, struct scar_err *err)
{
	const char *part = path;

	while (part) {
		size_t len = strcspn(part, "/");

		if ((len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
			return scar_err_set(err, SCAR_ERR_EVENT, "\"%.200s\" leads elsewhere",
					    path);
		part = part[len] ? part + len + 1 : NULL;
	}
	return scar_exchange_append_path(url, path + strspn(path, "/"), err);
}

int scar_exchange_complete_endpoint(struct scar_storage_account *account, struct scar_err *err)
{
	char *url = NULL;

	if (strstr(account->endpoint, "://"))
		return 0;
	if (asprintf(&url, "https://%s", account->endpoint) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free(account->endpoint);
	account->endpoint = url;
	return 0;
}

int scar_exchange_put(struct scar_exchange *exchange, const struct scar_storage_file *file,
		      struct scar_err *err)
{
	exchange->what = file->path;
	exchange->method = "PUT";
	exchange->has_body_fd = file->size_bytes > 0;
	exchange->body_fd = file->fd;
	exchange->body_len = file->size_bytes;
	scar_exchange_header(exchange, "Content-Type", file->content_type);
	return scar_exchange_perform(exchange, err);
}

int scar_exchange_element(const struct scar_exchange *exchange, const char *name, char *text,
			  size_t size)
{
	const char *body = exchange->response.body.data, *end;
	char tag[64];

	snprintf(tag, sizeof tag, "<%s>", name);
	body = body ? strstr(body, tag) : NULL;
	if (!body)
		return 0;
	body += strlen(tag);
	snprintf(tag, sizeof tag, "</%s>", name);
	end = strstr(body, tag);
	if (!end || (size_t)(end - body) >= size)
		return 0;
	memcpy(text, body, (size_t)(end - body));
	text[end - body] = '\0';
	return 1;
}

/* ---- bodies ---- */

static int give_body(void *ctx, void *data, size_t size, size_t *ret_len, struct scar_err *err)
{
	struct attempt *attempt = ctx;
	const struct scar_exchange *exchange = attempt->exchange;
	uint64_t left = exchange->body_len - attempt->sent;

	*ret_len = 0;
	if (left == 0)
		return 0;
	if (scar_fs_read_at(exchange->body_fd, exchange->body_offset + attempt->sent, data,
			    left < size ? (size_t)left : size, ret_len, err) < 0)
		return -1;
	attempt->sent += *ret_len;
	return 0;
}

int scar_exchange_hash(int fd, uint64_t offset, uint64_t len, struct scar_exchange_hash *ret_hash,
		       struct scar_err *err)
{
	char hex[SCAR_DIGEST_TEXT_MAX];
	scar_buf_auto struct scar_buf base64;
	struct scar_digest digest;

	scar_buf_init(&base64, sizeof ret_hash->base64 - 1);
	if (scar_digest_of_file(SCAR_DIGEST_SHA256, fd, offset, len, &digest, err) < 0 ||
	    scar_base64_encode(digest.bytes, 32, &base64, err) < 0)
		return -1;
	snprintf(ret_hash->hex, sizeof ret_hash->hex, "%s", scar_digest_hex(&digest, hex));
	snprintf(ret_hash->base64, sizeof ret_hash->base64, "%s", base64.data);
	return 0;
}

/* A server may send all again although only the rest was asked for. */
static int begin_again(struct attempt *attempt, struct scar_err *err)
{
	attempt->wants_rest = false;
	attempt->got = 0;
	if (ftruncate(attempt->exchange->sink_fd, 0) < 0 ||
	    lseek(attempt->exchange->sink_fd, 0, SEEK_SET) < 0)
		return scar_err_errno(err, errno, "cannot empty an input file");
	return 0;
}

static int take_body(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct attempt *attempt = ctx;

	if (attempt->wants_rest && attempt->exchange->response.status != 206 &&
	    begin_again(attempt, err) < 0)
		return -1;
	if (scar_fs_write_all(attempt->exchange->sink_fd, data, len, "an input file", err) < 0)
		return -1;
	attempt->got += len;
	return 0;
}

/* ---- answers ---- */

static enum scar_err_kind kind_of(const struct scar_exchange *exchange, const char *code)
{
	int status = exchange->response.status;

	/* S3 says 400 where a body took too long, and where a clock is wrong 403. */
	if (status == 408 || strcmp(code, "RequestTimeout") == 0)
		return SCAR_ERR_UNAVAILABLE;
	if (status == 404 || status == 410)
		return SCAR_ERR_NOT_FOUND;
	if (status == 401 || status == 403)
		return SCAR_ERR_AUTH;
	if (status == 412)
		return SCAR_ERR_INTEGRITY;
	if (status == 429)
		return SCAR_ERR_RATE_LIMIT;
	if (status == 507)
		return SCAR_ERR_NOSPACE;
	return status >= 500 ? SCAR_ERR_UNAVAILABLE : SCAR_ERR_PROTOCOL;
}

static int judge(const struct scar_exchange *exchange, struct scar_err *err)
{
	int status = exchange->response.status;
	char code[64] = "";

	/* CompleteMultipartUpload may begin its answer with 200 before it knows how it ends. */
	if (status >= 200 && status < 300 &&
	    !(exchange->response.body.data && strstr(exchange->response.body.data, "<Error>")))
		return 0;
	scar_exchange_element(exchange, "Code", code, sizeof code);
	if (status < 300)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "the server failed: %s", code);
	return scar_err_set(err, kind_of(exchange, code), "the server answers %d%s%s", status,
			    *code ? " " : "", code);
}

/* What to go on with, if the transfer breaks: only the same object. */
static void note_tag(struct attempt *attempt)
{
	if (scar_http_header_get(&attempt->exchange->response, "ETag", 0, attempt->tag,
				 sizeof attempt->tag) != 1 ||
	    strncmp(attempt->tag, "W/", 2) == 0)
		attempt->tag[0] = '\0';
}

static int ask_for_rest(struct attempt *attempt, struct scar_exchange *once, struct scar_err *err)
{
	if (attempt->got == 0)
		return 0;
	if (!attempt->tag[0])
		return begin_again(attempt, err);
	attempt->wants_rest = true;
	snprintf(attempt->range, sizeof attempt->range, "bytes=%llu-",
		 (unsigned long long)attempt->got);
	scar_exchange_header(once, "Range", attempt->range);
	scar_exchange_header(once, "If-Match", attempt->tag);
	return 0;
}

static int64_t time_left(const struct scar_exchange *exchange)
{
	return scar_clock_left_ms(exchange->transfer->deadline_ms);
}

static int perform_once(struct scar_exchange *exchange, struct attempt *attempt,
			struct scar_err *err)
{
	scar_buf_auto struct scar_buf scratch;
	struct scar_exchange fields = {.headers = {{0}}};
	struct scar_http_header list[SCAR_EXCHANGE_HEADERS_MAX + 8];
	struct scar_http_request request = {
		.method = exchange->method,
		.url = attempt->moved ? attempt->moved : exchange->url,
		.headers = list,
		.body = exchange->body,
		.body_len = exchange->body_len,
		.body_source = exchange->has_body_fd ? give_body : NULL,
		.body_ctx = attempt,
		.sink = exchange->has_sink_fd ? take_body : NULL,
		.sink_ctx = attempt,
		.total_timeout_ms = exchange->transfer->deadline_ms ? time_left(exchange) : 0,
		.max_body_bytes = exchange->max_body_bytes,
		/* Whoever wrote http:// into the definition wants it. */
		.allow_plain = true,
		.cancel = exchange->transfer->cancel,
	};

	scar_buf_init(&scratch, SCAR_KIB(16));
	if (exchange->transfer->deadline_ms && request.total_timeout_ms == 0)
		return scar_err_set(err, SCAR_ERR_TIMEOUT, "there is no time left");
	attempt->sent = 0;
	attempt->wants_rest = false;
	if (exchange->has_sink_fd && ask_for_rest(attempt, &fields, err) < 0)
		return -1;
	memcpy(list, exchange->headers, exchange->header_count * sizeof *list);
	memcpy(list + exchange->header_count, fields.headers, fields.header_count * sizeof *list);
	request.header_count = exchange->header_count + fields.header_count;
	if (exchange->authorize && !attempt->elsewhere &&
	    exchange->authorize(exchange, &request, &scratch, err) < 0)
		return -1;
	return scar_http_perform(exchange->transfer->http, &request, &exchange->response, err);
}

static bool is_redirect(const struct scar_exchange *exchange)
{
	int status = exchange->response.status;

	if (status == 307 || status == 308)
		return true;
	return strcmp(exchange->method, "GET") == 0 &&
	       (status == 301 || status == 302 || status == 303);
}

static int follow(const struct scar_exchange *exchange, struct attempt *attempt,
		  struct scar_err *err)
{
	const char *from = attempt->moved ? attempt->moved : exchange->url;
	scar_free_auto char *location = malloc(SCAR_LIMIT_URL_BYTES + 1);
	struct scar_url here, there;
	char *to = NULL;

	if (!location)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (attempt->redirects++ == SCAR_LIMIT_REDIRECTS)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the server redirects for ever");
	if (scar_http_header_get(&exchange->response, "Location", 0, location,
				 SCAR_LIMIT_URL_BYTES + 1) != 1)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the server redirects to nowhere");
	if (scar_url_resolve(from, location, &to, err) < 0)
		return -1;
	free(attempt->moved);
	attempt->moved = to;
	if (scar_url_parse(exchange->url, &here, err) < 0 || scar_url_parse(to, &there, err) < 0)
		return -1;
	if (!scar_url_may_lead(&here, &there, true))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "the server redirects to where it may not: %s", there.host);
	attempt->elsewhere = !scar_url_same_origin(&here, &there);
	return 0;
}

static void forget_redirects(struct attempt *attempt)
{
	free(attempt->moved);
	attempt->moved = NULL;
	attempt->elsewhere = false;
	attempt->redirects = 0;
}

/* A redirect is good for one attempt: dCache's name a door that closes. */
static int perform_through(struct scar_exchange *exchange, struct attempt *attempt,
			   struct scar_err *err)
{
	int failed = perform_once(exchange, attempt, err);

	while (!failed && exchange->follows && is_redirect(exchange))
		failed = follow(exchange, attempt, err) < 0 ? -1
							    : perform_once(exchange, attempt, err);
	forget_redirects(attempt);
	return failed;
}

static bool may_pass(const struct scar_exchange *exchange, const struct scar_err *err)
{
	/* A 2xx whose body broke off is a network's failure; one of the file is not. */
	return scar_err_info(err->kind)->transient && err->kind != SCAR_ERR_TIMEOUT &&
	       !(exchange->transfer->cancel && *exchange->transfer->cancel);
}

int scar_exchange_perform(struct scar_exchange *exchange, struct scar_err *err)
{
	struct attempt attempt = {.exchange = exchange};
	int64_t wait_ms = WAIT_MS;

	scar_http_response_init(&exchange->response);
	for (int tries = 0;; tries++) {
		int failed = perform_through(exchange, &attempt, err);

		if (exchange->has_sink_fd && attempt.got > 0 && !attempt.tag[0])
			note_tag(&attempt);
		if (!failed)
			failed = judge(exchange, err);
		if (!failed)
			return 0;
		if (tries == SCAR_LIMIT_RETRIES || !may_pass(exchange, err) ||
		    time_left(exchange) <= wait_ms)
			return scar_err_wrap(err, "%s: %s %s", exchange->transfer->account->name,
					     exchange->method, exchange->what);
		scar_clock_sleep_ms(wait_ms);
		wait_ms *= 2;
	}
}
