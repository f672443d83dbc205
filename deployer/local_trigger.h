/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file local_trigger.h
 * S3's trigger for the local Lambda. Local S3 servers (MinIO, moto) have no Lambda to tell of new objects, so the inputs of the definition are listed once a
 * second; an object that is new, or has another ETag or time than before, gives the event that S3 would send (ObjectCreated:Put).
 */
#ifndef SCAR_DEPLOYER_LOCAL_TRIGGER_H
#define SCAR_DEPLOYER_LOCAL_TRIGGER_H

#include <stddef.h>

struct scar_err;
struct scar_fdl_function;
struct scar_local_trigger;
struct scar_pool;

/**
 * Notes what is there already, which starts nothing, and begins. Invocations are asynchronous ones: `workers` at once (as many as the pool has environments), and what fails is tried twice more
 * before it is told of on stderr. Where AWS is, and credentials, come from `environment`. SCAR_ERR_CONFIG if the definition has no input in S3.
 */
int scar_local_trigger_start(const struct scar_fdl_function *definition, char **environment,
			     struct scar_pool *pool, size_t workers,
			     struct scar_local_trigger **ret_trigger, struct scar_err *err);
/** Ends after the invocations under way, which stopping the pool before makes short, and frees. NULL is fine. */
void scar_local_trigger_stop(struct scar_local_trigger *trigger);

#endif
