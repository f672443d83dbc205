/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file batch.h
 * What a function's jobs need in AWS Batch: a compute environment, a queue and a job definition of the function's name, and machines that have
 * the runtime at /opt/scar/bootstrap, which they fetch from the deployment bucket when they start.
 */
#ifndef SCAR_DEPLOYER_BATCH_H
#define SCAR_DEPLOYER_BATCH_H

#include "deployer/target.h"

struct scar_err;

/** The job side of a target; owned by it. */
struct scar_batch {
	bool fargate; /**< no machines of ours: the image has the runtime, and what follows up to user_data is not used */
	char bucket[64]; /**< of the runtime, in the function's region */
	char key[64];
	char host[64]; /**< role, instance profile and launch template of the machines */
	bool own_profile, own_template; /**< those are ours */
	struct scar_buf runtime;
	struct scar_buf user_data;  /**< base64 */
	struct scar_buf config;     /**< FUNCTION_CONFIG: base64 */
	struct scar_buf definition; /**< RegisterJobDefinition's body */
};

/**
 * Needs the target's names and architecture; appends what decides whether anything changed to `state`. SCAR_ERR_UNSUPPORTED for what Batch cannot run,
 * SCAR_ERR_LIMIT for a definition of more than 24 KiB.
 */
int scar_batch_make(const struct scar_session *session, const struct scar_target *target,
		    struct scar_batch **ret_batch, struct scar_buf *state, struct scar_err *err);
void scar_batch_free(struct scar_batch *batch);

int scar_batch_upload(struct scar_session *session, const struct scar_target *target,
		      struct scar_err *err);
/** Machines, compute environment and queue. Takes up to some minutes in AWS. */
int scar_batch_place(struct scar_session *session, const struct scar_target *target,
		     struct scar_err *err);
/** A new revision of the job definition. */
int scar_batch_define(struct scar_session *session, const struct scar_target *target,
		      struct scar_err *err);
/** Away with all of it but the runtime in its bucket. Role and profile only if they are ours. */
int scar_batch_remove(struct scar_session *session, const char *function, bool *ret_deleted,
		      struct scar_err *err);

#endif
