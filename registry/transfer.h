/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file transfer.h
 * Requests to one registry: authorization, redirects by hand, retries with back-off, resumption. Internal to
 * registry/. Usable from several threads at once; each request borrows an HTTP client from a pool, so that
 * connections are kept.
 */
#ifndef SCAR_REGISTRY_TRANSFER_H
#define SCAR_REGISTRY_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/client.h"

struct scar_transfer;

/** GUESS finds out with the first request whether the server speaks TLS; for this machine only. */
enum scar_transfer_scheme { SCAR_SCHEME_HTTPS, SCAR_SCHEME_HTTP, SCAR_SCHEME_GUESS };

/** Strings are copied unless said otherwise. */
struct scar_transfer_options {
	const char *host; /**< host[:port] */
	const char *name; /**< of the registry, for messages */
	const char *repository;
	const char *reference; /**< the whole reference, for messages */
	enum scar_transfer_scheme scheme;
	const char *realm; /**< see auth.h */
	const char *service;
	const char *username, *password;
	bool has_alternative; /**< another server follows this one: not much patience with failures */
	const struct scar_source_options *source; /**< borrowed during the call: the rest */
};

/** How far a blob has come; a request to another server goes on from there. */
struct scar_transfer_progress {
	uint64_t received; /**< bytes that the sink has */
	bool sink_failed;  /**< it was the sink that ended the request */
};

struct scar_transfer_request {
	const char *what;      /**< for messages: "manifest", "blob sha256:..." */
	const char *path;      /**< "/v2/..." */
	const char *accept;    /**< or NULL */
	size_t max_body_bytes; /**< without a sink */
	/**
	 * With a sink: exactly `size_bytes` are expected. What was received when a transfer broke is not given again: the
	 * next attempt asks for the rest, or skips what a server without ranges sends again. A sink that fails ends
	 * the request at once.
	 */
	scar_http_sink sink;
	void *sink_ctx;
	uint64_t size_bytes;
	struct scar_transfer_progress *progress; /**< in and out; NULL: from the first byte */
};

int scar_transfer_create(const struct scar_transfer_options *options,
			 struct scar_transfer **ret_transfer, struct scar_err *err);
/** NULL is fine. */
void scar_transfer_free(struct scar_transfer *transfer);
/**
 * GETs until a 2xx answer is complete, or fails: SCAR_ERR_NOT_FOUND, _AUTH, _RATE_LIMIT, _UNAVAILABLE, _NETWORK, _TLS,
 * _PROTOCOL, _LIMIT, _INTEGRITY (fewer bytes than promised), _TIMEOUT, _INTERRUPTED, or the sink's error. resp is
 * initialised by the caller; without a sink its body is the answer's.
 */
int scar_transfer_get(struct scar_transfer *transfer, const struct scar_transfer_request *req,
		      struct scar_http_response *resp, struct scar_err *err);
void scar_transfer_stats(const struct scar_transfer *transfer, struct scar_source_stats *ret_stats);

static inline void scar_cleanup_transfer(struct scar_transfer **transfer)
{
	scar_transfer_free(*transfer);
}

#endif
