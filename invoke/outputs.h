/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file outputs.h
 * The files that a program left in TMP_OUTPUT_DIR, as an answer. Symbolic links and special files are left out: what they point to is not the
 * program's to give away.
 */
#ifndef SCAR_INVOKE_OUTPUTS_H
#define SCAR_INVOKE_OUTPUTS_H

#include <stddef.h>

struct scar_err;
struct scar_zip;

#define SCAR_OUTPUTS_MAX 65535

/** Paths below dir_fd of all regular files, sorted; NULL-terminated, owned by the caller (scar_list_free()). */
int scar_outputs_list(int dir_fd, char ***ret_paths, size_t *ret_count, struct scar_err *err);
/** Opens one of them. */
int scar_outputs_open(int dir_fd, const char *path, int *ret_fd, struct scar_err *err);
/** Adds all of them, their names after `prefix`. */
int scar_outputs_zip(int dir_fd, char *const *paths, const char *prefix, struct scar_zip *zip,
		     struct scar_err *err);

#endif
