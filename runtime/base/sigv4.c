/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HASH_BYTES 32
#define WEEK_S 604800u
#define TEXT_MAX (4 * SCAR_LIMIT_URL_BYTES + 2 * SCAR_LIMIT_HTTP_HEADER_BYTES)
#define PARAMETERS_MAX 1024

/* A piece of a URL or header; not terminated. */
struct piece {
	const char *at;
	size_t len;
};

struct url {
	struct piece host; /* with its port, unless that is the scheme's own */
	struct piece path;
	struct piece query;
};

/* A header to be signed, or a parameter of the query. */
struct pair {
	struct piece name, value;
	size_t order; /* as given: repeated headers keep their order */
};

struct headers {
	struct pair pairs[SCAR_LIMIT_HTTP_HEADERS + 8];
	size_t count;
};

static struct piece piece_of(const char *text)
{
	return (struct piece){text, strlen(text)};
}

static int compare(struct piece a, struct piece b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static int parse_url(const char *text, struct url *ret_url, struct scar_err *err)
{
	const bool tls = strncasecmp(text, "https://", 8) == 0;
	const char *at = text + (tls ? 8 : 7), *port;
	struct url url;

	if (!tls && strncasecmp(text, "http://", 7) != 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "cannot sign a request to %.200s", text);
	if (strlen(text) > SCAR_LIMIT_URL_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the URL to sign is longer than %zu bytes",
				    SCAR_LIMIT_URL_BYTES);
	url.host = (struct piece){at, strcspn(at, "/?#")};
	if (memchr(url.host.at, '@', url.host.len))
		return scar_err_set(err, SCAR_ERR_CONFIG, "a URL to sign holds a user name");
	at += url.host.len;
	url.path = (struct piece){at, strcspn(at, "?#")};
	at += url.path.len;
	url.query = (struct piece){at + (*at == '?'), 0};
	if (*at == '?')
		url.query.len = strcspn(url.query.at, "#");
	port = tls ? ":443" : ":80";
	if (url.host.len > strlen(port) &&
	    memcmp(url.host.at + url.host.len - strlen(port), port, strlen(port)) == 0)
		url.host.len -= strlen(port);
	if (url.host.len == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the URL to sign names no host");
	*ret_url = url;
	return 0;
}

int scar_sigv4_encode(struct scar_buf *buf, const char *text, size_t len, const char *safe,
		      struct scar_err *err)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		const char c = text[i];
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				   (c >= '0' && c <= '9') ||
				   (c && (strchr("-._~", c) || strchr(safe, c)));
		const char code[] = {'%', hex[(unsigned char)c >> 4], hex[c & 15]};

		if (scar_buf_append(buf, plain ? &c : code, plain ? 1 : sizeof(code), err))
			return -1;
	}
	return 0;
}

/* Where the segments of a path begin that are left when "." and ".." and "//" are gone. */
static size_t keep_segments(struct piece path, struct piece *segments, size_t max)
{
	size_t count = 0;

	for (size_t at = 0; at < path.len;) {
		const char *slash = memchr(path.at + at, '/', path.len - at);
		size_t len = slash ? (size_t)(slash - (path.at + at)) : path.len - at;
		const char *segment = path.at + at;

		at += len + 1;
		if (len == 0 || (len == 1 && segment[0] == '.'))
			continue;
		if (len == 2 && memcmp(segment, "..", 2) == 0)
			count -= count > 0;
		else if (count < max)
			segments[count++] = (struct piece){segment, len};
	}
	return count;
}

static int put_path(struct scar_buf *text, struct piece path, bool is_s3, struct scar_err *err)
{
	size_t max = path.len / 2 + 1, count;
	struct piece *segments;
	int ret;

	if (path.len == 0)
		return scar_buf_append_str(text, "/", err);
	if (is_s3)
		return scar_buf_append(text, path.at, path.len, err);
	segments = calloc(max, sizeof(*segments));
	if (!segments)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	count = keep_segments(path, segments, max);
	ret = scar_buf_append_str(text, "/", err);
	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = i ? scar_buf_append_str(text, "/", err) : 0;
		if (ret == 0)
			ret = scar_sigv4_encode(text, segments[i].at, segments[i].len, "", err);
	}
	if (ret == 0 && count && path.at[path.len - 1] == '/')
		ret = scar_buf_append_str(text, "/", err);
	free(segments);
	return ret;
}

static int by_name_and_value(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = compare(x->name, y->name);

	return order ? order : compare(x->value, y->value);
}

static int by_name_and_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = compare(x->name, y->name);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* The query's parameters sorted, each with "=", also where it has no value. */
static int put_query(struct scar_buf *text, struct piece query, struct scar_err *err)
{
	struct pair *pairs;
	size_t count = 0;
	int ret = 0;

	if (query.len == 0)
		return 0;
	pairs = calloc(PARAMETERS_MAX, sizeof(*pairs));
	if (!pairs)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (size_t at = 0; at <= query.len; count++) {
		const char *start = query.at + at, *end = memchr(start, '&', query.len - at);
		size_t len = end ? (size_t)(end - start) : query.len - at;
		const char *equal = memchr(start, '=', len);
		size_t name_len = equal ? (size_t)(equal - start) : len;

		if (count == PARAMETERS_MAX) {
			ret = scar_err_set(err, SCAR_ERR_LIMIT,
					   "a query to sign has more than %d parameters",
					   PARAMETERS_MAX);
			break;
		}
		pairs[count].name = (struct piece){start, name_len};
		pairs[count].value = equal ? (struct piece){equal + 1, len - name_len - 1}
					   : (struct piece){start + len, 0};
		at += len + 1;
	}
	qsort(pairs, count, sizeof(*pairs), by_name_and_value);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = scar_buf_printf(text, err, "%s%.*s=%.*s", i ? "&" : "",
				      (int)pairs[i].name.len, pairs[i].name.at,
				      (int)pairs[i].value.len, pairs[i].value.at);
	free(pairs);
	return ret;
}

/* Proxies and libraries change these on the way. */
static bool is_unsigned(const char *name)
{
	static const char *const names[] = {"expect", "transfer-encoding", "user-agent",
					    "x-amzn-trace-id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static void add_header(struct headers *headers, struct piece name, struct piece value)
{
	headers->pairs[headers->count] = (struct pair){name, value, headers->count};
	headers->count++;
}

static int put_lower(struct scar_buf *text, struct piece name, struct scar_err *err)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (scar_buf_append_char(text, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c, err))
			return -1;
	}
	return 0;
}

/* As clients send it: in lower case. `room` is for it alone. */
static int add_host(struct headers *headers, struct scar_buf *room, struct piece host,
		    struct scar_err *err)
{
	if (put_lower(room, host, err))
		return -1;
	add_header(headers, piece_of("host"), (struct piece){room->data, room->len});
	return 0;
}

/* Without white space at its ends, and one space for each run inside. */
static int put_value(struct scar_buf *text, struct piece value, struct scar_err *err)
{
	bool wants_space = false, has_text = false;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];

		if (c == ' ' || (c >= '\t' && c <= '\r')) {
			wants_space = has_text;
			continue;
		}
		if (wants_space && scar_buf_append_char(text, ' ', err))
			return -1;
		if (scar_buf_append_char(text, c, err))
			return -1;
		wants_space = false;
		has_text = true;
	}
	return 0;
}

/* "name:value,value\n" lines into text, "name;name" into names. */
static int put_headers(struct scar_buf *text, struct scar_buf *names, struct headers *headers,
		       struct scar_err *err)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct pair *pair = &headers->pairs[i];
		const bool again = i &&
				   strncasecmp(pair->name.at, pair[-1].name.at, pair->name.len) ==
					   0 &&
				   pair->name.len == pair[-1].name.len;

		if (again) {
			if (scar_buf_append_str(text, ",", err))
				return -1;
		} else if ((i && (scar_buf_append_str(text, "\n", err) ||
				  scar_buf_append_str(names, ";", err))) ||
			   put_lower(names, pair->name, err) || put_lower(text, pair->name, err) ||
			   scar_buf_append_str(text, ":", err)) {
			return -1;
		}
		if (put_value(text, pair->value, err))
			return -1;
	}
	return scar_buf_append_str(text, "\n", err);
}

static int hash_hex(const void *data, size_t len, char text[65], struct scar_err *err)
{
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	if (scar_digest_of(SCAR_DIGEST_SHA256, data, len, &digest, err))
		return -1;
	memcpy(text, scar_digest_hex(&digest, hex), 65);
	return 0;
}

int scar_sigv4_payload(const void *body, size_t len, char text[65], struct scar_err *err)
{
	return hash_hex(body ? body : "", len, text, err);
}

static int hmac(const void *key, size_t key_len, const char *text, uint8_t ret_hash[HASH_BYTES],
		struct scar_err *err)
{
	unsigned len = HASH_BYTES;

	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text),
		  ret_hash, &len))
		return scar_err_set(err, SCAR_ERR_INTERNAL, "HMAC-SHA256 failed");
	return 0;
}

/* The key of a day, region and service, then the signature. */
static int compute(const struct scar_sigv4 *sig, const char *date, const char *to_sign,
		   char hex[65], struct scar_err *err)
{
	uint8_t key[HASH_BYTES];
	char first[256], day[9] = "";
	int n = snprintf(first, sizeof(first), "AWS4%s", sig->credentials.secret_access_key), ret;

	if (n < 0 || n >= (int)sizeof(first))
		return scar_err_set(err, SCAR_ERR_LIMIT, "the AWS secret key is too long");
	memcpy(day, date, 8);
	ret = hmac(first, (size_t)n, day, key, err);
	OPENSSL_cleanse(first, sizeof(first));
	if (ret == 0)
		ret = hmac(key, sizeof(key), sig->region, key, err);
	if (ret == 0)
		ret = hmac(key, sizeof(key), sig->service, key, err);
	if (ret == 0)
		ret = hmac(key, sizeof(key), "aws4_request", key, err);
	if (ret == 0)
		ret = hmac(key, sizeof(key), to_sign, key, err);
	for (size_t i = 0; ret == 0 && i < sizeof(key); i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	OPENSSL_cleanse(key, sizeof(key));
	return ret;
}

static int put_date(int64_t time_s, char date[17], struct scar_err *err)
{
	const time_t when = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || strftime(date, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "no date for %lld", (long long)time_s);
	return 0;
}

/* A request in the form that is hashed; names are those of the signed headers. */
static int canonical(const struct scar_sigv4 *sig, const char *method, const struct url *url,
		     struct piece query, struct headers *headers, const char *payload,
		     struct scar_buf *text, struct scar_buf *names, struct scar_err *err)
{
	if (scar_buf_printf(text, err, "%s\n", method) ||
	    put_path(text, url->path, strcmp(sig->service, "s3") == 0, err) ||
	    scar_buf_append_str(text, "\n", err) || put_query(text, query, err) ||
	    scar_buf_append_str(text, "\n", err) || put_headers(text, names, headers, err) ||
	    scar_buf_printf(text, err, "\n%s\n%s", names->data, payload))
		return -1;
	return 0;
}

static int sign_text(const struct scar_sigv4 *sig, const char *date, const struct scar_buf *text,
		     char hex[65], struct scar_err *err)
{
	scar_buf_auto struct scar_buf to_sign;
	char hash[65];

	scar_buf_init(&to_sign, TEXT_MAX);
	if (hash_hex(text->data, text->len, hash, err) ||
	    scar_buf_printf(&to_sign, err, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", date,
			    date, sig->region, sig->service, hash))
		return -1;
	return compute(sig, date, to_sign.data, hex, err);
}

/* Names compare in lower case. */
static int lower_names(struct headers *headers, struct scar_buf *room, struct scar_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < headers->count; i++)
		total += headers->pairs[i].name.len;
	/* Reserved at once, so that no piece moves. */
	if (scar_buf_reserve(room, total, err))
		return -1;
	for (size_t i = 0; i < headers->count; i++) {
		struct piece *name = &headers->pairs[i].name;
		const char *lower = room->data + room->len;

		if (put_lower(room, *name, err))
			return -1;
		name->at = lower;
	}
	qsort(headers->pairs, headers->count, sizeof(headers->pairs[0]), by_name_and_order);
	return 0;
}

static void add_result(struct scar_sigv4_headers *headers, const char *name, const char *value)
{
	headers->list[headers->count++] = (struct scar_http_header){name, value};
}

static int sign_into(const struct scar_sigv4 *sig, const struct scar_http_request *request,
		     const char *payload, struct scar_sigv4_headers *out, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text, names, room, host;
	struct headers headers = {.count = 0};
	struct url url;
	char signature[65];

	scar_buf_init(&text, TEXT_MAX);
	scar_buf_init(&names, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&room, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&host, SCAR_LIMIT_URL_BYTES);
	if (put_date(sig->time_s, out->date, err) || parse_url(request->url, &url, err))
		return -1;
	if (request->header_count > SCAR_LIMIT_HTTP_HEADERS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d headers to sign",
				    SCAR_LIMIT_HTTP_HEADERS);
	if (strlen(payload) >= sizeof(out->payload))
		return scar_err_set(err, SCAR_ERR_INTERNAL, "not a payload digest");
	memcpy(out->payload, payload, strlen(payload) + 1);
	add_result(out, "X-Amz-Date", out->date);
	if (sig->credentials.session_token)
		add_result(out, "X-Amz-Security-Token", sig->credentials.session_token);
	if (strcmp(sig->service, "s3") == 0)
		add_result(out, "X-Amz-Content-SHA256", out->payload);
	if (add_host(&headers, &host, url.host, err))
		return -1;
	for (size_t i = 0; i < request->header_count; i++)
		if (!is_unsigned(request->headers[i].name))
			add_header(&headers, piece_of(request->headers[i].name),
				   piece_of(request->headers[i].value));
	for (size_t i = 0; i < out->count; i++)
		add_header(&headers, piece_of(out->list[i].name), piece_of(out->list[i].value));
	if (lower_names(&headers, &room, err) ||
	    canonical(sig, request->method ? request->method : "GET", &url, url.query, &headers,
		      payload, &text, &names, err) ||
	    sign_text(sig, out->date, &text, signature, err) ||
	    scar_buf_printf(&out->authorization, err,
			    ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, "
				      "Signature=%s",
			    sig->credentials.access_key_id, out->date, sig->region, sig->service,
			    names.data, signature))
		return -1;
	add_result(out, "Authorization", out->authorization.data);
	return 0;
}

int scar_sigv4_sign(const struct scar_sigv4 *sig, const struct scar_http_request *request,
		    const char *payload, struct scar_sigv4_headers *ret_headers,
		    struct scar_err *err)
{
	memset(ret_headers, 0, sizeof(*ret_headers));
	scar_buf_init(&ret_headers->authorization, SCAR_LIMIT_HTTP_HEADER_BYTES);
	if (sign_into(sig, request, payload, ret_headers, err)) {
		scar_sigv4_headers_clear(ret_headers);
		return scar_err_wrap(err, "cannot sign a request to %s", sig->service);
	}
	return 0;
}

void scar_sigv4_headers_clear(struct scar_sigv4_headers *headers)
{
	scar_buf_clear(&headers->authorization);
	headers->count = 0;
}

/* Parameters of the query that the signature covers, in the order of their names. */
static int put_parameters(const struct scar_sigv4 *sig, const char *date, uint32_t expires_s,
			  struct scar_buf *query, struct scar_err *err)
{
	const char *token = sig->credentials.session_token;
	const char *id = sig->credentials.access_key_id;

	if (scar_buf_append_str(query, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=", err) ||
	    scar_sigv4_encode(query, id, strlen(id), "", err) ||
	    scar_buf_printf(query, err,
			    "%%2F%.8s%%2F%s%%2F%s%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=%u&"
			    "X-Amz-SignedHeaders=host",
			    date, sig->region, sig->service, date, expires_s))
		return -1;
	if (!token)
		return 0;
	return scar_buf_append_str(query, "&X-Amz-Security-Token=", err) ||
			       scar_sigv4_encode(query, token, strlen(token), "", err)
		       ? -1
		       : 0;
}

int scar_sigv4_presign(const struct scar_sigv4 *sig, const char *method, const char *url_text,
		       uint32_t expires_s, struct scar_buf *ret_url, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text, names, query, host;
	const bool is_s3 = strcmp(sig->service, "s3") == 0;
	struct headers headers = {.count = 0};
	struct url url;
	char date[17], signature[65], empty[65];

	scar_buf_init(&text, TEXT_MAX);
	scar_buf_init(&names, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&query, TEXT_MAX);
	scar_buf_init(&host, SCAR_LIMIT_URL_BYTES);
	if (expires_s == 0 || expires_s > WEEK_S)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "a signed URL may be valid for 1 to %u seconds, not %u", WEEK_S,
				    expires_s);
	if (put_date(sig->time_s, date, err) || parse_url(url_text, &url, err) ||
	    hash_hex("", 0, empty, err))
		return -1;
	if (url.query.len && (scar_buf_append(&query, url.query.at, url.query.len, err) ||
			      scar_buf_append_str(&query, "&", err)))
		return -1;
	if (add_host(&headers, &host, url.host, err) ||
	    put_parameters(sig, date, expires_s, &query, err) ||
	    canonical(sig, method, &url, (struct piece){query.data, query.len}, &headers,
		      is_s3 ? SCAR_SIGV4_UNSIGNED : empty, &text, &names, err) ||
	    sign_text(sig, date, &text, signature, err))
		return -1;
	return scar_buf_printf(ret_url, err, "%.*s?%s&X-Amz-Signature=%s",
			       (int)(url.path.at + url.path.len - url_text), url_text, query.data,
			       signature);
}

int scar_aws_credentials_from_environment(struct scar_aws_credentials *ret_credentials,
					  struct scar_err *err)
{
	const char *id = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY");
	const char *token = getenv("AWS_SESSION_TOKEN");

	if (!id || !*id || !secret || !*secret)
		return scar_err_set(
			err, SCAR_ERR_AUTH,
			"no AWS credentials: %s is not set (a function has those of its role)",
			id && *id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	*ret_credentials = (struct scar_aws_credentials){id, secret,
							 token && *token ? token : NULL};
	return 0;
}
