/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file jail_plan.h
 * What the sandbox's root is made of, as a list of steps: made in the parent, where memory may be
 * allocated, executed in the child, where only system calls are safe.
 */
#ifndef SCAR_RUNTIME_EMULATOR_JAIL_PLAN_H
#define SCAR_RUNTIME_EMULATOR_JAIL_PLAN_H

#include <stddef.h>
#include <sys/types.h>

struct scar_err;
struct scar_jail_options;

enum scar_jail_step_kind {
	SCAR_JAIL_DIR,  /**< make a directory */
	SCAR_JAIL_LINK, /**< make a symbolic link to `source` */
	SCAR_JAIL_TEXT, /**< make a file with the text `source` */
	SCAR_JAIL_COPY, /**< make a file from the descriptor `fd`, or else from the host's `source` */
	SCAR_JAIL_TMPFS,  /**< mount a tmpfs with the options `source` */
	SCAR_JAIL_PROC,   /**< mount proc */
	SCAR_JAIL_DEVICE, /**< show the host's node `source` */
	SCAR_JAIL_BIND,   /**< show the host's `source`, read-only */
	SCAR_JAIL_OVER    /**< show `source`, made by an earlier step, in the place of `path` */
};

struct scar_jail_step {
	enum scar_jail_step_kind kind;
	char *path;   /**< below the new root, without a slash in front; owned */
	char *source; /**< see the kinds; owned, may be NULL */
	mode_t mode;
	int fd; /**< borrowed */
};

struct scar_jail_plan {
	struct scar_jail_step *steps;
	size_t count;
};

/** `program_fd`: the program, open for reading, which is to be at `inside`. */
int scar_jail_plan_make(const struct scar_jail_options *options, const char *inside, int program_fd,
			struct scar_jail_plan *ret_plan, struct scar_err *err);
void scar_jail_plan_clear(struct scar_jail_plan *plan);

/**
 * In the child, in a mount namespace of its own: builds the root, moves into it and lets go of
 * the host's. Makes system calls only.
 */
int scar_jail_plan_execute(const struct scar_jail_plan *plan, struct scar_err *err);

#endif
