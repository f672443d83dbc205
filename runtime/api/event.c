/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/event.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/limits.h"

void scar_invocation_init(struct scar_invocation *invocation)
{
	memset(invocation, 0, sizeof(*invocation));
	scar_buf_init(&invocation->event, SCAR_LIMIT_EVENT_BYTES);
}

void scar_invocation_clear(struct scar_invocation *invocation)
{
	free(invocation->request_id);
	free(invocation->trace_id);
	free(invocation->client_context);
	free(invocation->cognito_identity);
	free(invocation->function_arn);
	free(invocation->tenant_id);
	free(invocation->content_type);
	scar_buf_clear(&invocation->event);
	scar_invocation_init(invocation);
}
