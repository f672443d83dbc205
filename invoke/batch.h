/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file batch.h
 * The supervisor of a job of AWS Batch: bootstrap inside any container, where the image already is the machine. What SCAR's supervisor takes from a job
 * definition and from SubmitJob, all of it variables:
 *
 *   SCRIPT           base64 of the script to run
 *   FUNCTION_CONFIG  base64 of the function's definition: storage, log level, ...
 *   EVENT            the event; without it standard input, unless that is a terminal
 *
 * Each item of the event is a run of the script, with its file in TMP_INPUT_DIR and its results delivered from TMP_OUTPUT_DIR, as in Lambda. The
 * script sees the container's own variables too.
 */
#ifndef SCAR_INVOKE_BATCH_H
#define SCAR_INVOKE_BATCH_H

#include <stdbool.h>

/** Whether this is a job: there is no Runtime API, but SCRIPT or FUNCTION_CONFIG. */
bool scar_batch_is_job(char *const *environment);
/**
 * Runs the job to its end. SIGTERM, which Batch sends 30 s before it kills, ends the script; what it has written by then is delivered.
 * @return the exit status: that of the first script that failed, 128 + N for signal N, else that of the error (err.h)
 */
int scar_batch_run(char *const *environment);

#endif
