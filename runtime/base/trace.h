/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file trace.h
 * Where the time of an invocation goes: named spans, noted by any thread while somebody wants them, and told at the end as one line of the log. Off, a span costs
 * a look at a flag. One line, so that it fits into the 4 KB of log that Lambda returns with an answer.
 */
#ifndef SCAR_RUNTIME_BASE_TRACE_H
#define SCAR_RUNTIME_BASE_TRACE_H

#include <stdint.h>

struct scar_buf;
struct scar_err;

/** Later spans are not noted. */
#define SCAR_TRACE_SPANS 48
/** What the line begins with; then "NAME BEGIN DURATION BYTES" for each span, in microseconds from its beginning on, with commas between. */
#define SCAR_TRACE_MARK "timeline: "

/** Forgets what was noted, and notes from now on. */
void scar_trace_start(void);
/** Notes no more. */
void scar_trace_stop(void);

/** The beginning of a span, for scar_trace_end(); 0 while nobody wants it. */
int64_t scar_trace_begin(void);
/**
 * The end of a span. `name` and `detail` (or NULL), which become "name" or "name:detail", are cut to 24 and 12 letters, digits, '-', '_' and '.'; others become '_'.
 * Does nothing where begin_us is 0.
 */
void scar_trace_end(int64_t begin_us, const char *name, const char *detail, uint64_t bytes);

/** Appends the line. Spans that have not ended are not in it. */
int scar_trace_write(struct scar_buf *line, struct scar_err *err);

#endif
