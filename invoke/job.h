/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file job.h
 * What an event asks for. Any bytes are an event; they are the program's standard input. An event that is a
 * JSON object may besides hold these keys (the first two are SCAR's):
 *
 *   "script"    base64 of a script to run in place of the image's command
 *   "cmd_args"  the program's arguments: a list of strings, or a string that holds such a list as JSON
 *   "image"     the image to run, if the function's configuration lets events choose
 *   "stdin"     base64 of the program's standard input, in place of the event itself
 */
#ifndef SCAR_INVOKE_JOB_H
#define SCAR_INVOKE_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/buf.h"

struct scar_err;

struct scar_job {
	char *image; /**< NULL: not named */
	bool has_script;
	struct scar_buf script;
	char **args; /**< NULL: none given (an empty list is none) */
	bool has_input;
	struct scar_buf input; /**< of "stdin", if has_input */
};

/** Parses the bytes of an event. Fails with SCAR_ERR_EVENT, naming the key and what is wrong with it. */
int scar_job_parse(const void *event, size_t len, struct scar_job *ret_job, struct scar_err *err);
void scar_job_clear(struct scar_job *job);

#define scar_job_auto scar_auto(scar_job_clear)

#endif
