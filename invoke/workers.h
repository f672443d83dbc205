/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file workers.h
 * Several invocations at once (Lambda Managed Instances tell AWS_LAMBDA_MAX_CONCURRENCY): as many processes, each a whole runtime with a loop of
 * its own. They share the store, whose locks are made for that, and nothing else: one that breaks down breaks no other.
 */
#ifndef SCAR_INVOKE_WORKERS_H
#define SCAR_INVOKE_WORKERS_H

#include <stdint.h>

struct scar_err;

#define SCAR_WORKERS_MAX 64

/**
 * Starts `count` processes and stays to look after them: one that ends is started again, SIGTERM and SIGINT are handed on. To be called before
 * there is any thread. @return in a worker 1; in the caller, once all have ended because it was told to, 0; -1 if workers keep ending at
 * once (SCAR_ERR_INTERNAL, with the last one's status), or cannot be started
 */
int scar_workers_run(int64_t count, struct scar_err *err);

#endif
