/* SPDX-License-Identifier: Apache-2.0 */
/* Encodings of what events hold, and names made of it. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "invoke/events/family.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/utf8.h"

#define NAME_BYTES_MAX 255
#define EXTENSION_BYTES_MAX 32

int scar_event_set_payload_base64(struct scar_event_item *item, const char *text,
				  struct scar_err *err)
{
	item->has_payload = true;
	if (scar_base64_decode(text, &item->payload, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_NOMEM)
		err->kind = SCAR_ERR_EVENT;
	return scar_err_wrap(err, "event: data that should be base64");
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int scar_event_unquote(const char *text, char **ret_text, struct scar_err *err)
{
	scar_free_auto char *plain = malloc(strlen(text) + 1);
	size_t len = 0;

	if (!plain)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an event");
	while (*text) {
		int high = *text == '%' ? digit_of(text[1]) : -1;
		int low = high >= 0 ? digit_of(text[2]) : -1;

		if (low < 0) {
			plain[len++] = *text == '+' ? ' ' : *text;
			text++;
			continue;
		}
		if (high == 0 && low == 0)
			return scar_err_set(err, SCAR_ERR_EVENT, "event: a key holds a NUL byte");
		plain[len++] = (char)(high << 4 | low);
		text += 3;
	}
	plain[len] = '\0';
	*ret_text = scar_steal(plain);
	return 0;
}

const char *scar_event_pairs_get(const struct scar_event_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (strcasecmp(pairs->list[i].name, name) == 0)
			return pairs->list[i].value;
	}
	return NULL;
}

/* Cuts a name to what file systems take, before its extension, where UTF-8 lets it. */
static void cut_name(char *name)
{
	size_t len = strlen(name), keep;
	const char *dot = strrchr(name, '.');
	size_t extension = dot ? strlen(dot) : 0;

	if (len <= NAME_BYTES_MAX)
		return;
	if (extension > EXTENSION_BYTES_MAX)
		extension = 0;
	keep = NAME_BYTES_MAX - extension;
	while (keep > 0 && ((unsigned char)name[keep] & 0xc0) == 0x80)
		keep--;
	memmove(name + keep, name + len - extension, extension + 1);
}

int scar_event_file_name(const char *key, char **ret_name, struct scar_err *err)
{
	const char *slash = strrchr(key, '/');
	const char *last = slash ? slash + 1 : key;
	bool bad = !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
	char *name = strdup(bad ? "object" : last);

	if (!name)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a file name");
	cut_name(name);
	*ret_name = name;
	return 0;
}
