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

bool scar_engine_filter_is_refused(void)
{
	const char *filter = getenv("SCAR_PTRACE_FILTER");

	return filter && strcmp(filter, "0") == 0;
}
