/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fdl_keys.h
 * The table of a definition's keys, and taking a mapping into a function by it. For fdl.c.
 */
#ifndef SCAR_DEPLOYER_FDL_KEYS_H
#define SCAR_DEPLOYER_FDL_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "deployer/fdl.h"

enum scar_fdl_type {
	SCAR_FDL_TEXT,
	SCAR_FDL_INT,
	SCAR_FDL_NUMBER, /**< struct scar_fdl_number */
	SCAR_FDL_BOOL,
	SCAR_FDL_NOT, /**< a truth value that is kept the other way round */
	SCAR_FDL_LIST,
	SCAR_FDL_FIRST, /**< a list of one, kept as its text */
	SCAR_FDL_PAIRS,
	SCAR_FDL_PLACES,
	SCAR_FDL_MOUNTS,
	SCAR_FDL_UNUSED /**< SCAR's; without effect */
};

struct scar_fdl_key {
	const char *key; /**< "lambda.container.image" */
	enum scar_fdl_type type;
	size_t offset; /**< in struct scar_fdl_function */
	int min, max;
	const char *choices;
};

const struct scar_fdl_key *scar_fdl_keys(size_t *ret_count);

/**
 * Takes a mapping of sections (lambda, iam, ...). `name` and `where` ("functions.aws[0]") are for messages: "<name>: line L: <where>.<key> ...".
 */
int scar_fdl_take(struct scar_fdl_function *function, const struct scar_yaml *sections,
		  const char *name, const char *where, struct scar_err *err);
/** Takes one value from the command line; `option` is its name. */
int scar_fdl_set(struct scar_fdl_function *function, const char *key, const char *value,
		 const char *option, struct scar_err *err);
void scar_fdl_function_clear(struct scar_fdl_function *function);

#endif
