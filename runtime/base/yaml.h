/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file yaml.h
 * YAML on libyaml: one bounded document, every node with its line and column. The rest of the project does not see libyaml.
 *
 * Plain scalars mean what YAML 1.1 and PyYAML's safe_load say, since that is what has read the files so far: `yes` is true, `010` is
 * 8, `1_000` is 1000, `1:30` is 90, `~` is null. Different on purpose: a key twice in one mapping is refused, timestamps and
 * `=` are text, tags other than those of the failsafe and core types are refused, and so is what does not fit (whole numbers beyond
 * 64 bits, text with a NUL, keys that are no scalars). Aliases share their node, so that memory is bounded by the text; what a reader would walk
 * is bounded as if they were written out.
 */
#ifndef SCAR_RUNTIME_BASE_YAML_H
#define SCAR_RUNTIME_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;
struct scar_json;

/** A node; borrowed from the root, which the caller owns. */
struct scar_yaml;

enum scar_yaml_type {
	SCAR_YAML_NULL,
	SCAR_YAML_BOOL,
	SCAR_YAML_INT,
	SCAR_YAML_FLOAT,
	SCAR_YAML_STRING,
	SCAR_YAML_SEQUENCE,
	SCAR_YAML_MAPPING
};

/**
 * Parses a text of at most SCAR_LIMIT_YAML_BYTES with one document; none at all is null. SCAR_ERR_LIMIT for more than that, than
 * SCAR_LIMIT_YAML_NODES or _DEPTH; SCAR_ERR_CONFIG for all else, as "<what>: line L, column C: ...".
 */
int scar_yaml_parse(const char *text, size_t len, const char *what, struct scar_yaml **ret_root,
		    struct scar_err *err);
/** Frees the whole tree; takes its root only. NULL is fine. */
void scar_yaml_free(struct scar_yaml *root);

enum scar_yaml_type scar_yaml_type(const struct scar_yaml *node);
/** "null", "a truth value", "a whole number", "a number", "text", "a list", "a mapping": for messages. */
const char *scar_yaml_type_name(enum scar_yaml_type type);
/** Where the node begins, from 1. An alias stands where its anchor does. */
unsigned scar_yaml_line(const struct scar_yaml *node);
unsigned scar_yaml_column(const struct scar_yaml *node);

/** What is written, of any scalar: a version `1.10` is a number, but its text is "1.10". NULL for others or NULL. Borrowed. */
const char *scar_yaml_text(const struct scar_yaml *node);
/** Text of a string only, else NULL. */
const char *scar_yaml_string(const struct scar_yaml *node);
/** @return -1 if the node is no whole number (no err) */
int scar_yaml_int(const struct scar_yaml *node, int64_t *ret_value);
/** Of whole numbers too. @return -1 if the node is no number (no err) */
int scar_yaml_double(const struct scar_yaml *node, double *ret_value);
/** @return -1 if the node is no truth value (no err) */
int scar_yaml_bool(const struct scar_yaml *node, bool *ret_value);

/** Elements of a sequence or members of a mapping, else 0. */
size_t scar_yaml_size(const struct scar_yaml *node);
/** Element or member's value; NULL beyond the end. Members merged by `<<` come after those written. */
const struct scar_yaml *scar_yaml_at(const struct scar_yaml *node, size_t index);
/** Key of a member, a scalar; NULL beyond the end or if node is no mapping. */
const struct scar_yaml *scar_yaml_key_at(const struct scar_yaml *node, size_t index);
/** The member whose key has that text; NULL if there is none, or node is no mapping or NULL. */
const struct scar_yaml *scar_yaml_get(const struct scar_yaml *node, const char *key);

/** Appends the node as JSON. Keys become text. SCAR_ERR_CONFIG for infinities and what is no number. */
int scar_yaml_print_json(const struct scar_yaml *node, struct scar_buf *buf, struct scar_err *err);
/** The same as a tree of its own. */
int scar_yaml_to_json(const struct scar_yaml *node, struct scar_json **ret_json,
		      struct scar_err *err);

static inline void scar_cleanup_yaml(struct scar_yaml **root)
{
	scar_yaml_free(*root);
}
#define scar_yaml_auto scar_auto(scar_cleanup_yaml)

#endif
