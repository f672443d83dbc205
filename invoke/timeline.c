/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/timeline.h"

#include <string.h>

#include "runtime/api/event.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/trace.h"

#define KEY "scar-timeline"

bool scar_timeline_is_wanted(const struct scar_invocation *invocation)
{
	const char *context = invocation->client_context;
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err err;

	if (!context || !strstr(context, KEY) ||
	    scar_json_parse(context, strlen(context), "client context", &root, &err) < 0)
		return false;
	return scar_json_get(scar_json_get(root, "custom"), KEY) != NULL;
}

void scar_timeline_tell(void)
{
	scar_buf_auto struct scar_buf line;
	struct scar_err err;

	scar_buf_init(&line, SCAR_KIB(4));
	if (scar_trace_begin() && scar_trace_write(&line, &err) == 0)
		scar_info("%s", line.data);
}
