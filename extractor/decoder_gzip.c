/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/decoder_formats.h"

#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/err.h"

struct gzip {
	struct inflate_state inflate;
	bool between; /* after a member: zero padding, another member, or the end */
};

static void next_member(struct gzip *gzip)
{
	isal_inflate_reset(&gzip->inflate);
	gzip->inflate.crc_flag = ISAL_GZIP;
	gzip->between = false;
}

static void *gzip_create(struct scar_err *err)
{
	struct gzip *gzip = calloc(1, sizeof *gzip);

	if (!gzip) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for gzip");
		return NULL;
	}
	isal_inflate_init(&gzip->inflate);
	next_member(gzip);
	return gzip;
}

static const char *reason(int result)
{
	switch (result) {
	case ISAL_INVALID_BLOCK: return "invalid block";
	case ISAL_INVALID_SYMBOL: return "invalid symbol";
	case ISAL_INVALID_LOOKBACK: return "distance too far back";
	case ISAL_INVALID_WRAPPER: return "invalid header";
	case ISAL_UNSUPPORTED_METHOD: return "unknown method";
	case ISAL_INCORRECT_CHECKSUM: return "wrong checksum";
	default: return "error";
	}
}

static int damaged(struct scar_err *err, const char *why)
{
	return scar_err_set(err, SCAR_ERR_INTEGRITY, "the gzip data is damaged: %s", why);
}

/* Gives what fits into one room of the sink. *ret_full: there may be more without more input. */
static int inflate_some(struct gzip *gzip, const struct scar_decoder_sink *sink, bool *ret_full,
			struct scar_err *err)
{
	struct inflate_state *inflate = &gzip->inflate;
	uint8_t *room;
	size_t size;
	int result;

	if (sink->reserve(sink->ctx, &room, &size, err) < 0)
		return -1;
	if (size > UINT32_MAX)
		size = UINT32_MAX;
	inflate->next_out = room;
	inflate->avail_out = (uint32_t)size;
	result = isal_inflate(inflate);
	/* ISAL_END_INPUT is only "give me more". */
	if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT)
		return damaged(err, reason(result));
	sink->commit(sink->ctx, size - inflate->avail_out);
	*ret_full = inflate->avail_out == 0;
	gzip->between = inflate->block_state == ISAL_BLOCK_FINISH;
	return 0;
}

static int push_some(struct gzip *gzip, const struct scar_decoder_sink *sink, struct scar_err *err)
{
	struct inflate_state *inflate = &gzip->inflate;
	bool full = false;

	while (inflate->avail_in > 0 || full) {
		if (gzip->between) {
			if (*inflate->next_in == 0) {
				inflate->next_in++;
				inflate->avail_in--;
				continue;
			}
			if (*inflate->next_in != 0x1f)
				return damaged(err, "bytes after its end are no gzip member");
			next_member(gzip);
		}
		if (inflate_some(gzip, sink, &full, err) < 0)
			return -1;
		full = full && !gzip->between;
	}
	return 0;
}

static int gzip_push(void *state, const struct scar_decoder_sink *sink, const uint8_t *data,
		     size_t len, struct scar_err *err)
{
	struct gzip *gzip = state;

	while (len > 0) {
		uint32_t some = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;

		gzip->inflate.next_in = (uint8_t *)(uintptr_t)data;
		gzip->inflate.avail_in = some;
		if (push_some(gzip, sink, err) < 0)
			return -1;
		data += some;
		len -= some;
	}
	return 0;
}

static int gzip_finish(void *state, const struct scar_decoder_sink *sink, struct scar_err *err)
{
	const struct gzip *gzip = state;

	(void)sink;
	if (!gzip->between)
		return damaged(err, "it ends too early");
	return 0;
}

const struct scar_decoder_format scar_decoder_gzip = {
	.compression = SCAR_COMPRESSION_GZIP,
	.create = gzip_create,
	.free = free,
	.push = gzip_push,
	.finish = gzip_finish,
};
