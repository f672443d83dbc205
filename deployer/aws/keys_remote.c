/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials from whoever runs us: a container's agent (ECS, EKS, Cloud Shell) or the machine (IMDSv2). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "deployer/aws/session.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/url.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define MACHINE_HOST "http://169.254.169.254"
#define TOKEN_PATH "/latest/api/token"
#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define TOKEN_LIFE "21600"
/* It is there at once or not at all. */
#define MACHINE_TIMEOUT_MS 1000
#define CONTAINER_TIMEOUT_MS 2000
#define CONTAINER_TRIES 3

static int fetch(struct scar_aws *aws, const char *method, const char *url,
		 const struct scar_http_header *header, int64_t timeout_ms,
		 struct scar_http_response *resp, struct scar_err *err)
{
	const struct scar_http_request req = {
		.method = method,
		.url = url,
		.headers = header,
		.header_count = header && header->value ? 1 : 0,
		.connect_timeout_ms = timeout_ms,
		.total_timeout_ms = timeout_ms,
		.allow_plain = true,
		.cancel = aws->cancel,
	};

	return scar_http_perform(aws->http, &req, resp, err);
}

static int read_document(const struct scar_http_response *resp, const char *source,
			 struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;

	if (resp->status != 200)
		return scar_err_set(err, SCAR_ERR_AUTH, "%s: HTTP %d", source, resp->status);
	/* The parser's words could quote a secret. */
	if (scar_json_parse(resp->body.data, resp->body.len, source, &root, &ignored) < 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s does not answer with JSON", source);
	return scar_aws_keys_from_json(root, source, ret_keys, err);
}

/* ---- a container's agent ---- */

/* Whom a token may be shown without TLS: this machine, and the agents of ECS and EKS. */
static bool may_be_plain(const struct scar_url *url)
{
	return scar_url_is_loopback(url) || strcmp(url->host, "169.254.170.2") == 0 ||
	       strcmp(url->host, "169.254.170.23") == 0 || strcmp(url->host, "[fd00:ec2::23]") == 0;
}

static int container_url(const struct scar_aws_settings *settings, struct scar_buf *url,
			 struct scar_err *err)
{
	const char *relative = scar_aws_settings_env(settings,
						     "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = scar_aws_settings_env(settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct scar_url parts;

	if (relative)
		return scar_buf_printf(url, err, CONTAINER_HOST "%s%s",
				       relative[0] == '/' ? "" : "/", relative);
	if (!full)
		return 0;
	if (scar_url_parse(full, &parts, err) < 0)
		return scar_err_wrap(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (!parts.is_https && !may_be_plain(&parts))
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI: http:// only to this machine and "
			"to the agents of ECS and EKS");
	return scar_buf_append_str(url, full, err);
}

/* The file is read each time: EKS rotates it. */
static int container_token(const struct scar_aws_settings *settings, struct scar_buf *token,
			   struct scar_err *err)
{
	const char *file = scar_aws_settings_env(settings,
						 "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = scar_aws_settings_env(settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file && scar_fs_read_file(AT_FDCWD, file, token, err) < 0)
		return scar_err_wrap(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	if (!file && text && scar_buf_append_str(token, text, err) < 0)
		return -1;
	scar_aws_keys_first_line(token);
	return 0;
}

int scar_aws_keys_of_container(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
			       struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	scar_http_response_auto struct scar_http_response resp;
	scar_buf_auto struct scar_buf url, token;
	struct scar_http_header header = {"Authorization", NULL};
	int failed = -1;

	scar_http_response_init(&resp);
	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	scar_buf_init(&token, SCAR_KIB(16));
	if (container_url(settings, &url, err) < 0)
		return -1;
	if (url.len == 0)
		return 0;
	if (container_token(settings, &token, err) < 0)
		return -1;
	header.value = token.len ? token.data : NULL;
	for (int i = 0; i < CONTAINER_TRIES && failed && !scar_aws_is_cancelled(aws); i++) {
		failed = fetch(aws, "GET", url.data, &header, CONTAINER_TIMEOUT_MS, &resp, err);
		if (!failed)
			failed = read_document(&resp, "the container's agent", ret_keys, err);
		if (failed && resp.status >= 400 && resp.status < 500)
			break;
	}
	explicit_bzero(token.data, token.len);
	explicit_bzero(resp.body.data, resp.body.len);
	return failed ? -1 : 1;
}

/* ---- the machine ---- */

static const char *machine_host(const struct scar_aws_settings *settings)
{
	const char *said = scar_aws_settings_env(settings, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = scar_aws_settings_env(settings,
						 "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");

	if (said)
		return said;
	return mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : MACHINE_HOST;
}

static int machine_get(struct scar_aws *aws, const char *path, const char *name, const char *token,
		       struct scar_http_response *resp, struct scar_err *err)
{
	const struct scar_http_header header = {"x-aws-ec2-metadata-token", token};
	const char *host = machine_host(&aws->shared->settings);
	size_t len = strlen(host);
	scar_buf_auto struct scar_buf url;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (scar_buf_printf(&url, err, "%.*s%s%s", (int)(len - (host[len - 1] == '/')), host, path,
			    name) < 0)
		return -1;
	return fetch(aws, "GET", url.data, &header, MACHINE_TIMEOUT_MS, resp, err);
}

/* A session's token; every question needs it. @return 1; 0: nobody is there */
static int machine_token(struct scar_aws *aws, char token[512])
{
	const struct scar_http_header header = {"x-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE};
	const char *host = machine_host(&aws->shared->settings);
	size_t len = strlen(host);
	scar_http_response_auto struct scar_http_response resp;
	scar_buf_auto struct scar_buf url;
	struct scar_err ignored;

	scar_http_response_init(&resp);
	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (scar_buf_printf(&url, &ignored, "%.*s" TOKEN_PATH, (int)(len - (host[len - 1] == '/')),
			    host) < 0 ||
	    fetch(aws, "PUT", url.data, &header, MACHINE_TIMEOUT_MS, &resp, &ignored) < 0 ||
	    resp.status != 200 || resp.body.len == 0 || resp.body.len >= 512)
		return 0;
	memcpy(token, resp.body.data, resp.body.len + 1);
	return 1;
}

int scar_aws_keys_of_machine(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
			     struct scar_err *err)
{
	const char *disabled = scar_aws_settings_env(&aws->shared->settings,
						     "AWS_EC2_METADATA_DISABLED");
	scar_http_response_auto struct scar_http_response resp;
	char token[512], role[256];

	scar_http_response_init(&resp);
	if ((disabled && strcasecmp(disabled, "true") == 0) || !machine_token(aws, token))
		return 0;
	/* A machine without a role has none to give. */
	if (machine_get(aws, ROLES_PATH, "", token, &resp, err) < 0)
		return -1;
	if (resp.status != 200 || resp.body.len == 0 || resp.body.len >= sizeof role)
		return 0;
	snprintf(role, sizeof role, "%.*s", (int)strcspn(resp.body.data, "\r\n"), resp.body.data);
	if (machine_get(aws, ROLES_PATH, role, token, &resp, err) < 0 ||
	    read_document(&resp, "this machine's role", ret_keys, err) < 0)
		return -1;
	explicit_bzero(resp.body.data, resp.body.len);
	return 1;
}
