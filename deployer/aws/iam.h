/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file iam.h
 * AWS IAM: the role of a function. Made when it is missing, with no more than the function needs.
 */
#ifndef SCAR_DEPLOYER_AWS_IAM_H
#define SCAR_DEPLOYER_AWS_IAM_H

#include "deployer/aws/aws.h"

struct scar_buf;

struct scar_iam_role {
	const char *name;
	const char *service;        /**< that may assume it; NULL: "lambda.amazonaws.com" */
	const char *also;           /**< a second service that may; or NULL */
	const char *description;    /**< or NULL */
	const char *const *managed; /**< ARNs of policies to attach, NULL-terminated; or NULL */
	const char *policy_name, *policy; /**< an inline policy's name and document; or NULL */
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

/**
 * Creates the role if it is missing (*ret_created, may be NULL), then attaches and puts the policies, also to one that was there. ret_arn is owned by
 * the caller. A new role is assumable only after some seconds: scar_lambda_create() waits for that.
 */
int scar_iam_put_role(struct scar_aws *aws, const struct scar_iam_role *role, char **ret_arn,
		      bool *ret_created, struct scar_err *err);
/** ARN of a role; SCAR_ERR_NOT_FOUND. ret_arn is owned by the caller. */
int scar_iam_get_role(struct scar_aws *aws, const char *name, char **ret_arn, struct scar_err *err);
/** GetRole's tags: the value of one, owned by the caller, or NULL if the role lacks it. */
int scar_iam_get_role_tag(struct scar_aws *aws, const char *name, const char *tag, char **ret_value,
			  struct scar_err *err);
/** Detaches and deletes its policies, then the role; none is success. */
int scar_iam_delete_role(struct scar_aws *aws, const char *name, struct scar_err *err);

/**
 * Creates the instance profile of that name and puts the role into it, unless that is done. ret_arn is owned by the caller. Machines see a new one after some
 * seconds only.
 */
int scar_iam_put_profile(struct scar_aws *aws, const char *name, const char *role, char **ret_arn,
			 struct scar_err *err);
/** Takes the role out, then deletes it; none is success. */
int scar_iam_delete_profile(struct scar_aws *aws, const char *name, const char *role,
			    struct scar_err *err);

/** What a function does, so what its role has to allow. */
struct scar_iam_needs {
	const char *partition, *region, *account;
	const char *function; /**< its name: its own log group, and no other */
	const char *const *read,
		*const *write; /**< "bucket/prefix" or "bucket", NULL-terminated; or NULL */
	bool vpc;              /**< network interfaces */
	bool files;            /**< mounts EFS */
	const char *const
		*s3_files; /**< ARNs of access points of S3 Files that it mounts; or NULL */
	bool batch;        /**< submits and describes its own jobs */
	const char *const
		*repositories;      /**< ARNs of ECR repositories that it pulls from; or NULL */
	const char *const *secrets; /**< ARNs of secrets and parameters that it reads; or NULL */
};

/** Writes the inline policy's document. */
int scar_iam_write_policy(const struct scar_iam_needs *needs, struct scar_buf *ret_policy,
			  struct scar_err *err);

#endif
