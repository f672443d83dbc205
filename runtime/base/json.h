/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file json.h
 * JSON (RFC 8259) on cJSON: bounded parsing, typed access that names the key in the
 * error, and writing through a scar_buf. The rest of the project does not see cJSON.
 * Object keys are case-sensitive. Strings with an embedded NUL (\u0000) are refused.
 */
#ifndef SCAR_RUNTIME_BASE_JSON_H
#define SCAR_RUNTIME_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;

/** A node of a parsed document; borrowed from the document's root, which the caller owns. */
struct scar_json;

enum scar_json_type {
	SCAR_JSON_NULL,
	SCAR_JSON_BOOL,
	SCAR_JSON_NUMBER,
	SCAR_JSON_STRING,
	SCAR_JSON_ARRAY,
	SCAR_JSON_OBJECT
};

/**
 * Parses a whole document of at most SCAR_LIMIT_JSON_BYTES, _DEPTH and _VALUES (else SCAR_ERR_LIMIT);
 * trailing bytes other than white space are an error, and so is what is not UTF-8. `what` names the
 * document in the error (kind SCAR_ERR_PROTOCOL; callers wrap or replace it).
 */
int scar_json_parse(const char *text, size_t len, const char *what, struct scar_json **ret_root,
		    struct scar_err *err);
void scar_json_free(struct scar_json *root);

enum scar_json_type scar_json_type(const struct scar_json *node);
/** Member of an object, or NULL if absent or if node is not an object (or NULL). */
const struct scar_json *scar_json_get(const struct scar_json *node, const char *key);
size_t scar_json_size(const struct scar_json *node); /**< elements of an array or object, else 0 */
/** First element or member / next sibling: for (c = first(n); c; c = next(c)). O(1). */
const struct scar_json *scar_json_first(const struct scar_json *node);
const struct scar_json *scar_json_next(const struct scar_json *node);
const char *scar_json_key(const struct scar_json *node); /**< key of a member, or NULL */

/** Borrowed text of a string node; NULL for any other type or a NULL node. */
const char *scar_json_string(const struct scar_json *node);
/** The whole number, of |n| < 2^53, which is more than any size or time that is read has. @return -1 if not one (no err) */
int scar_json_int(const struct scar_json *node, int64_t *ret_value);
/** @return fallback if not a boolean */
bool scar_json_bool(const struct scar_json *node, bool fallback);

/** Like get()+string(), with "<what>: key 'k' is missing / is not a string" as SCAR_ERR_PROTOCOL. */
int scar_json_need_string(const struct scar_json *node, const char *key, const char *what,
			  const char **ret_text, struct scar_err *err);
int scar_json_need_int(const struct scar_json *node, const char *key, const char *what,
		       int64_t *ret_value, struct scar_err *err);

/** Appends the compact text of a node. */
int scar_json_print(const struct scar_json *node, struct scar_buf *buf, struct scar_err *err);
/** Appends a quoted, escaped JSON string; bytes that are not UTF-8 become U+FFFD. */
int scar_json_append_string(struct scar_buf *buf, const char *text, size_t len,
			    struct scar_err *err);

static inline void scar_cleanup_json(struct scar_json **root)
{
	scar_json_free(*root);
}
#define scar_json_auto scar_auto(scar_cleanup_json)

#endif
