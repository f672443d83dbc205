/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/delegate.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "invoke/config.h"
#include "runtime/base/base64.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"
#include "runtime/base/sigv4.h"

#define PATH "/v1/submitjob"
#define TRIES 3
#define TRY_DELAY_MS 200
#define CALL_TIMEOUT_MS 15000

static const char *variable(const struct scar_invoke_config *config, const char *name)
{
	const char *value = scar_environment_get(config->environment, name);

	return value && *value ? value : NULL;
}

/* ---- what is asked for ---- */

static int append_pair(struct scar_buf *json, const char *name, const char *value, size_t len,
		       struct scar_err *err)
{
	if (scar_buf_printf(json, err, "%s{\"name\":\"%s\",\"value\":",
			    json->data[json->len - 1] == '[' ? "" : ",", name) < 0 ||
	    scar_json_append_string(json, value, len, err) < 0)
		return -1;
	return scar_buf_append_char(json, '}', err);
}

static int append_script(struct scar_buf *json, const struct scar_buf *script, struct scar_err *err)
{
	scar_buf_auto struct scar_buf base64;

	scar_buf_init(&base64, SCAR_DELEGATE_BYTES_MAX);
	if (scar_base64_encode(script->data, script->len, &base64, err) < 0)
		return -1;
	return append_pair(json, "SCRIPT", base64.data, base64.len, err);
}

static int append_variables(struct scar_buf *json, const struct scar_delegation *work,
			    struct scar_err *err)
{
	if (scar_buf_append_str(json, "{\"environment\":[", err) < 0 ||
	    append_pair(json, "AWS_LAMBDA_REQUEST_ID", work->request_id, strlen(work->request_id),
			err) < 0 ||
	    (work->event->len > 0 &&
	     append_pair(json, "EVENT", work->event->data, work->event->len, err) < 0) ||
	    (work->script && append_script(json, work->script, err) < 0))
		return -1;
	return scar_buf_append_str(json, "]}", err);
}

/* Of a multi-node job the main node gets the work; the others are its own. */
static int append_request(struct scar_buf *json, const struct scar_invoke_config *config,
			  const char *name, const struct scar_delegation *work,
			  struct scar_err *err)
{
	if (scar_buf_append_char(json, '{', err) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		static const char *const keys[] = {"jobName", "jobQueue", "jobDefinition"};

		if (scar_buf_printf(json, err, "\"%s\":", keys[i]) < 0 ||
		    scar_json_append_string(json, name, strlen(name), err) < 0 ||
		    scar_buf_append_char(json, ',', err) < 0)
			return -1;
	}
	if (scar_buf_append_str(json,
				config->multi_node
					? "\"nodeOverrides\":{\"nodePropertyOverrides\":[{"
					  "\"targetNodes\":\"0:\",\"containerOverrides\":"
					: "\"containerOverrides\":",
				err) < 0 ||
	    append_variables(json, work, err) < 0)
		return -1;
	return scar_buf_append_str(json, config->multi_node ? "}]}}" : "}", err);
}

static int make_request(struct scar_buf *json, const struct scar_invoke_config *config,
			const char *name, const struct scar_delegation *work, struct scar_err *err)
{
	if (memchr(work->event->len ? work->event->data : "", 0, work->event->len))
		return scar_err_set(err, SCAR_ERR_EVENT,
				    "the event holds a NUL byte, which no variable of a job can");
	if (append_request(json, config, name, work, err) == 0)
		return 0;
	return err->kind == SCAR_ERR_LIMIT
		       ? scar_err_set(
				 err, SCAR_ERR_LIMIT,
				 "event and script are more than the %zu bytes that a job of AWS "
				 "Batch is told: pass a file through S3",
				 SCAR_DELEGATE_BYTES_MAX)
		       : -1;
}

/* ---- the call ---- */

static int make_url(const struct scar_invoke_config *config, const char *region,
		    struct scar_buf *url, struct scar_err *err)
{
	const char *given = variable(config, "AWS_ENDPOINT_URL_BATCH");
	size_t len;

	if (!given)
		given = variable(config, "AWS_ENDPOINT_URL");
	if (!given)
		return scar_buf_printf(url, err, "https://batch.%s.amazonaws.com%s" PATH, region,
				       strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	for (len = strlen(given); len > 0 && given[len - 1] == '/'; len--)
		;
	return scar_buf_printf(url, err, "%.*s" PATH, (int)len, given);
}

static int send_once(const struct scar_invoke_config *config, struct scar_http *http,
		     const char *url, const char *region, const struct scar_buf *json,
		     struct scar_http_response *response, struct scar_err *err)
{
	const struct scar_http_header type = {"Content-Type", "application/json"};
	const struct scar_http_request request = {.method = "POST",
						  .url = url,
						  .headers = &type,
						  .header_count = 1,
						  .body = json->data,
						  .body_len = json->len,
						  .total_timeout_ms = CALL_TIMEOUT_MS,
						  .allow_plain = config->plain_http};

	return scar_sigv4_perform(http, region, "batch", &request, response, err);
}

/* ClientException is also what Batch says of a queue or job definition that is not there. */
static int judge(const struct scar_http_response *response, const char *name, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;
	const char *message = NULL;
	int status = response->status;

	if (status >= 200 && status < 300)
		return 0;
	if (scar_json_parse(response->body.data, response->body.len, "error", &root, &ignored) == 0)
		message = scar_json_string(scar_json_get(root, "message"));
	if (status == 403)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "AWS Batch denies it: the function's role needs "
				    "batch:SubmitJob%s%.300s",
				    message ? "; it says: " : "", message ? message : "");
	if (status == 429 || status >= 500)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "AWS Batch answers %d", status);
	return scar_err_set(err,
			    status == 400 || status == 404 ? SCAR_ERR_NOT_FOUND : SCAR_ERR_PROTOCOL,
			    "AWS Batch does not take a job for queue and job definition \"%s\" "
			    "(%d): %.300s",
			    name, status, message ? message : "it does not say why");
}

static int submit(const struct scar_invoke_config *config, const char *url, const char *region,
		  const char *name, const struct scar_buf *json,
		  struct scar_http_response *response, struct scar_err *err)
{
	const struct scar_http_options options = {.ca_bundle = config->ca_bundle};
	scar_http_auto struct scar_http *http = scar_http_create(&options, err);
	int64_t delay_ms = TRY_DELAY_MS;
	int failed = -1;

	/* A connection that broke may have submitted the job: only what was refused is tried again. */
	for (int i = 0; http && i < TRIES && failed; i++) {
		if (i)
			scar_clock_sleep_ms(delay_ms);
		delay_ms *= 3;
		if (send_once(config, http, url, region, json, response, err) < 0)
			return -1;
		failed = judge(response, name, err);
		if (failed && err->kind != SCAR_ERR_UNAVAILABLE)
			return -1;
	}
	return failed;
}

static int append_told(const struct scar_http_response *response, const char *name,
		       struct scar_buf *ret_text, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const char *id = NULL;

	if (scar_json_parse(response->body.data, response->body.len, "AWS Batch's answer", &answer,
			    err) < 0 ||
	    scar_json_need_string(answer, "jobId", "AWS Batch's answer", &id, err) < 0)
		return -1;
	return scar_buf_printf(ret_text, err,
			       "Job delegated to batch.\nCheck batch logs with:\n  scar log -n %s "
			       "-ri %s\n",
			       name, id);
}

int scar_delegate(const struct scar_invoke_config *config, const struct scar_delegation *work,
		  struct scar_buf *ret_text, struct scar_err *err)
{
	const char *name = variable(config, "AWS_LAMBDA_FUNCTION_NAME");
	const char *region = variable(config, "AWS_REGION");
	scar_http_response_auto struct scar_http_response response;
	scar_buf_auto struct scar_buf json, url;

	scar_http_response_init(&response);
	scar_buf_init(&json, SCAR_DELEGATE_BYTES_MAX);
	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (!region)
		region = variable(config, "AWS_DEFAULT_REGION");
	if (!name || !region)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "SCAR_EXECUTION_MODE wants AWS Batch, but %s is not set",
				    name ? "AWS_REGION" : "AWS_LAMBDA_FUNCTION_NAME");
	if (make_request(&json, config, name, work, err) < 0 ||
	    make_url(config, region, &url, err) < 0 ||
	    submit(config, url.data, region, name, &json, &response, err) < 0 ||
	    append_told(&response, name, ret_text, err) < 0)
		return scar_err_wrap(err, "cannot delegate to AWS Batch");
	return 0;
}
