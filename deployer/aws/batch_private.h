/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file batch_private.h
 * What the files of the Batch client share. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_BATCH_PRIVATE_H
#define SCAR_DEPLOYER_AWS_BATCH_PRIVATE_H

#include "deployer/aws/batch.h"
#include "deployer/aws/call.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

#define SCAR_BATCH_BODY_MAX SCAR_KIB(128)

/** Sends what `w` has written to /v1/<operation in lower case>. */
int scar_batch_send(struct scar_aws *aws, const char *operation, const struct scar_json_writer *w,
		    struct scar_json **ret_answer, struct scar_err *err);
void scar_batch_write_pairs(struct scar_json_writer *w, const char *key,
			    const struct scar_aws_pair *pairs, size_t count);

#endif
