/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/http_ca.h"
#include "runtime/base/http_private.h"
#include "runtime/base/log.h"

#define CONNECT_TIMEOUT_MS 10000
/* Blobs stream through it; libcurl takes at most 512 KiB. */
#define RECEIVE_BYTES (256L * 1024)

static const char *const ca_bundles[] = {
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/certs/ca-certificates.crt",
};

#define CA_BUNDLE_COUNT (sizeof ca_bundles / sizeof ca_bundles[0])

/* ---- what holds for every request ---- */

char *scar_http_find_ca_bundle(const char *wanted)
{
	if (!wanted || !*wanted)
		wanted = getenv("SCAR_CA_BUNDLE");
	if (!wanted || !*wanted)
		wanted = getenv("SSL_CERT_FILE");
	for (size_t i = 0; (!wanted || !*wanted) && i < CA_BUNDLE_COUNT; i++) {
		if (access(ca_bundles[i], R_OK) == 0)
			wanted = ca_bundles[i];
	}
	return wanted && *wanted ? strdup(wanted) : NULL;
}

/* Connecting a datagram socket sends nothing; it only asks for a route. The address is public. */
bool scar_http_lacks_ipv6(void)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(443),
		.sin6_addr = {{{0x26}}}, /* 2600:: */
	};
	scar_fd_auto int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0;
}

/* ---- the URL ---- */

struct target {
	bool https;
	bool loopback;
	bool ipv6_literal;
};

static bool is_loopback(const char *host)
{
	size_t len = strlen(host);
	struct in_addr ipv4;

	if (inet_pton(AF_INET, host, &ipv4) == 1)
		return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
	/* RFC 6761 section 6.3, as libcurl resolves these names. */
	return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0 ||
	       (len > 10 && strcasecmp(host + len - 10, ".localhost") == 0);
}

static int read_target(CURLU *handle, const char *url, struct target *ret_target,
		       struct scar_err *err)
{
	char shown[256];
	char *scheme = NULL, *host = NULL;
	CURLUcode code = curl_url_set(handle, CURLUPART_URL, url, CURLU_DISALLOW_USER);

	if (code == CURLUE_OK)
		code = curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(handle, CURLUPART_HOST, &host, 0);
	if (code == CURLUE_OK) {
		ret_target->https = strcmp(scheme, "https") == 0;
		ret_target->loopback = is_loopback(host);
		ret_target->ipv6_literal = host[0] == '[';
		if (!ret_target->https && strcmp(scheme, "http") != 0)
			code = CURLUE_UNSUPPORTED_SCHEME;
	}
	curl_free(scheme);
	curl_free(host);
	if (code == CURLUE_OUT_OF_MEMORY)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (code != CURLUE_OK)
		return scar_err_set(err, SCAR_ERR_CONFIG, "URL %s: %s",
				    scar_log_url(url, shown, sizeof shown),
				    curl_url_strerror(code));
	return 0;
}

static int parse_url(const char *url, struct target *ret_target, struct scar_err *err)
{
	CURLU *handle;
	int status;

	if (strlen(url) > SCAR_LIMIT_URL_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "URL of more than %zu bytes",
				    SCAR_LIMIT_URL_BYTES);
	handle = curl_url();
	if (!handle)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	status = read_target(handle, url, ret_target, err);
	curl_url_cleanup(handle);
	return status;
}

static int check_target(const struct scar_http_transfer *transfer, const struct target *target)
{
	const char *bundle = transfer->http->ca_bundle;
	char shown[256];

	if (!target->https) {
		if (target->loopback || transfer->req->allow_plain)
			return 0;
		return scar_err_set(transfer->err, SCAR_ERR_CONFIG,
				    "refuse to talk plain HTTP to %s",
				    scar_log_url(transfer->req->url, shown, sizeof shown));
	}
	if (!bundle)
		return scar_err_set(
			transfer->err, SCAR_ERR_TLS,
			"no CA bundle: tried $SCAR_CA_BUNDLE, $SSL_CERT_FILE, %s and %s",
			ca_bundles[0], ca_bundles[1]);
	if (access(bundle, R_OK) < 0)
		return scar_err_set(transfer->err, SCAR_ERR_TLS, "cannot read the CA bundle %s: %m",
				    bundle);
	return 0;
}

/* ---- header fields ---- */

static int add_line(struct scar_http_transfer *transfer, const char *line)
{
	struct curl_slist *list = curl_slist_append(transfer->fields, line);

	if (!list)
		return scar_err_set(transfer->err, SCAR_ERR_NOMEM, "out of memory");
	transfer->fields = list;
	return 0;
}

static int add_field(struct scar_http_transfer *transfer, const struct scar_http_header *field)
{
	scar_buf_auto struct scar_buf line;

	scar_buf_init(&line, SCAR_LIMIT_HTTP_HEADER_BYTES);
	if (!scar_http1_name_ok(field->name) || !scar_http1_value_ok(field->value))
		return scar_err_set(transfer->err, SCAR_ERR_PROTOCOL,
				    "invalid request header %.64s", field->name);
	/* libcurl's way of saying an empty value is "Name;"; "Name:" would drop the field. */
	if (scar_buf_printf(&line, transfer->err, *field->value ? "%s: %s" : "%s;%s", field->name,
			    field->value) < 0)
		return scar_err_wrap(transfer->err, "request header %.64s", field->name);
	return add_line(transfer, line.data);
}

static int add_fields(struct scar_http_transfer *transfer)
{
	const struct scar_http_request *req = transfer->req;
	bool typed = false;

	for (size_t i = 0; i < req->header_count; i++) {
		if (add_field(transfer, &req->headers[i]) < 0)
			return -1;
		typed = typed || strcasecmp(req->headers[i].name, "Content-Type") == 0;
	}
	/* Waiting for "100 Continue" costs a round trip, or a second where it is not understood. */
	if (add_line(transfer, "Expect:") < 0)
		return -1;
	/* Else libcurl calls a body a form. */
	return typed ? 0 : add_line(transfer, "Content-Type:");
}

/* ---- options of the handle ---- */

#define SET(option, value)                                              \
	do {                                                            \
		CURLcode code_ = curl_easy_setopt(easy, option, value); \
		if (code_ != CURLE_OK)                                  \
			return code_;                                   \
	} while (0)

static CURLcode set_connection(CURL *easy, const struct scar_http_transfer *transfer,
			       const struct target *target)
{
	const struct scar_http_request *req = transfer->req;
	const struct scar_http *http = transfer->http;

	SET(CURLOPT_URL, req->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Do not wait for a name's look-up when the transfer is over without it. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	/* Refused where a transfer that ended early (a name not resolved) has left its buffer behind; that one serves as well. */
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	SET(CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(req->connect_timeout_ms > 0 ? req->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	if (req->fresh_connection)
		SET(CURLOPT_FRESH_CONNECT, 1L);
	if (req->total_timeout_ms > 0)
		SET(CURLOPT_TIMEOUT_MS, (long)req->total_timeout_ms);
	if (target->loopback)
		SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	/* Some resolvers answer the AAAA question late or wrongly; nobody could use the answer. */
	if (http->ipv4_only && !target->ipv6_literal)
		SET(CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_CAINFO, NULL);
	return CURLE_OK;
}

/* Before a TLS handshake. */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *ctx)
{
	struct scar_http_transfer *transfer = ctx;
	struct scar_http *http = transfer->http;

	(void)easy;
	/* A proxy may speak TLS where the server does not; then nobody has looked for a bundle. */
	if (!http->ca_bundle) {
		scar_err_set(transfer->err, SCAR_ERR_TLS, "no CA bundle");
		transfer->failed = true;
		return CURLE_SSL_CACERT_BADFILE;
	}
	if (!http->ca)
		http->ca = scar_http_ca_create(http->ca_bundle, transfer->err);
	if (http->ca && scar_http_ca_install(http->ca, ssl_ctx, transfer->err) == 0)
		return CURLE_OK;
	transfer->failed = true;
	return CURLE_SSL_CACERT_BADFILE;
}

static CURLcode set_request(CURL *easy, struct scar_http_transfer *transfer)
{
	const struct scar_http_request *req = transfer->req;
	const char *method = req->method ? req->method : "GET";
	bool has_body = req->body || req->body_source;

	SET(CURLOPT_USERAGENT, transfer->http->user_agent);
	SET(CURLOPT_HTTPHEADER, transfer->fields);
	if (req->body_source) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_READFUNCTION, scar_http_on_source);
		SET(CURLOPT_READDATA, transfer);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
	} else if (has_body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(req->body ? req->body_len : 0));
		SET(CURLOPT_POSTFIELDS, req->body ? req->body : "");
	} else if (strcmp(method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	/* A key may hold ".." as a name like any other; what is signed must be what is sent. */
	SET(CURLOPT_PATH_AS_IS, 1L);
	return CURLE_OK;
}

static CURLcode set_flow(CURL *easy, struct scar_http_transfer *transfer)
{
	SET(CURLOPT_HEADERFUNCTION, scar_http_on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, scar_http_on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->text);
	SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	SET(CURLOPT_SSL_CTX_DATA, transfer);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	return CURLE_OK;
}

int scar_http_setup(struct scar_http_transfer *transfer)
{
	CURL *easy = transfer->http->easy;
	struct target target = {0};
	CURLcode code;

	if (parse_url(transfer->req->url, &target, transfer->err) < 0 ||
	    check_target(transfer, &target) < 0 || add_fields(transfer) < 0)
		return -1;
	curl_easy_reset(easy);
	code = set_connection(easy, transfer, &target);
	if (code == CURLE_OK)
		code = set_request(easy, transfer);
	if (code == CURLE_OK)
		code = set_flow(easy, transfer);
	if (code == CURLE_OUT_OF_MEMORY)
		return scar_err_set(transfer->err, SCAR_ERR_NOMEM, "out of memory");
	if (code != CURLE_OK)
		return scar_err_set(transfer->err, SCAR_ERR_INTERNAL, "libcurl: %s",
				    curl_easy_strerror(code));
	return 0;
}
