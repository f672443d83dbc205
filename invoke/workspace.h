/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file workspace.h
 * The directory of one invocation, on the host:
 *
 *   <store>/run/<request id>/     0700, locked by flock(2) while its process lives
 *     tmp/                        the program's /tmp
 *       scar/input/               TMP_INPUT_DIR, with the event in the file `event`
 *       scar/output/              TMP_OUTPUT_DIR
 *       scar/script               the script to run, if any
 *     shm/                        the program's /dev/shm
 *
 * Everything goes when the invocation ends, however it ends. What a killed process left is swept by the next one that starts: the
 * lock tells it from what another process still uses.
 */
#ifndef SCAR_INVOKE_WORKSPACE_H
#define SCAR_INVOKE_WORKSPACE_H

#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;

/** What the program sees of it; all below the bind of its /tmp, or where the image has files there of /tmp/scar. */
#define SCAR_GUEST_TMP "/tmp"
#define SCAR_GUEST_SHM "/dev/shm"
#define SCAR_GUEST_SCAR SCAR_GUEST_TMP "/scar"
#define SCAR_GUEST_INPUT SCAR_GUEST_SCAR "/input"
#define SCAR_GUEST_OUTPUT SCAR_GUEST_SCAR "/output"
#define SCAR_GUEST_EVENT SCAR_GUEST_INPUT "/event"
#define SCAR_GUEST_SCRIPT SCAR_GUEST_SCAR "/script"

struct scar_workspace {
	char *path; /**< absolute; owned, as the others */
	char *tmp_path;
	char *scar_path; /**< what is in it at the start */
	char *shm_path;
	char *name;
	int parent_fd; /**< <store>/run */
	int fd;        /**< the directory, with the lock */
};
#define SCAR_WORKSPACE_NONE ((struct scar_workspace){.parent_fd = -1, .fd = -1})

/** Removes what dead processes left in <store_dir>/run. A missing directory is fine. */
int scar_workspace_sweep(const char *store_dir, struct scar_err *err);
/** Makes one; `request_id` comes from outside and is made a safe name. On failure nothing is left. */
int scar_workspace_create(const char *store_dir, const char *request_id,
			  struct scar_workspace *ret_workspace, struct scar_err *err);
/**
 * Makes that of a program which runs on this machine itself: /tmp/scar, at the very paths that the program is told. SCAR_ERR_IO if that exists: then
 * another is at work, or it is somebody's store.
 */
int scar_workspace_create_here(struct scar_workspace *ret_workspace, struct scar_err *err);
/** Writes the file that INPUT_FILE_PATH names. */
int scar_workspace_put_event(const struct scar_workspace *workspace, const void *data, size_t len,
			     struct scar_err *err);
/** Opens TMP_OUTPUT_DIR, which the program may have replaced by something else: then it fails. */
int scar_workspace_open_output(const struct scar_workspace *workspace, int *ret_fd,
			       struct scar_err *err);
/** Writes the script, executable. */
int scar_workspace_put_script(const struct scar_workspace *workspace, const void *data, size_t len,
			      struct scar_err *err);
/** Both: the payload, and the script unless that is NULL. */
int scar_workspace_put_files(const struct scar_workspace *workspace, const struct scar_buf *payload,
			     const struct scar_buf *script, struct scar_err *err);
/** Removes everything and closes; SCAR_WORKSPACE_NONE is fine. Fails if something could not be removed, closed nevertheless. */
int scar_workspace_remove(struct scar_workspace *workspace, struct scar_err *err);

#endif
