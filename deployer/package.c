/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deployer/layer.h"
#include "deployer/plan.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/zip.h"

#define CONFIG_NAME "function_config.yaml"
/* What zip can tell at the earliest: the same bytes each time. */
#define ZIP_TIME 315532800
#define DEPTH_MAX 32

int scar_package_path(const struct scar_fdl *fdl, const char *path, char **ret_path,
		      struct scar_err *err)
{
	char *joined = NULL;

	if (*path == '/')
		joined = strdup(path);
	else if (asprintf(&joined, "%s/%s", fdl->directory, path) < 0)
		joined = NULL;
	if (!joined)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	*ret_path = joined;
	return 0;
}

const char *scar_package_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int add_file(struct scar_zip *zip, int dirfd, const char *path, const char *name,
		    unsigned mode, struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: %s", path, strerror(errno));
	return scar_zip_add(zip, name, fd, mode, ZIP_TIME, err);
}

/* A file of the definition, at the root of the package. */
static int add_named(struct scar_zip *zip, const struct scar_fdl *fdl, const char *path,
		     unsigned mode, const char *key, struct scar_err *err)
{
	scar_free_auto char *found = NULL;

	if (!path)
		return 0;
	if (scar_package_path(fdl, path, &found, err) < 0)
		return -1;
	if (add_file(zip, AT_FDCWD, found, scar_package_name(path), mode, err) < 0)
		return scar_err_wrap(err, "%s", key);
	return 0;
}

static int add_folder(struct scar_zip *zip, int parent, const char *path, const char *prefix,
		      unsigned depth, struct scar_err *err);

/* Links are followed to files only; what is neither file nor folder is left out. */
static int add_entry(struct scar_zip *zip, int dir, const char *name, const char *prefix,
		     unsigned depth, struct scar_err *err)
{
	scar_free_auto char *path = NULL;
	struct stat stat, target;

	if (asprintf(&path, "%s%s", prefix, name) < 0) {
		path = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "%s", path);
	if (S_ISDIR(stat.st_mode))
		return add_folder(zip, dir, name, path, depth + 1, err);
	if (fstatat(dir, name, &target, 0) < 0 || !S_ISREG(target.st_mode))
		return 0;
	return add_file(zip, dir, name, path, target.st_mode & 0111 ? 0755 : 0644, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, in their order, so that the bytes do not depend on the file system. */
static int read_names(int fd, const char *path, struct scar_fdl_list *names, struct scar_err *err)
{
	scar_dir_auto DIR *dir = NULL;
	const struct dirent *entry;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir) {
		(void)scar_err_errno(err, errno, "%s", path);
		if (own >= 0)
			close(own);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    scar_fdl_list_add(names, entry->d_name, err) < 0)
			return -1;
	}
	if (names->count)
		qsort(names->items, names->count, sizeof *names->items, by_name);
	return 0;
}

static int add_folder(struct scar_zip *zip, int parent, const char *path, const char *prefix,
		      unsigned depth, struct scar_err *err)
{
	scar_fd_auto int dir = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scar_free_auto char *inner = NULL;
	struct scar_fdl_list names = {0};
	int ret;

	if (dir < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: %s", path, strerror(errno));
	if (depth > DEPTH_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: folders are too deep", path);
	if (asprintf(&inner, "%s%s", prefix, *prefix ? "/" : "") < 0) {
		inner = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	ret = read_names(dir, path, &names, err);
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		ret = add_entry(zip, dir, names.items[i], inner, depth, err);
	scar_fdl_list_clear(&names);
	return ret;
}

static int add_extra(struct scar_zip *zip, const struct scar_fdl *fdl, const char *path,
		     struct scar_err *err)
{
	scar_free_auto char *found = NULL;

	if (!path)
		return 0;
	if (scar_package_path(fdl, path, &found, err) < 0)
		return -1;
	if (add_folder(zip, AT_FDCWD, found, "", 0, err) < 0)
		return scar_err_wrap(err, "extra_payload");
	return 0;
}

static int add_config(struct scar_zip *zip, const struct scar_fdl *fdl,
		      const struct scar_fdl_function *function, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	if (scar_fdl_write_config(fdl, function, &text, err) < 0)
		return -1;
	return scar_zip_add_data(zip, CONFIG_NAME, text.data, text.len, 0644, ZIP_TIME, err);
}

static int add_runtime(struct scar_zip *zip, const struct scar_arguments *arguments,
		       const char *architecture, struct scar_err *err)
{
	scar_buf_auto struct scar_buf bytes;

	scar_buf_init(&bytes, SCAR_LAYER_BYTES_MAX);
	if (scar_layer_read_bootstrap(arguments, architecture, &bytes, err) < 0)
		return -1;
	return scar_zip_add_data(zip, "bootstrap", bytes.data, bytes.len, 0755, ZIP_TIME, err);
}

int scar_package_write(const struct scar_fdl *fdl, const struct scar_fdl_function *function,
		       const struct scar_arguments *arguments, bool with_runtime,
		       const char *architecture, struct scar_buf *buf, struct scar_err *err)
{
	scar_zip_auto struct scar_zip zip;

	scar_zip_begin(&zip, buf);
	if (add_config(&zip, fdl, function, err) < 0 ||
	    add_named(&zip, fdl, function->init_script, 0755, "init_script", err) < 0 ||
	    add_named(&zip, fdl, function->image_file, 0644, "image_file", err) < 0 ||
	    add_extra(&zip, fdl, function->extra_payload, err) < 0 ||
	    (with_runtime && add_runtime(&zip, arguments, architecture, err) < 0))
		return -1;
	return scar_zip_end(&zip, err);
}
