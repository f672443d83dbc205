/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/url_event.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

#define DOMAIN "local.lambda-url.us-east-1.on.aws"

static int append_text(struct scar_buf *event, const char *text, size_t len, struct scar_err *err)
{
	return scar_json_append_string(event, text, len, err);
}

static int append_member(struct scar_buf *event, const char *key, const char *text, size_t len,
			 struct scar_err *err)
{
	if (scar_buf_printf(event, err, ",\"%s\":", key) < 0)
		return -1;
	return append_text(event, text, len, err);
}

/* ---- header fields ---- */

static bool came_before(const struct scar_http1_message *request, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcasecmp(request->fields[j].name, request->fields[i].name) == 0)
			return true;
	}
	return false;
}

/* "name":"a,b", the name in lower case. */
static int append_field(const struct scar_http1_message *request, size_t first,
			struct scar_buf *event, struct scar_err *err)
{
	scar_buf_auto struct scar_buf name;
	scar_buf_auto struct scar_buf value;

	scar_buf_init(&name, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&value, SCAR_LIMIT_HTTP_HEADER_BYTES);
	for (const char *c = request->fields[first].name; *c; c++) {
		if (scar_buf_append_char(&name, (char)tolower((unsigned char)*c), err) < 0)
			return -1;
	}
	for (size_t i = first; i < request->field_count; i++) {
		if (strcasecmp(request->fields[i].name, name.data) != 0)
			continue;
		if ((value.len > 0 && scar_buf_append_char(&value, ',', err) < 0) ||
		    scar_buf_append_str(&value, request->fields[i].value, err) < 0)
			return -1;
	}
	if (append_text(event, name.data, name.len, err) < 0 ||
	    scar_buf_append_char(event, ':', err) < 0)
		return -1;
	return append_text(event, value.data, value.len, err);
}

static int append_fields(const struct scar_http1_message *request, struct scar_buf *event,
			 struct scar_err *err)
{
	bool any = false;

	if (scar_buf_append_str(event, ",\"headers\":{", err) < 0)
		return -1;
	for (size_t i = 0; i < request->field_count; i++) {
		if (strcasecmp(request->fields[i].name, "cookie") == 0 || came_before(request, i))
			continue;
		if ((any && scar_buf_append_char(event, ',', err) < 0) ||
		    append_field(request, i, event, err) < 0)
			return -1;
		any = true;
	}
	return scar_buf_append_char(event, '}', err);
}

/* "cookies":["a=1","b=2"] */
static int append_cookies(const struct scar_http1_message *request, struct scar_buf *event,
			  struct scar_err *err)
{
	const char *cookie = scar_http1_field(request, "Cookie");
	bool any = false;

	if (!cookie)
		return 0;
	if (scar_buf_append_str(event, ",\"cookies\":[", err) < 0)
		return -1;
	while (*cookie) {
		size_t len = strcspn(cookie, ";");

		if ((any && scar_buf_append_char(event, ',', err) < 0) ||
		    append_text(event, cookie, len, err) < 0)
			return -1;
		any = true;
		cookie += len;
		cookie += strspn(cookie, "; ");
	}
	return scar_buf_append_char(event, ']', err);
}

/* ---- the rest ---- */

static int append_context(const struct scar_http1_message *request, size_t path_len, int64_t now_ms,
			  struct scar_buf *event, struct scar_err *err)
{
	const char *agent = scar_http1_field(request, "User-Agent");
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;
	char text[64] = "";

	if (gmtime_r(&now, &tm))
		(void)strftime(text, sizeof text, "%d/%b/%Y:%H:%M:%S +0000", &tm);
	if (scar_buf_append_str(
		    event,
		    ",\"requestContext\":{\"accountId\":\"anonymous\",\"apiId\":\"local\","
		    "\"domainName\":\"" DOMAIN "\",\"domainPrefix\":\"local\","
		    "\"routeKey\":\"$default\",\"stage\":\"$default\",\"http\":{"
		    "\"protocol\":\"HTTP/1.1\",\"sourceIp\":\"127.0.0.1\"",
		    err) < 0 ||
	    append_member(event, "method", request->method, strlen(request->method), err) < 0 ||
	    append_member(event, "path", request->target, path_len, err) < 0 ||
	    append_member(event, "userAgent", agent ? agent : "", agent ? strlen(agent) : 0, err) <
		    0)
		return -1;
	return scar_buf_printf(event, err, "},\"time\":\"%s\",\"timeEpoch\":%" PRId64 "}", text,
			       now_ms);
}

static bool is_textual(const char *type, const char *body, size_t len)
{
	static const char *const types[] = {"text/", "application/json", "application/xml",
					    "application/javascript",
					    "application/x-www-form-urlencoded"};
	bool fits = false;

	for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
		fits = fits || strncasecmp(type, types[i], strlen(types[i])) == 0;
	for (size_t size; fits && len > 0; body += size, len -= size) {
		size = scar_utf8_len(body, len);
		fits = size > 0 && *body != '\0';
	}
	return fits;
}

static int append_body(const struct scar_http1_message *request, const void *body, size_t len,
		       struct scar_buf *event, struct scar_err *err)
{
	bool text = is_textual(scar_http1_field(request, "Content-Type"), body, len);

	if (len == 0)
		return scar_buf_append_str(event, ",\"isBase64Encoded\":false}", err);
	if (text)
		return append_member(event, "body", body, len, err) < 0
			       ? -1
			       : scar_buf_append_str(event, ",\"isBase64Encoded\":false}", err);
	if (scar_buf_append_str(event, ",\"body\":\"", err) < 0 ||
	    scar_base64_encode(body, len, event, err) < 0)
		return -1;
	return scar_buf_append_str(event, "\",\"isBase64Encoded\":true}", err);
}

int scar_url_event_append(const struct scar_http1_message *request, const void *body, size_t len,
			  int64_t now_ms, struct scar_buf *event, struct scar_err *err)
{
	const char *target = request->target;
	size_t path_len = strcspn(target, "?");
	const char *query = target[path_len] ? target + path_len + 1 : "";

	if (scar_buf_append_str(event, "{\"version\":\"2.0\",\"routeKey\":\"$default\"", err) < 0 ||
	    append_member(event, "rawPath", target, path_len, err) < 0 ||
	    append_member(event, "rawQueryString", query, strlen(query), err) < 0 ||
	    append_cookies(request, event, err) < 0 || append_fields(request, event, err) < 0 ||
	    append_context(request, path_len, now_ms, event, err) < 0)
		return -1;
	return append_body(request, body, len, event, err);
}
