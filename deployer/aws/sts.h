/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sts.h
 * AWS STS: who the credentials belong to. GetCallerIdentity needs no permission.
 */
#ifndef SCAR_DEPLOYER_AWS_STS_H
#define SCAR_DEPLOYER_AWS_STS_H

#include "deployer/aws/aws.h"

struct scar_sts_identity {
	char account[16];
	char partition[16]; /**< "aws", "aws-cn", "aws-us-gov" */
	char arn[512];
	char name[128]; /**< of the user, or of the role and session: what comes last in the ARN */
	char user_id[256];
};

int scar_sts_get_identity(struct scar_aws *aws, struct scar_sts_identity *ret_identity,
			  struct scar_err *err);

#endif
