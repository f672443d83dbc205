/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tail.h
 * A program's standard error on its way to the log: written on as whole lines, so that lines of others do not end up inside them, and
 * its last bytes kept for error documents. Allocates nothing.
 */
#ifndef SCAR_INVOKE_TAIL_H
#define SCAR_INVOKE_TAIL_H

#include <stddef.h>

#include "runtime/base/limits.h"

/** A longer line goes out in pieces. */
#define SCAR_TAIL_LINE_BYTES SCAR_KIB(8)

struct scar_tail {
	int fd;
	size_t line_len;
	size_t kept_len;
	char line[SCAR_TAIL_LINE_BYTES];
	char kept[2 * SCAR_LIMIT_STDERR_TAIL_BYTES];
};

/** `fd` (borrowed) is where the lines go; -1: nowhere. */
void scar_tail_init(struct scar_tail *tail, int fd);
void scar_tail_add(struct scar_tail *tail, const char *data, size_t len);
/** Writes a last line that has no newline, with one. */
void scar_tail_finish(struct scar_tail *tail);
/** The last SCAR_LIMIT_STDERR_TAIL_BYTES at most, not beginning inside a UTF-8 character. @return its length */
size_t scar_tail_get(const struct scar_tail *tail, char text[SCAR_LIMIT_STDERR_TAIL_BYTES]);

#endif
