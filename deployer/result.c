/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/result.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* As timeout(1) does. */
#define EXIT_TIMED_OUT 124

static int code_of_type(const char *type)
{
	if (strcmp(type, "Sandbox.Timedout") == 0)
		return EXIT_TIMED_OUT;
	for (unsigned kind = 1; kind < SCAR_ERR_KINDS; kind++) {
		const struct scar_err_info *info = scar_err_info((enum scar_err_kind)kind);

		if (strcmp(info->error_type, type) == 0)
			return info->exit_code;
	}
	return 1;
}

static void take_document(const struct scar_json *root, struct scar_result *result,
			  struct scar_buf *output)
{
	const char *type = scar_json_string(scar_json_get(root, "errorType"));
	const char *message = scar_json_string(scar_json_get(root, "errorMessage"));
	const char *text = scar_json_string(scar_json_get(root, "stdout"));
	struct scar_err bad;
	int64_t code;

	if (type)
		snprintf(result->type, sizeof(result->type), "%s", type);
	if (message)
		snprintf(result->message, sizeof(result->message), "%s", message);
	/* A document that is not as ours is still a failure; there is only less to show of it. */
	if (text && scar_base64_decode(text, output, &bad) < 0)
		scar_buf_clear(output);
	result->exit_code = code_of_type(result->type);
	if (scar_json_int(scar_json_get(root, "exitCode"), &code) == 0 && code > 0 && code < 256) {
		result->exit_code = (int)code;
		result->has_exit_code = 1;
	}
}

void scar_result_parse(const char *error_type, const struct scar_buf *document,
		       struct scar_result *ret_result, struct scar_buf *output)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_result result = {.exit_code = 1};
	struct scar_err err;

	snprintf(result.type, sizeof(result.type), "%s", error_type);
	result.exit_code = code_of_type(result.type);
	if (scar_json_parse(document->data, document->len, "error document", &root, &err) == 0)
		take_document(root, &result, output);
	*ret_result = result;
}
