/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http.h
 * HTTP client for registries, storage and AWS, on libcurl.
 *
 * A client keeps connections and TLS sessions and is used by one thread at a time; make one
 * for each thread. Redirects are never followed here: the caller decides (Authorization must
 * not go to another host). Environment proxies (https_proxy, ...) are honoured, except for loopback. The
 * CA bundle is $SCAR_CA_BUNDLE or else $SSL_CERT_FILE where set, or else the first that exists of
 * /etc/pki/tls/certs/ca-bundle.crt (Amazon Linux), /etc/ssl/certs/ca-certificates.crt (Debian); when
 * it cannot be read an https request fails with SCAR_ERR_TLS and says which paths were tried.
 * http:// is refused (SCAR_ERR_CONFIG) unless the host is loopback or the request says allow_plain.
 * No content encoding is asked for or decoded: a body arrives as it is stored.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP_H
#define SCAR_RUNTIME_BASE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct scar_err;
struct scar_http; /**< a client */

struct scar_http_options {
	const char *user_agent; /**< NULL: "scar/<version>" */
	const char *ca_bundle;  /**< NULL: as above */
};

struct scar_http_header {
	const char *name;
	const char *value;
};

/** Takes the next piece of a body; -1 with err ends the transfer with that error. */
typedef int (*scar_http_sink)(void *ctx, const void *data, size_t len, struct scar_err *err);
/** Gives the next piece of a request body; *ret_len 0 is the end. */
typedef int (*scar_http_source)(void *ctx, void *data, size_t size, size_t *ret_len,
				struct scar_err *err);

/** What is kept of a response body by default. */
#define SCAR_HTTP_BODY_DEFAULT ((size_t)64 * 1024)

struct scar_http_request {
	const char *method; /**< NULL: GET */
	const char *url;
	const struct scar_http_header *headers;
	size_t header_count;
	const void *body; /**< whole body, or NULL */
	size_t body_len;
	scar_http_source body_source; /**< instead of body; body_len is its size */
	void *body_ctx;
	int64_t connect_timeout_ms; /**< 0: 10 s */
	int64_t stall_timeout_ms;   /**< no byte for this long fails; 0: 30 s; -1: never */
	int64_t total_timeout_ms;   /**< 0: none */
	/**
	 * Of a response body kept in resp->body; 0: 64 KiB. A longer 2xx body is SCAR_ERR_LIMIT; of
	 * another the rest is dropped, so that a long error page does not hide its status.
	 */
	size_t max_body_bytes;
	bool allow_plain; /**< http:// to a host that is not loopback */
	/** Not over a connection that was kept: where one turns out to be dead libcurl sends a request again by itself. */
	bool fresh_connection;
	/**
	 * A 2xx body goes here piece by piece instead of resp->body. Other bodies are kept. Status and headers
	 * of the response are there before its first call.
	 */
	scar_http_sink sink;
	void *sink_ctx;
	/** Set by another thread to end the transfer (SCAR_ERR_INTERRUPTED); may be NULL. */
	const volatile int *cancel;
};

struct scar_http_response {
	int status;              /**< 0 if none was received */
	struct scar_buf headers; /**< raw "Name: value\r\n" lines of the last header block */
	struct scar_buf body;
	uint64_t body_bytes; /**< bytes received, sink included */
};

/** First call in a process must come before threads start. */
struct scar_http *scar_http_create(const struct scar_http_options *options, struct scar_err *err);
void scar_http_free(struct scar_http *http);

/** The CA bundle that a client would use, to be freed; NULL if there is none. */
char *scar_http_find_ca_bundle(const char *wanted);

void scar_http_response_init(struct scar_http_response *resp);
void scar_http_response_clear(struct scar_http_response *resp);
/**
 * Performs one request; what resp held before is dropped. 0 when a complete response arrived, whatever
 * its status: the caller looks at resp->status. -1: SCAR_ERR_NETWORK (also connect or stall time-out, or a body cut short), _TLS,
 * _LIMIT, _TIMEOUT (total_timeout_ms), _PROTOCOL, _CONFIG (URL refused), _INTERRUPTED, or the
 * error of the sink or body source. resp->status may be set even then.
 */
int scar_http_perform(struct scar_http *http, const struct scar_http_request *req,
		      struct scar_http_response *resp, struct scar_err *err);
/**
 * Value of a response header (case-insensitive), white space trimmed, copied to value.
 * nth: 0 for the first of that name. @return 1 found, 0 absent or longer than size
 */
int scar_http_header_get(const struct scar_http_response *resp, const char *name, unsigned nth,
			 char *value, size_t size);

static inline void scar_cleanup_http(struct scar_http **http)
{
	scar_http_free(*http);
}
#define scar_http_auto scar_auto(scar_cleanup_http)
#define scar_http_response_auto scar_auto(scar_http_response_clear)

#endif
