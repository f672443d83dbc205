/* SPDX-License-Identifier: Apache-2.0 */
/* What a program prints: its type, its header fields, and the answer made of both. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/content.h"
#include "invoke/http_answer.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(const struct scar_buf *text, size_t len)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err err;

	/* An answer that is no JSON would be an error of ours to the caller. */
	if (scar_json_parse(text->data, len, "answer", &root, &err) < 0 ||
	    scar_json_type(root) != SCAR_JSON_OBJECT)
		abort();
}

static void answer(enum scar_event_http_form form, bool multi, const struct scar_content_head *head,
		   const uint8_t *body, size_t len)
{
	const struct scar_http_answer http = {.form = form,
					      .multi_value = multi,
					      .plain_text = multi,
					      .request_id = "id",
					      .status = head ? head->status : 200,
					      .head = head};
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	scar_buf_init(&text, 8 << 20);
	if (scar_http_answer_document(&http, body, len, &text, &err) < 0)
		abort();
	check_json(&text, text.len);
	scar_buf_reset(&text);
	if (scar_http_answer_prelude(&http, body, len, &text, &err) < 0 || text.len < 8)
		abort();
	/* The first NUL byte ends the prelude for who reads it. */
	if (strlen(text.data) != text.len - 8)
		abort();
	check_json(&text, text.len - 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_content_head_auto struct scar_content_head head = {0};
	struct scar_err err;
	size_t len = 0;
	int got = scar_content_read_head((const char *)data, size, true, &head, &len, &err);
	const struct scar_content_head *told = got == 1 ? &head : NULL;

	if (got == 0 || (got == 1 && (len > size || head.status < 200 || head.status > 599)))
		abort();
	if (!scar_content_sniff(data, size))
		abort();
	answer(SCAR_EVENT_HTTP_V1, false, told, data + len, size - len);
	answer(SCAR_EVENT_HTTP_V2, true, told, data + len, size - len);
	answer(SCAR_EVENT_HTTP_ALB, true, told, data + len, size - len);
	answer(SCAR_EVENT_HTTP_ALB, false, told, data + len, size - len);
	return 0;
}
