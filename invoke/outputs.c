/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "invoke/text.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/zip.h"

#define DEPTH_MAX 64

static int list_dir(int dir_fd, const char *path, struct scar_list *files, unsigned depth,
		    struct scar_err *err);

/* path/name, or name at the top. */
static char *join(const char *path, const char *name)
{
	char *joined = NULL;

	return asprintf(&joined, "%s%s%s", path, *path ? "/" : "", name) < 0 ? NULL : joined;
}

static int list_entry(int dir_fd, int here_fd, const char *path, const char *name,
		      struct scar_list *files, unsigned depth, struct scar_err *err)
{
	scar_free_auto char *joined = NULL;
	struct stat info;

	if (fstatat(here_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "cannot look at an output file");
	if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
		return 0;
	joined = join(path, name);
	if (!joined)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	if (S_ISDIR(info.st_mode))
		return list_dir(dir_fd, joined, files, depth + 1, err);
	if (files->count == SCAR_OUTPUTS_MAX || strlen(joined) >= SCAR_LIMIT_PATH_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the program left too many output files, or too deep ones");
	return scar_list_take(files, scar_steal(joined), err);
}

static int list_dir(int dir_fd, const char *path, struct scar_list *files, unsigned depth,
		    struct scar_err *err)
{
	int fd = openat(dir_fd, *path ? path : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	scar_dir_auto DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		scar_err_errno(err, errno, "cannot list the output files");
		scar_cleanup_fd(&fd);
		return -1;
	}
	if (depth > DEPTH_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the program left output directories more than %d deep",
				    DEPTH_MAX);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (list_entry(dir_fd, dirfd(dir), path, entry->d_name, files, depth, err) < 0)
			return -1;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int scar_outputs_list(int dir_fd, char ***ret_paths, size_t *ret_count, struct scar_err *err)
{
	scar_list_auto struct scar_list files = {0};
	size_t count;

	if (list_dir(dir_fd, "", &files, 0, err) < 0)
		return -1;
	count = files.count;
	if (count > 1)
		qsort(files.items, count, sizeof *files.items, compare);
	if (scar_list_steal(&files, ret_paths, err) < 0)
		return -1;
	*ret_count = count;
	return 0;
}

int scar_outputs_open(int dir_fd, const char *path, int *ret_fd, struct scar_err *err)
{
	/* Nobody else is at it any more; O_NONBLOCK only guards against what is no regular file after all. */
	scar_fd_auto int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return scar_err_errno(err, errno, "cannot open the output file %.200s", path);
	if (!S_ISREG(info.st_mode))
		return scar_err_set(err, SCAR_ERR_IO, "the output file %.200s is no file any more",
				    path);
	*ret_fd = scar_steal_fd(&fd);
	return 0;
}

static int zip_one(int dir_fd, const char *path, const char *prefix, struct scar_zip *zip,
		   struct scar_err *err)
{
	scar_free_auto char *name = join(prefix, path);
	scar_fd_auto int fd = -1;
	struct stat info;

	if (!name)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	if (scar_outputs_open(dir_fd, path, &fd, err) < 0)
		return -1;
	if (fstat(fd, &info) < 0)
		return scar_err_errno(err, errno, "cannot look at the output file %.200s", path);
	return scar_zip_add(zip, name, fd, info.st_mode, info.st_mtime, err);
}

int scar_outputs_zip(int dir_fd, char *const *paths, const char *prefix, struct scar_zip *zip,
		     struct scar_err *err)
{
	for (; *paths; paths++) {
		if (zip_one(dir_fd, *paths, prefix, zip, err) < 0)
			return -1;
	}
	return 0;
}
