/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs_internal.h"

#include <errno.h>
#include <fcntl.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

/* Paths remembered before the times known so far are applied early, which only later changes can spoil. */
#define PATHS_MAX_BYTES ((size_t)16 << 20)

struct dir_time {
	struct timespec mtime;
	uint64_t path_at;
};

int scar_dir_times_set(struct scar_rootfs *rootfs, uint64_t ino, const struct timespec *mtime,
		       const char *parent, const char *base, struct scar_err *err)
{
	struct dir_time *value;

	if (rootfs->dir_paths.len > PATHS_MAX_BYTES)
		scar_dir_times_apply(rootfs);
	value = scar_inode_map_put(&rootfs->dir_times, ino, err);
	if (!value)
		return -1;
	value->mtime = *mtime;
	value->path_at = rootfs->dir_paths.len;
	if (scar_buf_append_str(&rootfs->dir_paths, parent, err) < 0 ||
	    scar_buf_append_char(&rootfs->dir_paths, '/', err) < 0 ||
	    scar_buf_append_str(&rootfs->dir_paths, base, err) < 0)
		return -1;
	return scar_buf_append_char(&rootfs->dir_paths, '\0', err);
}

void scar_dir_times_forget(struct scar_rootfs *rootfs, uint64_t ino)
{
	scar_inode_map_remove(&rootfs->dir_times, ino);
}

static void apply_one(const struct scar_rootfs *rootfs, uint64_t ino, const struct dir_time *time)
{
	const struct timespec times[2] = {time->mtime, time->mtime};
	const char *path = rootfs->dir_paths.data + time->path_at;
	scar_fd_auto int fd = -1;
	struct stat st;

	/* The path may mean something else by now; the inode decides. */
	fd = scar_fs_open_in_root(rootfs->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != ino)
		return;
	/* A time that the file system cannot hold is not worth failing for. */
	if (futimens(fd, times) < 0)
		scar_debug("cannot set the time of directory %s: errno %d", path, errno);
}

void scar_dir_times_apply(struct scar_rootfs *rootfs)
{
	size_t cursor = 0;
	uint64_t ino;
	void *value;

	while (scar_inode_map_next(&rootfs->dir_times, &cursor, &ino, &value))
		apply_one(rootfs, ino, value);
	scar_inode_map_clear(&rootfs->dir_times);
	scar_buf_clear(&rootfs->dir_paths);
}
