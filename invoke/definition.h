/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file definition.h
 * SCAR's function definition as it reaches a function: the file `function_config.yaml` in the function's package ($LAMBDA_TASK_ROOT), or else the variable
 * FDL, base64 of YAML or JSON. Its keys stand for settings where their variables are not set; which for which is one table, from which
 * docs/environment.md is checked. Keys that only the deployer reads are not looked at.
 */
#ifndef SCAR_INVOKE_DEFINITION_H
#define SCAR_INVOKE_DEFINITION_H

#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_list;
struct scar_yaml;

/** A row of the table. */
struct scar_definition_key {
	const char *key;     /**< "container.image" */
	const char *setting; /**< "SCAR_IMAGE" */
	const char *doc;     /**< how the value is taken over, if not as it is */
};

/** All NULL: there is no definition. */
struct scar_definition {
	struct scar_yaml *root; /**< a mapping; owned */
	char *name;             /**< "FDL" or the file's path, for messages; owned */
	char *task_root;        /**< owned */
};

const struct scar_definition_key *scar_definition_keys(size_t *ret_count);

/** Reads the definition, if there is one. SCAR_ERR_CONFIG names it, and the line. */
int scar_definition_load(char *const *environment, struct scar_definition *ret_definition,
			 struct scar_err *err);
void scar_definition_clear(struct scar_definition *definition);
/**
 * The value that the definition has for a setting, owned by the caller; NULL if none. ret_label gets "<name>, line L: <key>" for
 * messages, owned too.
 */
int scar_definition_get(const struct scar_definition *definition, const char *setting,
			char **ret_value, char **ret_label, struct scar_err *err);
/** Sets CONT_VAR_X for each X of container.environment.Variables (or .variables) that the list has not. */
int scar_definition_add_variables(const struct scar_definition *definition,
				  struct scar_list *environment, struct scar_err *err);

#define scar_definition_auto scar_auto(scar_definition_clear)

#endif
