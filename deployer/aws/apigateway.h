/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file apigateway.h
 * API Gateway before a function: a REST API as SCAR makes it, or an HTTP API. Lambda's permission for it is the caller's:
 * principal apigateway.amazonaws.com, source scar_apigateway_source().
 */
#ifndef SCAR_DEPLOYER_AWS_APIGATEWAY_H
#define SCAR_DEPLOYER_AWS_APIGATEWAY_H

#include "deployer/aws/aws.h"

struct scar_buf;

struct scar_apigateway_api {
	const char *name;
	const char *function_arn;
	const char *stage;     /**< REST API; NULL: "scar" */
	const char *path_part; /**< REST API; NULL: "{proxy+}" */
	const char *method;    /**< REST API; NULL: "ANY" */
	bool stream;           /**< REST API: responseTransferMode STREAM */
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

/**
 * Makes a REST API, {proxy+} -> the function, and deploys it. On failure what was made is removed again. `ret_id` is owned by the
 * caller.
 */
int scar_apigateway_create_rest(struct scar_aws *aws, const struct scar_apigateway_api *api,
				char **ret_id, struct scar_err *err);
/** DeleteRestApi; none is success. AWS takes one each 30 s: throttling is waited out. */
int scar_apigateway_delete_rest(struct scar_aws *aws, const char *id, struct scar_err *err);
/** GetRestApi. */
int scar_apigateway_get_rest(struct scar_aws *aws, const char *id, struct scar_json **ret_answer,
			     struct scar_err *err);
/** GetRestApis: {id, name, tags, ...}. */
int scar_apigateway_list_rest(struct scar_aws *aws, scar_aws_each each, void *ctx,
			      struct scar_err *err);

/** An HTTP API with its $default stage and route; ret_id and ret_url (may be NULL) are owned by the caller. */
int scar_apigateway_create_http(struct scar_aws *aws, const struct scar_apigateway_api *api,
				char **ret_id, char **ret_url, struct scar_err *err);
/** None is success. */
int scar_apigateway_delete_http(struct scar_aws *aws, const char *id, struct scar_err *err);
/** GetApis: {ApiId, Name, ApiEndpoint, ...} as JSON keys apiId, name, apiEndpoint. */
int scar_apigateway_list_http(struct scar_aws *aws, scar_aws_each each, void *ctx,
			      struct scar_err *err);

/** GetApi. */
int scar_apigateway_get_http(struct scar_aws *aws, const char *id, struct scar_json **ret_answer,
			     struct scar_err *err);
/** "https://<id>.execute-api.<region>.amazonaws.com/", an HTTP API's own endpoint. */
int scar_apigateway_http_url(struct scar_aws *aws, const char *id, struct scar_buf *ret_url,
			     struct scar_err *err);
/** "https://<id>.execute-api.<region>.amazonaws.com/<stage>/launch", SCAR's address of a REST API. */
int scar_apigateway_rest_url(struct scar_aws *aws, const char *id, const char *stage,
			     struct scar_buf *ret_url, struct scar_err *err);
/** The API's ARN with all its stages and methods, "arn:aws:execute-api:<region>:<account>:<id>" and what matches all below it: the permission's source. */
int scar_apigateway_source(struct scar_aws *aws, const char *account, const char *id,
			   struct scar_buf *ret_arn, struct scar_err *err);

#endif
