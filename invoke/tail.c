/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/tail.h"

#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"

void scar_tail_init(struct scar_tail *tail, int fd, bool json)
{
	tail->fd = fd;
	tail->json = json && fd >= 0;
	scar_log_lines_init(&tail->lines, fd);
	tail->line_len = 0;
	tail->kept_len = 0;
}

/* A log that cannot be written does not keep the program from running. */
static void write_on(struct scar_tail *tail, const char *data, size_t len)
{
	struct scar_err err;

	if (tail->fd >= 0 && len > 0)
		(void)scar_fs_write_all(tail->fd, data, len, "standard error", &err);
}

static void keep(struct scar_tail *tail, const char *data, size_t len)
{
	size_t max = SCAR_LIMIT_STDERR_TAIL_BYTES;

	if (len > max) {
		data += len - max;
		len = max;
	}
	if (tail->kept_len + len > sizeof tail->kept) {
		size_t drop = tail->kept_len - max;

		memmove(tail->kept, tail->kept + drop, max);
		tail->kept_len = max;
	}
	memcpy(tail->kept + tail->kept_len, data, len);
	tail->kept_len += len;
}

static void flush_line(struct scar_tail *tail)
{
	write_on(tail, tail->line, tail->line_len);
	tail->line_len = 0;
}

static void add_text(struct scar_tail *tail, const char *data, size_t len)
{
	const char *last = memrchr(data, '\n', len);

	if (last) {
		size_t whole = (size_t)(last - data) + 1;

		/* One write for the line begun before and the lines that follow it, if they fit. */
		if (tail->line_len + whole <= sizeof tail->line) {
			memcpy(tail->line + tail->line_len, data, whole);
			tail->line_len += whole;
			flush_line(tail);
		} else {
			flush_line(tail);
			write_on(tail, data, whole);
		}
		data += whole;
		len -= whole;
	}
	while (len > 0) {
		size_t room = sizeof tail->line - tail->line_len;
		size_t part = len < room ? len : room;

		memcpy(tail->line + tail->line_len, data, part);
		tail->line_len += part;
		data += part;
		len -= part;
		if (tail->line_len == sizeof tail->line)
			flush_line(tail);
	}
}

void scar_tail_add(struct scar_tail *tail, const char *data, size_t len)
{
	keep(tail, data, len);
	if (tail->json)
		scar_log_lines_add(&tail->lines, data, len);
	else
		add_text(tail, data, len);
}

void scar_tail_finish(struct scar_tail *tail)
{
	scar_log_lines_finish(&tail->lines);
	if (tail->line_len == 0)
		return;
	/* A full line was flushed at once, so there is room. */
	tail->line[tail->line_len++] = '\n';
	flush_line(tail);
}

size_t scar_tail_get(const struct scar_tail *tail, char text[SCAR_LIMIT_STDERR_TAIL_BYTES])
{
	size_t len = tail->kept_len, start = 0;

	if (len > SCAR_LIMIT_STDERR_TAIL_BYTES) {
		start = len - SCAR_LIMIT_STDERR_TAIL_BYTES;
		while (start < len && ((unsigned char)tail->kept[start] & 0xc0) == 0x80)
			start++;
	}
	memcpy(text, tail->kept + start, len - start);
	return len - start;
}
