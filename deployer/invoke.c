/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/api.h"
#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/commands.h"
#include "deployer/environment.h"
#include "deployer/functions.h"
#include "deployer/plan.h"
#include "deployer/session.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/url.h"

/* API Gateway's own bound is 29 s, a function URL's that of the function. */
#define ANSWER_TIMEOUT_MS ((int64_t)915000)
#define ANSWER_BYTES_MAX SCAR_MIB(32)

/* The API before the function, or the function's URL. */
static int find_url(struct scar_session *session, const char *name, struct scar_buf *url,
		    struct scar_err *err)
{
	scar_json_auto struct scar_json *configuration = NULL;
	scar_json_auto struct scar_json *answer = NULL;
	struct scar_api api;
	const char *text;

	if (scar_lambda_get_configuration(session->aws, name, &configuration, err) < 0)
		return -1;
	if (scar_api_of(configuration, &api))
		return scar_api_url(session->aws, &api, url, err);
	if (scar_lambda_get_url(session->aws, name, &answer, err) < 0) {
		if (err->kind != SCAR_ERR_NOT_FOUND)
			return -1;
		return scar_err_set(
			err, SCAR_ERR_NOT_FOUND,
			"function %s has neither API nor URL: apply it with --api-gateway-name",
			name);
	}
	if (scar_json_need_string(answer, "FunctionUrl", "GetFunctionUrlConfig", &text, err) < 0)
		return -1;
	return scar_buf_append_str(url, text, err);
}

static int put_encoded(struct scar_buf *url, const char *text, struct scar_err *err)
{
	for (; *text; text++) {
		if ((scar_url_char_is_unreserved(*text)
			     ? scar_buf_append_char(url, *text, err)
			     : scar_buf_printf(url, err, "%%%02X", (unsigned char)*text)) < 0)
			return -1;
	}
	return 0;
}

/* {"a": "b"} as ?a=b */
static int add_parameters(struct scar_buf *url, const char *text, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_json *member;
	char before = '?';

	if (!text)
		return 0;
	if (scar_json_parse(text, strlen(text), "--parameters", &root, err) < 0 ||
	    scar_json_type(root) != SCAR_JSON_OBJECT)
		return scar_err_set(err, SCAR_ERR_CONFIG, "--parameters is not a JSON object");
	for (member = scar_json_first(root); member;
	     member = scar_json_next(member), before = '&') {
		scar_buf_auto struct scar_buf value;
		const char *string = scar_json_string(member);

		scar_buf_init(&value, SCAR_LIMIT_URL_BYTES);
		if ((string ? scar_buf_append_str(&value, string, err)
			    : scar_json_print(member, &value, err)) < 0 ||
		    scar_buf_append_char(url, before, err) < 0 ||
		    put_encoded(url, scar_json_key(member), err) < 0 ||
		    scar_buf_append_char(url, '=', err) < 0 ||
		    put_encoded(url, value.data, err) < 0)
			return -1;
	}
	return 0;
}

/* A file goes in base64, as SCAR's functions expect it. */
static int read_body(const struct scar_arguments *arguments, struct scar_buf *body,
		     const char **ret_type, struct scar_err *err)
{
	const char *file = scar_arguments_get(arguments, SCAR_OPTION_DATA_BINARY);
	const char *json = scar_arguments_get(arguments, SCAR_OPTION_JSON_DATA);
	scar_buf_auto struct scar_buf bytes;

	scar_buf_init(&bytes, SCAR_LIMIT_EVENT_BYTES);
	if (json) {
		*ret_type = "application/json";
		return scar_buf_append_str(body, json, err);
	}
	if (!file)
		return 0;
	*ret_type = "application/octet-stream";
	if (scar_fs_read_file(AT_FDCWD, file, &bytes, err) < 0)
		return -1;
	return scar_base64_encode(bytes.data, bytes.len, body, err);
}

/* Base64, as SCAR answers, or what is not. */
static int write_answer(const struct scar_arguments *arguments, const struct scar_buf *body,
			struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_OUTPUT_FILE);
	scar_buf_auto struct scar_buf decoded;
	const struct scar_buf *answer = &decoded;
	struct scar_err bad;

	scar_buf_init(&decoded, ANSWER_BYTES_MAX);
	if (scar_base64_decode(body->data, &decoded, &bad) < 0)
		answer = body;
	if (path)
		return scar_fs_write_file(AT_FDCWD, path, 0644, answer->data, answer->len, err);
	return scar_fs_write_all(STDOUT_FILENO, answer->data, answer->len, "standard output", err);
}

static int send(struct scar_session *session, const char *url, struct scar_err *err)
{
	bool asynchronous = scar_arguments_has(session->arguments, SCAR_OPTION_ASYNCHRONOUS);
	scar_http_auto struct scar_http *http = NULL;
	scar_http_response_auto struct scar_http_response response;
	scar_buf_auto struct scar_buf body;
	const char *type = NULL;
	struct scar_http_header headers[2];
	struct scar_http_request request = {
		.url = url,
		.headers = headers,
		.stall_timeout_ms = ANSWER_TIMEOUT_MS,
		.max_body_bytes = ANSWER_BYTES_MAX,
		.cancel = scar_session_interrupted(),
	};
	char id[128] = "";

	scar_buf_init(&body, ANSWER_BYTES_MAX);
	scar_http_response_init(&response);
	if (read_body(session->arguments, &body, &type, err) < 0)
		return -1;
	if (type)
		headers[request.header_count++] = (struct scar_http_header){"Content-Type", type};
	if (asynchronous)
		headers[request.header_count++] = (struct scar_http_header){"X-Amz-Invocation-Type",
									    "Event"};
	request.method = type ? "POST" : "GET";
	request.body = type ? body.data : NULL;
	request.body_len = body.len;
	http = scar_http_create(
		&(struct scar_http_options){
			.ca_bundle = scar_environment_value(session->environment, "AWS_CA_BUNDLE")},
		err);
	if (!http || scar_http_perform(http, &request, &response, err) < 0)
		return -1;
	if (scar_http_header_get(&response, "amz-lambda-request-id", 0, id, sizeof id))
		scar_session_note(session, "request %s", id);
	/* An event that is taken has no answer that API Gateway could send on. */
	if (asynchronous && response.status == 502)
		return 0;
	if (response.status / 100 != 2)
		return scar_err_set(err, SCAR_ERR_EXIT, "HTTP %d: %.500s", response.status,
				    response.body.data);
	return write_answer(session->arguments, &response.body, err);
}

static int call(struct scar_session *session, struct scar_err *err)
{
	scar_free_auto char *name = NULL;
	scar_buf_auto struct scar_buf url;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (scar_functions_name(session, &name, err) < 0 ||
	    find_url(session, name, &url, err) < 0 ||
	    add_parameters(&url, scar_arguments_get(session->arguments, SCAR_OPTION_PARAMETERS),
			   err) < 0)
		return -1;
	scar_session_detail(session, "%s", url.data);
	return send(session, url.data, err);
}

int scar_invoke_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0)
		return scar_session_fail(&session, &err);
	if (call(&session, &err) == 0)
		return 0;
	(void)scar_session_fail(&session, &err);
	return err.kind == SCAR_ERR_EXIT ? SCAR_EXIT_FUNCTION : scar_err_info(err.kind)->exit_code;
}
