/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests: API Gateway's REST API (and HTTP API with payload format 1.0), HTTP API and function URLs (format 2.0), and the Application Load
 * Balancer.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* ---- whose it is ---- */

static const struct scar_json *context_of(const struct scar_json *root)
{
	return scar_json_get(root, "requestContext");
}

static bool is_format_2(const struct scar_json *root)
{
	const char *version = scar_json_string(scar_json_get(root, "version"));

	return version && strcmp(version, "2.0") == 0 &&
	       scar_json_string(scar_json_get(scar_json_get(context_of(root), "http"), "method"));
}

static bool claims_function_url(const struct scar_json *root)
{
	const char *domain = scar_json_string(scar_json_get(context_of(root), "domainName"));

	return is_format_2(root) && domain && strstr(domain, ".lambda-url.");
}

static bool claims_http_api(const struct scar_json *root)
{
	return is_format_2(root);
}

static bool claims_alb(const struct scar_json *root)
{
	return scar_json_string(scar_json_get(root, "httpMethod")) &&
	       scar_json_get(context_of(root), "elb");
}

static bool claims_api_gateway(const struct scar_json *root)
{
	return scar_json_string(scar_json_get(root, "httpMethod"));
}

/* ---- fields and parameters ---- */

static int add_lower(struct scar_event_pairs *pairs, const char *name, const char *value,
		     struct scar_err *err)
{
	if (scar_event_pairs_add(pairs, name, value, err) < 0)
		return -1;
	for (char *c = pairs->list[pairs->count - 1].name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

typedef int (*adder)(struct scar_event_pairs *pairs, const char *name, const char *value,
		     struct scar_err *err);

/* {"name": "value"} */
static int add_single(const struct scar_json *object, adder add, struct scar_event_pairs *pairs,
		      struct scar_err *err)
{
	for (const struct scar_json *member = scar_json_first(object); member;
	     member = scar_json_next(member)) {
		const char *value = scar_json_string(member);

		if (value && scar_json_key(member) &&
		    add(pairs, scar_json_key(member), value, err) < 0)
			return -1;
	}
	return 0;
}

/* {"name": ["value", ...]} */
static int add_multi(const struct scar_json *object, adder add, struct scar_event_pairs *pairs,
		     struct scar_err *err)
{
	for (const struct scar_json *member = scar_json_first(object); member;
	     member = scar_json_next(member)) {
		for (const struct scar_json *item = scar_json_first(member); item;
		     item = scar_json_next(item)) {
			const char *value = scar_json_string(item);

			if (value && scar_json_key(member) &&
			    add(pairs, scar_json_key(member), value, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* Where there are lists, they hold all; the plain object then has only the last of each name. */
static int add_either(const struct scar_json *multi, const struct scar_json *single, adder add,
		      struct scar_event_pairs *pairs, struct scar_err *err)
{
	return scar_json_size(multi) > 0 ? add_multi(multi, add, pairs, err)
					 : add_single(single, add, pairs, err);
}

/* name=value&name=value */
static int add_query(const char *query, struct scar_event_pairs *pairs, struct scar_err *err)
{
	scar_free_auto char *copy = strdup(query);
	char *rest = copy, *part;

	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an event");
	while ((part = strsep(&rest, "&"))) {
		scar_free_auto char *name = NULL;
		scar_free_auto char *value = NULL;
		char *equals = strchr(part, '=');

		if (!*part)
			continue;
		if (equals)
			*equals = '\0';
		if (scar_event_unquote(part, &name, err) < 0 ||
		    scar_event_unquote(equals ? equals + 1 : "", &value, err) < 0 ||
		    scar_event_pairs_add(pairs, name, value, err) < 0)
			return -1;
	}
	return 0;
}

static int quote(struct scar_buf *buf, const char *text, struct scar_err *err)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c < 0x80 && isalnum(c)) || strchr("-._~", c);

		if ((plain ? scar_buf_append_char(buf, *text, err)
			   : scar_buf_printf(buf, err, "%%%02X", c)) < 0)
			return -1;
	}
	return 0;
}

static int make_query(const struct scar_event_pairs *pairs, bool quoted, char **ret_query,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf query;

	scar_buf_init(&query, 4 * SCAR_LIMIT_EVENT_BYTES);
	for (size_t i = 0; i < pairs->count; i++) {
		const struct scar_event_pair *pair = &pairs->list[i];

		if ((i && scar_buf_append_char(&query, '&', err) < 0) ||
		    (quoted ? quote(&query, pair->name, err)
			    : scar_buf_append_str(&query, pair->name, err)) < 0 ||
		    scar_buf_append_char(&query, '=', err) < 0 ||
		    (quoted ? quote(&query, pair->value, err)
			    : scar_buf_append_str(&query, pair->value, err)) < 0)
			return -1;
	}
	*ret_query = scar_buf_steal(&query);
	return *ret_query ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an event");
}

/* ---- requests ---- */

static int read_body(const struct scar_event_reader *reader, const struct scar_json *root,
		     struct scar_err *err)
{
	const char *body = scar_json_string(scar_json_get(root, "body"));
	struct scar_event_item *item = NULL;

	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0)
		return -1;
	if (body && scar_json_bool(scar_json_get(root, "isBase64Encoded"), false))
		return scar_event_set_payload_base64(item, body, err);
	return scar_event_set_payload(item, body ? body : "", body ? strlen(body) : 0, err);
}

static int begin(const struct scar_event_reader *reader, enum scar_event_http_form form,
		 const struct scar_json *root, struct scar_err *err)
{
	reader->event->is_http = true;
	reader->event->reply = SCAR_EVENT_REPLY_HTTP;
	reader->event->http.form = form;
	return read_body(reader, root, err);
}

/* Format 1.0. The load balancer brings parameters as they were sent, API Gateway decoded. */
static int read_format_1(const struct scar_event_reader *reader, enum scar_event_http_form form,
			 const struct scar_json *root, struct scar_err *err)
{
	struct scar_event_http *http = &reader->event->http;
	const struct scar_json *multi = scar_json_get(root, "multiValueHeaders");
	const struct scar_json *identity = scar_json_get(context_of(root), "identity");

	if (begin(reader, form, root, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "httpMethod"), &http->method, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "path"), &http->path, err) < 0 ||
	    scar_event_copy(scar_json_get(identity, "sourceIp"), &http->peer_address, err) < 0 ||
	    scar_event_copy(scar_json_get(context_of(root), "domainName"), &http->domain, err) < 0)
		return -1;
	http->multi_value = form == SCAR_EVENT_HTTP_ALB && multi;
	if (add_either(multi, scar_json_get(root, "headers"), add_lower, &http->fields, err) < 0 ||
	    add_either(scar_json_get(root, "multiValueQueryStringParameters"),
		       scar_json_get(root, "queryStringParameters"), scar_event_pairs_add,
		       &http->parameters, err) < 0 ||
	    make_query(&http->parameters, form == SCAR_EVENT_HTTP_V1, &http->query, err) < 0)
		return -1;
	return 0;
}

static int read_api_gateway(const struct scar_event_reader *reader, const struct scar_json *root,
			    struct scar_err *err)
{
	return read_format_1(reader, SCAR_EVENT_HTTP_V1, root, err);
}

static int read_alb(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	struct scar_event_http *http = &reader->event->http;

	if (read_format_1(reader, SCAR_EVENT_HTTP_ALB, root, err) < 0)
		return -1;
	scar_event_pairs_clear(&http->parameters);
	return add_query(http->query, &http->parameters, err);
}

/* Cookies are taken out of the header fields in format 2.0. */
static int add_cookies(const struct scar_json *cookies, struct scar_event_pairs *fields,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf value;

	scar_buf_init(&value, SCAR_LIMIT_EVENT_BYTES);
	for (const struct scar_json *item = scar_json_first(cookies); item;
	     item = scar_json_next(item)) {
		const char *cookie = scar_json_string(item);

		if (!cookie)
			continue;
		if ((value.len > 0 && scar_buf_append_str(&value, "; ", err) < 0) ||
		    scar_buf_append_str(&value, cookie, err) < 0)
			return -1;
	}
	return value.len > 0 ? scar_event_pairs_add(fields, "cookie", value.data, err) : 0;
}

static int read_format_2(const struct scar_event_reader *reader, const struct scar_json *root,
			 struct scar_err *err)
{
	struct scar_event_http *http = &reader->event->http;
	const struct scar_json *context = context_of(root), *told = scar_json_get(context, "http");

	if (begin(reader, SCAR_EVENT_HTTP_V2, root, err) < 0 ||
	    scar_event_copy(scar_json_get(told, "method"), &http->method, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "rawPath"), &http->path, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "rawQueryString"), &http->query, err) < 0 ||
	    scar_event_copy(scar_json_get(told, "sourceIp"), &http->peer_address, err) < 0 ||
	    scar_event_copy(scar_json_get(context, "domainName"), &http->domain, err) < 0 ||
	    add_single(scar_json_get(root, "headers"), add_lower, &http->fields, err) < 0 ||
	    add_cookies(scar_json_get(root, "cookies"), &http->fields, err) < 0)
		return -1;
	return http->query ? add_query(http->query, &http->parameters, err) : 0;
}

const struct scar_event_family scar_event_api_gateway = {
	.name = "api-gateway", .claims = claims_api_gateway, .read = read_api_gateway};
const struct scar_event_family scar_event_alb = {
	.name = "alb", .claims = claims_alb, .read = read_alb};
const struct scar_event_family scar_event_http_api = {
	.name = "http-api", .claims = claims_http_api, .read = read_format_2};
const struct scar_event_family scar_event_function_url = {
	.name = "function-url", .claims = claims_function_url, .read = read_format_2};
