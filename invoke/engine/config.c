/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/config.h"

#include <stdlib.h>
#include <string.h>

bool scar_engine_is_refused(const char *name)
{
	const char *at = getenv("SCAR_ENGINE_REFUSE");
	size_t len = strlen(name);

	while (at && *at) {
		size_t n = strcspn(at, ",");

		if (n == len && strncmp(at, name, n) == 0)
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

static bool is_set(const char *name, const char *value)
{
	const char *got = getenv(name);

	return got && strcmp(got, value) == 0;
}

bool scar_engine_filter_is_refused(void)
{
	return is_set("SCAR_PTRACE_FILTER", "0");
}

bool scar_engine_pivot_is_refused(void)
{
	return is_set("SCAR_NO_PIVOT_ROOT", "1");
}
