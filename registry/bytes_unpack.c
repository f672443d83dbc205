/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What compressed bytes decompress to, read in any order. A decoder only goes forward; a read takes the one that stands nearest before its
 * first byte, or begins a new one. Whoever reads the members of an archive in their order, on several threads, decompresses it about once a thread.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "registry/bytes.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* Idle decoders that are kept: one for each layer in flight, one for what is read between. */
#define DECODERS_MAX 4
#define INPUT_BYTES SCAR_KIB(256)
#define OUTPUT_BYTES SCAR_KIB(64)
#define GZIP_WINDOW (15 + 16)

struct decoder {
	bool zstd;
	z_stream gzip_state;
	ZSTD_DStream *zstd_state;
	uint64_t packed_at; /* of the compressed bytes, those read so far */
	uint64_t at;        /* where the first byte of output stands */
	size_t output_len, input_len, input_used;
	bool ended; /* the compressed stream, between members or frames */
	unsigned char input[INPUT_BYTES];
	unsigned char output[OUTPUT_BYTES];
};

struct unpacked {
	struct scar_bytes *packed;
	bool zstd;
	pthread_mutex_t mutex;
	struct decoder *idle[DECODERS_MAX]; /* under the mutex */
};

/* ---- one decoder ---- */

static void decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return;
	if (decoder->zstd)
		ZSTD_freeDStream(decoder->zstd_state);
	else
		inflateEnd(&decoder->gzip_state);
	free(decoder);
}

static struct decoder *decoder_new(bool zstd, struct scar_err *err)
{
	struct decoder *decoder = calloc(1, sizeof *decoder);
	bool good = false;

	if (decoder) {
		decoder->zstd = zstd;
		decoder->zstd_state = zstd ? ZSTD_createDStream() : NULL;
		good = zstd ? decoder->zstd_state &&
				       !ZSTD_isError(ZSTD_DCtx_setParameter(
					       decoder->zstd_state, ZSTD_d_windowLogMax,
					       SCAR_LIMIT_ZSTD_WINDOW_LOG))
			    : inflateInit2(&decoder->gzip_state, GZIP_WINDOW) == Z_OK;
	}
	if (good)
		return decoder;
	decoder_free(decoder);
	scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a decoder");
	return NULL;
}

static int decode_gzip(struct decoder *decoder, struct scar_err *err)
{
	z_stream *state = &decoder->gzip_state;
	int got;

	if (decoder->ended)
		inflateReset(state);
	state->next_in = decoder->input + decoder->input_used;
	state->avail_in = (uInt)(decoder->input_len - decoder->input_used);
	state->next_out = decoder->output;
	state->avail_out = OUTPUT_BYTES;
	got = inflate(state, Z_NO_FLUSH);
	if (got != Z_OK && got != Z_STREAM_END && got != Z_BUF_ERROR)
		return scar_err_set(err, SCAR_ERR_IMAGE, "the archive's gzip data is damaged");
	decoder->ended = got == Z_STREAM_END;
	decoder->input_used = decoder->input_len - state->avail_in;
	decoder->output_len = OUTPUT_BYTES - state->avail_out;
	return 0;
}

static int decode_zstd(struct decoder *decoder, struct scar_err *err)
{
	ZSTD_inBuffer in = {decoder->input, decoder->input_len, decoder->input_used};
	ZSTD_outBuffer out = {decoder->output, OUTPUT_BYTES, 0};
	size_t got = ZSTD_decompressStream(decoder->zstd_state, &out, &in);

	if (ZSTD_isError(got))
		return scar_err_set(err, SCAR_ERR_IMAGE, "the archive's zstd data is damaged: %s",
				    ZSTD_getErrorName(got));
	decoder->ended = got == 0;
	decoder->input_used = in.pos;
	decoder->output_len = out.pos;
	return 0;
}

static int fill_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct decoder *decoder = ctx;

	if (len > INPUT_BYTES - decoder->input_len)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "more bytes than asked for");
	memcpy(decoder->input + decoder->input_len, data, len);
	decoder->input_len += len;
	return 0;
}

/* The next output in place of the last. SCAR_ERR_IMAGE at the end: whoever reads knows how much there should be. */
static int decode(const struct unpacked *unpacked, struct decoder *decoder,
		  const volatile int *cancel, struct scar_err *err)
{
	decoder->at += decoder->output_len;
	decoder->output_len = 0;
	while (decoder->output_len == 0) {
		uint64_t left = scar_bytes_size(unpacked->packed) - decoder->packed_at;
		size_t want = left < INPUT_BYTES ? (size_t)left : INPUT_BYTES;

		if (cancel && *cancel)
			return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
		if (decoder->input_used == decoder->input_len) {
			decoder->input_used = decoder->input_len = 0;
			if (want == 0)
				return scar_err_set(err, SCAR_ERR_IMAGE,
						    "the archive is cut short");
			if (scar_bytes_copy(unpacked->packed, "the archive", decoder->packed_at,
					    want, fill_sink, decoder, err) < 0)
				return -1;
			decoder->packed_at += want;
		}
		if ((decoder->zstd ? decode_zstd(decoder, err) : decode_gzip(decoder, err)) < 0)
			return -1;
	}
	return 0;
}

/* ---- the decoders ---- */

static struct decoder *take_decoder(struct unpacked *unpacked, uint64_t first, struct scar_err *err)
{
	struct decoder **best = NULL, *taken = NULL;

	pthread_mutex_lock(&unpacked->mutex);
	for (size_t i = 0; i < DECODERS_MAX; i++) {
		struct decoder **idle = &unpacked->idle[i];

		if (*idle && (*idle)->at <= first && (!best || (*idle)->at > (*best)->at))
			best = idle;
	}
	if (best) {
		taken = *best;
		*best = NULL;
	}
	pthread_mutex_unlock(&unpacked->mutex);
	return taken ? taken : decoder_new(unpacked->zstd, err);
}

/* Of too many the one that has come least far goes: it is the cheapest to have again. */
static void give_back(struct unpacked *unpacked, struct decoder *decoder)
{
	size_t least = 0;

	pthread_mutex_lock(&unpacked->mutex);
	for (size_t i = 0; i < DECODERS_MAX && decoder; i++) {
		if (!unpacked->idle[i]) {
			unpacked->idle[i] = decoder;
			decoder = NULL;
		} else if (unpacked->idle[i]->at < unpacked->idle[least]->at) {
			least = i;
		}
	}
	if (decoder && unpacked->idle[least]->at < decoder->at) {
		struct decoder *other = unpacked->idle[least];

		unpacked->idle[least] = decoder;
		decoder = other;
	}
	pthread_mutex_unlock(&unpacked->mutex);
	decoder_free(decoder);
}

static int copy_with(const struct unpacked *unpacked, struct decoder *decoder, uint64_t first,
		     uint64_t size_bytes, const volatile int *cancel, scar_http_sink sink,
		     void *ctx, struct scar_err *err)
{
	while (size_bytes > 0) {
		uint64_t skip;
		size_t len;

		if (first >= decoder->at + decoder->output_len) {
			if (decode(unpacked, decoder, cancel, err) < 0)
				return -1;
			continue;
		}
		skip = first - decoder->at;
		len = decoder->output_len - (size_t)skip;
		if (len > size_bytes)
			len = (size_t)size_bytes;
		if (sink(ctx, decoder->output + skip, len, err) < 0)
			return -1;
		first += len;
		size_bytes -= len;
	}
	return 0;
}

static int unpacked_copy(void *impl, uint64_t first, uint64_t size_bytes,
			 const volatile int *cancel, scar_http_sink sink, void *ctx,
			 struct scar_err *err)
{
	struct unpacked *unpacked = impl;
	struct decoder *decoder = take_decoder(unpacked, first, err);

	if (!decoder)
		return -1;
	if (copy_with(unpacked, decoder, first, size_bytes, cancel, sink, ctx, err) < 0) {
		/* It may have stopped in the middle of something. */
		decoder_free(decoder);
		return -1;
	}
	give_back(unpacked, decoder);
	return 0;
}

static void unpacked_close(void *impl)
{
	struct unpacked *unpacked = impl;

	for (size_t i = 0; i < DECODERS_MAX; i++)
		decoder_free(unpacked->idle[i]);
	scar_bytes_close(unpacked->packed);
	pthread_mutex_destroy(&unpacked->mutex);
	free(unpacked);
}

static const struct scar_bytes_ops unpacked_ops = {.copy = unpacked_copy, .close = unpacked_close};

int scar_bytes_unpack(struct scar_bytes *packed, bool zstd, const volatile int *cancel,
		      struct scar_bytes **ret_bytes, struct scar_err *err)
{
	struct unpacked *unpacked = calloc(1, sizeof *unpacked);

	if (!unpacked) {
		scar_bytes_close(packed);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	unpacked->packed = packed;
	unpacked->zstd = zstd;
	pthread_mutex_init(&unpacked->mutex, NULL);
	return scar_bytes_make(&unpacked_ops, unpacked, SCAR_BYTES_UNKNOWN, cancel, ret_bytes, err);
}
