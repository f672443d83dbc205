/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file layer.h
 * The Lambda layer that holds the runtime. A version of it is known by its description, "<version> <architecture> <digest>", so the same
 * zip is published once.
 */
#ifndef SCAR_DEPLOYER_LAYER_H
#define SCAR_DEPLOYER_LAYER_H

#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"

struct scar_arguments;
struct scar_aws;
struct scar_err;

#define SCAR_LAYER_NAME "faas-supervisor"
/** 50 MB: what Lambda takes in a request. */
#define SCAR_LAYER_BYTES_MAX ((size_t)50 * 1024 * 1024)

struct scar_layer {
	struct scar_buf zip;
	char description[128];
	const char *architecture; /**< "x86_64" or "arm64" */
};

/**
 * The zip of --layer, or faas-supervisor-<architecture>.zip that came with this program (beside.h), or one made of the bootstrap of --bootstrap or beside
 * this program. SCAR_ERR_NOT_FOUND names the places; SCAR_ERR_PLATFORM if it is for another processor.
 */
int scar_layer_read(const struct scar_arguments *arguments, const char *architecture,
		    struct scar_layer *ret_layer, struct scar_err *err);
void scar_layer_clear(struct scar_layer *layer);
/** The bytes of the runtime itself, for a package without layer. */
int scar_layer_read_bootstrap(const struct scar_arguments *arguments, const char *architecture,
			      struct scar_buf *bytes, struct scar_err *err);
/** The version's ARN, owned by the caller; NULL if it is not published. `name` may be NULL: SCAR_LAYER_NAME. */
int scar_layer_find(struct scar_aws *aws, const char *name, const struct scar_layer *layer,
		    char **ret_arn, struct scar_err *err);
/**
 * A version that is published, by its number or by what its description begins with ("0.1.0"). SCAR_ERR_NOT_FOUND; the ARN is owned
 * by the caller.
 */
int scar_layer_find_version(struct scar_aws *aws, const char *name, const char *version,
			    const char *architecture, char **ret_arn, struct scar_err *err);
int scar_layer_publish(struct scar_aws *aws, const char *name, const struct scar_layer *layer,
		       char **ret_arn, struct scar_err *err);
/** "x86_64" or "arm64". */
const char *scar_layer_host_architecture(void);

#define scar_layer_auto scar_auto(scar_layer_clear)

#endif
