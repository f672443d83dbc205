/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/client.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/api/exchange.h"
#include "runtime/api/protocol.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define DEFAULT_CONNECT_MS 1000
#define DEFAULT_RETRY_MS 10000
#define REQUEST_ID_MAX 128

int scar_client_create(const struct scar_client_options *options, struct scar_client **ret_client,
		       struct scar_err *err)
{
	struct scar_client *client;

	if (!options->api || !*options->api || !scar_http1_value_ok(options->api))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "AWS_LAMBDA_RUNTIME_API must be host:port");
	client = calloc(1, sizeof(*client));
	if (!client)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	client->api = strdup(options->api);
	if (!client->api) {
		free(client);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	client->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms
								 : DEFAULT_CONNECT_MS;
	client->retry_for_ms = options->retry_for_ms ? options->retry_for_ms : DEFAULT_RETRY_MS;
	*ret_client = client;
	return 0;
}

void scar_client_free(struct scar_client *client)
{
	if (!client)
		return;
	scar_client_disconnect(client);
	free(client->api);
	free(client);
}

/* It becomes part of a path. */
static bool request_id_ok(const char *id)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t len = strlen(id);

	return len > 0 && len <= REQUEST_ID_MAX && strspn(id, good) == len && id[0] != '.';
}

static int keep(const struct scar_http1_message *msg, const char *name, char **ret_text,
		struct scar_err *err)
{
	const char *value = scar_http1_field(msg, name);

	if (!value || !*value)
		return 0;
	*ret_text = strdup(value);
	return *ret_text ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int64_t usable_deadline(const char *text)
{
	char *end;
	long long value;

	if (!text || !*text)
		return 0;
	value = strtoll(text, &end, 10);
	/* strtoll stops at its limits, which lie far enough in the future or the past. */
	return *end == '\0' && value > scar_clock_epoch_ms() ? (int64_t)value : 0;
}

static int keep_fields(const struct scar_http1_message *msg, struct scar_invocation *invocation,
		       struct scar_err *err)
{
	if (keep(msg, SCAR_API_REQUEST_ID, &invocation->request_id, err) < 0 ||
	    keep(msg, SCAR_API_TRACE_ID, &invocation->trace_id, err) < 0 ||
	    keep(msg, SCAR_API_CLIENT_CONTEXT, &invocation->client_context, err) < 0 ||
	    keep(msg, SCAR_API_COGNITO_IDENTITY, &invocation->cognito_identity, err) < 0 ||
	    keep(msg, SCAR_API_FUNCTION_ARN, &invocation->function_arn, err) < 0 ||
	    keep(msg, SCAR_API_TENANT_ID, &invocation->tenant_id, err) < 0 ||
	    keep(msg, "Content-Type", &invocation->content_type, err) < 0)
		return -1;
	invocation->deadline_ms = usable_deadline(scar_http1_field(msg, SCAR_API_DEADLINE_MS));
	return 0;
}

static int post_failure(struct scar_client *client, const char *request_id,
			const struct scar_function_error *error, struct scar_err *err)
{
	struct scar_response *response = NULL;
	int result;

	if (scar_client_response(client, request_id, &response, err) < 0)
		return -1;
	result = scar_response_fail(response, error, err);
	scar_response_free(response);
	return result;
}

/* The event does not fit: that is this invocation's failure, not the runtime's. */
static int refuse_event(struct scar_client *client, const char *request_id, struct scar_err *err)
{
	const struct scar_function_error error = {
		.error_type = "Runtime.EventTooLarge",
		.error_message = "the event is larger than Lambda allows",
	};

	scar_client_disconnect(client);
	if (post_failure(client, request_id, &error, err) < 0 && client->broken)
		return -1;
	return 0;
}

static int take_invocation(struct scar_client *client, struct scar_http1_message *msg,
			   struct scar_invocation *invocation, struct scar_err *err)
{
	const char *id = scar_http1_field(msg, SCAR_API_REQUEST_ID);

	if (msg->status != 200 || !id || !request_id_ok(id)) {
		scar_client_settle(client, msg);
		return 0;
	}
	if (keep_fields(msg, invocation, err) < 0)
		return -1;
	if (scar_http1_read_body_all(&client->conn, msg, &invocation->event, 0, err) < 0) {
		if (err->kind == SCAR_ERR_LIMIT)
			return refuse_event(client, id, err);
		scar_client_disconnect(client);
		return err->kind == SCAR_ERR_NOMEM ? -1 : 0;
	}
	if (!msg->keep_alive)
		scar_client_disconnect(client);
	return 1;
}

int scar_client_next(struct scar_client *client, struct scar_invocation *invocation,
		     struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;
	struct scar_http1_message msg;
	int result = -1;

	scar_buf_init(&head, 0);
	if (client->broken)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE,
				    "the service said that its state is beyond recovery");
	scar_invocation_clear(invocation);
	scar_http1_message_init(&msg);
	if (scar_client_head(client, &head, "GET", SCAR_API_NEXT, err) == 0 &&
	    scar_buf_append_str(&head, "\r\n", err) == 0 &&
	    scar_client_exchange(client, &head, NULL, 0, true, &msg, err) == 0) {
		if (msg.status >= 500)
			result = scar_client_verdict(client, "request for the next invocation",
						     msg.status, err);
		else
			result = take_invocation(client, &msg, invocation, err);
	}
	scar_http1_message_clear(&msg);
	if (result != 1)
		scar_invocation_clear(invocation);
	return result;
}

int scar_client_init_error(struct scar_client *client, const struct scar_function_error *error,
			   struct scar_err *err)
{
	return scar_client_post_error(client, SCAR_API_INIT_ERROR, error, err);
}
