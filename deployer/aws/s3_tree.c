/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of files: up with their paths as keys, down without leaving the folder asked for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deployer/aws/s3_private.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define DEPTH_MAX 64

/* ---- up ---- */

struct push {
	struct scar_aws *aws;
	const struct scar_s3_tree *tree;
	uint64_t count;
};

/* "a/b", with one slash between them; the first may be empty. */
static int join(const char *folder, const char *name, char path[SCAR_LIMIT_PATH_BYTES],
		struct scar_err *err)
{
	size_t len = strlen(folder);
	int n = snprintf(path, SCAR_LIMIT_PATH_BYTES, "%s%s%s", folder,
			 len && folder[len - 1] != '/' ? "/" : "", name);

	if (n < 0 || n >= SCAR_LIMIT_PATH_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%.200s...: the path is too long", folder);
	return 0;
}

static int push_file(struct push *push, const char *path, const char *key, struct scar_err *err)
{
	const struct scar_s3_tree *tree = push->tree;
	scar_fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct scar_s3_put put = {.bucket = tree->bucket,
				  .key = key,
				  .fd = fd,
				  .progress = tree->progress,
				  .progress_ctx = tree->ctx};
	struct scar_s3_tree_file file = {.path = path, .key = key};
	struct stat st;
	int skip;

	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return 0; /* sockets, pipes, devices */
	file.size_bytes = put.size_bytes = (uint64_t)st.st_size;
	skip = tree->before ? tree->before(tree->ctx, &file, err) : 0;
	if (skip)
		return skip < 0 ? -1 : 0;
	if (scar_s3_put(push->aws, &put, err) < 0)
		return scar_err_wrap(err, "%s", path);
	push->count++;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_name(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int push_folder(struct push *push, const char *path, const char *key, unsigned depth,
		       struct scar_err *err);

static int push_entry(struct push *push, const char *folder, const char *key_folder,
		      const char *name, unsigned depth, struct scar_err *err)
{
	char path[SCAR_LIMIT_PATH_BYTES], key[SCAR_LIMIT_PATH_BYTES];
	struct stat st;

	if (join(folder, name, path, err) < 0 || join(key_folder, name, key, err) < 0)
		return -1;
	if (lstat(path, &st) < 0)
		return scar_err_errno(err, errno, "%s", path);
	if (S_ISDIR(st.st_mode))
		return push_folder(push, path, key, depth + 1, err);
	/* A link may lead to a folder, and that into a circle. */
	if (S_ISLNK(st.st_mode) && (stat(path, &st) < 0 || !S_ISREG(st.st_mode)))
		return 0;
	return push_file(push, path, key, err);
}

static int push_folder(struct push *push, const char *path, const char *key, unsigned depth,
		       struct scar_err *err)
{
	struct dirent **names = NULL;
	int count, failed = 0;

	if (depth > DEPTH_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: more than %d folders deep", path,
				    DEPTH_MAX);
	count = scandir(path, &names, is_name, by_name);
	if (count < 0)
		return scar_err_errno(err, errno, "%s", path);
	for (int i = 0; i < count; i++) {
		if (!failed)
			failed = push_entry(push, path, key, names[i]->d_name, depth, err);
		free(names[i]);
	}
	free(names);
	return failed;
}

int scar_s3_put_tree(struct scar_aws *aws, const struct scar_s3_tree *tree, bool exact,
		     uint64_t *ret_count, struct scar_err *err)
{
	struct push push = {.aws = aws, .tree = tree};
	const char *prefix = tree->prefix ? tree->prefix : "";
	const char *slash = strrchr(tree->path, '/');
	const char *name = slash ? slash + 1 : tree->path;
	size_t len = strlen(prefix);
	char key[SCAR_LIMIT_PATH_BYTES];
	struct stat st;
	int failed;

	if (stat(tree->path, &st) < 0)
		return scar_err_errno(err, errno, "%s", tree->path);
	if (S_ISDIR(st.st_mode)) {
		failed = push_folder(&push, tree->path, prefix, 0, err);
	} else if (exact && len && prefix[len - 1] != '/') {
		failed = push_file(&push, tree->path, prefix, err);
	} else {
		failed = join(prefix, name, key, err) < 0 ||
			 push_file(&push, tree->path, key, err) < 0;
	}
	if (failed)
		return -1;
	*ret_count = push.count;
	return 0;
}

/* ---- down ---- */

struct pull {
	struct scar_aws *aws;
	const struct scar_s3_tree *tree;
	size_t cut; /* bytes of each key that name the prefix's folder */
	uint64_t count;
};

/* A key may hold anything; a path below a folder may not. */
static bool stays_below(const char *path)
{
	if (*path == '/')
		return false;
	while (*path) {
		size_t len = strcspn(path, "/");

		if ((len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.') || (len == 0 && path[1]))
			return false;
		path += len + (path[len] == '/');
	}
	return true;
}

/* Into a file beside it, which takes the name when it is whole. */
static int pull_file(struct pull *pull, const char *path, const char *key, struct scar_err *err)
{
	char temporary[SCAR_LIMIT_PATH_BYTES + 16];
	struct scar_s3_get get = {.bucket = pull->tree->bucket,
				  .key = key,
				  .progress = pull->tree->progress,
				  .progress_ctx = pull->tree->ctx};
	scar_fd_auto int fd = -1;
	mode_t mask = umask(0);

	umask(mask);
	snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return scar_err_errno(err, errno, "%s", path);
	get.fd = fd;
	if (scar_s3_get(pull->aws, &get, err) < 0) {
		unlink(temporary);
		return scar_err_wrap(err, "%s", path);
	}
	if (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary, path) < 0) {
		scar_err_errno(err, errno, "%s", path);
		unlink(temporary);
		return -1;
	}
	return 0;
}

static int make_folder_of(const char *path, struct scar_err *err)
{
	char folder[SCAR_LIMIT_PATH_BYTES];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return scar_fs_mkdir_p(AT_FDCWD, folder, 0777, err);
}

static int pull_object(void *ctx, const struct scar_s3_object *object, struct scar_err *err)
{
	struct pull *pull = ctx;
	const struct scar_s3_tree *tree = pull->tree;
	const char *name = object->key + pull->cut;
	struct scar_s3_tree_file file = {.key = object->key, .size_bytes = object->size_bytes};
	char path[SCAR_LIMIT_PATH_BYTES];
	int skip;

	if (!*name)
		return 0;
	if (!stays_below(name))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "the key %.500s cannot be a path below %s", object->key,
				    tree->path);
	if (join(tree->path, name, path, err) < 0)
		return -1;
	file.path = path;
	if (path[strlen(path) - 1] == '/')
		return scar_fs_mkdir_p(AT_FDCWD, path, 0777, err);
	skip = tree->before ? tree->before(tree->ctx, &file, err) : 0;
	if (skip)
		return skip < 0 ? -1 : 0;
	if (make_folder_of(path, err) < 0 || pull_file(pull, path, object->key, err) < 0)
		return -1;
	pull->count++;
	return 0;
}

int scar_s3_get_tree(struct scar_aws *aws, const struct scar_s3_tree *tree, uint64_t *ret_count,
		     struct scar_err *err)
{
	const char *prefix = tree->prefix ? tree->prefix : "";
	const char *slash = strrchr(prefix, '/');
	struct pull pull = {
		.aws = aws, .tree = tree, .cut = slash ? (size_t)(slash - prefix) + 1 : 0};

	if (scar_s3_list(aws, tree->bucket, prefix, pull_object, &pull, err) < 0)
		return -1;
	*ret_count = pull.count;
	return 0;
}
