/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file attempt.h
 * One try at a request to a registry: authorization, redirects by hand, the part of a body that is still missing. What
 * comes after a failure is up to transfer.c. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_ATTEMPT_H
#define SCAR_REGISTRY_ATTEMPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/http.h"
#include "runtime/base/url.h"

struct scar_auth;
struct scar_transfer_request;

/** The registry, as all attempts see it. */
struct scar_attempt_target {
	char *base;             /**< "https://host:port" */
	struct scar_url origin; /**< of base */
	char *name;             /**< for messages */
	struct scar_auth *auth;
	bool has_credentials;
	bool allow_plain;
	int64_t deadline_ms;
	const volatile int *cancel;
	atomic_uint_least64_t requests;
	atomic_uint_least64_t bytes_received;
};

/** A request that may take several attempts; zero but for the first four. */
struct scar_attempt {
	struct scar_attempt_target *target;
	const struct scar_transfer_request *req;
	struct scar_http_response *resp;
	struct scar_http *http;
	uint64_t received; /**< bytes that the sink has, over all attempts */
	/* of the running attempt */
	uint64_t skip;
	bool body_begun;
	bool sink_failed;
	/* of the failed attempt; the caller clears them before each */
	bool retry;      /**< it may work the next time */
	int64_t wait_ms; /**< what the server asks to wait before */
};

/**
 * Sends to the registry with credentials, goes where it sends us without them; one refused pair of credentials is
 * replaced by another once.
 */
int scar_attempt_run(struct scar_attempt *attempt, struct scar_err *err);
/** HEAD of the API's root. @return the status that the server at base answers with, 0 if none */
int scar_attempt_ping(struct scar_attempt *attempt);

#endif
