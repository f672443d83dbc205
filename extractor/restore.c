/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "extractor/restore_internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

/* ---- the file ---- */

static int map_baseline(struct scar_restoring *r, int fd, struct scar_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at the list of files");
	r->size = (size_t)st.st_size;
	r->data = mmap(NULL, r->size ? r->size : 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->data == MAP_FAILED) {
		r->data = NULL;
		return scar_err_errno(err, errno, "cannot map the list of files");
	}
	if (scar_baseline_check(r->data, r->size, &r->baseline) < 0)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the list of files is damaged");
	r->header = r->data;
	r->marks = (uint8_t *)r->data + SCAR_BASELINE_MARKS_OFFSET;
	return 0;
}

/* @return 1 if there is anything to do, 0, -1 */
static int is_changed(int fd, struct scar_err *err)
{
	struct scar_baseline_header header;
	ssize_t n = pread(fd, &header, sizeof header, 0);

	if (n < 0)
		return scar_err_errno(err, errno, "cannot read the list of files");
	return n != sizeof header || header.state != 0;
}

static int open_all(struct scar_restoring *r, int entry_fd, const char *fs_name,
		    struct scar_err *err)
{
	struct stat st;

	r->root_fd = openat(entry_fd, fs_name, SCAR_RESTORE_OPEN);
	if (r->root_fd < 0 && errno == EACCES && fchmodat(entry_fd, fs_name, 0700, 0) == 0)
		r->root_fd = openat(entry_fd, fs_name, SCAR_RESTORE_OPEN);
	if (r->root_fd < 0 || fstat(r->root_fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot open the rootfs");
	if (st.st_dev != r->header->dev || st.st_ino != r->baseline.nodes[0].ino)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the rootfs is another one");
	/* A guest may have taken any permission off it. */
	if ((st.st_mode & S_IRWXU) != S_IRWXU && fchmod(r->root_fd, 0700) < 0)
		return scar_err_errno(err, errno, "cannot change the mode of the rootfs");
	if (mkdirat(entry_fd, SCAR_BASELINE_KEEP, 0700) < 0 && errno != EEXIST)
		return scar_err_errno(err, errno, "cannot make a directory in the store");
	return scar_fs_open_dir(entry_fd, SCAR_BASELINE_KEEP, true, &r->keep_fd, err);
}

/* ---- finding a directory ---- */

static bool is_marked(const struct scar_restoring *r, uint32_t node)
{
	return (r->header->state & SCAR_BASELINE_UNTRACKED) ||
	       (r->marks[node / 8] & (1u << (node % 8)));
}

static bool is_dir_node(const struct scar_baseline_node *node)
{
	return S_ISDIR(node->mode);
}

/* Opens a directory whatever a guest did to its mode; that is set right later. */
int scar_restore_open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, SCAR_RESTORE_OPEN);

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, name, 0700, 0) == 0)
		fd = openat(dirfd, name, SCAR_RESTORE_OPEN);
	return fd;
}

/* Opens it if it is that node. */
static int open_as(const struct scar_restoring *r, int dirfd, const char *name, uint32_t node)
{
	const struct scar_baseline_node *want = &r->baseline.nodes[node];
	scar_fd_auto int fd = -1;
	struct stat st;

	/* A look first: to open may change a mode, and must not be done to what is not the image's. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != want->ino ||
	    !S_ISDIR(st.st_mode))
		return -1;
	fd = scar_restore_open_dir(dirfd, name);
	if (fd >= 0 && (st.st_mode & S_IRWXU) != S_IRWXU && fchmod(fd, 0700) < 0)
		return -1;
	return scar_steal_fd(&fd);
}

const char *scar_restore_kept_name(char prefix, uint64_t ino, char name[SCAR_RESTORE_NAME_MAX])
{
	snprintf(name, SCAR_RESTORE_NAME_MAX, "%.1s%llx", prefix ? (char[]){prefix, '\0'} : "",
		 (unsigned long long)ino);
	return name;
}

/* Opens a directory of the image where it belongs, or in keep/, or in either below one of those. -1: neither. */
static int locate(const struct scar_restoring *r, uint32_t node)
{
	const struct scar_baseline_node *nodes = r->baseline.nodes;
	scar_free_auto uint32_t *chain = NULL;
	scar_fd_auto int fd = dup(r->root_fd);
	size_t depth = 0, at;

	for (uint32_t i = node; i != 0; i = nodes[i].parent)
		depth++;
	chain = malloc((depth + 1) * sizeof *chain);
	if (!chain || fd < 0)
		return -1;
	at = depth;
	for (uint32_t i = node; i != 0; i = nodes[i].parent)
		chain[--at] = i;
	for (at = 0; at < depth; at++) {
		char name[SCAR_RESTORE_NAME_MAX];
		int next = -1;

		if (fd >= 0)
			next = open_as(r, fd, scar_baseline_name(&r->baseline, &nodes[chain[at]]),
				       chain[at]);
		if (next < 0)
			next = open_as(r, r->keep_fd,
				       scar_restore_kept_name(SCAR_BASELINE_KEEP_DIR,
							      nodes[chain[at]].ino, name),
				       chain[at]);
		scar_cleanup_fd(&fd);
		fd = next;
	}
	return scar_steal_fd(&fd);
}

/* ---- the passes ---- */

/*
 * What is not the image's leaves all marked directories. Directories of the image that a guest moved are found on the way and
 * wait in keep/; there may be more in them, so this is repeated while it finds any.
 */
static int purge_all(struct scar_restoring *r, uint8_t *purged, struct scar_err *err)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t i = 0; i < r->header->node_count; i++) {
			scar_fd_auto int fd = -1;

			if (purged[i] || !is_dir_node(&r->baseline.nodes[i]) || !is_marked(r, i))
				continue;
			fd = locate(r, i);
			if (fd < 0)
				continue;
			if (scar_restore_purge(r, fd, i, err) < 0)
				return -1;
			purged[i] = 1;
			more = true;
		}
		if (scar_restore_empty_trash(r, err) < 0)
			return -1;
	}
	return 0;
}

static int spoiled(const struct scar_restoring *r, uint32_t node, const char *what,
		   struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_INTEGRITY, "%.128s of the image %s",
			    scar_baseline_name(&r->baseline, &r->baseline.nodes[node]), what);
}

/* Sets mode and times of what is at hand. `name` "" is the directory itself. */
static int correct(struct scar_restoring *r, int dirfd, const char *name, const struct stat *st,
		   const struct scar_baseline_node *want, struct scar_err *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
					  {want->mtime, (long)want->mtime_ns}};
	bool mode_differs = st->st_mode != want->mode && !S_ISLNK(want->mode);
	bool time_differs = st->st_mtim.tv_sec != want->mtime ||
			    st->st_mtim.tv_nsec != (long)want->mtime_ns;

	if (mode_differs && (*name ? fchmodat(dirfd, name, want->mode & 07777, 0)
				   : fchmod(dirfd, want->mode & 07777)) < 0)
		return scar_err_errno(err, errno, "cannot set the mode of a file of the image");
	if (time_differs && (*name ? utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW)
				   : futimens(dirfd, times)) < 0)
		return scar_err_errno(err, errno, "cannot set the time of a file of the image");
	r->result.corrected += mode_differs || time_differs;
	return 0;
}

static int bring_back(struct scar_restoring *r, int fd, uint32_t node, const char *name,
		      struct scar_err *err)
{
	const struct scar_baseline_node *want = &r->baseline.nodes[node];
	char kept[SCAR_RESTORE_NAME_MAX];
	int failed;

	if (is_dir_node(want))
		failed = renameat(r->keep_fd,
				  scar_restore_kept_name(SCAR_BASELINE_KEEP_DIR, want->ino, kept),
				  fd, name);
	else
		failed = linkat(r->keep_fd, scar_restore_kept_name('\0', want->ino, kept), fd, name,
				0);
	r->result.returned++;
	if (!failed)
		return 0;
	return errno == ENOENT ? spoiled(r, node, "is lost", err)
			       : scar_err_errno(err, errno, "cannot put %.128s back", name);
}

static bool is_touched(const struct stat *st, const struct scar_baseline_node *want)
{
	return st->st_ctim.tv_sec != want->ctime || st->st_ctim.tv_nsec != (long)want->ctime_ns;
}

static int restore_child(struct scar_restoring *r, int fd, uint32_t node, struct scar_err *err)
{
	const struct scar_baseline_node *want = &r->baseline.nodes[node];
	const char *name = scar_baseline_name(&r->baseline, want);
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return scar_err_errno(err, errno, "cannot look at %.128s", name);
		if (bring_back(r, fd, node, name, err) < 0)
			return -1;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return scar_err_errno(err, errno, "cannot look at %.128s", name);
	}
	if (st.st_ino != want->ino || (st.st_mode & S_IFMT) != (want->mode & S_IFMT))
		return spoiled(r, node, "is another file", err);
	/* A directory that was changed has a mark of its own. */
	if (is_dir_node(want))
		return 0;
	if ((uint64_t)st.st_size != want->size)
		return spoiled(r, node, "has another size", err);
	if ((r->header->state & SCAR_BASELINE_UNTRACKED) && is_touched(&st, want))
		return spoiled(r, node, "was changed by a program that was not watched", err);
	return correct(r, fd, name, &st, want, err);
}

static int restore_dir(struct scar_restoring *r, uint32_t node, struct scar_err *err)
{
	const struct scar_baseline_node *want = &r->baseline.nodes[node];
	scar_fd_auto int fd = locate(r, node);
	struct stat st;

	/* Its parents were restored before it. */
	if (fd < 0)
		return spoiled(r, node, "is lost", err);
	if (want->first > r->header->node_count ||
	    want->count > r->header->node_count - want->first)
		return spoiled(r, node, "has a damaged entry in the list", err);
	for (uint32_t i = 0; i < want->count; i++) {
		if (restore_child(r, fd, want->first + i, err) < 0)
			return -1;
	}
	r->result.directories++;
	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory of the image");
	return correct(r, fd, "", &st, want, err);
}

static int restore_all(struct scar_restoring *r, struct scar_err *err)
{
	for (uint32_t i = 0; i < r->header->node_count; i++) {
		if (is_dir_node(&r->baseline.nodes[i]) && is_marked(r, i) &&
		    restore_dir(r, i, err) < 0)
			return -1;
	}
	return 0;
}

static int restore(struct scar_restoring *r, int entry_fd, const char *fs_name,
		   struct scar_err *err)
{
	scar_free_auto uint8_t *purged = calloc(r->header->node_count, 1);

	if (!purged)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory to restore an image");
	if (r->header->state & SCAR_BASELINE_SPOILED)
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "the image was changed in a way that is not undone");
	if (open_all(r, entry_fd, fs_name, err) < 0 || purge_all(r, purged, err) < 0 ||
	    restore_all(r, err) < 0)
		return -1;
	/* Only now may the names in keep/ go, and the marks last of all. */
	if (scar_fs_remove_tree(entry_fd, SCAR_BASELINE_KEEP, err) < 0)
		return -1;
	if (mkdirat(entry_fd, SCAR_BASELINE_KEEP, 0700) < 0)
		return scar_err_errno(err, errno, "cannot make a directory in the store");
	memset(r->marks, 0, r->header->node_count / 8 + 1);
	__atomic_store_n(&r->header->state, 0, __ATOMIC_RELEASE);
	return 0;
}

int scar_restore(int entry_fd, const char *fs_name, struct scar_restore_result *ret_result,
		 struct scar_err *err)
{
	scar_fd_auto int fd = openat(entry_fd, SCAR_BASELINE_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct scar_restoring r = {.root_fd = -1, .keep_fd = -1};
	int got;

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open the list of files");
	got = is_changed(fd, err);
	if (got == 1) {
		got = map_baseline(&r, fd, err);
		if (got == 0)
			got = restore(&r, entry_fd, fs_name, err);
	}
	if (r.data)
		munmap(r.data, r.size);
	scar_cleanup_fd(&r.root_fd);
	scar_cleanup_fd(&r.keep_fd);
	if (got == 0)
		*ret_result = r.result;
	return got;
}
