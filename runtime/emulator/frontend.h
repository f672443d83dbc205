/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file frontend.h
 * The Invoke endpoints of the Lambda API for one function:
 * POST /2015-03-31/functions/NAME/invocations (Invoke: RequestResponse, Event, DryRun) and
 * POST /2021-11-15/functions/NAME/response-streaming-invocations (InvokeWithResponseStream).
 * Any other path that is not one of an API (/YYYY-MM-DD/...) is the function's URL: url_event.h, url_answer.h.
 * Signatures are not checked. NAME may be an ARN, with or without a qualifier; every name reaches
 * the one function, but it must be one; an event must be JSON or empty. A thread for each connection.
 */
#ifndef SCAR_RUNTIME_EMULATOR_FRONTEND_H
#define SCAR_RUNTIME_EMULATOR_FRONTEND_H

#include <stdint.h>

struct scar_err;
struct scar_frontend;
struct scar_pool;

/** Connections at once; more are closed at once. */
#define SCAR_FRONTEND_CONNECTIONS 128

/** Listens on an IPv4 address, such as 127.0.0.1; signatures are not checked, so one that others reach lets them in. */
int scar_frontend_open(const char *host, uint16_t port, struct scar_frontend **ret_frontend,
		       struct scar_err *err);
/** Serves until scar_frontend_stop(). */
int scar_frontend_run(struct scar_frontend *frontend, struct scar_pool *pool, struct scar_err *err);
/** Any thread. */
void scar_frontend_stop(struct scar_frontend *frontend);
/** Ends the connections, waits for their threads, and frees. The pool must have been stopped. */
void scar_frontend_free(struct scar_frontend *frontend);

#endif
