/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tagging.h
 * The Resource Groups Tagging API: what carries a tag. It lags behind by seconds to minutes.
 */
#ifndef SCAR_DEPLOYER_AWS_TAGGING_H
#define SCAR_DEPLOYER_AWS_TAGGING_H

#include "deployer/aws/aws.h"

/** GetResources: each item is {ResourceARN, Tags: [{Key, Value}]}. `type`: "lambda:function", ...; or NULL. All tags have to match. */
int scar_tagging_list(struct scar_aws *aws, const char *type, const struct scar_aws_pair *tags,
		      size_t tag_count, scar_aws_each each, void *ctx, struct scar_err *err);

#endif
