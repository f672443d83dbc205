/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ecr.h
 * Amazon ECR: repositories and the password of the registry.
 */
#ifndef SCAR_DEPLOYER_AWS_ECR_H
#define SCAR_DEPLOYER_AWS_ECR_H

#include "deployer/aws/aws.h"

/** CreateRepository; one that is there is success. ret_uri (owned by the caller): "<account>.dkr.ecr.<region>.amazonaws.com/<name>". */
int scar_ecr_create_repository(struct scar_aws *aws, const char *name, char **ret_uri,
			       bool *ret_created, struct scar_err *err);
/** DeleteRepository with its images; none is success. */
int scar_ecr_delete_repository(struct scar_aws *aws, const char *name, bool *ret_deleted,
			       struct scar_err *err);
/** DescribeRepositories: each item is a repository. */
int scar_ecr_list_repositories(struct scar_aws *aws, scar_aws_each each, void *ctx,
			       struct scar_err *err);
/** GetAuthorizationToken: user name and password, both owned by the caller; they are secrets. */
int scar_ecr_get_password(struct scar_aws *aws, char **ret_user, char **ret_password,
			  struct scar_err *err);

#endif
