/* SPDX-License-Identifier: Apache-2.0 */
/* REST APIs, as SCAR has always made them: every path and method to one function. */
#include "deployer/aws/apigateway.h"

#include <string.h>

#include "deployer/aws/apigateway_private.h"
#include "deployer/aws/session.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define APIS "/restapis"
#define INVOCATION_HEADER "X-Amz-Invocation-Type"
/* Creating is let through once in 3 s, deleting once in 30 s. */
#define THROTTLE_PATIENCE_MS 180000

int scar_apigateway_send(struct scar_aws *aws, const struct scar_apigateway_request *request,
			 const char *path, struct scar_json **ret_answer, struct scar_err *err)
{
	/* Else version 1 answers with links and embedded things. */
	const struct scar_http_header accept = {"Accept", "application/json"};
	const struct scar_aws_call call = {
		.service = request->service,
		.operation = request->operation,
		.method = request->method,
		.path = path,
		.query = request->query,
		.headers = &accept,
		.header_count = 1,
		.body = request->body ? request->body->data : NULL,
		.body_len = request->body ? request->body->len : 0,
	};
	struct scar_aws_patience patience = scar_aws_patience(THROTTLE_PATIENCE_MS, 3000, 15000);

	for (;;) {
		if (scar_aws_perform_json(aws, &call, ret_answer, err) == 0)
			return 0;
		if (err->kind != SCAR_ERR_RATE_LIMIT || !scar_aws_try_again(aws, &patience, err))
			return -1;
	}
}

void scar_apigateway_write_tags(struct scar_json_writer *w, const struct scar_apigateway_api *api)
{
	if (!api->tag_count)
		return;
	scar_json_write_open(w, "tags", '{');
	for (size_t i = 0; i < api->tag_count; i++)
		scar_json_write_string(w, api->tags[i].name, api->tags[i].value);
	scar_json_write_close(w, '}');
}

/* A request with the body that `w` has written, if any. */
static int send(struct scar_aws *aws, const char *operation, const char *method, const char *path,
		const struct scar_json_writer *w, struct scar_json **ret_answer,
		struct scar_err *err)
{
	const struct scar_apigateway_request request = {.service = SCAR_AWS_APIGATEWAY,
							.operation = operation,
							.method = method,
							.body = w ? w->buf : NULL};

	if (w && scar_json_writer_end(w) < 0)
		return scar_err_wrap(err, "%s", operation);
	return scar_apigateway_send(aws, &request, path, ret_answer, err);
}

/* ---- making one ---- */

struct making {
	struct scar_aws *aws;
	const struct scar_apigateway_api *api;
	char *id;       /* of the API */
	char *root;     /* of its resource "/" */
	char *resource; /* of what stands for every path */
	struct scar_buf path, body;
	struct scar_json_writer w;
};

static void begin(struct making *m, struct scar_err *err)
{
	scar_buf_reset(&m->path);
	scar_buf_reset(&m->body);
	scar_json_writer_init(&m->w, &m->body, err);
}

static int take_id(const struct scar_json *answer, const char *what, char **ret_id,
		   struct scar_err *err)
{
	const char *id;

	if (scar_json_need_string(answer, "id", what, &id, err) < 0)
		return -1;
	return scar_aws_copy(id, ret_id, err);
}

static int make_api(struct making *m, struct scar_err *err)
{
	static const char *const types[] = {"REGIONAL", NULL};
	scar_json_auto struct scar_json *answer = NULL;

	begin(m, err);
	scar_json_write_open(&m->w, NULL, '{');
	scar_json_write_string(&m->w, "name", m->api->name);
	scar_json_write_string(&m->w, "description", "API created automatically with SCAR");
	scar_json_write_open(&m->w, "endpointConfiguration", '{');
	scar_json_write_strings(&m->w, "types", types);
	scar_json_write_close(&m->w, '}');
	scar_apigateway_write_tags(&m->w, m->api);
	scar_json_write_close(&m->w, '}');
	if (send(m->aws, "CreateRestApi", "POST", APIS, &m->w, &answer, err) < 0)
		return -1;
	return take_id(answer, "the REST API", &m->id, err);
}

static int find_root(struct making *m, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *item;

	begin(m, err);
	if (scar_aws_path(&m->path, err, APIS "/{}/resources", m->id) < 0 ||
	    send(m->aws, "GetResources", "GET", m->path.data, NULL, &answer, err) < 0)
		return -1;
	for (item = scar_json_first(scar_json_get(answer, "item")); item;
	     item = scar_json_next(item)) {
		const char *path = scar_json_string(scar_json_get(item, "path"));

		if (path && strcmp(path, "/") == 0)
			return take_id(item, "the API's root", &m->root, err);
	}
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "apigateway GetResources: there is no \"/\"");
}

static int make_resource(struct making *m, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;

	begin(m, err);
	scar_json_write_open(&m->w, NULL, '{');
	scar_json_write_string(&m->w, "pathPart",
			       m->api->path_part ? m->api->path_part : "{proxy+}");
	scar_json_write_close(&m->w, '}');
	if (scar_aws_path(&m->path, err, APIS "/{}/resources/{}", m->id, m->root) < 0 ||
	    send(m->aws, "CreateResource", "POST", m->path.data, &m->w, &answer, err) < 0)
		return -1;
	return take_id(answer, "the API's resource", &m->resource, err);
}

static const char *method_of(const struct making *m)
{
	return m->api->method ? m->api->method : "ANY";
}

static int make_method(struct making *m, struct scar_err *err)
{
	begin(m, err);
	scar_json_write_open(&m->w, NULL, '{');
	scar_json_write_string(&m->w, "authorizationType", "NONE");
	scar_json_write_open(&m->w, "requestParameters", '{');
	scar_json_write_bool(&m->w, "method.request.header." INVOCATION_HEADER, false);
	scar_json_write_close(&m->w, '}');
	scar_json_write_close(&m->w, '}');
	if (scar_aws_path(&m->path, err, APIS "/{}/resources/{}/methods/{}", m->id, m->resource,
			  method_of(m)) < 0)
		return -1;
	return send(m->aws, "PutMethod", "PUT", m->path.data, &m->w, NULL, err);
}

/* The function behind the method, by the version of Invoke that its answers are got with. */
static int write_uri(const struct making *m, struct scar_buf *uri, struct scar_err *err)
{
	const char *region;

	if (scar_aws_need_region(m->aws, &region, err) < 0)
		return -1;
	return scar_buf_printf(uri, err, "arn:%s:apigateway:%s:lambda:path/%s/functions/%s/%s",
			       scar_aws_partition(region), region,
			       m->api->stream ? "2021-11-15" : "2015-03-31", m->api->function_arn,
			       m->api->stream ? "response-streaming-invocations" : "invocations");
}

static int make_integration(struct making *m, struct scar_err *err)
{
	scar_buf_auto struct scar_buf uri;

	scar_buf_init(&uri, SCAR_KIB(2));
	begin(m, err);
	if (write_uri(m, &uri, err) < 0)
		return -1;
	scar_json_write_open(&m->w, NULL, '{');
	scar_json_write_string(&m->w, "type", "AWS_PROXY");
	scar_json_write_string(&m->w, "httpMethod", "POST");
	scar_json_write_string(&m->w, "uri", uri.data);
	scar_json_write_open(&m->w, "requestParameters", '{');
	scar_json_write_string(&m->w, "integration.request.header." INVOCATION_HEADER,
			       "method.request.header." INVOCATION_HEADER);
	scar_json_write_close(&m->w, '}');
	if (m->api->stream)
		scar_json_write_string(&m->w, "responseTransferMode", "STREAM");
	scar_json_write_close(&m->w, '}');
	if (scar_aws_path(&m->path, err, APIS "/{}/resources/{}/methods/{}/integration", m->id,
			  m->resource, method_of(m)) < 0)
		return -1;
	return send(m->aws, "PutIntegration", "PUT", m->path.data, &m->w, NULL, err);
}

static int deploy(struct making *m, struct scar_err *err)
{
	begin(m, err);
	scar_json_write_open(&m->w, NULL, '{');
	scar_json_write_string(&m->w, "stageName", m->api->stage ? m->api->stage : "scar");
	scar_json_write_close(&m->w, '}');
	if (scar_aws_path(&m->path, err, APIS "/{}/deployments", m->id) < 0)
		return -1;
	return send(m->aws, "CreateDeployment", "POST", m->path.data, &m->w, NULL, err);
}

/* What is half made goes away again, also when the session was told to stop. */
static int give_up(struct making *m, struct scar_err *err)
{
	struct scar_aws_failure why = m->aws->failure;
	struct scar_err other;
	int failed;

	if (!m->id)
		return -1;
	m->aws->finishing = true;
	failed = scar_apigateway_delete_rest(m->aws, m->id, &other);
	m->aws->finishing = false;
	m->aws->failure = why;
	if (failed)
		return scar_err_wrap(err, "the REST API %s stays behind (%.300s)", m->id,
				     other.msg);
	return -1;
}

int scar_apigateway_create_rest(struct scar_aws *aws, const struct scar_apigateway_api *api,
				char **ret_id, struct scar_err *err)
{
	struct making m = {.aws = aws, .api = api};
	int failed;

	scar_buf_init(&m.path, SCAR_KIB(4));
	scar_buf_init(&m.body, SCAR_KIB(64));
	failed = make_api(&m, err) < 0 || find_root(&m, err) < 0 || make_resource(&m, err) < 0 ||
		 make_method(&m, err) < 0 || make_integration(&m, err) < 0 || deploy(&m, err) < 0;
	if (failed)
		failed = give_up(&m, err);
	else
		*ret_id = scar_steal(m.id);
	free(m.id);
	free(m.root);
	free(m.resource);
	scar_buf_clear(&m.path);
	scar_buf_clear(&m.body);
	return failed;
}

/* ---- the others ---- */

int scar_apigateway_delete_rest(struct scar_aws *aws, const char *id, struct scar_err *err)
{
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, SCAR_KIB(1));
	if (scar_aws_path(&path, err, APIS "/{}", id) < 0)
		return -1;
	if (send(aws, "DeleteRestApi", "DELETE", path.data, NULL, NULL, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

int scar_apigateway_get_rest(struct scar_aws *aws, const char *id, struct scar_json **ret_answer,
			     struct scar_err *err)
{
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, SCAR_KIB(1));
	if (scar_aws_path(&path, err, APIS "/{}", id) < 0)
		return -1;
	return send(aws, "GetRestApi", "GET", path.data, NULL, ret_answer, err);
}

static int ask_rest(struct scar_aws *aws, void *ctx, const char *marker,
		    struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf query;
	struct scar_apigateway_request request = {
		.service = SCAR_AWS_APIGATEWAY, .operation = "GetRestApis", .method = "GET"};

	(void)ctx;
	scar_buf_init(&query, SCAR_KIB(4));
	if (scar_aws_query(&query, "position", marker, err) < 0 ||
	    scar_aws_query(&query, "limit", "500", err) < 0)
		return -1;
	request.query = query.data;
	return scar_apigateway_send(aws, &request, APIS, ret_answer, err);
}

int scar_apigateway_list_rest(struct scar_aws *aws, scar_aws_each each, void *ctx,
			      struct scar_err *err)
{
	return scar_aws_list(aws, ask_rest, NULL, "item", "position", each, ctx, err);
}

int scar_apigateway_rest_url(struct scar_aws *aws, const char *id, const char *stage,
			     struct scar_buf *ret_url, struct scar_err *err)
{
	const char *region;

	if (scar_aws_need_region(aws, &region, err) < 0)
		return -1;
	return scar_buf_printf(ret_url, err, "https://%s.execute-api.%s.%s/%s/launch", id, region,
			       scar_aws_domain(region), stage ? stage : "scar");
}

int scar_apigateway_source(struct scar_aws *aws, const char *account, const char *id,
			   struct scar_buf *ret_arn, struct scar_err *err)
{
	const char *region;

	if (scar_aws_need_region(aws, &region, err) < 0)
		return -1;
	return scar_buf_printf(ret_arn, err, "arn:%s:execute-api:%s:%s:%s/*",
			       scar_aws_partition(region), region, account, id);
}
