/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "invoke/engine/config.h"
#include "invoke/engine/engines.h"
#include "runtime/base/err.h"

/* In the order that "auto" tries them: the one that costs the program least comes first. */
static const struct scar_engine_ops *const engines[] = {
	&scar_engine_native,
	&scar_engine_rewrite,
	&scar_engine_ptrace,
};

#define ENGINE_COUNT (sizeof(engines) / sizeof(engines[0]))

const struct scar_engine_ops *scar_engine_at(size_t index)
{
	return index < ENGINE_COUNT ? engines[index] : NULL;
}

int scar_engine_probe(const struct scar_engine_ops *engine, struct scar_err *err)
{
	if (scar_engine_is_refused(engine->name))
		return scar_err_set(err, SCAR_ERR_ENGINE, "refused by SCAR_ENGINE_REFUSE");
	return engine->probe(err);
}

static int choose_first(const struct scar_engine_ops **ret_ops, struct scar_err *err)
{
	char said[sizeof(err->msg)] = "";
	size_t len = 0;

	for (size_t i = 0; i < ENGINE_COUNT; i++) {
		int n;

		if (scar_engine_probe(engines[i], err) == 0 &&
		    (!engines[i]->suits || engines[i]->suits(err) == 0)) {
			*ret_ops = engines[i];
			return 0;
		}
		n = snprintf(said + len, sizeof(said) - len, "%s%s: %s", len ? "; " : "",
			     engines[i]->name, err->msg);
		len = n < 0 || (size_t)n >= sizeof(said) - len ? sizeof(said) - 1 : len + (size_t)n;
	}
	return scar_err_set(err, SCAR_ERR_ENGINE, "no engine works here: %s", said);
}

int scar_engine_choose(const char *name, const struct scar_engine_ops **ret_ops,
		       struct scar_err *err)
{
	if (!name || !*name || strcmp(name, "auto") == 0)
		return choose_first(ret_ops, err);
	for (size_t i = 0; i < ENGINE_COUNT; i++) {
		if (strcmp(name, engines[i]->name) != 0)
			continue;
		if (scar_engine_probe(engines[i], err))
			return scar_err_wrap(err, "engine %s", name);
		*ret_ops = engines[i];
		return 0;
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "there is no engine called \"%s\"", name);
}
