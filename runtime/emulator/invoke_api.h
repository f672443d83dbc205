/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file invoke_api.h
 * One connection of a client that invokes the function: reads requests, answers as AWS Lambda does.
 */
#ifndef SCAR_RUNTIME_EMULATOR_INVOKE_API_H
#define SCAR_RUNTIME_EMULATOR_INVOKE_API_H

struct scar_pool;
struct scar_http1;

/** Serves the connection until either side ends it. Blocks; the caller closes it. */
void scar_invoke_api_serve(struct scar_http1 *conn, struct scar_pool *pool);

#endif
