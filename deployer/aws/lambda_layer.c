/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: their versions, and who may use them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deployer/aws/lambda_private.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define LAYERS "/2018-10-31/layers"

static void write_version(char text[24], int64_t version)
{
	snprintf(text, 24, "%" PRId64, version);
}

int scar_lambda_publish_layer(struct scar_aws *aws, const struct scar_lambda_layer *layer,
			      struct scar_json **ret_answer, struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA,
				     .operation = "PublishLayerVersion"};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_CODE_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "Description", layer->description);
	scar_json_write_strings(&w, "CompatibleRuntimes", layer->runtimes);
	scar_json_write_strings(&w, "CompatibleArchitectures", layer->architectures);
	scar_json_write_string(&w, "LicenseInfo", layer->license);
	scar_json_write_open(&w, "Content", '{');
	scar_lambda_write_code(&w, &layer->code);
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0)
		return scar_err_wrap(err, "PublishLayerVersion");
	call.body = body.data;
	call.body_len = body.len;
	return scar_aws_rest(aws, &call, ret_answer, err, LAYERS "/{}/versions", layer->name);
}

/* ---- lists ---- */

/* `ctx` is the layer's name, or NULL for the list of all. */
static int ask_layers(struct scar_aws *aws, void *ctx, const char *marker,
		      struct scar_json **ret_answer, struct scar_err *err)
{
	const char *layer = ctx;
	struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA,
				     .operation = layer ? "ListLayerVersions" : "ListLayers",
				     .method = "GET"};
	scar_buf_auto struct scar_buf query;

	scar_buf_init(&query, SCAR_KIB(8));
	if (scar_aws_query(&query, "Marker", marker, err) < 0)
		return -1;
	call.query = query.data;
	return layer ? scar_aws_rest(aws, &call, ret_answer, err, LAYERS "/{}/versions", layer)
		     : scar_aws_rest(aws, &call, ret_answer, err, LAYERS);
}

int scar_lambda_list_layers(struct scar_aws *aws, scar_aws_each each, void *ctx,
			    struct scar_err *err)
{
	return scar_aws_list(aws, ask_layers, NULL, "Layers", "NextMarker", each, ctx, err);
}

int scar_lambda_list_layer_versions(struct scar_aws *aws, const char *layer, scar_aws_each each,
				    void *ctx, struct scar_err *err)
{
	return scar_aws_list(aws, ask_layers, (void *)(uintptr_t)layer, "LayerVersions",
			     "NextMarker", each, ctx, err);
}

/* ---- one version ---- */

int scar_lambda_get_layer(struct scar_aws *aws, const char *layer, int64_t version,
			  struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "GetLayerVersion", .method = "GET"};
	char number[24];

	write_version(number, version);
	return scar_aws_rest(aws, &call, ret_answer, err, LAYERS "/{}/versions/{}", layer, number);
}

int scar_lambda_delete_layer(struct scar_aws *aws, const char *layer, int64_t version,
			     struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "DeleteLayerVersion", .method = "DELETE"};
	char number[24];

	write_version(number, version);
	if (scar_aws_rest(aws, &call, NULL, err, LAYERS "/{}/versions/{}", layer, number) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

int scar_lambda_share_layer(struct scar_aws *aws, const char *layer, int64_t version,
			    const char *statement_id, const char *principal, struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA,
				     .operation = "AddLayerVersionPermission"};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	char number[24];

	write_version(number, version);
	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "StatementId", statement_id);
	scar_json_write_string(&w, "Action", "lambda:GetLayerVersion");
	scar_json_write_string(&w, "Principal", principal);
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0)
		return -1;
	call.body = body.data;
	call.body_len = body.len;
	if (scar_aws_rest(aws, &call, NULL, err, LAYERS "/{}/versions/{}/policy", layer, number) <
	    0)
		return scar_aws_failed_with(aws, "ResourceConflictException") ? 0 : -1;
	return 0;
}
