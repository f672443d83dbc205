/* SPDX-License-Identifier: Apache-2.0 */
/* Who may invoke a function, its URL, how often it is run, and its tags. */
#include <string.h>

#include "deployer/aws/lambda_private.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define POLICY "/2015-03-31/functions/{}/policy"
#define URL "/2021-10-31/functions/{}/url"
#define CONCURRENCY "/2017-10-31/functions/{}/concurrency"
#define RETRIES "/2019-09-25/functions/{}/event-invoke-config"
#define TAGS "/2017-03-31/tags/{}"

/* A URL that was made since October 2025 needs both of these. */
static const struct scar_lambda_permission url_permissions[] = {
	{.statement_id = "scar-function-url",
	 .action = "lambda:InvokeFunctionUrl",
	 .principal = "*",
	 .url_auth_type = "NONE"},
	{.statement_id = "scar-function-url-invoke",
	 .action = "lambda:InvokeFunction",
	 .principal = "*",
	 .via_function_url = true},
};

#define URL_PERMISSIONS (sizeof url_permissions / sizeof url_permissions[0])

/* A call with the body that `w` has written. */
static int send(struct scar_aws *aws, const char *operation, const char *method,
		const struct scar_json_writer *w, const char *form, const char *function,
		struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA,
		.operation = operation,
		.method = method,
		.body = w ? w->buf->data : NULL,
		.body_len = w ? w->buf->len : 0,
	};

	if (w && scar_json_writer_end(w) < 0)
		return scar_err_wrap(err, "%s", operation);
	return scar_lambda_rest(aws, &call, ret_answer, err, form, function);
}

/* ---- permissions ---- */

int scar_lambda_add_permission(struct scar_aws *aws, const char *function,
			       const struct scar_lambda_permission *permission, bool *ret_added,
			       struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	bool added = true;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "StatementId", permission->statement_id);
	scar_json_write_string(&w, "Action",
			       permission->action ? permission->action : "lambda:InvokeFunction");
	scar_json_write_string(&w, "Principal", permission->principal);
	scar_json_write_string(&w, "SourceArn", permission->source_arn);
	scar_json_write_string(&w, "SourceAccount", permission->source_account);
	scar_json_write_string(&w, "FunctionUrlAuthType", permission->url_auth_type);
	if (permission->via_function_url)
		scar_json_write_bool(&w, "InvokedViaFunctionUrl", true);
	scar_json_write_close(&w, '}');
	if (send(aws, "AddPermission", "POST", &w, POLICY, function, NULL, err) < 0) {
		if (!scar_aws_failed_with(aws, "ResourceConflictException"))
			return -1;
		added = false;
	}
	if (ret_added)
		*ret_added = added;
	return 0;
}

int scar_lambda_remove_permission(struct scar_aws *aws, const char *function,
				  const char *statement_id, struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "RemovePermission", .method = "DELETE"};

	if (scar_aws_rest(aws, &call, NULL, err, POLICY "/{}", function, statement_id) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

int scar_lambda_get_policy(struct scar_aws *aws, const char *function,
			   struct scar_json **ret_answer, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const char *text;

	if (send(aws, "GetPolicy", "GET", NULL, POLICY, function, &answer, err) < 0 ||
	    scar_json_need_string(answer, "Policy", "GetPolicy", &text, err) < 0)
		return -1;
	return scar_json_parse(text, strlen(text), "the function's policy", ret_answer, err);
}

/* ---- the URL ---- */

static int write_url(struct scar_aws *aws, const char *function, const struct scar_lambda_url *url,
		     bool exists, char **ret_url, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	const char *text;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "AuthType", url->iam ? "AWS_IAM" : "NONE");
	scar_json_write_string(&w, "InvokeMode", url->stream ? "RESPONSE_STREAM" : "BUFFERED");
	scar_json_write_close(&w, '}');
	if (send(aws, exists ? "UpdateFunctionUrlConfig" : "CreateFunctionUrlConfig",
		 exists ? "PUT" : "POST", &w, URL, function, &answer, err) < 0 ||
	    scar_json_need_string(answer, "FunctionUrl", "the function's URL", &text, err) < 0)
		return -1;
	return scar_aws_copy(text, ret_url, err);
}

static int allow_url(struct scar_aws *aws, const char *function, bool allow, struct scar_err *err)
{
	for (size_t i = 0; i < URL_PERMISSIONS; i++) {
		const struct scar_lambda_permission *permission = &url_permissions[i];

		if ((allow ? scar_lambda_add_permission(aws, function, permission, NULL, err)
			   : scar_lambda_remove_permission(aws, function, permission->statement_id,
							   err)) < 0)
			return -1;
	}
	return 0;
}

int scar_lambda_put_url(struct scar_aws *aws, const char *function,
			const struct scar_lambda_url *url, char **ret_url, struct scar_err *err)
{
	scar_free_auto char *text = NULL;
	bool exists = true;

	if (scar_lambda_get_url(aws, function, NULL, err) < 0) {
		if (err->kind != SCAR_ERR_NOT_FOUND)
			return -1;
		exists = false;
	}
	if (write_url(aws, function, url, exists, &text, err) < 0 ||
	    ((exists || !url->iam) && allow_url(aws, function, !url->iam, err) < 0))
		return -1;
	*ret_url = scar_steal(text);
	return 0;
}

int scar_lambda_get_url(struct scar_aws *aws, const char *function, struct scar_json **ret_answer,
			struct scar_err *err)
{
	return send(aws, "GetFunctionUrlConfig", "GET", NULL, URL, function, ret_answer, err);
}

int scar_lambda_delete_url(struct scar_aws *aws, const char *function, struct scar_err *err)
{
	if (send(aws, "DeleteFunctionUrlConfig", "DELETE", NULL, URL, function, NULL, err) < 0 &&
	    err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	return allow_url(aws, function, false, err);
}

/* ---- how it is run ---- */

int scar_lambda_put_concurrency(struct scar_aws *aws, const char *function, int reserved,
				struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_int(&w, "ReservedConcurrentExecutions", reserved);
	scar_json_write_close(&w, '}');
	return send(aws, "PutFunctionConcurrency", "PUT", &w, CONCURRENCY, function, NULL, err);
}

int scar_lambda_delete_concurrency(struct scar_aws *aws, const char *function, struct scar_err *err)
{
	return send(aws, "DeleteFunctionConcurrency", "DELETE", NULL, CONCURRENCY, function, NULL,
		    err);
}

int scar_lambda_put_retries(struct scar_aws *aws, const char *function, int retries, int max_age_s,
			    struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_int(&w, "MaximumRetryAttempts", retries);
	if (max_age_s)
		scar_json_write_int(&w, "MaximumEventAgeInSeconds", max_age_s);
	scar_json_write_close(&w, '}');
	return send(aws, "PutFunctionEventInvokeConfig", "PUT", &w, RETRIES, function, NULL, err);
}

int scar_lambda_get_account(struct scar_aws *aws, struct scar_json **ret_answer,
			    struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "GetAccountSettings", .method = "GET"};

	return scar_aws_rest(aws, &call, ret_answer, err, "/2016-08-19/account-settings");
}

/* ---- tags ---- */

int scar_lambda_tag(struct scar_aws *aws, const char *function_arn,
		    const struct scar_aws_pair *tags, size_t tag_count, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_open(&w, "Tags", '{');
	for (size_t i = 0; i < tag_count; i++)
		scar_json_write_string(&w, tags[i].name, tags[i].value);
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, '}');
	return send(aws, "TagResource", "POST", &w, TAGS, function_arn, NULL, err);
}

int scar_lambda_untag(struct scar_aws *aws, const char *function_arn, const char *const *names,
		      struct scar_err *err)
{
	struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "UntagResource", .method = "DELETE"};
	scar_buf_auto struct scar_buf query;

	scar_buf_init(&query, SCAR_KIB(16));
	for (; *names; names++) {
		if (scar_aws_query(&query, "tagKeys", *names, err) < 0)
			return -1;
	}
	call.query = query.data;
	return scar_lambda_rest(aws, &call, NULL, err, TAGS, function_arn);
}

int scar_lambda_get_tags(struct scar_aws *aws, const char *function_arn,
			 struct scar_json **ret_answer, struct scar_err *err)
{
	return send(aws, "ListTags", "GET", NULL, TAGS, function_arn, ret_answer, err);
}
