/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file aws.h
 * The two questions that a pull has for AWS: the password of a private ECR registry (GetAuthorizationToken), and the text of a
 * secret (Secrets Manager GetSecretValue, Systems Manager GetParameter). Signed with the credentials of the function's role, which are
 * in its environment. Answers are secrets: they appear in no message. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_AWS_H
#define SCAR_REGISTRY_AWS_H

#include <stdbool.h>

struct scar_buf;
struct scar_credentials;
struct scar_err;
struct scar_source_options;

/** Whether a registry is a private one of ECR: <account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn] or <account>.dkr-ecr....on.aws. */
bool scar_aws_is_ecr(const char *registry);
/**
 * User name and password for an ECR registry, good for 12 hours. Fails with SCAR_ERR_AUTH if there are no AWS credentials or the role
 * lacks ecr:GetAuthorizationToken, else as any request does.
 */
int scar_aws_ecr_credentials(const char *registry, const struct scar_source_options *options,
			     struct scar_credentials *ret_found, struct scar_err *err);
/**
 * The text of a secret: `arn` is that of a secret of Secrets Manager or of a parameter of Systems Manager. Fails with
 * SCAR_ERR_CONFIG if it is neither, _NOT_FOUND, _AUTH, ... `ret_text` is initialised by the caller.
 */
int scar_aws_secret(const char *arn, const struct scar_source_options *options,
		    struct scar_buf *ret_text, struct scar_err *err);

#endif
