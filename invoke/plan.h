/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * How one program is started: decided from the image's config, the event's job and the configuration, before anything is done. No
 * input or output: tests look at plans.
 *
 * What runs, the first that there is:
 *   1. the event's script, with the event's cmd_args as its arguments
 *   2. the image's Entrypoint with the event's cmd_args in place of Cmd
 *   3. the configured script (SCAR_SCRIPT)
 *   4. the image's Entrypoint and Cmd
 * A script that begins with "#!" (or is an ELF program) is executed itself, any other by the image's /bin/sh. It replaces the
 * Entrypoint.
 */
#ifndef SCAR_INVOKE_PLAN_H
#define SCAR_INVOKE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/engine.h"
#include "invoke/user.h"
#include "runtime/base/buf.h"

struct scar_err;
struct scar_event;
struct scar_event_item;
struct scar_image_config;
struct scar_invocation;
struct scar_invoke_config;
struct scar_job;
struct scar_store_entry;
struct scar_workspace;

#define SCAR_PLAN_BINDS_MAX 3

/** A program that stays is told of no event: variables of an invocation would be those of the first for ever. */
enum scar_plan_resident {
	SCAR_PLAN_ONCE,
	SCAR_PLAN_SERVER,
	SCAR_PLAN_RUNTIME /**< gets what Lambda tells a runtime too */
};

/** Everything is borrowed until the plan is cleared. */
struct scar_plan_input {
	const struct scar_invoke_config *config;
	const struct scar_image_config *image;
	const struct scar_invocation *invocation;
	const struct scar_job *job;
	const struct scar_user *user;
	const struct scar_workspace *workspace; /**< its paths only */
	const struct scar_event
		*event; /**< NULL: the invocation's bytes are all there is, as are without item */
	const struct scar_event_item *item;
	bool image_has_tmp; /**< it brings files in /tmp, which the program's own must not hide */
	enum scar_plan_resident resident;
	int64_t port;           /**< SCAR_PLAN_SERVER: PORT; 0: none */
	const char *input_path; /**< INPUT_FILE_PATH; NULL: the file that holds the payload */
};

struct scar_plan {
	char **argv; /**< owned */
	char **envp; /**< owned */
	const char *cwd;
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	struct scar_bind binds[SCAR_PLAN_BINDS_MAX];
	size_t bind_count;
	bool image_tmp;                 /**< /tmp is the image's */
	const struct scar_buf *script;  /**< to be written to SCAR_GUEST_SCRIPT, or NULL */
	const struct scar_buf *payload; /**< to be written to SCAR_GUEST_EVENT */
	const struct scar_buf *input;   /**< the program's standard input */
	const char *marker; /**< the entry of envp that no other invocation has; borrowed from it */
};

/** Fails with SCAR_ERR_EXEC if there is nothing to run, SCAR_ERR_IMAGE for a working directory that is not absolute. */
int scar_plan_make(const struct scar_plan_input *input, struct scar_plan *ret_plan,
		   struct scar_err *err);
void scar_plan_clear(struct scar_plan *plan);
/** The same for the engine, but for the three descriptors. Borrows from all. */
struct scar_engine_spec scar_plan_spec(const struct scar_plan *plan,
				       const struct scar_store_entry *rootfs,
				       const char *state_dir);

#define scar_plan_auto scar_auto(scar_plan_clear)

#endif
