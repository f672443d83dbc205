/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event_stream.h
 * Frames of application/vnd.amazon.eventstream, as InvokeWithResponseStream answers:
 *
 *   u32 total length | u32 length of the headers | u32 CRC-32 of the 8 bytes before | headers | payload | u32 CRC-32 of all before
 *
 * big endian; a header is u8 length, name, u8 type, value. Bytes come in pieces of any size. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_EVENT_STREAM_H
#define SCAR_DEPLOYER_AWS_EVENT_STREAM_H

#include <stddef.h>

#include "runtime/base/buf.h"

struct scar_err;

/** One frame; borrowed, and valid during the call. Text of a header that is not there is "". */
struct scar_event_frame {
	char message_type[64]; /**< ":message-type": event, exception, error; "" counts as event */
	char event_type[64];   /**< ":event-type" or ":exception-type" */
	char error_code[128];  /**< ":error-code" */
	char error_message[512]; /**< ":error-message" */
	const void *payload;
	size_t payload_len;
};

typedef int (*scar_event_stream_each)(void *ctx, const struct scar_event_frame *frame,
				      struct scar_err *err);

struct scar_event_stream {
	struct scar_buf pending;
	scar_event_stream_each each;
	void *ctx;
};

void scar_event_stream_init(struct scar_event_stream *stream, scar_event_stream_each each,
			    void *ctx);
void scar_event_stream_clear(struct scar_event_stream *stream);
/**
 * Takes the next bytes, and gives every frame that is complete by them. SCAR_ERR_INTEGRITY: a check sum does not match;
 * SCAR_ERR_PROTOCOL: not a frame; SCAR_ERR_LIMIT: a frame of more than 24 MiB; or the error of `each`.
 */
int scar_event_stream_feed(struct scar_event_stream *stream, const void *data, size_t len,
			   struct scar_err *err);
/** The end of the bytes: SCAR_ERR_NETWORK if it is within a frame. */
int scar_event_stream_finish(const struct scar_event_stream *stream, struct scar_err *err);

#endif
