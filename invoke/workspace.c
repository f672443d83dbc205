/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/workspace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME_BYTES 64
#define TRIES 100

/* Where things are below the workspace. */
#define IN_TMP "tmp"
#define IN_SHM "shm"
#define NAME_HERE "scar"
#define IN_SCAR IN_TMP "/" NAME_HERE
#define IN_INPUT IN_SCAR "/input"
#define IN_OUTPUT IN_SCAR "/output"
#define IN_EVENT IN_INPUT "/event"
#define IN_SCRIPT IN_SCAR "/script"

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
}

static void safe_name(const char *request_id, char name[NAME_BYTES])
{
	size_t len = 0;

	for (; len < NAME_BYTES - 1 && request_id[len]; len++) {
		unsigned char c = (unsigned char)request_id[len];

		name[len] = (char)(c < 0x80 && (isalnum(c) || c == '-') ? c : '_');
	}
	if (len == 0)
		name[len++] = '_';
	name[len] = '\0';
}

static bool is_still(int fd, int parent_fd, const char *name)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(parent_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* ---- sweeping ---- */

/* @return the locked directory, or -1 if somebody uses it or it is gone */
static int lock_dead(int parent_fd, const char *name)
{
	scar_fd_auto int fd = openat(parent_fd, name, OPEN_DIR);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_still(fd, parent_fd, name))
		return -1;
	return scar_steal_fd(&fd);
}

static int sweep_one(int parent_fd, const char *name, struct scar_err *err)
{
	scar_fd_auto int fd = lock_dead(parent_fd, name);

	return fd < 0 ? 0 : scar_fs_remove_tree(parent_fd, name, err);
}

static int open_parent(const char *store_dir, int *ret_fd, struct scar_err *err)
{
	scar_free_auto char *path = NULL;

	if (asprintf(&path, "%s/run", store_dir) < 0) {
		path = NULL;
		return no_memory(err);
	}
	if (scar_fs_mkdir_p(AT_FDCWD, path, 0700, err) < 0)
		return -1;
	return scar_fs_open_dir(AT_FDCWD, path, true, ret_fd, err);
}

int scar_workspace_sweep(const char *store_dir, struct scar_err *err)
{
	scar_fd_auto int parent_fd = -1;
	scar_dir_auto DIR *dir = NULL;
	struct dirent *entry;
	int listed_fd;

	if (open_parent(store_dir, &parent_fd, err) < 0)
		return -1;
	listed_fd = openat(parent_fd, ".", OPEN_DIR);
	dir = listed_fd < 0 ? NULL : fdopendir(listed_fd);
	if (!dir) {
		scar_err_errno(err, errno, "cannot list %s/run", store_dir);
		scar_cleanup_fd(&listed_fd);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (sweep_one(parent_fd, entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- making ---- */

/* Makes and locks <parent>/<name>. @return 1, 0 if the name is taken, -1 */
static int claim(int parent_fd, const char *name, int *ret_fd, struct scar_err *err)
{
	scar_fd_auto int fd = -1;

	if (mkdirat(parent_fd, name, 0700) < 0)
		return errno == EEXIST
			       ? 0
			       : scar_err_errno(err, errno,
						"cannot make the directory of the invocation");
	fd = openat(parent_fd, name, OPEN_DIR);
	/* A sweeper may hold the lock, or have removed the directory, in the moment before we lock it. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_still(fd, parent_fd, name))
		return 0;
	*ret_fd = scar_steal_fd(&fd);
	return 1;
}

static int claim_any(struct scar_workspace *workspace, const char *request_id, struct scar_err *err)
{
	char base[NAME_BYTES], name[NAME_BYTES + 16];
	int got = 0;

	safe_name(request_id, base);
	snprintf(name, sizeof name, "%s", base);
	for (int i = 1; got == 0 && i <= TRIES; i++) {
		got = claim(workspace->parent_fd, name, &workspace->fd, err);
		if (got == 0)
			snprintf(name, sizeof name, "%s.%d", base, i);
	}
	if (got == 0)
		return scar_err_set(err, SCAR_ERR_IO, "no name is free for invocation %s", base);
	workspace->name = got < 0 ? NULL : strdup(name);
	return got < 0 ? -1 : workspace->name ? 0 : no_memory(err);
}

static int make_dir(int fd, const char *path, mode_t mode, struct scar_err *err)
{
	/* Again by chmod, since the umask took bits away. */
	if (mkdirat(fd, path, mode) < 0 || fchmodat(fd, path, mode, 0) < 0)
		return scar_err_errno(err, errno,
				      "cannot make %s in the directory of the invocation", path);
	return 0;
}

/* The program may be another user where the engine can change it: modes as in any /tmp. The workspace itself keeps others out. */
static int fill(const struct scar_workspace *workspace, struct scar_err *err)
{
	if (make_dir(workspace->fd, IN_TMP, 01777, err) < 0 ||
	    make_dir(workspace->fd, IN_SHM, 01777, err) < 0 ||
	    make_dir(workspace->fd, IN_SCAR, 0755, err) < 0 ||
	    make_dir(workspace->fd, IN_INPUT, 0755, err) < 0)
		return -1;
	return make_dir(workspace->fd, IN_OUTPUT, 0777, err);
}

static bool has_paths(const struct scar_workspace *workspace)
{
	return workspace->path && workspace->tmp_path && workspace->scar_path &&
	       workspace->shm_path;
}

static int name_paths(struct scar_workspace *workspace, const char *store_dir, struct scar_err *err)
{
	if (asprintf(&workspace->path, "%s/run/%s", store_dir, workspace->name) < 0)
		workspace->path = NULL;
	if (asprintf(&workspace->tmp_path, "%s/run/%s/" IN_TMP, store_dir, workspace->name) < 0)
		workspace->tmp_path = NULL;
	if (asprintf(&workspace->scar_path, "%s/run/%s/" IN_SCAR, store_dir, workspace->name) < 0)
		workspace->scar_path = NULL;
	if (asprintf(&workspace->shm_path, "%s/run/%s/" IN_SHM, store_dir, workspace->name) < 0)
		workspace->shm_path = NULL;
	return has_paths(workspace) ? 0 : no_memory(err);
}

int scar_workspace_create(const char *store_dir, const char *request_id,
			  struct scar_workspace *ret_workspace, struct scar_err *err)
{
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;
	struct scar_err other;

	if (open_parent(store_dir, &workspace.parent_fd, err) < 0 ||
	    claim_any(&workspace, request_id, err) < 0 ||
	    name_paths(&workspace, store_dir, err) < 0 || fill(&workspace, err) < 0) {
		(void)scar_workspace_remove(&workspace, &other);
		return -1;
	}
	*ret_workspace = workspace;
	return 0;
}

static int name_here(struct scar_workspace *workspace, struct scar_err *err)
{
	workspace->path = strdup(SCAR_GUEST_TMP "/" NAME_HERE);
	workspace->tmp_path = strdup(SCAR_GUEST_TMP);
	workspace->scar_path = strdup(SCAR_GUEST_SCAR);
	workspace->shm_path = strdup(SCAR_GUEST_SHM);
	return has_paths(workspace) ? 0 : no_memory(err);
}

int scar_workspace_create_here(struct scar_workspace *ret_workspace, struct scar_err *err)
{
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;
	struct scar_err other;

	workspace.parent_fd = open(SCAR_GUEST_TMP, OPEN_DIR);
	workspace.fd = open("/", OPEN_DIR);
	if (workspace.parent_fd < 0 || workspace.fd < 0)
		scar_err_errno(err, errno, "cannot open " SCAR_GUEST_TMP);
	else if (mkdirat(workspace.parent_fd, NAME_HERE, 0755) < 0)
		scar_err_errno(err, errno, "cannot make " SCAR_GUEST_TMP "/" NAME_HERE);
	else if (!(workspace.name = strdup(NAME_HERE)))
		no_memory(err);
	else if (name_here(&workspace, err) == 0 &&
		 make_dir(workspace.fd, IN_INPUT, 0755, err) == 0 &&
		 make_dir(workspace.fd, IN_OUTPUT, 0777, err) == 0) {
		*ret_workspace = workspace;
		return 0;
	}
	(void)scar_workspace_remove(&workspace, &other);
	return -1;
}

/* ---- filling ---- */

static int put(const struct scar_workspace *workspace, const char *path, mode_t mode,
	       const void *data, size_t len, struct scar_err *err)
{
	scar_fd_auto int fd = openat(workspace->fd, path,
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0 || fchmod(fd, mode) < 0)
		return scar_err_errno(err, errno,
				      "cannot make %s in the directory of the invocation", path);
	return scar_fs_write_all(fd, data, len, path, err);
}

int scar_workspace_put_event(const struct scar_workspace *workspace, const void *data, size_t len,
			     struct scar_err *err)
{
	return put(workspace, IN_EVENT, 0644, data, len, err);
}

int scar_workspace_open_output(const struct scar_workspace *workspace, int *ret_fd,
			       struct scar_err *err)
{
	/* Each part by itself: none may be a symbolic link to somewhere else. */
	static const char *const parts[] = {"tmp", "scar", "output"};
	scar_fd_auto int fd = openat(workspace->fd, ".", OPEN_DIR);

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		int next = fd < 0 ? -1 : openat(fd, parts[i], OPEN_DIR);

		if (next < 0)
			return scar_err_errno(err, errno, "cannot open the directory of outputs");
		close(fd);
		fd = next;
	}
	*ret_fd = scar_steal_fd(&fd);
	return 0;
}

int scar_workspace_put_script(const struct scar_workspace *workspace, const void *data, size_t len,
			      struct scar_err *err)
{
	return put(workspace, IN_SCRIPT, 0755, data, len, err);
}

int scar_workspace_put_files(const struct scar_workspace *workspace, const struct scar_buf *payload,
			     const struct scar_buf *script, struct scar_err *err)
{
	if (scar_workspace_put_event(workspace, payload->data, payload->len, err) < 0)
		return -1;
	return script ? scar_workspace_put_script(workspace, script->data, script->len, err) : 0;
}

int scar_workspace_remove(struct scar_workspace *workspace, struct scar_err *err)
{
	int failed = 0;

	if (workspace->name)
		failed = scar_fs_remove_tree(workspace->parent_fd, workspace->name, err);
	free(workspace->path);
	free(workspace->tmp_path);
	free(workspace->scar_path);
	free(workspace->shm_path);
	free(workspace->name);
	scar_cleanup_fd(&workspace->fd);
	scar_cleanup_fd(&workspace->parent_fd);
	*workspace = SCAR_WORKSPACE_NONE;
	return failed;
}
