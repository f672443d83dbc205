/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file proxy.h
 * Hands an item of an event to the HTTP server of the image, on loopback, and its answer to scar_answer. An HTTP request goes there as it
 * came; any other item is POSTed to SCAR_PROXY_EVENTS_PATH, and a status of 400 or more is then a failure. One connection for each.
 */
#ifndef SCAR_INVOKE_PROXY_H
#define SCAR_INVOKE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/run.h"

struct scar_err;
struct scar_event;
struct scar_resident;

#define SCAR_PROXY_EVENTS_PATH "/events"

struct scar_proxy_options {
	struct scar_resident *resident; /**< it must be alive while an answer is awaited */
	int64_t port;
	const char *
		health_path; /**< asked until it answers below 500, before the first request; NULL: a connection is enough */
	int64_t deadline_ms; /**< epoch ms; 0: none */
	const char *request_id;
	const struct scar_event *event;
	size_t index;
	scar_run_sink
		sink; /**< gets a block of header fields (content.h) first, if the event is of HTTP; then the body */
	void *sink_ctx;
};

/** Waits until the server takes connections. SCAR_ERR_TIMEOUT, or SCAR_ERR_EXIT and what else ends a program. */
int scar_proxy_await(const struct scar_proxy_options *options, struct scar_err *err);
/** Of scar_proxy_pass(): the server took no connection, so nothing of the request is lost if it is passed again. */
#define SCAR_PROXY_NOT_SENT (-2)
/** SCAR_ERR_UNSUPPORTED for WebSocket, SCAR_ERR_TIMEOUT, SCAR_ERR_SERVER for what the server does wrong. @return 0, -1, SCAR_PROXY_NOT_SENT */
int scar_proxy_pass(const struct scar_proxy_options *options, struct scar_err *err);

#endif
