/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define TEXT_MAX SCAR_MIB(256)
#define COLUMNS_MAX 16

static int indent(struct scar_buf *text, unsigned depth, struct scar_err *err)
{
	return scar_buf_printf(text, err, "%*s", (int)(2 * depth), "");
}

static bool is_open(const struct scar_json *node)
{
	return scar_json_size(node) > 0;
}

/* ---- JSON ---- */

static int put_json(const struct scar_json *node, unsigned depth, struct scar_buf *text,
		    struct scar_err *err)
{
	bool object = scar_json_type(node) == SCAR_JSON_OBJECT;
	const struct scar_json *child;

	if (!is_open(node))
		return scar_json_print(node, text, err);
	if (scar_buf_append_str(text, object ? "{\n" : "[\n", err) < 0)
		return -1;
	for (child = scar_json_first(node); child; child = scar_json_next(child)) {
		const char *key = scar_json_key(child);

		if (indent(text, depth + 1, err) < 0)
			return -1;
		if (object && (scar_json_append_string(text, key, strlen(key), err) < 0 ||
			       scar_buf_append_str(text, ": ", err) < 0))
			return -1;
		if (put_json(child, depth + 1, text, err) < 0 ||
		    scar_buf_append_str(text, scar_json_next(child) ? ",\n" : "\n", err) < 0)
			return -1;
	}
	if (indent(text, depth, err) < 0)
		return -1;
	return scar_buf_append_char(text, object ? '}' : ']', err);
}

int scar_print_json(const struct scar_json *node, struct scar_buf *text, struct scar_err *err)
{
	if (put_json(node, 0, text, err) < 0)
		return -1;
	return scar_buf_append_char(text, '\n', err);
}

/* ---- YAML ---- */

/* Text that every reader of YAML takes for itself. */
static bool is_plain(const char *text)
{
	static const char *const words[] = {"true", "false", "yes", "no",   "on", "off",
					    "null", "y",     "n",   "none", "~"};
	char first = *text;

	if (!((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/' ||
	      first == '$'))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i]) == 0)
			return false;
	}
	return strspn(text,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./$") ==
	       strlen(text);
}

static int put_yaml_text(const char *value, struct scar_buf *text, struct scar_err *err)
{
	if (is_plain(value))
		return scar_buf_append_str(text, value, err);
	return scar_json_append_string(text, value, strlen(value), err);
}

static int put_yaml(const struct scar_json *node, unsigned depth, struct scar_buf *text,
		    struct scar_err *err)
{
	bool object = scar_json_type(node) == SCAR_JSON_OBJECT;
	const struct scar_json *child;

	for (child = scar_json_first(node); child; child = scar_json_next(child)) {
		if (indent(text, depth, err) < 0)
			return -1;
		if (object ? put_yaml_text(scar_json_key(child), text, err) < 0 ||
				     scar_buf_append_char(text, ':', err) < 0
			   : scar_buf_append_char(text, '-', err) < 0)
			return -1;
		if (is_open(child)) {
			if (scar_buf_append_char(text, '\n', err) < 0 ||
			    put_yaml(child, depth + 1, text, err) < 0)
				return -1;
			continue;
		}
		if (scar_buf_append_char(text, ' ', err) < 0)
			return -1;
		if ((scar_json_string(child) ? put_yaml_text(scar_json_string(child), text, err)
					     : scar_json_print(child, text, err)) < 0 ||
		    scar_buf_append_char(text, '\n', err) < 0)
			return -1;
	}
	return 0;
}

int scar_print_yaml(const struct scar_json *node, struct scar_buf *text, struct scar_err *err)
{
	if (is_open(node))
		return put_yaml(node, 0, text, err);
	return scar_print_json(node, text, err);
}

/* ---- tables ---- */

/* A cell as text: "-" for nothing. */
static int put_cell(const struct scar_json *item, const char *key, struct scar_buf *text,
		    struct scar_err *err)
{
	const struct scar_json *cell = scar_json_get(item, key);
	const char *value = scar_json_string(cell);

	if (!cell || scar_json_type(cell) == SCAR_JSON_NULL || (value && !*value))
		return scar_buf_append_char(text, '-', err);
	return value ? scar_buf_append_str(text, value, err) : scar_json_print(cell, text, err);
}

/* Columns are as wide as their widest bytes; cells are ASCII but for descriptions. */
static int put_table(const struct scar_json *items, const struct scar_column *columns,
		     struct scar_buf *text, struct scar_err *err)
{
	size_t widths[COLUMNS_MAX] = {0};
	scar_buf_auto struct scar_buf cell;

	scar_buf_init(&cell, SCAR_MIB(1));
	for (size_t i = 0; i < COLUMNS_MAX && columns[i].title; i++) {
		widths[i] = strlen(columns[i].title);
		for (const struct scar_json *item = scar_json_first(items); item;
		     item = scar_json_next(item)) {
			scar_buf_reset(&cell);
			if (put_cell(item, columns[i].key, &cell, err) < 0)
				return -1;
			if (cell.len > widths[i])
				widths[i] = cell.len;
		}
	}
	for (const struct scar_json *item = NULL;;) {
		for (size_t i = 0; i < COLUMNS_MAX && columns[i].title; i++) {
			scar_buf_reset(&cell);
			if ((item ? put_cell(item, columns[i].key, &cell, err)
				  : scar_buf_append_str(&cell, columns[i].title, err)) < 0 ||
			    scar_buf_printf(text, err, "%s%-*s", i ? "  " : "",
					    columns[i + 1].title ? (int)widths[i] : 0,
					    cell.data) < 0)
				return -1;
		}
		if (scar_buf_append_char(text, '\n', err) < 0)
			return -1;
		item = item ? scar_json_next(item) : scar_json_first(items);
		if (!item)
			return 0;
	}
}

static int put_names(const struct scar_json *items, const char *key, struct scar_buf *text,
		     struct scar_err *err)
{
	const struct scar_json *item;

	for (item = scar_json_first(items); item; item = scar_json_next(item)) {
		if (put_cell(item, key, text, err) < 0 || scar_buf_append_char(text, '\n', err) < 0)
			return -1;
	}
	return 0;
}

/* {<what>: items} as a tree of its own. */
static int wrap(const char *what, const struct scar_json *items, struct scar_json **ret_document,
		struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, TEXT_MAX);
	if (scar_buf_printf(&text, err, "{\"%s\":", what) < 0 ||
	    scar_json_print(items, &text, err) < 0 || scar_buf_append_char(&text, '}', err) < 0)
		return -1;
	return scar_json_parse(text.data, text.len, what, ret_document, err);
}

int scar_print_text(const struct scar_buf *text, struct scar_err *err)
{
	return scar_fs_write_all(STDOUT_FILENO, text->data, text->len, "standard output", err);
}

int scar_print_list(const struct scar_session *session, const char *what,
		    const struct scar_json *items, const struct scar_column *columns,
		    struct scar_err *err)
{
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf text;
	int ret = -1;

	scar_buf_init(&text, TEXT_MAX);
	if (wrap(what, items, &document, err) < 0)
		return -1;
	switch (session->format) {
	case SCAR_FORMAT_TABLE: ret = put_table(items, columns, &text, err); break;
	case SCAR_FORMAT_JSON: ret = scar_print_json(document, &text, err); break;
	case SCAR_FORMAT_YAML: ret = scar_print_yaml(document, &text, err); break;
	case SCAR_FORMAT_NAME: ret = put_names(items, columns[0].key, &text, err); break;
	}
	return ret < 0 ? -1 : scar_print_text(&text, err);
}

int scar_print_object(const struct scar_session *session, const struct scar_json *object,
		      const char *name, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	int ret = -1;

	scar_buf_init(&text, TEXT_MAX);
	switch (session->format) {
	case SCAR_FORMAT_JSON: ret = scar_print_json(object, &text, err); break;
	case SCAR_FORMAT_TABLE:
	case SCAR_FORMAT_YAML: ret = scar_print_yaml(object, &text, err); break;
	case SCAR_FORMAT_NAME: ret = scar_buf_printf(&text, err, "%s\n", name); break;
	}
	return ret < 0 ? -1 : scar_print_text(&text, err);
}
