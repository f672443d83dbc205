/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file jail_child.h
 * What happens in the sandbox's processes: its first process (which builds the root, starts the
 * program, reaps, and ends everything), and the program's own until it is executed.
 * Both come from a clone of a process that may have threads: system calls only.
 */
#ifndef SCAR_RUNTIME_EMULATOR_JAIL_CHILD_H
#define SCAR_RUNTIME_EMULATOR_JAIL_CHILD_H

#include <stdbool.h>

#include "runtime/base/err.h"
#include "runtime/emulator/jail_filter.h"
#include "runtime/emulator/jail_plan.h"

/** Said by the first process over the status pipe; smaller than PIPE_BUF, so never torn. */
struct scar_jail_message {
	enum { SCAR_JAIL_STARTED, SCAR_JAIL_FAILED, SCAR_JAIL_ENDED } kind;
	unsigned missing;    /**< STARTED */
	int status;          /**< ENDED, as of waitpid(2) */
	struct scar_err err; /**< FAILED */
};

/** Everything made beforehand by the parent. */
struct scar_jail_child {
	bool mounts;    /**< in a mount namespace of its own */
	bool processes; /**< in a process namespace of its own: the first process is process 1 */
	bool restrict_it;
	const struct scar_jail_plan *plan;
	const struct scar_jail_filter *filter;
	const char *program;        /**< on the host */
	const char *program_inside; /**< after the root was built */
	char *const *argv;
	char *const *envp;
	int stdin_fd, stdout_fd, stderr_fd;
	int program_fd;
	int control_fd; /**< one byte says go; end of file says: end it all */
	int status_fd;
};

/** Runs in the first process; never returns. */
_Noreturn void scar_jail_child_run(const struct scar_jail_child *child);

#endif
