/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file staging.h
 * Between an invocation and its storage: the file that an event names comes into TMP_INPUT_DIR before the program starts, and what it leaves in
 * TMP_OUTPUT_DIR goes where the function's definition says.
 */
#ifndef SCAR_INVOKE_STAGING_H
#define SCAR_INVOKE_STAGING_H

#include <stdint.h>

struct scar_err;
struct scar_event_item;
struct scar_storage;
struct scar_workspace;

/**
 * Fetches the item's file. *ret_path is its path as the program sees it, owned by the caller; it stays NULL for an item that is no file, a folder or
 * gone. The file's name is safe, and never that of the file that holds the payload.
 */
int scar_staging_fetch(const struct scar_storage *storage, const struct scar_event_item *item,
		       const struct scar_workspace *workspace, int64_t deadline_ms, char **ret_path,
		       struct scar_err *err);
/** Delivers the files of TMP_OUTPUT_DIR, if there is where to. Symbolic links are not followed. */
int scar_staging_deliver(const struct scar_storage *storage, const struct scar_workspace *workspace,
			 int64_t deadline_ms, struct scar_err *err);

#endif
