/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file functions.h
 * Functions that exist: which ones a command is about, and which are ours.
 */
#ifndef SCAR_DEPLOYER_FUNCTIONS_H
#define SCAR_DEPLOYER_FUNCTIONS_H

#include <stdbool.h>

#include "deployer/fdl.h"
#include "deployer/session.h"

struct scar_json;

/** The names that -n, -f or -a stand for; -a: every one of ours in the region. SCAR_ERR_CONFIG if none is given. */
int scar_functions_names(struct scar_session *session, struct scar_fdl_list *ret_names,
			 struct scar_err *err);
/** One name, of -n or a file with one function. The file's region counts. Owned by the caller. */
int scar_functions_name(struct scar_session *session, char **ret_name, struct scar_err *err);
/** A variable of a FunctionConfiguration, or NULL. */
const char *scar_functions_variable(const struct scar_json *configuration, const char *name);
/** Whether a FunctionConfiguration is of a function that runs an image: ours, or SCAR's. */
bool scar_functions_is_ours(const struct scar_json *configuration);

#endif
