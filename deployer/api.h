/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api.h
 * The API of API Gateway before a function: a REST API, as SCAR makes it, or an HTTP API. Two of the function's variables tell which one it is.
 */
#ifndef SCAR_DEPLOYER_API_H
#define SCAR_DEPLOYER_API_H

#include <stdbool.h>

struct scar_aws;
struct scar_buf;
struct scar_err;
struct scar_fdl_function;
struct scar_json;

/** Its id. */
#define SCAR_API_VARIABLE "API_GATEWAY_ID"
/** Its stage; not set: SCAR's own, "scar". That of an HTTP API is "$default". */
#define SCAR_API_STAGE_VARIABLE "API_GATEWAY_STAGE"

/** Borrowed from the function's configuration. */
struct scar_api {
	const char *id;
	const char *stage; /**< or NULL */
};

/** Of a FunctionConfiguration; false: it has none. */
bool scar_api_of(const struct scar_json *configuration, struct scar_api *ret_api);
bool scar_api_is_http(const struct scar_api *api);
/** What the definition wants its variable to be; NULL: not set. */
const char *scar_api_stage(const struct scar_fdl_function *function);
/** Where requests go. */
int scar_api_url(struct scar_aws *aws, const struct scar_api *api, struct scar_buf *ret_url,
		 struct scar_err *err);
/** SCAR_ERR_NOT_FOUND. */
int scar_api_find(struct scar_aws *aws, const struct scar_api *api, struct scar_err *err);
/** ret_id is owned by the caller. */
int scar_api_create(struct scar_aws *aws, const struct scar_fdl_function *function,
		    const char *function_arn, char **ret_id, struct scar_err *err);
/** None is success. */
int scar_api_delete(struct scar_aws *aws, const struct scar_api *api, struct scar_err *err);

#endif
