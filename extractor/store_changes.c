/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#include "extractor/baseline.h"
#include "extractor/restore.h"
#include "runtime/base/baseline.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

int scar_store_begin_baseline(int entry_fd, struct scar_err *err)
{
	scar_fd_auto int root_fd = -1;

	if (mkdirat(entry_fd, SCAR_BASELINE_KEEP, 0700) < 0)
		return scar_err_errno(err, errno, "cannot make a directory in the store");
	if (scar_fs_open_dir(entry_fd, SCAR_STORE_FS, true, &root_fd, err) < 0)
		return -1;
	return scar_baseline_write(root_fd, entry_fd, SCAR_BASELINE_FILE, err);
}

/* With the entry to ourselves. */
static int put_back(int entry_fd, struct scar_err *err)
{
	struct scar_restore_result result = {0};

	if (scar_restore(entry_fd, SCAR_STORE_FS, &result, err) < 0)
		return -1;
	if (result.directories)
		scar_debug(
			"put an image back: %u directories, %u names removed, %u returned, %u corrected",
			result.directories, result.removed, result.returned, result.corrected);
	return 0;
}

int scar_store_clean(const struct scar_store *store, int entry_fd, struct scar_err *err)
{
	uint32_t state = 0;
	scar_fd_auto int fd = -1;

	if (!store->options.keep_changes)
		return put_back(entry_fd, err);
	fd = openat(entry_fd, SCAR_BASELINE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || pread(fd, &state, sizeof state,
			    offsetof(struct scar_baseline_header, state)) != sizeof state)
		return scar_err_errno(err, errno, "cannot read the list of files");
	if (state != 0)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "its changes are kept");
	return 0;
}

int scar_store_note_untracked(int entry_fd, struct scar_err *err)
{
	scar_fd_auto int fd = openat(entry_fd, SCAR_BASELINE_FILE,
				     O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	const uint32_t state = SCAR_BASELINE_UNTRACKED;

	if (fd < 0 || pwrite(fd, &state, sizeof state,
			     offsetof(struct scar_baseline_header, state)) != sizeof state)
		return scar_err_errno(err, errno, "cannot write the list of files");
	return 0;
}

int scar_store_enter(const struct scar_store *store, int entry_fd, struct scar_err *err)
{
	int got = 0;

	if (!store->options.keep_changes)
		got = scar_store_lock_try(entry_fd, SCAR_STORE_EXCLUSIVE, err);
	if (got < 0 || (got == 1 && put_back(entry_fd, err) < 0))
		return -1;
	/* The lock is given back for a moment: the caller sees whether the entry is still there. */
	return scar_store_lock_wait(store, entry_fd, SCAR_STORE_SHARED, err);
}

void scar_store_leave(int entry_fd)
{
	struct scar_err err;
	int got = scar_store_lock_try(entry_fd, SCAR_STORE_EXCLUSIVE, &err);

	if (got == 0)
		return;
	/* The marks stay: the next user tries again, and drops the image. */
	if (got < 0 || put_back(entry_fd, &err) < 0)
		scar_warn("cannot put an image back: %s", err.msg);
}
