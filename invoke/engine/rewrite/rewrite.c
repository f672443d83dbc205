/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <sys/mman.h>

#include "invoke/engine/engines.h"
#include "invoke/engine/rewrite/config.h"
#include "invoke/engine/rewrite/launch.h"
#include "invoke/engine/spawn.h"
#include "runtime/base/err.h"

static void in_child(const struct scar_engine_spec *spec, void *ctx)
{
	(void)spec;
	scar_launch_exec(ctx);
}

static int start(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		 struct scar_err *err)
{
	struct scar_launch *launch;
	int ret;

	if (scar_launch_create(spec, scar_rewrite_flags(), &launch, err))
		return -1;
	ret = scar_spawn(spec, in_child, launch, ret_process, err);
	scar_launch_free(launch);
	return ret;
}

/* What the engine rests on: memory that was written becomes executable. */
static bool memory_can_execute(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works = page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;

	if (page != MAP_FAILED)
		munmap(page, 4096);
	return works;
}

static int probe(struct scar_err *err)
{
	if (scar_launch_probe(err))
		return -1;
	if (!memory_can_execute())
		return scar_err_set(err, SCAR_ERR_ENGINE, "memory cannot be made executable");
	return 0;
}

const struct scar_engine_ops scar_engine_rewrite = {
	.name = "rewrite", .probe = probe, .start = start};
