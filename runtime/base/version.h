/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file version.h
 * The version of the project, as `scar version` and the User-Agent field say it (semver.org).
 */
#ifndef SCAR_RUNTIME_BASE_VERSION_H
#define SCAR_RUNTIME_BASE_VERSION_H

#ifndef SCAR_VERSION
#define SCAR_VERSION "0.1.0"
#endif

#endif
