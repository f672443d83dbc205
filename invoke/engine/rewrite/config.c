/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/engine/guest/config.h"

static bool is_set(const char *name, const char *value)
{
	const char *got = getenv(name);

	return got && strcmp(got, value) == 0;
}

unsigned scar_rewrite_flags(void)
{
	unsigned flags = 0;

	if (is_set("SCAR_NO_OPENAT2", "1"))
		flags |= SCAR_GUEST_NO_OPENAT2;
	if (is_set("SCAR_REWRITE_TACTIC", "trap"))
		flags |= SCAR_GUEST_TRAP;
	if (is_set("SCAR_REWRITE_CACHE", "0"))
		flags |= SCAR_GUEST_NO_CACHE;
	if (is_set("SCAR_NO_FSGSBASE", "1"))
		flags |= SCAR_GUEST_NO_FSGSBASE;
	if (is_set("SCAR_REWRITE_TRACE", "1"))
		flags |= SCAR_GUEST_TRACE;
	return flags;
}
