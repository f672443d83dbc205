/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url_event.h
 * The event that Lambda makes of a request to a function URL (payload format 2.0 of API Gateway's HTTP API).
 */
#ifndef SCAR_RUNTIME_EMULATOR_URL_EVENT_H
#define SCAR_RUNTIME_EMULATOR_URL_EVENT_H

#include <stddef.h>
#include <stdint.h>

struct scar_buf;
struct scar_err;
struct scar_http1_message;

/** Appends it. now_ms: since the epoch. A body that is not of a textual type is carried in base64. */
int scar_url_event_append(const struct scar_http1_message *request, const void *body, size_t len,
			  int64_t now_ms, struct scar_buf *event, struct scar_err *err);

#endif
