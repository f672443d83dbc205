/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/loop.h"

#include <stdlib.h>

#include "runtime/api/client.h"
#include "runtime/api/protocol.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

#define REFUSED_PAUSE_MS 100
#define REFUSED_MAX 100

struct scar_function_error scar_function_error_from(const struct scar_err *err)
{
	return (struct scar_function_error){
		.error_type = scar_err_info(err->kind)->error_type,
		.error_message = err->msg,
	};
}

static void tell(const struct scar_loop_options *options, const struct scar_err *err)
{
	if (options->problem)
		options->problem(options->ctx, err);
}

/* Programs started by the handler inherit it, as with Lambda's own runtimes. */
static int set_trace(const char *trace_id, struct scar_err *err)
{
	int result = trace_id ? setenv(SCAR_API_TRACE_VARIABLE, trace_id, 1)
			      : unsetenv(SCAR_API_TRACE_VARIABLE);

	return result == 0 ? 0
			   : scar_err_set(err, SCAR_ERR_NOMEM, "cannot set %s",
					  SCAR_API_TRACE_VARIABLE);
}

static int answer(const struct scar_loop_options *options, const struct scar_invocation *invocation,
		  struct scar_response *response, struct scar_err *err)
{
	struct scar_function_error error;
	struct scar_err failure;

	scar_err_clear(&failure);
	if (set_trace(invocation->trace_id, &failure) == 0 &&
	    options->handler(options->ctx, invocation, response, &failure) == 0)
		return scar_response_finished(response) ? 0 : scar_response_end(response, err);
	if (scar_response_finished(response)) {
		*err = failure;
		return -1;
	}
	error = scar_function_error_from(&failure);
	return scar_response_fail(response, &error, err);
}

static int serve(const struct scar_loop_options *options, struct scar_client *client,
		 const struct scar_invocation *invocation, struct scar_err *err)
{
	scar_response_auto struct scar_response *response = NULL;

	if (scar_client_response(client, invocation->request_id, &response, err) < 0)
		return -1;
	return answer(options, invocation, response, err);
}

static int run(const struct scar_loop_options *options, struct scar_client *client,
	       struct scar_err *err)
{
	scar_invocation_auto struct scar_invocation invocation;
	unsigned refused = 0;

	scar_invocation_init(&invocation);
	for (;;) {
		int got = scar_client_next(client, &invocation, err);

		if (got < 0)
			return -1;
		if (got == 0) {
			/* Asking again puts a confused service back in step, but not if it never ends. */
			if (++refused == REFUSED_MAX)
				return scar_err_set(err, SCAR_ERR_PROTOCOL,
						    "the service gives no invocation");
			scar_clock_sleep_ms(REFUSED_PAUSE_MS);
			continue;
		}
		refused = 0;
		scar_log_set_request_id(invocation.request_id);
		/* What went wrong with one answer is no reason to stop; next tells whether more follow. */
		if (serve(options, client, &invocation, err) < 0)
			tell(options, err);
		scar_log_set_request_id(NULL);
	}
}

static struct scar_client_options client_options(const struct scar_loop_options *options)
{
	return (struct scar_client_options){
		.api = options->api,
		.connect_timeout_ms = options->connect_timeout_ms,
		.retry_for_ms = options->retry_for_ms,
	};
}

int scar_loop_run(const struct scar_loop_options *options, struct scar_err *err)
{
	const struct scar_client_options settings = client_options(options);
	scar_client_auto struct scar_client *client = NULL;

	if (scar_client_create(&settings, &client, err) < 0)
		return -1;
	return run(options, client, err);
}

int scar_loop_init_error(const char *api, const struct scar_function_error *error,
			 struct scar_err *err)
{
	const struct scar_client_options settings = {.api = api};
	scar_client_auto struct scar_client *client = NULL;

	if (scar_client_create(&settings, &client, err) < 0)
		return -1;
	return scar_client_init_error(client, error, err);
}
