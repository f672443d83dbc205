/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event.h
 * One invocation as the Runtime API hands it over: the event and what came with it.
 */
#ifndef SCAR_RUNTIME_API_EVENT_H
#define SCAR_RUNTIME_API_EVENT_H

#include <stdint.h>

#include "runtime/base/buf.h"

/**
 * Owns its text. A string is NULL where the service sent no such field; request_id never is.
 * All of it comes from outside: treat it as hostile.
 */
struct scar_invocation {
	char *request_id;
	char *trace_id;         /**< X-Ray header */
	char *client_context;   /**< JSON, already decoded from base64 by the service */
	char *cognito_identity; /**< JSON */
	char *function_arn;     /**< as invoked, with version or alias */
	char *tenant_id;
	char *content_type; /**< of the event */
	/**
	 * When the service will kill the invocation, in ms since the epoch; 0: none, or one that
	 * had passed when the invocation arrived (local servers send such), hence unusable.
	 */
	int64_t deadline_ms;
	struct scar_buf event; /**< any bytes, at most SCAR_LIMIT_EVENT_BYTES */
};

void scar_invocation_init(struct scar_invocation *invocation);
/** Frees; the invocation is empty and usable again. */
void scar_invocation_clear(struct scar_invocation *invocation);

#define scar_invocation_auto scar_auto(scar_invocation_clear)

#endif
