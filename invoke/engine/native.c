/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/engines.h"
#include "runtime/base/err.h"

static int probe(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_ENGINE, "not built yet");
}

static int start(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		 struct scar_err *err)
{
	(void)spec;
	(void)ret_process;
	return probe(err);
}

const struct scar_engine_ops scar_engine_native = {
	.name = "native", .probe = probe, .start = start};
