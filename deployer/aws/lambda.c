/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/lambda.h"

#include <string.h>

#include "deployer/aws/lambda_private.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define ZIP_MAX ((size_t)50 * 1024 * 1024)
/* How long a role may take until it can be assumed, and another change until it is over. */
#define ROLE_PATIENCE_MS 60000
#define CONFLICT_PATIENCE_MS 300000
#define WAIT_DEFAULT_S 300

#define FUNCTIONS "/2015-03-31/functions"

/* ---- conflicts ---- */

/* Another change, or the function's own beginning, is over some time; other conflicts are not. */
static bool is_in_progress(const struct scar_aws *aws)
{
	const char *message = scar_aws_failure(aws)->message;

	return scar_aws_failed_with(aws, "ResourceConflictException") &&
	       (strstr(message, "in progress") || strstr(message, "following state") ||
		strstr(message, "concurrent update"));
}

int scar_lambda_rest(struct scar_aws *aws, const struct scar_aws_call *call,
		     struct scar_json **ret_json, struct scar_err *err, const char *form,
		     const char *function)
{
	struct scar_aws_patience patience = scar_aws_patience(CONFLICT_PATIENCE_MS, 500, 3000);

	for (;;) {
		if (scar_aws_rest(aws, call, ret_json, err, form, function) == 0)
			return 0;
		if (!is_in_progress(aws) || !scar_aws_try_again(aws, &patience, err))
			return -1;
	}
}

/* ---- what a function shall be ---- */

void scar_lambda_write_code(struct scar_json_writer *writer, const struct scar_lambda_code *code)
{
	if (code->zip)
		scar_json_write_base64(writer, "ZipFile", code->zip, code->zip_len);
	scar_json_write_string(writer, "S3Bucket", code->s3_bucket);
	scar_json_write_string(writer, "S3Key", code->s3_key);
	scar_json_write_string(writer, "S3ObjectVersion", code->s3_version);
	scar_json_write_string(writer, "ImageUri", code->image_uri);
}

static void write_pairs(struct scar_json_writer *w, const char *key,
			const struct scar_aws_pair *pairs, size_t count)
{
	scar_json_write_open(w, key, '{');
	for (size_t i = 0; i < count; i++)
		scar_json_write_string(w, pairs[i].name, pairs[i].value);
	scar_json_write_close(w, '}');
}

static void write_mounts(struct scar_json_writer *w, const struct scar_lambda_function *function)
{
	scar_json_write_open(w, "FileSystemConfigs", '[');
	for (size_t i = 0; i < function->mount_count; i++) {
		scar_json_write_open(w, NULL, '{');
		scar_json_write_string(w, "Arn", function->mounts[i].arn);
		scar_json_write_string(w, "LocalMountPath", function->mounts[i].path);
		scar_json_write_close(w, '}');
	}
	scar_json_write_close(w, ']');
}

static void write_number(struct scar_json_writer *w, const char *key, int number)
{
	if (number)
		scar_json_write_int(w, key, number);
}

static void write_vpc(struct scar_json_writer *w, const struct scar_lambda_function *function)
{
	if (!function->subnet_ids && !function->security_group_ids)
		return;
	scar_json_write_open(w, "VpcConfig", '{');
	scar_json_write_strings(w, "SubnetIds", function->subnet_ids);
	scar_json_write_strings(w, "SecurityGroupIds", function->security_group_ids);
	scar_json_write_close(w, '}');
}

static void write_logging(struct scar_json_writer *w, const struct scar_lambda_function *function)
{
	if (!function->log_format && !function->log_group)
		return;
	scar_json_write_open(w, "LoggingConfig", '{');
	scar_json_write_string(w, "LogFormat", function->log_format);
	scar_json_write_string(w, "LogGroup", function->log_group);
	scar_json_write_close(w, '}');
}

/* What CreateFunction and UpdateFunctionConfiguration have in common. */
static void write_settings(struct scar_json_writer *w, const struct scar_lambda_function *function)
{
	scar_json_write_string(w, "Role", function->role);
	scar_json_write_string(w, "Runtime", function->runtime);
	scar_json_write_string(w, "Handler", function->handler);
	scar_json_write_string(w, "Description", function->description);
	write_number(w, "Timeout", function->timeout_s);
	write_number(w, "MemorySize", function->memory_mb);
	if (function->storage_mb) {
		scar_json_write_open(w, "EphemeralStorage", '{');
		scar_json_write_int(w, "Size", function->storage_mb);
		scar_json_write_close(w, '}');
	}
	scar_json_write_strings(w, "Layers", function->layers);
	if (function->environment) {
		scar_json_write_open(w, "Environment", '{');
		write_pairs(w, "Variables", function->environment, function->environment_count);
		scar_json_write_close(w, '}');
	}
	write_vpc(w, function);
	if (function->mounts)
		write_mounts(w, function);
	write_logging(w, function);
}

static int check_code(const struct scar_lambda_code *code, struct scar_err *err)
{
	int kinds = !!code->zip + !!code->s3_bucket + !!code->image_uri;

	if (kinds != 1)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "code of %d kinds", kinds);
	if (code->zip && code->zip_len > ZIP_MAX)
		return scar_err_set(
			err, SCAR_ERR_LIMIT,
			"a package of %zu bytes: without a deployment bucket Lambda takes "
			"%zu",
			code->zip_len, ZIP_MAX);
	return 0;
}

static int write_function(const struct scar_lambda_function *function, struct scar_buf *body,
			  struct scar_err *err)
{
	const char *const architectures[] = {function->architecture, NULL};
	struct scar_json_writer w;

	scar_json_writer_init(&w, body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "FunctionName", function->name);
	write_settings(&w, function);
	if (function->code.image_uri)
		scar_json_write_string(&w, "PackageType", "Image");
	if (function->architecture)
		scar_json_write_strings(&w, "Architectures", architectures);
	if (function->tag_count)
		write_pairs(&w, "Tags", function->tags, function->tag_count);
	scar_json_write_open(&w, "Code", '{');
	scar_lambda_write_code(&w, &function->code);
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, '}');
	return scar_json_writer_end(&w);
}

/* ---- create, change, delete ---- */

/* What a role that was made a moment ago is refused for, and others for ever. */
static bool is_role_too_new(const struct scar_aws *aws)
{
	const char *message = scar_aws_failure(aws)->message;

	return scar_aws_failed_with(aws, "InvalidParameterValueException") &&
	       (strstr(message, "cannot be assumed by Lambda") ||
		strstr(message, "execution role does not have permissions"));
}

static int create_patiently(struct scar_aws *aws, const struct scar_aws_call *call,
			    struct scar_json **ret_answer, struct scar_err *err)
{
	struct scar_aws_patience patience = scar_aws_patience(ROLE_PATIENCE_MS, 1000, 5000);

	for (;;) {
		if (scar_aws_rest(aws, call, ret_answer, err, FUNCTIONS) == 0)
			return 0;
		if (!is_role_too_new(aws) || !scar_aws_try_again(aws, &patience, err))
			return -1;
	}
}

int scar_lambda_create(struct scar_aws *aws, const struct scar_lambda_function *function,
		       struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA, .operation = "CreateFunction"};

	scar_buf_init(&body, SCAR_LAMBDA_CODE_BODY_MAX);
	if (check_code(&function->code, err) < 0 || write_function(function, &body, err) < 0)
		return scar_err_wrap(err, "CreateFunction");
	call.body = body.data;
	call.body_len = body.len;
	return create_patiently(aws, &call, ret_answer, err);
}

int scar_lambda_update_code(struct scar_aws *aws, const char *function,
			    const struct scar_lambda_code *code, const char *architecture,
			    struct scar_json **ret_answer, struct scar_err *err)
{
	const char *const architectures[] = {architecture, NULL};
	struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "UpdateFunctionCode", .method = "PUT"};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_CODE_BODY_MAX);
	if (check_code(code, err) < 0)
		return scar_err_wrap(err, "UpdateFunctionCode");
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_lambda_write_code(&w, code);
	if (architecture)
		scar_json_write_strings(&w, "Architectures", architectures);
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0)
		return scar_err_wrap(err, "UpdateFunctionCode");
	call.body = body.data;
	call.body_len = body.len;
	return scar_lambda_rest(aws, &call, ret_answer, err, FUNCTIONS "/{}/code", function);
}

int scar_lambda_update_configuration(struct scar_aws *aws,
				     const struct scar_lambda_function *function,
				     struct scar_json **ret_answer, struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA,
				     .operation = "UpdateFunctionConfiguration",
				     .method = "PUT"};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_LAMBDA_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	write_settings(&w, function);
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0)
		return scar_err_wrap(err, "UpdateFunctionConfiguration");
	call.body = body.data;
	call.body_len = body.len;
	return scar_lambda_rest(aws, &call, ret_answer, err, FUNCTIONS "/{}/configuration",
				function->name);
}

int scar_lambda_delete(struct scar_aws *aws, const char *function, struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "DeleteFunction", .method = "DELETE"};

	return scar_lambda_rest(aws, &call, NULL, err, FUNCTIONS "/{}", function);
}

/* ---- look ---- */

int scar_lambda_get(struct scar_aws *aws, const char *function, struct scar_json **ret_answer,
		    struct scar_err *err)
{
	const struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "GetFunction", .method = "GET"};

	return scar_aws_rest(aws, &call, ret_answer, err, FUNCTIONS "/{}", function);
}

int scar_lambda_get_configuration(struct scar_aws *aws, const char *function,
				  struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA,
					   .operation = "GetFunctionConfiguration",
					   .method = "GET"};

	return scar_aws_rest(aws, &call, ret_answer, err, FUNCTIONS "/{}/configuration", function);
}

static int ask_functions(struct scar_aws *aws, void *ctx, const char *marker,
			 struct scar_json **ret_answer, struct scar_err *err)
{
	struct scar_aws_call call = {
		.service = SCAR_AWS_LAMBDA, .operation = "ListFunctions", .method = "GET"};
	scar_buf_auto struct scar_buf query;

	(void)ctx;
	scar_buf_init(&query, SCAR_KIB(8));
	if (scar_aws_query(&query, "Marker", marker, err) < 0)
		return -1;
	call.query = query.data;
	return scar_aws_rest(aws, &call, ret_answer, err, FUNCTIONS);
}

int scar_lambda_list(struct scar_aws *aws, scar_aws_each each, void *ctx, struct scar_err *err)
{
	return scar_aws_list(aws, ask_functions, NULL, "Functions", "NextMarker", each, ctx, err);
}

/* ---- wait ---- */

static const char *text_of(const struct scar_json *configuration, const char *key,
			   const char *fallback)
{
	const char *text = scar_json_string(scar_json_get(configuration, key));

	return text ? text : fallback;
}

/* @return 1: done; 0: not yet; -1: failed, with err */
static int look(struct scar_aws *aws, const char *function, struct scar_err *err)
{
	scar_json_auto struct scar_json *now = NULL;
	const char *state, *update;

	if (scar_lambda_get_configuration(aws, function, &now, err) < 0)
		return -1;
	state = text_of(now, "State", "Active");
	update = text_of(now, "LastUpdateStatus", "Successful");
	if (strcmp(state, "Failed") == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the function %s cannot be made: %s (%s)",
				    function, text_of(now, "StateReason", "AWS does not say why"),
				    text_of(now, "StateReasonCode", state));
	if (strcmp(update, "Failed") == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "the function %s cannot be changed: %s (%s)", function,
				    text_of(now, "LastUpdateStatusReason", "AWS does not say why"),
				    text_of(now, "LastUpdateStatusReasonCode", update));
	/* An inactive one wakes when it is invoked. */
	return (strcmp(state, "Active") == 0 || strcmp(state, "Inactive") == 0) &&
	       strcmp(update, "InProgress") != 0;
}

int scar_lambda_wait(struct scar_aws *aws, const char *function, int timeout_s,
		     struct scar_err *err)
{
	int total_s = timeout_s ? timeout_s : WAIT_DEFAULT_S;
	struct scar_aws_patience patience = scar_aws_patience((int64_t)total_s * 1000, 250, 1000);

	for (;;) {
		int done = look(aws, function, err);
		int more;

		if (done)
			return done < 0 ? -1 : 0;
		more = scar_aws_be_patient(aws, &patience, err);
		if (more < 0)
			return -1;
		if (more == 0)
			return scar_err_set(err, SCAR_ERR_TIMEOUT,
					    "the function %s is not ready after %d s", function,
					    total_s);
	}
}
