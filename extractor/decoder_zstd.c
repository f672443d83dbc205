/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/decoder_formats.h"

#include <stdbool.h>
#include <stdlib.h>
/* ZSTD_createDCtx_advanced(): the size of a window is known when its memory is asked for. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"

struct zstd {
	ZSTD_DCtx *context;
	const struct scar_decoder_sink *sink;
	bool between; /* the last frame is complete */
	bool refused; /* memory that the sink did not grant */
};

/* The buffers of a frame are one piece: window and a little more. */
static void *take_memory(void *ctx, size_t size)
{
	struct zstd *zstd = ctx;
	const struct scar_decoder_sink *sink = zstd->sink;

	if (size > SCAR_DECODER_SMALL_BYTES && sink->may_be_large &&
	    !sink->may_be_large(sink->ctx)) {
		zstd->refused = true;
		return NULL;
	}
	return malloc(size);
}

static void give_memory(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

static void zstd_free(void *state)
{
	struct zstd *zstd = state;

	ZSTD_freeDCtx(zstd->context);
	free(zstd);
}

static void *zstd_create(const struct scar_decoder_sink *sink, struct scar_err *err)
{
	struct zstd *zstd = calloc(1, sizeof *zstd);

	if (zstd) {
		zstd->sink = sink;
		zstd->context = ZSTD_createDCtx_advanced(
			(ZSTD_customMem){take_memory, give_memory, zstd});
	}
	if (!zstd || !zstd->context) {
		free(zstd);
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for zstd");
		return NULL;
	}
	/* The frame's own checksum adds nothing to the digests of the blob and of what comes out, but 2 % of the pull's time. */
	if (ZSTD_isError(ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_windowLogMax,
						SCAR_LIMIT_ZSTD_WINDOW_LOG)) ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(zstd->context, ZSTD_d_forceIgnoreChecksum,
						ZSTD_d_ignoreChecksum))) {
		zstd_free(zstd);
		scar_err_set(err, SCAR_ERR_INTERNAL,
			     "zstd refuses windows of 2^%d bytes, or to leave checksums alone",
			     SCAR_LIMIT_ZSTD_WINDOW_LOG);
		return NULL;
	}
	return zstd;
}

static int failed(const struct zstd *zstd, struct scar_err *err, size_t result)
{
	ZSTD_ErrorCode code = ZSTD_getErrorCode(result);

	if (zstd->refused)
		return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
	if (code == ZSTD_error_memory_allocation)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for zstd");
	if (code == ZSTD_error_frameParameter_windowTooLarge)
		return scar_err_set(
			err, SCAR_ERR_UNSUPPORTED,
			"the zstd layer needs a window larger than %zu MiB; compress it without --long and --ultra",
			((size_t)1 << SCAR_LIMIT_ZSTD_WINDOW_LOG) >> 20);
	return scar_err_set(err, SCAR_ERR_INTEGRITY, "the zstd data is damaged: %s",
			    ZSTD_getErrorName(result));
}

static int zstd_push(void *state, const struct scar_decoder_sink *sink, const uint8_t *data,
		     size_t len, struct scar_err *err)
{
	struct zstd *zstd = state;
	ZSTD_inBuffer in = {.src = data, .size = len};
	bool full = false;

	/* With the output full there may be more without more input; a finished frame has none. */
	while (in.pos < in.size || (full && !zstd->between)) {
		ZSTD_outBuffer out = {0};
		uint8_t *room;
		size_t result;

		if (sink->reserve(sink->ctx, &room, &out.size, err) < 0)
			return -1;
		out.dst = room;
		result = ZSTD_decompressStream(zstd->context, &out, &in);
		if (ZSTD_isError(result))
			return failed(zstd, err, result);
		sink->commit(sink->ctx, out.pos);
		full = out.pos == out.size;
		zstd->between = result == 0;
	}
	return 0;
}

static int zstd_finish(void *state, const struct scar_decoder_sink *sink, struct scar_err *err)
{
	const struct zstd *zstd = state;

	(void)sink;
	if (!zstd->between)
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "the zstd data is damaged: it ends too early");
	return 0;
}

const struct scar_decoder_format scar_decoder_zstd = {
	.compression = SCAR_COMPRESSION_ZSTD,
	.create = zstd_create,
	.free = zstd_free,
	.push = zstd_push,
	.finish = zstd_finish,
};
