/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log_lines.h
 * What a program writes, any bytes, as the lines of a JSON log (AWS_LAMBDA_LOG_FORMAT=JSON): each line becomes the message of an object with
 * time, level and request id. A line that is a JSON object already goes on as it is, as with Lambda's managed runtimes, with the request
 * id added if it has none. Whole lines only, many in one write(2).
 */
#ifndef SCAR_INVOKE_LOG_LINES_H
#define SCAR_INVOKE_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/buf.h"
#include "runtime/base/limits.h"

/** A longer line that is no object goes out in pieces, each a line of its own; escaping makes it six times as long at most. */
#define SCAR_LOG_LINES_PIECE_BYTES SCAR_KIB(32)
/** A longer object is no object: CloudWatch would cut it. */
#define SCAR_LOG_LINES_OBJECT_BYTES SCAR_KIB(256)

struct scar_log_lines {
	int fd;
	struct scar_buf line; /* the one that has begun */
	bool cut;             /* pieces of it are out */
	struct scar_buf out;
};

/** Allocates nothing. `fd` (borrowed) is where the lines go. */
void scar_log_lines_init(struct scar_log_lines *lines, int fd);
/** A log that cannot be written does not keep the program from running. */
void scar_log_lines_add(struct scar_log_lines *lines, const char *data, size_t len);
/** Writes a last line that has no newline, and frees. More may be added. */
void scar_log_lines_finish(struct scar_log_lines *lines);

#endif
