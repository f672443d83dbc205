/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file beside.h
 * Files that come with the program: the runtime and the layers. They lie beside it in a build folder, in ../lib/scar where it is installed.
 */
#ifndef SCAR_DEPLOYER_BESIDE_H
#define SCAR_DEPLOYER_BESIDE_H

#include <limits.h>

#include "runtime/base/err.h"

/**
 * Path of a file that comes with this program (proc(5), /proc/self/exe): beside it, else in ../lib/scar.
 *
 * @param name  its name, without slashes
 * @param path  gets where it is; where it is nowhere, where it would be in a build folder
 * @return 0; -1 with SCAR_ERR_IO or SCAR_ERR_LIMIT (path too long). That the file is nowhere is no error: whoever opens it finds out.
 */
int scar_beside(const char *name, char path[PATH_MAX], struct scar_err *err);

#endif
