/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/api.h"

#include <string.h>

#include "deployer/aws/apigateway.h"
#include "deployer/fdl.h"
#include "deployer/functions.h"

#define HTTP_STAGE "$default"

bool scar_api_of(const struct scar_json *configuration, struct scar_api *ret_api)
{
	ret_api->id = scar_functions_variable(configuration, SCAR_API_VARIABLE);
	ret_api->stage = scar_functions_variable(configuration, SCAR_API_STAGE_VARIABLE);
	return ret_api->id;
}

bool scar_api_is_http(const struct scar_api *api)
{
	return api->stage && strcmp(api->stage, HTTP_STAGE) == 0;
}

static bool wants_http(const struct scar_fdl_function *function)
{
	return function->api_type && strcmp(function->api_type, "http") == 0;
}

const char *scar_api_stage(const struct scar_fdl_function *function)
{
	if (!function->api_name)
		return NULL;
	return wants_http(function) ? HTTP_STAGE : function->api_stage;
}

int scar_api_url(struct scar_aws *aws, const struct scar_api *api, struct scar_buf *ret_url,
		 struct scar_err *err)
{
	return scar_api_is_http(api)
		       ? scar_apigateway_http_url(aws, api->id, ret_url, err)
		       : scar_apigateway_rest_url(aws, api->id, api->stage, ret_url, err);
}

int scar_api_find(struct scar_aws *aws, const struct scar_api *api, struct scar_err *err)
{
	return scar_api_is_http(api) ? scar_apigateway_get_http(aws, api->id, NULL, err)
				     : scar_apigateway_get_rest(aws, api->id, NULL, err);
}

int scar_api_create(struct scar_aws *aws, const struct scar_fdl_function *function,
		    const char *function_arn, char **ret_id, struct scar_err *err)
{
	const struct scar_apigateway_api api = {
		.name = function->api_name,
		.function_arn = function_arn,
		.stage = function->api_stage,
	};

	return wants_http(function) ? scar_apigateway_create_http(aws, &api, ret_id, NULL, err)
				    : scar_apigateway_create_rest(aws, &api, ret_id, err);
}

int scar_api_delete(struct scar_aws *aws, const struct scar_api *api, struct scar_err *err)
{
	return scar_api_is_http(api) ? scar_apigateway_delete_http(aws, api->id, err)
				     : scar_apigateway_delete_rest(aws, api->id, err);
}
