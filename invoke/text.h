/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text.h
 * Copies of strings and of lists of strings, and growing lists, with out of memory as an error. A list is NULL-terminated, and
 * owns its strings.
 */
#ifndef SCAR_INVOKE_TEXT_H
#define SCAR_INVOKE_TEXT_H

#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;

int scar_text_copy(const char *text, char **ret_copy, struct scar_err *err);
/** Appends what base64 text stands for; white space is skipped, as `base64` breaks lines. SCAR_ERR_CONFIG if it is none. */
int scar_text_decode_base64(const char *text, struct scar_buf *buf, struct scar_err *err);

/** NULL copies as an empty list. */
int scar_list_copy(char *const *list, char ***ret_list, struct scar_err *err);
/** NULL is fine. */
void scar_list_free(char **list);
size_t scar_list_count(char *const *list);

/** A list in the making. All zero is empty. */
struct scar_list {
	char **items; /**< NULL while empty */
	size_t count;
	size_t room;
};

/** Adds `text` and takes it, also when it fails; a NULL text is out of memory (asprintf, strdup). */
int scar_list_take(struct scar_list *list, char *text, struct scar_err *err);
int scar_list_add(struct scar_list *list, const char *text, struct scar_err *err);
/** Adds copies of all of `more` (may be NULL). */
int scar_list_add_all(struct scar_list *list, char *const *more, struct scar_err *err);
/** Sets NAME=value: replaces the entry of that name in its place, or adds one. */
int scar_list_set_variable(struct scar_list *list, const char *name, size_t name_len,
			   const char *value, struct scar_err *err);
void scar_list_clear(struct scar_list *list);
/** Gives the NULL-terminated array away (never NULL on success); the list is empty. */
int scar_list_steal(struct scar_list *list, char ***ret_items, struct scar_err *err);

static inline void scar_cleanup_list(char ***list)
{
	scar_list_free(*list);
}
#define scar_list_auto scar_auto(scar_list_clear)
#define scar_strings_auto scar_auto(scar_cleanup_list)

#endif
