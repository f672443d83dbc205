/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tail.h
 * A program's standard error on its way to the log: written on as whole lines, so that lines of others do not end up inside them, and
 * its last bytes kept for error documents. The lines are as the program wrote them, and nothing is allocated; or for a JSON log objects (log_lines.h).
 */
#ifndef SCAR_INVOKE_TAIL_H
#define SCAR_INVOKE_TAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "invoke/log_lines.h"
#include "runtime/base/limits.h"

/** A longer line of a text log goes out in pieces. */
#define SCAR_TAIL_LINE_BYTES SCAR_KIB(8)

struct scar_tail {
	int fd;
	bool json;
	struct scar_log_lines lines; /* of a JSON log, else line has the one that has begun */
	size_t line_len;
	size_t kept_len;
	char line[SCAR_TAIL_LINE_BYTES];
	char kept[2 * SCAR_LIMIT_STDERR_TAIL_BYTES];
};

/** `fd` (borrowed) is where the lines go; -1: nowhere. */
void scar_tail_init(struct scar_tail *tail, int fd, bool json);
void scar_tail_add(struct scar_tail *tail, const char *data, size_t len);
/** Writes a last line that has no newline, with one, and frees what was allocated. More may be added. */
void scar_tail_finish(struct scar_tail *tail);
/** The last SCAR_LIMIT_STDERR_TAIL_BYTES at most, not beginning inside a UTF-8 character. @return its length */
size_t scar_tail_get(const struct scar_tail *tail, char text[SCAR_LIMIT_STDERR_TAIL_BYTES]);

#endif
