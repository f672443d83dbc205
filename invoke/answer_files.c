/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/answer_files.h"

#include "invoke/content.h"
#include "invoke/outputs.h"
#include "invoke/overflow.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define TYPE_ZIP "application/zip"

static int spill_append(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_overflow_add(ctx, data, len, err);
}

static int spill_patch(void *ctx, uint64_t at, const void *data, size_t len, struct scar_err *err)
{
	return scar_overflow_patch(ctx, at, data, len, err);
}

void scar_answer_files_init(struct scar_answer_files *files, struct scar_overflow *overflow)
{
	*files = (struct scar_answer_files){
		.overflow = overflow,
		.spill = {spill_append, spill_patch, overflow},
	};
	scar_buf_init(&files->bytes, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&files->zip.directory, 0);
}

void scar_answer_files_clear(struct scar_answer_files *files)
{
	scar_buf_clear(&files->bytes);
	scar_zip_clear(&files->zip);
}

/* What is in memory goes before what follows it. */
static int move_to_overflow(struct scar_answer_files *files, struct scar_err *err)
{
	if (scar_overflow_add(files->overflow, files->bytes.data, files->bytes.len, err) < 0)
		return -1;
	scar_buf_clear(&files->bytes);
	return 0;
}

/* What scar_fs_read_through() calls. */
static int add(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_answer_files *files = ctx;

	if (files->overflow && files->overflow->begun)
		return scar_overflow_add(files->overflow, data, len, err);
	if (scar_buf_append(&files->bytes, data, len, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_LIMIT || !files->overflow)
		return -1;
	files->content_type = scar_content_sniff(files->bytes.data, files->bytes.len);
	if (move_to_overflow(files, err) < 0)
		return -1;
	return scar_overflow_add(files->overflow, data, len, err);
}

int scar_answer_files_take(struct scar_answer_files *files, int dir_fd, const char *path,
			   struct scar_err *err)
{
	scar_fd_auto int fd = -1;

	if (scar_outputs_open(dir_fd, path, &fd, err) < 0)
		return -1;
	return scar_fs_read_through(fd, path, add, files, err);
}

int scar_answer_files_pack(struct scar_answer_files *files, int dir_fd, char *const *paths,
			   const char *prefix, struct scar_err *err)
{
	if (!files->has_zip && files->overflow)
		scar_zip_begin_spilling(&files->zip, &files->bytes, &files->spill);
	else if (!files->has_zip)
		scar_zip_begin(&files->zip, &files->bytes);
	files->has_zip = true;
	files->content_type = TYPE_ZIP;
	return scar_outputs_zip(dir_fd, paths, prefix, &files->zip, err);
}

int scar_answer_files_end(struct scar_answer_files *files, struct scar_err *err)
{
	if (files->has_zip && scar_zip_end(&files->zip, err) < 0)
		return -1;
	return files->overflow && files->overflow->begun ? move_to_overflow(files, err) : 0;
}
