/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file output.h
 * Where an environment's log goes: everything the program writes to its standard streams, and the
 * lines of the service itself, in one order, to one descriptor; the last 4 KiB since the start of an
 * invocation are kept for X-Amz-Log-Result. A thread of its own keeps the pipe from filling.
 */
#ifndef SCAR_RUNTIME_EMULATOR_OUTPUT_H
#define SCAR_RUNTIME_EMULATOR_OUTPUT_H

#include "runtime/base/limits.h"

struct scar_buf;
struct scar_err;
struct scar_output;

#define SCAR_OUTPUT_TAIL_BYTES SCAR_KIB(4)

/** `log_fd`: borrowed. `tick` (may be NULL) is called about every 50 ms on the output's thread. */
int scar_output_create(int log_fd, void (*tick)(void *ctx), void *ctx,
		       struct scar_output **ret_output, struct scar_err *err);
/** The end of the pipe for programs; borrowed. */
int scar_output_fd(const struct scar_output *output);
/** Forgets the tail. */
void scar_output_mark(struct scar_output *output);
/** Adds a line of the service, after all that programs have written so far. */
void scar_output_line(struct scar_output *output, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Appends the tail to `buf`. */
int scar_output_tail(struct scar_output *output, struct scar_buf *buf, struct scar_err *err);
/** Passes on what is left and frees. */
void scar_output_free(struct scar_output *output);

#endif
