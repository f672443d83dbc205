/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file environment.h
 * Variables of the caller's environment, which commands get as a list.
 */
#ifndef SCAR_DEPLOYER_ENVIRONMENT_H
#define SCAR_DEPLOYER_ENVIRONMENT_H

#include <stddef.h>
#include <string.h>

/** The value of a variable; NULL if it is not set, or empty. */
static inline const char *scar_environment_value(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment; environment++) {
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return (*environment)[len + 1] ? *environment + len + 1 : NULL;
	}
	return NULL;
}

#endif
