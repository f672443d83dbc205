/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file answer_files.h
 * The files that a program left, as the content of an answer: one as it is, or an archive of several. In memory as long as a buffered response
 * holds it; then in a file, where that may be.
 */
#ifndef SCAR_INVOKE_ANSWER_FILES_H
#define SCAR_INVOKE_ANSWER_FILES_H

#include <stdbool.h>

#include "runtime/base/buf.h"
#include "runtime/base/zip.h"

struct scar_err;
struct scar_overflow;

struct scar_answer_files {
	struct scar_buf bytes;          /**< all of it, unless overflow->begun */
	const char *content_type;       /**< NULL: what the bytes say */
	struct scar_overflow *overflow; /* NULL: none */
	struct scar_zip zip;
	struct scar_zip_spill spill;
	bool has_zip;
};

/** `overflow` (borrowed) takes what is too large; NULL: that is SCAR_ERR_LIMIT. */
void scar_answer_files_init(struct scar_answer_files *files, struct scar_overflow *overflow);
/** The one file is all there is. SCAR_ERR_LIMIT, _NOSPACE, _IO */
int scar_answer_files_take(struct scar_answer_files *files, int dir_fd, const char *path,
			   struct scar_err *err);
/** Adds all of them to the archive, their names after `prefix`. SCAR_ERR_LIMIT also for 4 GiB or more. */
int scar_answer_files_pack(struct scar_answer_files *files, int dir_fd, char *const *paths,
			   const char *prefix, struct scar_err *err);
/** Nothing more comes. */
int scar_answer_files_end(struct scar_answer_files *files, struct scar_err *err);
void scar_answer_files_clear(struct scar_answer_files *files);

#endif
