/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file launch_template.h
 * Amazon EC2's launch templates: what a machine of AWS Batch does when it starts.
 */
#ifndef SCAR_DEPLOYER_AWS_LAUNCH_TEMPLATE_H
#define SCAR_DEPLOYER_AWS_LAUNCH_TEMPLATE_H

#include "deployer/aws/aws.h"

struct scar_launch_template {
	const char *name;      /**< 3 to 128 characters, of a-z A-Z 0-9 ( ) . / _ - */
	const char *user_data; /**< base64, of at most 16 KiB */
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

/**
 * Creates the template unless one of that name is there. What is there is never changed, since machines and compute environments may
 * use it: SCAR_ERR_CONFIG if its user data is another. *ret_created may be NULL.
 */
int scar_launch_template_put(struct scar_aws *aws, const struct scar_launch_template *template,
			     bool *ret_created, struct scar_err *err);
/** None is success. */
int scar_launch_template_delete(struct scar_aws *aws, const char *name, struct scar_err *err);

#endif
