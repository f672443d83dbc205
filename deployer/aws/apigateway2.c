/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP APIs: one call makes route, integration and stage. */
#include <string.h>

#include "deployer/aws/apigateway_private.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define APIS "/v2/apis"

int scar_apigateway_create_http(struct scar_aws *aws, const struct scar_apigateway_api *api,
				char **ret_id, char **ret_url, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	scar_free_auto char *id_copy = NULL;
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	const struct scar_apigateway_request request = {.service = SCAR_AWS_APIGATEWAY2,
							.operation = "CreateApi",
							.method = "POST",
							.body = &body};
	const char *id, *url;

	scar_buf_init(&body, SCAR_KIB(64));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "name", api->name);
	scar_json_write_string(&w, "protocolType", "HTTP");
	scar_json_write_string(&w, "target", api->function_arn);
	scar_apigateway_write_tags(&w, api);
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0)
		return scar_err_wrap(err, "CreateApi");
	if (scar_apigateway_send(aws, &request, APIS, &answer, err) < 0 ||
	    scar_json_need_string(answer, "apiId", "the HTTP API", &id, err) < 0 ||
	    scar_json_need_string(answer, "apiEndpoint", "the HTTP API", &url, err) < 0 ||
	    scar_aws_copy(id, &id_copy, err) < 0 ||
	    (ret_url && scar_aws_copy(url, ret_url, err) < 0))
		return -1;
	*ret_id = scar_steal(id_copy);
	return 0;
}

int scar_apigateway_delete_http(struct scar_aws *aws, const char *id, struct scar_err *err)
{
	const struct scar_apigateway_request request = {
		.service = SCAR_AWS_APIGATEWAY2, .operation = "DeleteApi", .method = "DELETE"};
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, SCAR_KIB(1));
	if (scar_aws_path(&path, err, APIS "/{}", id) < 0)
		return -1;
	if (scar_apigateway_send(aws, &request, path.data, NULL, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

int scar_apigateway_get_http(struct scar_aws *aws, const char *id, struct scar_json **ret_answer,
			     struct scar_err *err)
{
	const struct scar_apigateway_request request = {
		.service = SCAR_AWS_APIGATEWAY2, .operation = "GetApi", .method = "GET"};
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, SCAR_KIB(1));
	if (scar_aws_path(&path, err, APIS "/{}", id) < 0)
		return -1;
	return scar_apigateway_send(aws, &request, path.data, ret_answer, err);
}

int scar_apigateway_http_url(struct scar_aws *aws, const char *id, struct scar_buf *ret_url,
			     struct scar_err *err)
{
	const char *region = NULL;

	if (scar_aws_need_region(aws, &region, err) < 0)
		return -1;
	return scar_buf_printf(ret_url, err, "https://%s.execute-api.%s.%s/", id, region,
			       scar_aws_domain(region));
}

static int ask_http(struct scar_aws *aws, void *ctx, const char *marker,
		    struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf query;
	struct scar_apigateway_request request = {
		.service = SCAR_AWS_APIGATEWAY2, .operation = "GetApis", .method = "GET"};

	(void)ctx;
	scar_buf_init(&query, SCAR_KIB(4));
	if (scar_aws_query(&query, "nextToken", marker, err) < 0)
		return -1;
	request.query = query.data;
	return scar_apigateway_send(aws, &request, APIS, ret_answer, err);
}

int scar_apigateway_list_http(struct scar_aws *aws, scar_aws_each each, void *ctx,
			      struct scar_err *err)
{
	return scar_aws_list(aws, ask_http, NULL, "items", "nextToken", each, ctx, err);
}
