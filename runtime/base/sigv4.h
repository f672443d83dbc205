/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sigv4.h
 * AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request").
 *
 * What is signed is the request as it goes over the wire: the URL must be complete and encoded. S3 signs
 * its path as it is; every other service encodes it once more and drops "." and "//" and "..".
 */
#ifndef SCAR_RUNTIME_BASE_SIGV4_H
#define SCAR_RUNTIME_BASE_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/http.h"

struct scar_err;

/** Instead of a digest where the service allows it (S3 over https). */
#define SCAR_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

/** Borrowed; never logged. */
struct scar_aws_credentials {
	const char *access_key_id;
	const char *secret_access_key;
	const char *session_token; /**< NULL: keys that do not expire */
};

/** From AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. SCAR_ERR_AUTH names what is missing. */
int scar_aws_credentials_from_environment(struct scar_aws_credentials *ret_credentials,
					  struct scar_err *err);

/** Who signs, for what. */
struct scar_sigv4 {
	struct scar_aws_credentials credentials;
	const char *region;  /**< e.g. "eu-west-1" */
	const char *service; /**< signing name, e.g. "s3", "lambda", "logs" */
	int64_t time_s;      /**< since the epoch */
};

/** Headers to add to the request, and the memory they are in. */
struct scar_sigv4_headers {
	struct scar_http_header list[4]; /**< Authorization, X-Amz-Date, and those that apply */
	size_t count;
	char date[17]; /**< YYYYMMDDTHHMMSSZ */
	char payload[65];
	struct scar_buf authorization;
};

/** Lower-case hex SHA-256 of a body; text has room for the NUL. */
int scar_sigv4_payload(const void *body, size_t len, char text[65], struct scar_err *err);

/**
 * Signs a request. Its headers count except User-Agent, Expect, Transfer-Encoding and X-Amzn-Trace-Id,
 * which proxies may change; Host is taken from the URL. payload: hex SHA-256 of the body, or
 * SCAR_SIGV4_UNSIGNED. For S3 the headers include X-Amz-Content-SHA256.
 * SCAR_ERR_CONFIG: the URL is not an absolute http or https one; SCAR_ERR_LIMIT: too long.
 */
int scar_sigv4_sign(const struct scar_sigv4 *sig, const struct scar_http_request *request,
		    const char *payload, struct scar_sigv4_headers *ret_headers,
		    struct scar_err *err);

/** Header fields that a request of scar_sigv4_perform() may have of its own. */
#define SCAR_SIGV4_PERFORM_HEADERS 4
/**
 * Signs a request for `region` and `service` with the credentials of the environment, now, and performs it (http.h). Its body is in memory, its own header fields are
 * SCAR_SIGV4_PERFORM_HEADERS at most. Fails as what it does; SCAR_ERR_INTERNAL for more fields.
 */
int scar_sigv4_perform(struct scar_http *http, const char *region, const char *service,
		       const struct scar_http_request *request, struct scar_http_response *response,
		       struct scar_err *err);

/**
 * The URL with a signature in its query, for whoever has no credentials; valid for expires_s
 * seconds (at most a week). Only the Host header is signed.
 */
int scar_sigv4_presign(const struct scar_sigv4 *sig, const char *method, const char *url,
		       uint32_t expires_s, struct scar_buf *ret_url, struct scar_err *err);

/** Appends text encoded as AWS wants it: all but A-Z a-z 0-9 - . _ ~ and the bytes of `safe` as %XX. */
int scar_sigv4_encode(struct scar_buf *buf, const char *text, size_t len, const char *safe,
		      struct scar_err *err);

/** Clears the secret parts. */
void scar_sigv4_headers_clear(struct scar_sigv4_headers *headers);
#define scar_sigv4_headers_auto scar_auto(scar_sigv4_headers_clear)

#endif
