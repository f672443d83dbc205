/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/log_lines.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

#define LOGGER "program"
#define WRITE_BYTES SCAR_KIB(64)
#define OUT_BYTES SCAR_MIB(1) /* WRITE_BYTES and the longest line that may come then */

void scar_log_lines_init(struct scar_log_lines *lines, int fd)
{
	lines->fd = fd;
	lines->cut = false;
	scar_buf_init(&lines->line, SCAR_LOG_LINES_OBJECT_BYTES);
	scar_buf_init(&lines->out, OUT_BYTES);
}

static void write_out(struct scar_log_lines *lines)
{
	struct scar_err err;

	if (lines->out.len > 0)
		(void)scar_fs_write_all(lines->fd, lines->out.data, lines->out.len, "the log",
					&err);
	scar_buf_reset(&lines->out);
}

/* Bytes of the next piece; a long one does not end inside a character. */
static size_t piece_len(const char *text, size_t len)
{
	if (len < SCAR_LOG_LINES_PIECE_BYTES)
		return len;
	for (size_t back = 1; back <= 3; back++) {
		size_t at = SCAR_LOG_LINES_PIECE_BYTES - back;
		unsigned char c = (unsigned char)text[at];
		size_t needed = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if ((c & 0xc0) != 0x80)
			return needed > back ? at : SCAR_LOG_LINES_PIECE_BYTES;
	}
	return SCAR_LOG_LINES_PIECE_BYTES;
}

/* Without memory for its form a line goes out as it is rather than not at all. */
static void put_piece(struct scar_log_lines *lines, const char *text, size_t len)
{
	const size_t before = lines->out.len;
	struct scar_err err;

	if (scar_log_append_line(&lines->out, LOGGER, text, len, &err) < 0) {
		lines->out.len = before;
		write_out(lines);
		(void)scar_fs_write_all(lines->fd, text, len, "the log", &err);
		(void)scar_fs_write_all(lines->fd, "\n", 1, "the log", &err);
	}
	if (lines->out.len >= WRITE_BYTES)
		write_out(lines);
}

/* Puts whole pieces until less than `rest` bytes are left; they stay. */
static void put_pieces(struct scar_log_lines *lines, size_t rest)
{
	while (lines->line.len >= rest && lines->line.len > 0) {
		size_t piece = piece_len(lines->line.data, lines->line.len);

		put_piece(lines, lines->line.data, piece);
		scar_buf_consume(&lines->line, piece);
		lines->cut = true;
	}
}

static bool put_object(struct scar_log_lines *lines)
{
	const size_t before = lines->out.len;
	struct scar_err err;

	if (scar_log_append_object(&lines->out, lines->line.data, lines->line.len, &err) > 0) {
		if (lines->out.len >= WRITE_BYTES)
			write_out(lines);
		return true;
	}
	lines->out.len = before;
	return false;
}

static void end_line(struct scar_log_lines *lines)
{
	if (!lines->cut && lines->line.len == 0)
		put_piece(lines, "", 0);
	else if (lines->cut || !put_object(lines))
		put_pieces(lines, 1);
	scar_buf_reset(&lines->line);
	lines->cut = false;
}

/* How long the line may get before its end is seen. */
static size_t limit_of(const struct scar_log_lines *lines, const char *data)
{
	const char first = lines->line.len > 0 ? lines->line.data[0] : *data;

	return !lines->cut && (first == '{' || first == ' ' || first == '\t')
		       ? SCAR_LOG_LINES_OBJECT_BYTES
		       : SCAR_LOG_LINES_PIECE_BYTES;
}

/* @return bytes taken of `len` (> 0), which hold no newline */
static size_t keep(struct scar_log_lines *lines, const char *data, size_t len)
{
	size_t limit = limit_of(lines, data);
	size_t room = limit - lines->line.len;
	size_t part = len < room ? len : room;
	struct scar_err err;

	if (scar_buf_append(&lines->line, data, part, &err) < 0) {
		/* No memory: what there is goes out in two pieces. */
		put_pieces(lines, 1);
		put_piece(lines, data, part);
		lines->cut = true;
	} else if (lines->line.len == limit) {
		put_pieces(lines, SCAR_LOG_LINES_PIECE_BYTES);
	}
	return part;
}

void scar_log_lines_add(struct scar_log_lines *lines, const char *data, size_t len)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t part = end ? (size_t)(end - data) : len;

		while (part > 0) {
			size_t kept = keep(lines, data, part);

			data += kept;
			len -= kept;
			part -= kept;
		}
		if (!end)
			break;
		end_line(lines);
		data++;
		len--;
	}
	write_out(lines);
}

void scar_log_lines_finish(struct scar_log_lines *lines)
{
	if (lines->line.len > 0)
		end_line(lines);
	lines->cut = false;
	write_out(lines);
	scar_buf_clear(&lines->line);
	scar_buf_clear(&lines->out);
}
