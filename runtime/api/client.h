/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file client.h
 * The Runtime API as calls, over one keep-alive connection. One invocation at a time, one thread.
 *
 * A request on a connection that the service has closed meanwhile is sent again on a new one, as
 * long as nothing of an answer was read. `next` waits without limit (a frozen environment
 * sleeps in it). When the service does not listen, connecting is retried with growing,
 * jittered pauses for about 10 s in all; then SCAR_ERR_NETWORK.
 */
#ifndef SCAR_RUNTIME_API_CLIENT_H
#define SCAR_RUNTIME_API_CLIENT_H

#include "runtime/api/event.h"
#include "runtime/api/response.h"
#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_client;

struct scar_client_options {
	const char *api;            /**< "host:port", copied */
	int64_t connect_timeout_ms; /**< of one attempt; 0: 1 s */
	int64_t retry_for_ms;       /**< patience with a service that is away; 0: 10 s */
};

/** Connects to nothing yet. */
int scar_client_create(const struct scar_client_options *options, struct scar_client **ret_client,
		       struct scar_err *err);
void scar_client_free(struct scar_client *client);

/**
 * Waits for the next invocation. 1: `invocation` is filled (initialised by the caller, emptied
 * first). 0: none this time, ask again (the service refused the state, or sent an answer without
 * a request id). -1: SCAR_ERR_NETWORK the service is gone; SCAR_ERR_UNAVAILABLE it said
 * that its state is beyond recovery (500), so the process should exit; SCAR_ERR_NOMEM.
 */
int scar_client_next(struct scar_client *client, struct scar_invocation *invocation,
		     struct scar_err *err);

/** A writer for the answer to `request_id` (copied). Owned by the caller. */
int scar_client_response(struct scar_client *client, const char *request_id,
			 struct scar_response **ret_response, struct scar_err *err);
void scar_response_free(struct scar_response *response);

/** Says that the runtime could not be initialised; the process should exit after it. */
int scar_client_init_error(struct scar_client *client, const struct scar_function_error *error,
			   struct scar_err *err);

static inline void scar_cleanup_client(struct scar_client **client)
{
	scar_client_free(*client);
}

static inline void scar_cleanup_response(struct scar_response **response)
{
	scar_response_free(*response);
}
#define scar_client_auto scar_auto(scar_cleanup_client)
#define scar_response_auto scar_auto(scar_cleanup_response)

#endif
