/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/decoder_formats.h"

#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/err.h"

/*
 * ISA-L inflates and checks the trailer; member headers are read here, because its own reader forgets, when a header
 * arrives in two pieces, which of the optional fields are still to come.
 */
enum part {
	FIXED,   /* ten bytes */
	LENGTH,  /* two bytes: of the extra field */
	EXTRA,   /* `left` bytes */
	NAME,    /* up to a NUL */
	COMMENT, /* up to a NUL */
	CHECK,   /* two bytes, not looked at: the data has a checksum of its own */
	BODY,    /* deflate data and trailer */
	BETWEEN  /* after a member: zero padding, another member, or the end */
};

/* RFC 1952, 2.3.1 */
enum {
	FIXED_BYTES = 10,
	METHOD_AT = 2,
	FLAGS_AT = 3,
	METHOD_DEFLATE = 8,
	FLAG_CHECK = 2,
	FLAG_EXTRA = 4,
	FLAG_NAME = 8,
	FLAG_COMMENT = 16,
	FLAGS_RESERVED = 0xe0
};

struct gzip {
	struct inflate_state inflate;
	enum part part;
	unsigned seen; /* bytes of this part that were read */
	uint8_t fixed[FIXED_BYTES];
	unsigned left;
};

static void *gzip_create(const struct scar_decoder_sink *sink, struct scar_err *err)
{
	struct gzip *gzip = calloc(1, sizeof *gzip);

	(void)sink;
	if (!gzip) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for gzip");
		return NULL;
	}
	isal_inflate_init(&gzip->inflate);
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

/* ---- the header of a member ---- */

static int check_fixed(const struct gzip *gzip, struct scar_err *err)
{
	if (gzip->fixed[0] != 0x1f || gzip->fixed[1] != 0x8b)
		return damaged(err, "what follows a member is no member");
	if (gzip->fixed[METHOD_AT] != METHOD_DEFLATE)
		return damaged(err, reason(ISAL_UNSUPPORTED_METHOD));
	if (gzip->fixed[FLAGS_AT] & FLAGS_RESERVED)
		return damaged(err, reason(ISAL_INVALID_WRAPPER));
	return 0;
}

static bool is_absent(const struct gzip *gzip, enum part part)
{
	unsigned flags = gzip->fixed[FLAGS_AT];

	switch (part) {
	case LENGTH: return !(flags & FLAG_EXTRA);
	case EXTRA: return gzip->left == 0;
	case NAME: return !(flags & FLAG_NAME);
	case COMMENT: return !(flags & FLAG_COMMENT);
	case CHECK: return !(flags & FLAG_CHECK);
	case FIXED:
	case BODY:
	case BETWEEN: break;
	}
	return false;
}

static int begin_part(struct gzip *gzip, enum part part, struct scar_err *err)
{
	if (part == LENGTH && check_fixed(gzip, err) < 0)
		return -1;
	while (is_absent(gzip, part))
		part++;
	if (part == BODY) {
		isal_inflate_reset(&gzip->inflate);
		gzip->inflate.crc_flag = ISAL_GZIP_NO_HDR_VER;
	}
	gzip->part = part;
	gzip->seen = 0;
	return 0;
}

/* @return whether this byte is the last of the part */
static bool take_byte(struct gzip *gzip, uint8_t byte)
{
	unsigned seen = gzip->seen++;

	switch (gzip->part) {
	case FIXED: gzip->fixed[seen] = byte; return seen + 1 == FIXED_BYTES;
	case LENGTH:
		gzip->left = seen == 0 ? byte : gzip->left | (unsigned)byte << 8;
		return seen == 1;
	case EXTRA: return --gzip->left == 0;
	case NAME:
	case COMMENT: return byte == 0;
	case CHECK: return seen == 1;
	case BODY:
	case BETWEEN: break;
	}
	return false;
}

static int read_header(struct gzip *gzip, struct scar_err *err)
{
	struct inflate_state *in = &gzip->inflate;

	while (in->avail_in > 0 && gzip->part < BODY) {
		uint8_t byte = *in->next_in++;

		in->avail_in--;
		if (take_byte(gzip, byte) && begin_part(gzip, gzip->part + 1, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- its body, and what follows ---- */

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
	if (inflate->block_state == ISAL_BLOCK_FINISH) {
		gzip->part = BETWEEN;
		*ret_full = false;
	}
	return 0;
}

static void skip_padding(struct gzip *gzip)
{
	struct inflate_state *in = &gzip->inflate;

	while (in->avail_in > 0 && *in->next_in == 0) {
		in->next_in++;
		in->avail_in--;
	}
	if (in->avail_in > 0) {
		gzip->part = FIXED;
		gzip->seen = 0;
	}
}

static int push_some(struct gzip *gzip, const struct scar_decoder_sink *sink, struct scar_err *err)
{
	bool full = false;

	while (gzip->inflate.avail_in > 0 || full) {
		if (gzip->part < BODY && read_header(gzip, err) < 0)
			return -1;
		if (gzip->part == BODY && inflate_some(gzip, sink, &full, err) < 0)
			return -1;
		if (gzip->part == BETWEEN)
			skip_padding(gzip);
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
	if (gzip->part != BETWEEN)
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
