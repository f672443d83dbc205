/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file package.h
 * A function's package: function_config.yaml, its script, and where asked for the runtime, an image and a folder. The same content gives the
 * same bytes, so that its digest tells whether it changed.
 */
#ifndef SCAR_DEPLOYER_PACKAGE_H
#define SCAR_DEPLOYER_PACKAGE_H

#include "deployer/fdl.h"

struct scar_arguments;
struct scar_buf;
struct scar_err;

/** 250 MB: what Lambda takes, through a bucket. */
#define SCAR_PACKAGE_BYTES_MAX ((size_t)250 * 1024 * 1024)
/** 50 MB: what Lambda takes in a request. */
#define SCAR_PACKAGE_DIRECT_MAX ((size_t)50 * 1024 * 1024)

/**
 * with_runtime: for that architecture. SCAR_ERR_LIMIT if it is too large; SCAR_ERR_CONFIG names a file of the definition that is missing.
 */
int scar_package_write(const struct scar_fdl *fdl, const struct scar_fdl_function *function,
		       const struct scar_arguments *arguments, bool with_runtime,
		       const char *architecture, struct scar_buf *zip, struct scar_err *err);
/** A path of the definition, which begins at its file; owned by the caller. */
int scar_package_path(const struct scar_fdl *fdl, const char *path, char **ret_path,
		      struct scar_err *err);
/** The file's name. */
const char *scar_package_name(const char *path);

#endif
