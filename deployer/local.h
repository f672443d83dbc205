/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file local.h
 * `scar local run` and `scar local serve`. @return the exit status of the process
 */
#ifndef SCAR_DEPLOYER_LOCAL_H
#define SCAR_DEPLOYER_LOCAL_H

#include <stdbool.h>

int scar_local_command(bool serve, char **args, char **environment);

#endif
