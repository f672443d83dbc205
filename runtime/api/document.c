/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/document.h"

#include <string.h>

#include "runtime/api/response.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define TYPE_MAX 128

/* The service accepts dotted words and turns all else into Runtime.Unknown itself. */
static bool type_ok(const char *type)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(type);

	return len > 0 && len <= TYPE_MAX && strspn(type, good) == len;
}

const char *scar_document_type(const struct scar_function_error *error)
{
	return error->error_type && type_ok(error->error_type) ? error->error_type
							       : "Runtime.Unknown";
}

static int append_member(struct scar_buf *buf, const char *key, const char *text,
			 struct scar_err *err)
{
	if (scar_buf_printf(buf, err, "\"%s\":", key) < 0)
		return -1;
	return scar_json_append_string(buf, text, strlen(text), err);
}

static int append_stack(struct scar_buf *buf, const char *const *stack, struct scar_err *err)
{
	if (scar_buf_append_str(buf, ",\"stackTrace\":[", err) < 0)
		return -1;
	for (size_t i = 0; stack && stack[i]; i++) {
		if ((i > 0 && scar_buf_append_char(buf, ',', err) < 0) ||
		    scar_json_append_string(buf, stack[i], strlen(stack[i]), err) < 0)
			return -1;
	}
	return scar_buf_append_char(buf, ']', err);
}

static int append_all(struct scar_buf *buf, const struct scar_function_error *error,
		      struct scar_err *err)
{
	const char *message = error->error_message ? error->error_message : "";

	if (scar_buf_append_char(buf, '{', err) < 0 ||
	    append_member(buf, "errorMessage", message, err) < 0 ||
	    scar_buf_append_char(buf, ',', err) < 0 ||
	    append_member(buf, "errorType", scar_document_type(error), err) < 0 ||
	    append_stack(buf, error->stack_trace, err) < 0)
		return -1;
	if (error->extra_json && *error->extra_json &&
	    (scar_buf_append_char(buf, ',', err) < 0 ||
	     scar_buf_append_str(buf, error->extra_json, err) < 0))
		return -1;
	return scar_buf_append_char(buf, '}', err);
}

int scar_document_append(struct scar_buf *buf, const struct scar_function_error *error,
			 size_t max_bytes, struct scar_err *err)
{
	struct scar_function_error less = *error;
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, max_bytes);
	if (append_all(&text, &less, err) == 0)
		return scar_buf_append(buf, text.data, text.len, err);
	if (err->kind != SCAR_ERR_LIMIT)
		return -1;
	less.extra_json = NULL;
	scar_buf_reset(&text);
	if (append_all(&text, &less, err) == 0)
		return scar_buf_append(buf, text.data, text.len, err);
	if (err->kind != SCAR_ERR_LIMIT)
		return -1;
	less.stack_trace = NULL;
	scar_buf_reset(&text);
	if (append_all(&text, &less, err) < 0)
		return -1;
	return scar_buf_append(buf, text.data, text.len, err);
}
