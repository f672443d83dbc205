/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the function itself: a mounted EFS or S3 Files file system. A file is written under another name and renamed when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "invoke/storage/provider.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define PIECE SCAR_KIB(128)

static const struct scar_storage_key keys[] = {{NULL, 0, false}};

static int check(struct scar_storage_account *account,
		 const struct scar_storage_environment *environment, struct scar_err *err)
{
	(void)account;
	(void)environment;
	(void)err;
	return 0;
}

static int copy(const struct scar_storage_transfer *transfer, int from, int to,
		struct scar_err *err)
{
	scar_free_auto char *piece = malloc(PIECE);

	if (!piece)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (;;) {
		ssize_t got = read(from, piece, PIECE);

		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return scar_err_errno(err, errno, "cannot read the file");
		if (transfer->cancel && *transfer->cancel)
			return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
		if (scar_fs_write_all(to, piece, (size_t)got, "the file", err) < 0)
			return -1;
	}
}

static int fetch(const struct scar_storage_transfer *transfer,
		 const struct scar_storage_object *object, int fd, struct scar_err *err)
{
	/* An event comes from outside: it may not choose which file of the function is read, unless that is world's knowledge. */
	(void)transfer;
	(void)fd;
	return scar_err_set(
		err, SCAR_ERR_UNSUPPORTED,
		"local storage has no events, so that no event may name its file %.100s",
		object->key ? object->key : "");
}

static int write_temporary(const struct scar_storage_transfer *transfer,
			   const struct scar_storage_file *file, const char *name,
			   struct scar_err *err)
{
	scar_fd_auto int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   0644);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot make %.200s", name);
	if (copy(transfer, file->fd, fd, err) < 0)
		return -1;
	return fsync(fd) < 0 ? scar_err_errno(err, errno, "cannot write %.200s", name) : 0;
}

static int deliver(const struct scar_storage_transfer *transfer,
		   const struct scar_storage_file *file, struct scar_err *err)
{
	scar_free_auto char *dir = strdup(file->path), *name = NULL;
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	*slash = '\0';
	if (asprintf(&name, "%s/.scar-%d-%s.part", dir, (int)getpid(), slash + 1) < 0) {
		name = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (scar_fs_mkdir_p(AT_FDCWD, dir, 0755, err) < 0)
		return scar_err_wrap(err, "%s: %s", transfer->account->name, file->path);
	if (write_temporary(transfer, file, name, err) < 0) {
		unlink(name);
		return scar_err_wrap(err, "%s: %s", transfer->account->name, file->path);
	}
	if (rename(name, file->path) < 0) {
		scar_err_errno(err, errno, "%s: cannot give %.200s its name",
			       transfer->account->name, file->path);
		unlink(name);
		return -1;
	}
	return 0;
}

const struct scar_storage_ops scar_storage_local = {
	.type = "local", .keys = keys, .check = check, .fetch = fetch, .deliver = deliver};
