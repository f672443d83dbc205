/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/engine.h"

#include <string.h>

#include "invoke/engine/engines.h"
#include "runtime/base/err.h"

/* In the order that "auto" tries them: the one that costs the program least comes first. */
static const struct scar_engine_ops *const engines[] = {
	&scar_engine_native,
	&scar_engine_rewrite,
};

#define ENGINE_COUNT (sizeof(engines) / sizeof(engines[0]))

static int choose_first(const struct scar_engine_ops **ret_ops, struct scar_err *err)
{
	for (size_t i = 0; i < ENGINE_COUNT; i++) {
		if (engines[i]->probe(err) == 0) {
			*ret_ops = engines[i];
			return 0;
		}
	}
	return scar_err_wrap(err, "no engine works here, the last said");
}

int scar_engine_choose(const char *name, const struct scar_engine_ops **ret_ops,
		       struct scar_err *err)
{
	if (!name || !*name || strcmp(name, "auto") == 0)
		return choose_first(ret_ops, err);
	for (size_t i = 0; i < ENGINE_COUNT; i++) {
		if (strcmp(name, engines[i]->name) != 0)
			continue;
		if (engines[i]->probe(err))
			return scar_err_wrap(err, "engine %s", name);
		*ret_ops = engines[i];
		return 0;
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "there is no engine called \"%s\"", name);
}
