/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file status.h
 * What an HTTP answer of a registry that is no success means: kind of error, words, and whether trying again makes
 * sense. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_STATUS_H
#define SCAR_REGISTRY_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct scar_err;
struct scar_http_response;

/** Waiting longer than this for a server that asks for it is left to the caller's caller. */
#define SCAR_RETRY_AFTER_MAX_MS 20000

struct scar_status_context {
	const char *what;     /**< "manifest", "blob sha256:..." */
	const char *registry; /**< name of the registry */
	const char *
		elsewhere; /**< host that answered after a redirect, or NULL if it was the registry */
	bool has_credentials;
};

/**
 * Fills err for a status outside 2xx. *ret_retry: the failure may pass. *ret_wait_ms: what Retry-After asks
 * for, 0 if nothing. @return -1
 */
int scar_status_error(const struct scar_http_response *resp,
		      const struct scar_status_context *context, bool *ret_retry,
		      int64_t *ret_wait_ms, struct scar_err *err);
/** Milliseconds of a Retry-After value in either form (RFC 9110, 10.2.3), at `now_ms` (epoch); 0 if it is none. */
int64_t scar_status_retry_after_ms(const char *value, int64_t now_ms);

#endif
