/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file iam_private.h
 * One request to IAM. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_IAM_PRIVATE_H
#define SCAR_DEPLOYER_AWS_IAM_PRIVATE_H

#include "deployer/aws/call.h"

/** An operation and its parameters: pairs, ended by a NULL name; those with a NULL value are left out. */
int scar_iam_ask(struct scar_aws *aws, const char *operation, const char *const (*parameters)[2],
		 struct scar_aws_answer *answer, struct scar_err *err);
/** The same without interest in the answer. */
int scar_iam_tell(struct scar_aws *aws, const char *operation, const char *const (*parameters)[2],
		  struct scar_err *err);

#endif
