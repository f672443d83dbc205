/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "runtime/base/http.h"
#include "runtime/base/limits.h"

void scar_http_response_init(struct scar_http_response *resp)
{
	resp->status = 0;
	resp->body_bytes = 0;
	scar_buf_init(&resp->headers, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&resp->body, SCAR_HTTP_BODY_DEFAULT);
}

void scar_http_response_clear(struct scar_http_response *resp)
{
	resp->status = 0;
	resp->body_bytes = 0;
	scar_buf_clear(&resp->headers);
	scar_buf_clear(&resp->body);
}

/* The value if the line is a field of that name, else NULL. */
static const char *value_of(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return NULL;
	return line + name_len + 1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int scar_http_header_get(const struct scar_http_response *resp, const char *name, unsigned nth,
			 char *value, size_t size)
{
	const char *line = resp->headers.data;

	while (*line) {
		size_t line_len = strcspn(line, "\n");
		const char *end = line + line_len;
		const char *text = value_of(line, line_len, name);

		if (text && nth-- == 0) {
			while (text < end && is_space(*text))
				text++;
			while (end > text && is_space(end[-1]))
				end--;
			if ((size_t)(end - text) >= size)
				return 0;
			memcpy(value, text, (size_t)(end - text));
			value[end - text] = '\0';
			return 1;
		}
		line += line_len + (line[line_len] == '\n');
	}
	return 0;
}
