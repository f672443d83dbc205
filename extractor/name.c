/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/name.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/base/err.h"

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Takes the last component off path[0..len). @return the new length */
static size_t pop(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* Appends the cleaned components of text to path, separated by single slashes. */
static int clean(const char *text, char path[SCAR_LIMIT_PATH_BYTES], struct scar_err *err)
{
	size_t len = 0;

	while (*text) {
		size_t n = strcspn(text, "/");

		if (n == 2 && text[0] == '.' && text[1] == '.') {
			len = pop(path, len);
		} else if (n > 0 && !(n == 1 && text[0] == '.')) {
			if (n > NAME_MAX)
				return scar_err_set(err, SCAR_ERR_LIMIT,
						    "a file name is longer than %d bytes",
						    NAME_MAX);
			/* Slash and NUL. */
			if (len + n + 2 > SCAR_LIMIT_PATH_BYTES)
				return scar_err_set(err, SCAR_ERR_LIMIT,
						    "the path is longer than %d bytes",
						    SCAR_LIMIT_PATH_BYTES - 1);
			if (len > 0)
				path[len++] = '/';
			memcpy(path + len, text, n);
			len += n;
		}
		text += n;
		while (*text == '/')
			text++;
	}
	path[len] = '\0';
	return 0;
}

static bool below_meta(const char *parent)
{
	const char *component = parent;

	while (component) {
		if (starts_with(component, WHITEOUT_META))
			return true;
		component = strchr(component, '/');
		if (component)
			component++;
	}
	return false;
}

static int classify(struct scar_name *name, struct scar_err *err)
{
	bool opaque = strcmp(name->base, WHITEOUT_OPAQUE) == 0;

	if (below_meta(name->parent) || (starts_with(name->base, WHITEOUT_META) && !opaque)) {
		name->kind = SCAR_NAME_META;
	} else if (opaque) {
		name->kind = SCAR_NAME_OPAQUE;
	} else if (starts_with(name->base, WHITEOUT)) {
		name->kind = SCAR_NAME_WHITEOUT;
		name->base += strlen(WHITEOUT);
		if (name->base[0] == '\0' || scar_name_is_dots(name->base))
			return scar_err_set(err, SCAR_ERR_IMAGE, "a whiteout that names no file");
	} else {
		name->kind = SCAR_NAME_PLAIN;
	}
	return 0;
}

int scar_name_parse(const char *text, struct scar_name *ret_name, struct scar_err *err)
{
	char *slash;

	if (clean(text, ret_name->parent, err) < 0)
		return -1;
	slash = strrchr(ret_name->parent, '/');
	if (slash) {
		*slash = '\0';
		ret_name->base = slash + 1;
	} else {
		/* No parent: the base keeps the bytes, and parent must be "" before them. */
		memmove(ret_name->parent + 1, ret_name->parent, strlen(ret_name->parent) + 1);
		ret_name->parent[0] = '\0';
		ret_name->base = ret_name->parent + 1;
	}
	return classify(ret_name, err);
}
