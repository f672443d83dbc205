/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/text.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for text");
}

int scar_text_copy(const char *text, char **ret_copy, struct scar_err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return no_memory(err);
	*ret_copy = copy;
	return 0;
}

int scar_text_decode_base64(const char *text, struct scar_buf *buf, struct scar_err *err)
{
	scar_free_auto char *packed = malloc(strlen(text) + 1);
	size_t len = 0;

	if (!packed)
		return no_memory(err);
	for (; *text; text++) {
		if (!strchr(" \t\r\n", *text))
			packed[len++] = *text;
	}
	packed[len] = '\0';
	return scar_base64_decode(packed, buf, err);
}

size_t scar_list_count(char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

void scar_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

int scar_list_copy(char *const *list, char ***ret_list, struct scar_err *err)
{
	scar_list_auto struct scar_list copy = {0};

	if (scar_list_add_all(&copy, list, err) < 0)
		return -1;
	return scar_list_steal(&copy, ret_list, err);
}

static int grow(struct scar_list *list, struct scar_err *err)
{
	size_t room = list->room ? list->room * 2 : 16;
	char **items = reallocarray(list->items, room, sizeof *items);

	if (!items)
		return no_memory(err);
	list->items = items;
	list->room = room;
	return 0;
}

int scar_list_take(struct scar_list *list, char *text, struct scar_err *err)
{
	scar_free_auto char *taken = text;

	if (!taken)
		return no_memory(err);
	/* One more for the NULL at the end. */
	if (list->count + 2 > list->room && grow(list, err) < 0)
		return -1;
	list->items[list->count++] = scar_steal(taken);
	list->items[list->count] = NULL;
	return 0;
}

int scar_list_add(struct scar_list *list, const char *text, struct scar_err *err)
{
	return scar_list_take(list, strdup(text), err);
}

int scar_list_add_all(struct scar_list *list, char *const *more, struct scar_err *err)
{
	for (; more && *more; more++) {
		if (scar_list_add(list, *more, err) < 0)
			return -1;
	}
	return 0;
}

int scar_list_set_variable(struct scar_list *list, const char *name, size_t name_len,
			   const char *value, struct scar_err *err)
{
	size_t value_len = strlen(value);
	scar_free_auto char *entry = malloc(name_len + value_len + 2);

	if (!entry)
		return no_memory(err);
	memcpy(entry, name, name_len);
	entry[name_len] = '=';
	memcpy(entry + name_len + 1, value, value_len + 1);
	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i], entry, name_len + 1) != 0)
			continue;
		free(list->items[i]);
		list->items[i] = scar_steal(entry);
		return 0;
	}
	return scar_list_take(list, scar_steal(entry), err);
}

void scar_list_clear(struct scar_list *list)
{
	scar_list_free(list->items);
	*list = (struct scar_list){0};
}

int scar_list_steal(struct scar_list *list, char ***ret_items, struct scar_err *err)
{
	if (!list->items) {
		list->items = calloc(1, sizeof *list->items);
		if (!list->items)
			return no_memory(err);
	}
	*ret_items = list->items;
	*list = (struct scar_list){0};
	return 0;
}
