/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file apigateway_private.h
 * What both versions of API Gateway share. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_APIGATEWAY_PRIVATE_H
#define SCAR_DEPLOYER_AWS_APIGATEWAY_PRIVATE_H

#include "deployer/aws/apigateway.h"
#include "deployer/aws/call.h"
#include "runtime/base/json_writer.h"

struct scar_apigateway_request {
	enum scar_aws_service service;
	const char *operation, *method;
	const char *query;           /* or NULL */
	const struct scar_buf *body; /* or NULL */
};

/** Sends it, and waits while AWS throttles, which this service does for longer than a repetition lasts. */
int scar_apigateway_send(struct scar_aws *aws, const struct scar_apigateway_request *request,
			 const char *path, struct scar_json **ret_answer, struct scar_err *err);
void scar_apigateway_write_tags(struct scar_json_writer *w, const struct scar_apigateway_api *api);

#endif
