/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ini.h
 * The format of ~/.aws/config and ~/.aws/credentials: `[section]`, `key = value`, comment lines with # or ;, and below a key without a
 * value indented lines `key = value` of its own. Keys are in lower case, those below another as they are written. Of what is there twice the last counts. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_INI_H
#define SCAR_DEPLOYER_AWS_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_ini;

/** `what` names the file. SCAR_ERR_CONFIG tells the line; lines may hold secrets, so it does not show them. */
int scar_ini_parse(const char *text, size_t len, const char *what, struct scar_ini **ret_ini,
		   struct scar_err *err);
void scar_ini_free(struct scar_ini *ini);

bool scar_ini_has(const struct scar_ini *ini, const char *section);
/** Borrowed; NULL: not there. `ini` may be NULL. */
const char *scar_ini_get(const struct scar_ini *ini, const char *section, const char *key);
/** The value of a key indented below `group`. */
const char *scar_ini_get_below(const struct scar_ini *ini, const char *section, const char *group,
			       const char *key);
/**
 * The entry of that number in the order of the file, for whoever wants all. *ret_group is "" or the key above it; *ret_key is NULL where a section begins.
 * @return whether there is one
 */
bool scar_ini_at(const struct scar_ini *ini, size_t number, const char **ret_section,
		 const char **ret_group, const char **ret_key, const char **ret_value);

static inline void scar_cleanup_ini(struct scar_ini **ini)
{
	scar_ini_free(*ini);
}
#define scar_ini_auto scar_auto(scar_cleanup_ini)

#endif
