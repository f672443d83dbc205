/* SPDX-License-Identifier: Apache-2.0 */
/* No engine at all: a program of this machine, where the image already is the machine (a job of AWS Batch in its container). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "invoke/engine/engine.h"
#include "invoke/engine/spawn.h"

static void in_child(const struct scar_engine_spec *spec, void *ctx)
{
	(void)ctx;
	if (spec->cwd && chdir(spec->cwd) < 0)
		scar_spawn_fail(false, errno, spec->cwd, "the working directory");
	fcntl(SCAR_SPAWN_STATUS_FD, F_SETFD, FD_CLOEXEC);
	/* PATH is the same in both: the program gets the variables of this container. */
	execvpe(spec->argv[0], spec->argv, spec->envp);
	scar_spawn_fail(false, errno, spec->argv[0], "");
}

static int start(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		 struct scar_err *err)
{
	return scar_spawn(spec, in_child, NULL, ret_process, err);
}

const struct scar_engine_ops scar_engine_direct = {.name = "direct", .start = start};
