/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file network.h
 * The default VPC of a region: where what needs a network runs when nobody says where.
 */
#ifndef SCAR_DEPLOYER_AWS_NETWORK_H
#define SCAR_DEPLOYER_AWS_NETWORK_H

#include "deployer/aws/aws.h"

/** Owned; both lists are NULL-terminated. */
struct scar_network {
	char **subnets; /**< one in each availability zone */
	char **groups;  /**< the default security group */
};

/** SCAR_ERR_CONFIG: the region has no default VPC. */
int scar_network_find(struct scar_aws *aws, struct scar_network *ret_network, struct scar_err *err);
void scar_network_clear(struct scar_network *network);
#define scar_network_auto scar_auto(scar_network_clear)

#endif
