/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file local_definition.h
 * A function of a definition file in the local Lambda, as `scar apply` would make it of the same file.
 */
#ifndef SCAR_DEPLOYER_LOCAL_DEFINITION_H
#define SCAR_DEPLOYER_LOCAL_DEFINITION_H

struct scar_arguments;
struct scar_err;
struct scar_local_config;

/**
 * Takes name, memory, time-out, /tmp, image, script, extra payload and variables of the function that --conf-file and --name choose, and hands it the caller's AWS
 * credentials, region and endpoints, which in AWS its role and region are. Nothing without --conf-file. SCAR_ERR_CONFIG names file and line.
 */
int scar_local_definition_take(struct scar_local_config *config,
			       const struct scar_arguments *arguments, char **environment,
			       struct scar_err *err);

#endif
