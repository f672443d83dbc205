/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For where ptrace(2) is permitted, and rewriting is not possible or not wanted: the loader answers
 * the guest's system calls as in the rewrite engine, but a tracer brings them, and no text is changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "invoke/engine/config.h"
#include "invoke/engine/engines.h"
#include "invoke/engine/guest/config.h"
#include "invoke/engine/ptrace/filter.h"
#include "invoke/engine/ptrace/tracer.h"
#include "invoke/engine/rewrite/config.h"
#include "invoke/engine/rewrite/launch.h"
#include "invoke/engine/spawn.h"
#include "runtime/base/err.h"

struct start {
	struct scar_launch *launch;
	struct scar_launch_addresses addresses;
	struct scar_trace_filter filter;
};

static void in_child(const struct scar_engine_spec *spec, void *ctx)
{
	const struct start *s = ctx;
	bool filtered = false;
	int fd = scar_tracer_start(&s->addresses);

	(void)spec;
	if (fd < 0)
		scar_spawn_fail(true, -fd, "ptrace", "cannot be traced");
	/* Only now: calls that are to stop fail while there is nobody to stop for. */
	if (s->filter.code)
		filtered = scar_trace_filter_install(&s->filter) == 0;
	if (scar_tracer_ready(fd, filtered))
		scar_spawn_fail(true, ESRCH, "ptrace", "the tracer is gone");
	scar_launch_exec(s->launch);
}

static int start_with(struct start *s, const struct scar_engine_spec *spec,
		      struct scar_process *ret_process, struct scar_err *err)
{
	if (scar_launch_addresses(&s->addresses, err))
		return -1;
	if (!scar_engine_filter_is_refused() &&
	    scar_trace_filter_create(&s->addresses, &s->filter, err))
		return -1;
	if (scar_launch_create(spec, scar_rewrite_flags() | SCAR_GUEST_TRACED, &s->launch, err))
		return -1;
	return scar_spawn(spec, in_child, s, ret_process, err);
}

static int start(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		 struct scar_err *err)
{
	struct start s = {.launch = NULL};
	int ret = start_with(&s, spec, ret_process, err);

	scar_launch_free(s.launch);
	scar_trace_filter_clear(&s.filter);
	return ret;
}

/* As a start, up to the program. */
static void probe_in_child(void)
{
	const struct scar_launch_addresses nowhere = {.enter = 0};
	int fd = scar_tracer_start(&nowhere);

	if (fd < 0)
		_exit(-fd);
	_exit(scar_tracer_ready(fd, false) ? ESRCH : 0);
}

static int probe(struct scar_err *err)
{
	struct scar_launch_addresses addresses;
	int status;
	pid_t pid;

	if (scar_launch_addresses(&addresses, err))
		return -1;
	pid = fork();
	if (pid < 0)
		return scar_err_errno(err, errno, "cannot fork");
	if (pid == 0)
		probe_in_child();
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return scar_err_errno(err, errno, "cannot wait for the probe");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_ENGINE, "a process cannot be traced here: %s",
			    WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
}

const struct scar_engine_ops scar_engine_ptrace = {
	.name = "ptrace", .probe = probe, .start = start};
