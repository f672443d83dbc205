/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/http_answer.h"

#include <string.h>
#include <strings.h>

#include "invoke/failure.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* All fields of an answer: ours, the content type, the program's. */
struct fields {
	struct scar_content_field list[SCAR_CONTENT_FIELDS + 4];
	size_t count;
};

static void add(struct fields *fields, const char *name, const char *value)
{
	if (value && *value)
		fields->list[fields->count++] = (struct scar_content_field){name, value};
}

/* Of one hop, or known better by whoever sends the body on. */
static bool is_ours(const char *name)
{
	static const char *const names[] = {"connection", "content-length", "transfer-encoding",
					    "keep-alive", "upgrade",        "trailer"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static void collect(const struct scar_http_answer *answer, const void *body, size_t len,
		    struct fields *fields)
{
	const struct scar_content_head *head = answer->head;

	add(fields, "amz-lambda-request-id", answer->request_id);
	add(fields, "amz-log-group-name", answer->log_group);
	add(fields, "amz-log-stream-name", answer->log_stream);
	if (!head || !scar_content_head_get(head, "Content-Type"))
		add(fields, "content-type",
		    answer->content_type ? answer->content_type : scar_content_sniff(body, len));
	for (size_t i = 0; head && i < head->count; i++) {
		if (!is_ours(head->fields[i].name))
			add(fields, head->fields[i].name, head->fields[i].value);
	}
}

static int append_text(struct scar_buf *text, const char *value, struct scar_err *err)
{
	return scar_json_append_string(text, value, strlen(value), err);
}

static bool is_cookie(const struct scar_content_field *field)
{
	return strcasecmp(field->name, "set-cookie") == 0;
}

static bool came_before(const struct fields *fields, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcasecmp(fields->list[j].name, fields->list[i].name) == 0)
			return true;
	}
	return false;
}

/* All values of a name, from its first on: "a, b", or with `list` ["a","b"]. */
static int append_values(const struct fields *fields, size_t first, bool list,
			 struct scar_buf *text, struct scar_err *err)
{
	scar_buf_auto struct scar_buf joined;

	scar_buf_init(&joined, SCAR_LIMIT_RESPONSE_BYTES);
	for (size_t i = first; i < fields->count; i++) {
		if (strcasecmp(fields->list[i].name, fields->list[first].name) != 0)
			continue;
		if (joined.len > 0 && scar_buf_append_str(&joined, list ? "," : ", ", err) < 0)
			return -1;
		if ((list ? append_text(&joined, fields->list[i].value, err)
			  : scar_buf_append_str(&joined, fields->list[i].value, err)) < 0)
			return -1;
	}
	if (!list)
		return append_text(text, joined.data, err);
	return scar_buf_printf(text, err, "[%s]", joined.data);
}

/* "key":{...} with every name once. cookies: those alone, or all but those; NULL: no difference is made. */
static int append_fields(const struct fields *fields, const char *key, bool list,
			 const bool *cookies, struct scar_buf *text, struct scar_err *err)
{
	bool any = false;

	if (scar_buf_printf(text, err, ",\"%s\":{", key) < 0)
		return -1;
	for (size_t i = 0; i < fields->count; i++) {
		if (came_before(fields, i) || (cookies && is_cookie(&fields->list[i]) != *cookies))
			continue;
		if ((any && scar_buf_append_char(text, ',', err) < 0) ||
		    append_text(text, fields->list[i].name, err) < 0 ||
		    scar_buf_append_char(text, ':', err) < 0 ||
		    append_values(fields, i, list, text, err) < 0)
			return -1;
		any = true;
	}
	return scar_buf_append_char(text, '}', err);
}

static bool has_cookies(const struct fields *fields, size_t *ret_first)
{
	for (size_t i = 0; i < fields->count; i++) {
		*ret_first = i;
		if (is_cookie(&fields->list[i]))
			return true;
	}
	return false;
}

/* Cookies cannot be joined by commas: each form has a way of its own to give several. */
static int append_all_fields(const struct scar_http_answer *answer, bool prelude,
			     const struct fields *fields, struct scar_buf *text,
			     struct scar_err *err)
{
	const bool with = true, without = false;
	size_t first = 0;

	if (answer->form == SCAR_EVENT_HTTP_ALB && answer->multi_value)
		return append_fields(fields, "multiValueHeaders", true, NULL, text, err);
	if (answer->form == SCAR_EVENT_HTTP_ALB)
		return append_fields(fields, "headers", false, NULL, text, err);
	if (append_fields(fields, "headers", false, &without, text, err) < 0)
		return -1;
	if (!has_cookies(fields, &first))
		return 0;
	if (answer->form == SCAR_EVENT_HTTP_V1 && !prelude)
		return append_fields(fields, "multiValueHeaders", true, &with, text, err);
	if (scar_buf_append_str(text, ",\"cookies\":", err) < 0)
		return -1;
	return append_values(fields, first, true, text, err);
}

static int append_head(const struct scar_http_answer *answer, bool prelude, const void *body,
		       size_t len, struct scar_buf *text, struct scar_err *err)
{
	struct fields fields = {.count = 0};

	collect(answer, body, len, &fields);
	if (scar_buf_printf(text, err, "{\"statusCode\":%d", answer->status) < 0)
		return -1;
	return append_all_fields(answer, prelude, &fields, text, err);
}

int scar_http_answer_document(const struct scar_http_answer *answer, const void *body, size_t len,
			      struct scar_buf *ret_document, struct scar_err *err)
{
	bool plain = answer->plain_text && scar_content_is_text(body, len, true);

	if (append_head(answer, false, body, len, ret_document, err) < 0 ||
	    scar_buf_append_str(ret_document, ",\"body\":", err) < 0)
		return -1;
	if (plain) {
		if (scar_json_append_string(ret_document, body, len, err) < 0)
			return -1;
	} else if (scar_buf_append_char(ret_document, '"', err) < 0 ||
		   scar_base64_encode(body, len, ret_document, err) < 0 ||
		   scar_buf_append_char(ret_document, '"', err) < 0) {
		return -1;
	}
	return scar_buf_printf(ret_document, err, ",\"isBase64Encoded\":%s}",
			       plain ? "false" : "true");
}

int scar_http_answer_prelude(const struct scar_http_answer *answer, const void *body, size_t len,
			     struct scar_buf *ret_prelude, struct scar_err *err)
{
	if (append_head(answer, true, body, len, ret_prelude, err) < 0)
		return -1;
	return scar_buf_append(ret_prelude, "}\0\0\0\0\0\0\0\0", 9, err);
}

int scar_http_answer_failure(const struct scar_failure *failure, struct scar_buf *ret_body,
			     struct scar_err *err)
{
	if (scar_buf_append_str(ret_body, "{\"exception\":", err) < 0 ||
	    append_text(ret_body, failure->message, err) < 0 ||
	    scar_buf_append_str(ret_body, ",\"errorType\":", err) < 0 ||
	    append_text(ret_body, failure->type, err) < 0)
		return -1;
	if (failure->ran &&
	    scar_buf_printf(ret_body, err, ",\"exitCode\":%d", failure->exit_code) < 0)
		return -1;
	return scar_buf_append_char(ret_body, '}', err);
}
