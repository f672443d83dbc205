/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http_private.h
 * What the files of the HTTP client share; nobody else includes it.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP_PRIVATE_H
#define SCAR_RUNTIME_BASE_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/http.h"
#include "runtime/base/limits.h"

struct scar_http_ca;

struct scar_http {
	CURLM *multi; /**< keeps connections and what of the CA bundle was asked for */
	CURL *easy;
	char *user_agent;
	char *ca_bundle;         /**< NULL: none was found */
	struct scar_http_ca *ca; /**< NULL until a connection needs it */
	bool ipv4_only;
};

/** One request under way. */
struct scar_http_transfer {
	struct scar_http *http;
	const struct scar_http_request *req;
	struct scar_http_response *resp;
	struct scar_err *err;
	struct curl_slist *fields;
	bool failed;       /**< a callback has filled err */
	bool body_full;    /**< stopped on purpose: enough of an error's body was kept */
	int64_t active_us; /**< when a byte was moved last, CLOCK_MONOTONIC */
	uint64_t sent_bytes;
	int64_t started_us;
	char text[CURL_ERROR_SIZE];
};

/** Checks the URL and headers and sets every option of the easy handle. */
int scar_http_setup(struct scar_http_transfer *transfer);
/** Has the machine no way to a public IPv6 address? */
bool scar_http_lacks_ipv6(void);

/* Callbacks of libcurl; http_flow.c. */
size_t scar_http_on_header(char *line, size_t size, size_t count, void *ctx);
size_t scar_http_on_body(char *data, size_t size, size_t count, void *ctx);
size_t scar_http_on_source(char *data, size_t size, size_t count, void *ctx);

#endif
