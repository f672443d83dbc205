/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file print.h
 * Prints a command's answer, which is a JSON document, in the form that was asked for.
 */
#ifndef SCAR_DEPLOYER_PRINT_H
#define SCAR_DEPLOYER_PRINT_H

#include "deployer/session.h"

struct scar_buf;
struct scar_json;

struct scar_column {
	const char *title; /**< "MEMORY" */
	const char *key;   /**< of an item */
};

/**
 * A list of objects. Table: the columns, up to a NULL title, even of no items its heading; name: the first column's values, one a
 * line; json, yaml: {<what>: [...]}. `items` is an array.
 */
int scar_print_list(const struct scar_session *session, const char *what,
		    const struct scar_json *items, const struct scar_column *columns,
		    struct scar_err *err);
/** One object: table and yaml are YAML; name is the text of `name`. */
int scar_print_object(const struct scar_session *session, const struct scar_json *object,
		      const char *name, struct scar_err *err);

/** Appends JSON with indentation, or YAML; both end with a newline. */
int scar_print_json(const struct scar_json *node, struct scar_buf *text, struct scar_err *err);
int scar_print_yaml(const struct scar_json *node, struct scar_buf *text, struct scar_err *err);
/** Writes all to stdout. */
int scar_print_text(const struct scar_buf *text, struct scar_err *err);

#endif
