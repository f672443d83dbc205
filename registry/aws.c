/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/aws.h"

#include <stdio.h>
#include <string.h>

#include "registry/client.h"
#include "registry/credentials.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

#define NAME_MAX_BYTES 128
#define TRIES 3
#define TRY_DELAY_MS 200
#define CALL_TIMEOUT_MS 15000
/* Secrets Manager: 64 KiB of text; more once it is escaped in JSON. */
#define ANSWER_MAX SCAR_KIB(512)

struct call {
	const char *service; /* its signing name */
	const char *target;  /* X-Amz-Target */
	const char *permission;
	const char *body;
	char endpoint[NAME_MAX_BYTES]; /* "api.ecr", "ssm" */
	char region[NAME_MAX_BYTES];
	char suffix[NAME_MAX_BYTES]; /* "amazonaws.com" */
};

/* ---- one request ---- */

static int call_url(const struct call *call, const struct scar_source_options *options,
		    char url[3 * NAME_MAX_BYTES + SCAR_KIB(1)], struct scar_err *err)
{
	size_t size = 3 * NAME_MAX_BYTES + SCAR_KIB(1);
	const char *given = options->aws_endpoint;
	int n;

	if (given && *given)
		n = snprintf(url, size, "%s%s", given, given[strlen(given) - 1] == '/' ? "" : "/");
	else
		n = snprintf(url, size, "https://%s.%s.%s/", call->endpoint, call->region,
			     call->suffix);
	if (n < 0 || (size_t)n >= size)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the address of the AWS service is too long");
	return 0;
}

static int send_once(const struct call *call, const struct scar_source_options *options,
		     struct scar_http *http, struct scar_http_response *resp, struct scar_err *err)
{
	const struct scar_http_header headers[] = {{"Content-Type", "application/x-amz-json-1.1"},
						   {"X-Amz-Target", call->target}};
	char url[3 * NAME_MAX_BYTES + SCAR_KIB(1)];
	const struct scar_http_request req = {.method = "POST",
					      .url = url,
					      .headers = headers,
					      .header_count = 2,
					      .body = call->body,
					      .body_len = strlen(call->body),
					      .total_timeout_ms = CALL_TIMEOUT_MS,
					      .max_body_bytes = ANSWER_MAX,
					      .allow_plain = options->allow_plain,
					      .cancel = options->cancel};

	if (call_url(call, options, url, err) < 0)
		return -1;
	return scar_sigv4_perform(http, call->region, call->service, &req, resp, err);
}

/** "prefix#Name:uri" of an error's type is Name. */
static void read_error(const struct scar_http_response *resp, char type[NAME_MAX_BYTES])
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;
	const char *text;
	size_t n = 0;

	type[0] = '\0';
	if (scar_json_parse(resp->body.data, resp->body.len, "error", &root, &ignored) < 0)
		return;
	text = scar_json_string(scar_json_get(root, "__type"));
	if (!text)
		text = scar_json_string(scar_json_get(root, "code"));
	if (!text)
		return;
	if (strchr(text, '#'))
		text = strchr(text, '#') + 1;
	for (; text[n] && text[n] != ':' && n + 1 < NAME_MAX_BYTES; n++)
		type[n] = text[n] < '!' || text[n] > '~' ? '?' : text[n];
	type[n] = '\0';
}

static int refuse(const struct call *call, const struct scar_http_response *resp,
		  struct scar_err *err)
{
	enum scar_err_kind kind = SCAR_ERR_PROTOCOL;
	char type[NAME_MAX_BYTES];

	read_error(resp, type);
	if (strcmp(type, "ResourceNotFoundException") == 0 ||
	    strcmp(type, "ParameterNotFound") == 0)
		kind = SCAR_ERR_NOT_FOUND;
	else if (strstr(type, "Throttl") || strcmp(type, "TooManyRequestsException") == 0)
		kind = SCAR_ERR_RATE_LIMIT;
	else if (resp->status >= 500)
		kind = SCAR_ERR_UNAVAILABLE;
	else if (strstr(type, "AccessDenied"))
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "AWS denies it (HTTP %d, %s): the function's role needs %s",
				    resp->status, type, call->permission);
	else if (resp->status == 401 || resp->status == 403 || strstr(type, "Token") ||
		 strstr(type, "Signature"))
		kind = SCAR_ERR_AUTH;
	return scar_err_set(err, kind, "AWS answered HTTP %d%s%s", resp->status,
			    type[0] ? ", " : "", type);
}

static bool may_pass(const struct scar_err *err)
{
	return err->kind == SCAR_ERR_NETWORK || err->kind == SCAR_ERR_UNAVAILABLE ||
	       err->kind == SCAR_ERR_RATE_LIMIT;
}

static int call_aws(const struct call *call, const struct scar_source_options *options,
		    struct scar_json **ret_answer, struct scar_err *err)
{
	struct scar_http_options http_options = {.ca_bundle = options->ca_bundle};
	scar_http_auto struct scar_http *http = scar_http_create(&http_options, err);
	scar_http_response_auto struct scar_http_response resp;
	int64_t delay_ms = TRY_DELAY_MS;
	int result = -1;

	scar_http_response_init(&resp);
	if (!http)
		return -1;
	for (int i = 0; i < TRIES && result < 0; i++) {
		if (i)
			scar_clock_sleep_ms(delay_ms);
		delay_ms *= 3;
		result = send_once(call, options, http, &resp, err);
		if (result == 0 && resp.status != 200)
			result = refuse(call, &resp, err);
		if (result < 0 &&
		    (!may_pass(err) || scar_clock_left_ms(options->deadline_ms) <= delay_ms))
			break;
	}
	if (result == 0)
		result = scar_json_parse(resp.body.data, resp.body.len, "its answer", ret_answer,
					 err);
	explicit_bzero(resp.body.data, resp.body.len);
	return result;
}

/* ---- ECR ---- */

/** The label from *text up to the next dot; *text is put behind the dot. @return whether there was one */
static bool take_label(const char **text, char label[NAME_MAX_BYTES])
{
	size_t len = strcspn(*text, ".");

	if (!len || len >= NAME_MAX_BYTES || !(*text)[len])
		return false;
	memcpy(label, *text, len);
	label[len] = '\0';
	*text += len + 1;
	return true;
}

static bool is_account(const char *label)
{
	return strlen(label) == 12 && strspn(label, "0123456789") == 12;
}

static bool parse_ecr(const char *registry, struct call *ret_call)
{
	char label[NAME_MAX_BYTES];
	const char *rest = registry;
	bool is_dual;

	if (!take_label(&rest, label) || !is_account(label) || !take_label(&rest, label))
		return false;
	is_dual = strncmp(label, "dkr-ecr", 7) == 0;
	if (!is_dual && (strcmp(label, "dkr") != 0 || !take_label(&rest, label)))
		return false;
	if (strcmp(label, "ecr") != 0 && strcmp(label, "ecr-fips") != 0 &&
	    strcmp(label, "dkr-ecr") != 0 && strcmp(label, "dkr-ecr-fips") != 0)
		return false;
	snprintf(ret_call->endpoint, sizeof(ret_call->endpoint), "%s", is_dual ? "ecr" : "api.ecr");
	if (!take_label(&rest, ret_call->region))
		return false;
	/* Only what is AWS's own may have us sign something for it. */
	if (strcmp(rest, is_dual ? "on.aws" : "amazonaws.com") != 0 &&
	    strcmp(rest, is_dual ? "on.amazonwebservices.com.cn" : "amazonaws.com.cn") != 0)
		return false;
	/* The dual-stack names of the service itself. */
	snprintf(ret_call->suffix, sizeof(ret_call->suffix), "%s",
		 !is_dual ? rest
			  : (strcmp(rest, "on.aws") == 0 ? "api.aws"
							 : "api.amazonwebservices.com.cn"));
	return true;
}

bool scar_aws_is_ecr(const char *registry)
{
	struct call call;

	return parse_ecr(registry, &call);
}

int scar_aws_ecr_credentials(const char *registry, const struct scar_source_options *options,
			     struct scar_credentials *ret_found, struct scar_err *err)
{
	struct call call = {.service = "ecr",
			    .target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
			    .permission = "ecr:GetAuthorizationToken",
			    .body = "{}"};
	scar_json_auto struct scar_json *answer = NULL;
	const char *token;

	if (!parse_ecr(registry, &call))
		return scar_err_set(err, SCAR_ERR_INTERNAL, "%s is not in ECR", registry);
	if (call_aws(&call, options, &answer, err) < 0)
		return scar_err_wrap(err, "password for %s", registry);
	token = scar_json_string(scar_json_get(
		scar_json_first(scar_json_get(answer, "authorizationData")), "authorizationToken"));
	if (!token)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "password for %s: AWS's answer has no token", registry);
	return scar_credentials_from_auth(token, ret_found, err) < 0
		       ? scar_err_wrap(err, "password for %s", registry)
		       : 0;
}

/* ---- secrets ---- */

/** arn:PARTITION:SERVICE:REGION:ACCOUNT:WHAT */
static int parse_arn(const char *arn, char service[NAME_MAX_BYTES], struct call *call,
		     struct scar_err *err)
{
	char partition[32];
	int end = 0;

	if (strlen(arn) > SCAR_KIB(2) ||
	    sscanf(arn, "arn:%31[a-z-]:%31[a-z0-9]:%31[a-z0-9-]:%*12[0-9]:%n", partition, service,
		   call->region, &end) != 3 ||
	    !end || !arn[end] ||
	    strspn(arn, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789:/_+=.@!-") != strlen(arn))
		return scar_err_set(err, SCAR_ERR_CONFIG, "'%.200s' is no ARN", arn);
	snprintf(call->suffix, sizeof(call->suffix), "amazonaws.com%s",
		 strcmp(partition, "aws-cn") == 0 ? ".cn" : "");
	snprintf(call->endpoint, sizeof(call->endpoint), "%s", service);
	return 0;
}

int scar_aws_secret(const char *arn, const struct scar_source_options *options,
		    struct scar_buf *ret_text, struct scar_err *err)
{
	struct call call = {.body = NULL};
	scar_json_auto struct scar_json *answer = NULL;
	char service[NAME_MAX_BYTES], body[SCAR_KIB(3)];
	const struct scar_json *text;
	bool is_parameter;

	if (parse_arn(arn, service, &call, err) < 0)
		return -1;
	is_parameter = strcmp(service, "ssm") == 0;
	if (!is_parameter && strcmp(service, "secretsmanager") != 0)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s is neither a secret of Secrets Manager nor a parameter of "
				    "Systems Manager",
				    arn);
	/* No character of an ARN needs escaping in JSON. */
	snprintf(body, sizeof(body),
		 is_parameter ? "{\"Name\":\"%s\",\"WithDecryption\":true}"
			      : "{\"SecretId\":\"%s\"}",
		 arn);
	call.service = service;
	call.body = body;
	call.target = is_parameter ? "AmazonSSM.GetParameter" : "secretsmanager.GetSecretValue";
	call.permission = is_parameter ? "ssm:GetParameter (and kms:Decrypt)"
				       : "secretsmanager:GetSecretValue (and kms:Decrypt)";
	if (call_aws(&call, options, &answer, err) < 0)
		return scar_err_wrap(err, "secret %s", arn);
	text = is_parameter ? scar_json_get(scar_json_get(answer, "Parameter"), "Value")
			    : scar_json_get(answer, "SecretString");
	if (!scar_json_string(text))
		return scar_err_set(err, SCAR_ERR_CONFIG, "secret %s has no text", arn);
	return scar_buf_append_str(ret_text, scar_json_string(text), err);
}
