/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/event_variables.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "invoke/events/event.h"
#include "invoke/text.h"
#include "runtime/base/limits.h"

#define NAME_BYTES 256

struct target {
	struct scar_list *list;
	size_t bytes;
};

static int set(struct target *target, const char *name, const char *value, struct scar_err *err)
{
	size_t size = strlen(name) + (value ? strlen(value) : 0) + 2;

	if (!value || size >= SCAR_LIMIT_ARG_BYTES ||
	    target->bytes + size > SCAR_EVENT_VARIABLES_BYTES)
		return 0;
	target->bytes += size;
	return scar_list_set_variable(target->list, name, strlen(name), value, err);
}

/* PREFIX and a name made of letters, digits and '_'. upper: as CGI names fields. @return false if it is none */
static bool make_name(const char *prefix, const char *text, bool upper, char name[NAME_BYTES])
{
	size_t len = strlen(prefix);

	if (!*text || strlen(text) + len >= NAME_BYTES || (!upper && isdigit((unsigned char)*text)))
		return false;
	memcpy(name, prefix, len);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x80 || !(isalnum(c) || c == '_' || (upper && c == '-')))
			return false;
		name[len++] = (char)(upper ? c == '-' ? '_' : toupper(c) : c);
	}
	name[len] = '\0';
	return true;
}

static bool is_set(const struct scar_list *list, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], name, len) == 0 && list->items[i][len] == '=')
			return true;
	}
	return false;
}

static int set_parameters(struct target *target, const struct scar_event_pairs *pairs,
			  struct scar_err *err)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < pairs->count; i++) {
		if (make_name("CONT_VAR_", pairs->list[i].name, false, name) &&
		    !is_set(target->list, name) && set(target, name, pairs->list[i].value, err) < 0)
			return -1;
	}
	return 0;
}

static bool has_other_name(const char *field)
{
	return strcmp(field, "content-type") == 0 || strcmp(field, "content-length") == 0 ||
	       strcmp(field, "proxy") == 0;
}

static int set_fields(struct target *target, const struct scar_event_pairs *pairs,
		      struct scar_err *err)
{
	char name[NAME_BYTES];

	for (size_t i = 0; i < pairs->count; i++) {
		if (!has_other_name(pairs->list[i].name) &&
		    make_name("HTTP_", pairs->list[i].name, true, name) &&
		    set(target, name, pairs->list[i].value, err) < 0)
			return -1;
	}
	return 0;
}

int scar_event_variables(const struct scar_event *event, size_t body_len, struct scar_list *list,
			 struct scar_err *err)
{
	const struct scar_event_http *http = event ? &event->http : NULL;
	struct target target = {.list = list};
	char length[32];

	if (!event || !event->is_http)
		return 0;
	snprintf(length, sizeof length, "%zu", body_len);
	if (set(&target, "GATEWAY_INTERFACE", "CGI/1.1", err) < 0 ||
	    set(&target, "SERVER_PROTOCOL", "HTTP/1.1", err) < 0 ||
	    set(&target, "SCRIPT_NAME", "", err) < 0 ||
	    set(&target, "REQUEST_METHOD", http->method, err) < 0 ||
	    set(&target, "PATH_INFO", http->path, err) < 0 ||
	    set(&target, "QUERY_STRING", http->query ? http->query : "", err) < 0 ||
	    set(&target, "REMOTE_ADDR", http->peer_address, err) < 0 ||
	    set(&target, "SERVER_NAME", http->domain, err) < 0 ||
	    set(&target, "CONTENT_LENGTH", length, err) < 0 ||
	    set(&target, "CONTENT_TYPE", scar_event_pairs_get(&http->fields, "content-type"), err) <
		    0)
		return -1;
	if (set_parameters(&target, &http->parameters, err) < 0)
		return -1;
	return set_fields(&target, &http->fields, err);
}
