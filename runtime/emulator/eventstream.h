/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file eventstream.h
 * Messages of application/vnd.amazon.eventstream: prelude (lengths, CRC-32), headers, payload, CRC-32.
 */
#ifndef SCAR_RUNTIME_EMULATOR_EVENTSTREAM_H
#define SCAR_RUNTIME_EMULATOR_EVENTSTREAM_H

#include <stddef.h>

struct scar_buf;
struct scar_err;

/** A payload must stay below the 16 MiB that readers accept. */
#define SCAR_EVENTSTREAM_PAYLOAD_MAX ((size_t)8 << 20)

/** Appends one message with :message-type event, :event-type and :content-type. */
int scar_eventstream_append(struct scar_buf *buf, const char *event_type, const char *content_type,
			    const void *payload, size_t len, struct scar_err *err);

#endif
