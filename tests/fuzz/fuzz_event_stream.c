/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of an event stream: however the bytes are cut, the same frames come out. The check sums of the input's frames are made right
 * first, or nothing would get past them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/aws/event_stream.h"
#include "runtime/base/crc32.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	size_t frames, bytes;
	uint32_t crc;
};

static int add(void *ctx, const struct scar_event_frame *frame, struct scar_err *err)
{
	struct sum *sum = ctx;

	(void)err;
	sum->frames++;
	sum->bytes += frame->payload_len;
	sum->crc ^= scar_crc32(frame->payload, frame->payload_len) +
		    scar_crc32(frame->event_type, strlen(frame->event_type)) +
		    scar_crc32(frame->message_type, strlen(frame->message_type)) +
		    scar_crc32(frame->error_message, strlen(frame->error_message));
	return 0;
}

static void put(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void mend(uint8_t *bytes, size_t size)
{
	while (size >= 16) {
		size_t total = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 |
			       (size_t)bytes[2] << 8 | bytes[3];

		put(bytes + 8, scar_crc32(bytes, 8));
		if (total < 16 || total > size)
			return;
		put(bytes + total - 4, scar_crc32(bytes, total - 4));
		bytes += total;
		size -= total;
	}
}

static int feed(const uint8_t *bytes, size_t size, size_t piece, struct sum *sum)
{
	struct scar_event_stream stream;
	struct scar_err err = {.msg = ""};
	int failed = 0;

	scar_event_stream_init(&stream, add, sum);
	for (size_t at = 0; at < size && !failed; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		uint8_t *copy = malloc(len);

		if (!copy)
			abort();
		memcpy(copy, bytes + at, len);
		failed = scar_event_stream_feed(&stream, copy, len, &err);
		free(copy);
	}
	if (!failed)
		failed = scar_event_stream_finish(&stream, &err);
	if (failed && err.msg[0] == '\0')
		abort();
	scar_event_stream_clear(&stream);
	return failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = {.frames = 0}, cut = {.frames = 0};
	uint8_t *bytes;
	size_t piece;

	if (size < 2)
		return 0;
	piece = (size_t)data[0] + 1;
	bytes = malloc(size - 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1, size - 1);
	if (data[1] != 0xff)
		mend(bytes, size - 1);
	if (feed(bytes, size - 1, size - 1, &whole) != feed(bytes, size - 1, piece, &cut) ||
	    whole.frames != cut.frames || whole.bytes != cut.bytes || whole.crc != cut.crc)
		abort();
	free(bytes);
	return 0;
}
