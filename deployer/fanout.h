/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fanout.h
 * One invocation for each file below a prefix of a bucket, or that a list names, several at a time.
 */
#ifndef SCAR_DEPLOYER_FANOUT_H
#define SCAR_DEPLOYER_FANOUT_H

#include <stdbool.h>

#include "deployer/session.h"

/** Whether the command asks for it: --input-bucket or --manifest. */
bool scar_fanout_is_wanted(const struct scar_arguments *arguments);
/**
 * --input-bucket is "BUCKET[/PREFIX]"; --manifest a file of lines "[s3://]BUCKET/KEY", where empty lines and those that begin with '#' do not
 * count. Each answer goes to stdout, as it comes; the summary, with the files that failed and why, to stderr.
 * @return 0, SCAR_EXIT_FUNCTION if an invocation failed, -1 with err if it could not begin
 */
int scar_fanout_run(struct scar_session *session, const char *function, struct scar_err *err);

#endif
