/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fanout.h
 * One invocation for each file below a prefix of a bucket, several at a time.
 */
#ifndef SCAR_DEPLOYER_FANOUT_H
#define SCAR_DEPLOYER_FANOUT_H

#include "deployer/session.h"

/**
 * `path` is "BUCKET[/PREFIX]". Each answer goes to stdout, as it comes; the summary, with the files that failed and why, to stderr.
 * @return 0, SCAR_EXIT_FUNCTION if an invocation failed, -1 with err if it could not begin
 */
int scar_fanout_run(struct scar_session *session, const char *function, const char *path,
		    struct scar_err *err);

#endif
