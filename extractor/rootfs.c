/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "extractor/name.h"
#include "extractor/rootfs_internal.h"
#include "extractor/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define CREATE_FILE (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

/** The entry at work: where it goes. */
struct target {
	const struct scar_dir *dir;
	const char *base;
};

struct scar_rootfs *scar_rootfs_create(int root_fd, struct scar_err *err)
{
	struct scar_rootfs *rootfs = calloc(1, sizeof *rootfs);
	struct stat st;
	size_t i;

	if (!rootfs) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a rootfs");
		return NULL;
	}
	for (i = 0; i < SCAR_DIR_CACHE; i++)
		rootfs->dirs[i].fd = -1;
	rootfs->root_fd = root_fd;
	scar_inode_map_init(&rootfs->touched, 0);
	scar_inode_map_init(&rootfs->dir_times, 24);
	scar_buf_init(&rootfs->dir_paths, SCAR_MIB(17));
	scar_owner_table_init(&rootfs->owners);
	if (fstat(root_fd, &st) < 0) {
		scar_err_errno(err, errno, "cannot look at the root of the rootfs");
		scar_rootfs_free(rootfs);
		return NULL;
	}
	rootfs->root_ino = st.st_ino;
	/* Without randomness only a defence is lost, see touched.c. */
	if (getrandom(&rootfs->seed, sizeof rootfs->seed, GRND_NONBLOCK) < 0)
		rootfs->seed = (uint64_t)(uintptr_t)rootfs;
	return rootfs;
}

void scar_rootfs_free(struct scar_rootfs *rootfs)
{
	if (!rootfs)
		return;
	scar_parents_clear(rootfs);
	scar_inode_map_clear(&rootfs->touched);
	scar_inode_map_clear(&rootfs->dir_times);
	scar_buf_clear(&rootfs->dir_paths);
	scar_owner_table_clear(&rootfs->owners);
	free(rootfs);
}

void scar_rootfs_begin_layer(struct scar_rootfs *rootfs)
{
	rootfs->layer++;
	scar_inode_map_clear(&rootfs->touched);
}

uint64_t scar_rootfs_bytes(const struct scar_rootfs *rootfs)
{
	return rootfs->bytes;
}

/* ---- content ---- */

static int write_at(int fd, const void *data, size_t len, uint64_t offset, struct scar_err *err)
{
	const char *bytes = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "cannot write");
		bytes += n;
		offset += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_content(struct scar_rootfs *rootfs, struct scar_tar *tar,
			 const struct scar_tar_entry *entry, int fd, struct scar_err *err)
{
	uint64_t written_to = 0, end, offset;
	const void *data;
	size_t len;
	int more;

	if (entry->size_bytes > INT64_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "impossible size");
	while ((more = scar_tar_data(tar, &data, &len, &offset, err)) == 1) {
		if (__builtin_add_overflow(offset, len, &end) || end > entry->size_bytes)
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "content beyond the size of the file");
		if (write_at(fd, data, len, offset, err) < 0)
			return -1;
		rootfs->bytes += len;
		written_to = end;
	}
	if (more < 0)
		return -1;
	/* A hole at the end, or all of it one. */
	if (written_to < entry->size_bytes && ftruncate(fd, (off_t)entry->size_bytes) < 0)
		return scar_err_errno(err, errno, "cannot set the size");
	return 0;
}

/* ---- one function a type; each makes the entry where nothing is, or -1 with EEXIST in *ret_errno ---- */

static int made(int result, int *ret_errno)
{
	*ret_errno = result < 0 ? errno : 0;
	return result;
}

static int make_file(struct scar_rootfs *rootfs, struct scar_tar *tar,
		     const struct scar_tar_entry *entry, const struct target *to, int *ret_errno,
		     struct scar_err *err)
{
	bool regular = S_ISREG(entry->type);
	mode_t mode = regular ? scar_disk_mode(entry->type, entry->mode) : 0600;
	scar_fd_auto int fd = openat(to->dir->fd, to->base, CREATE_FILE, mode);

	if (made(fd, ret_errno) < 0)
		return -1;
	if (regular && entry->size_bytes > 0 && write_content(rootfs, tar, entry, fd, err) < 0)
		return -1;
	return scar_set_file_attributes(rootfs, tar, entry, fd, err);
}

static int make_symlink(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			const struct target *to, int *ret_errno, struct scar_err *err)
{
	struct stat st;

	if (!entry->symlink || !*entry->symlink)
		return scar_err_set(err, SCAR_ERR_IMAGE, "a symbolic link to nothing");
	if (made(symlinkat(entry->symlink, to->dir->fd, to->base), ret_errno) < 0)
		return -1;
	return scar_set_node_attributes(rootfs, entry, to->dir->fd, to->base, &st, err);
}

static int make_fifo(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
		     const struct target *to, int *ret_errno, struct scar_err *err)
{
	struct stat st;

	if (made(mkfifoat(to->dir->fd, to->base, scar_disk_mode(entry->type, entry->mode)),
		 ret_errno) < 0)
		return -1;
	return scar_set_node_attributes(rootfs, entry, to->dir->fd, to->base, &st, err);
}

/* ---- directories: made, or given new attributes ---- */

static int set_dir_attributes(struct scar_rootfs *rootfs, struct scar_tar *tar,
			      const struct scar_tar_entry *entry, const struct target *to,
			      struct scar_err *err)
{
	scar_fd_auto int fd = -1;
	struct stat st;

	if (scar_set_node_attributes(rootfs, entry, to->dir->fd, to->base, &st, err) < 0)
		return -1;
	fd = openat(to->dir->fd, to->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		scar_set_xattrs(rootfs, tar, fd);
	return scar_dir_times_set(rootfs, st.st_ino, &entry->mtime, to->dir->path, to->base, err);
}

static int make_dir(struct scar_rootfs *rootfs, struct scar_tar *tar,
		    const struct scar_tar_entry *entry, const struct target *to, int *ret_errno,
		    struct scar_err *err)
{
	struct stat st;
	int result = mkdirat(to->dir->fd, to->base, scar_disk_mode(entry->type, entry->mode));

	if (made(result, ret_errno) < 0) {
		if (*ret_errno != EEXIST ||
		    fstatat(to->dir->fd, to->base, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			return -1;
		*ret_errno = 0; /* merges */
	}
	return set_dir_attributes(rootfs, tar, entry, to, err);
}

/* The root is there, and stays. */
static int apply_root(struct scar_rootfs *rootfs, struct scar_tar *tar,
		      const struct scar_tar_entry *entry, struct scar_err *err)
{
	struct target to = {.base = "."};

	if (entry->hard_link || !S_ISDIR(entry->type))
		return scar_err_set(err, SCAR_ERR_IMAGE, "the root must be a directory");
	if (scar_parents_get(rootfs, "", false, &to.dir, err) < 0)
		return -1;
	return set_dir_attributes(rootfs, tar, entry, &to, err);
}

/* ---- hard links ---- */

static int make_hard_link(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			  const struct target *to, int *ret_errno, struct scar_err *err)
{
	const struct scar_dir *dir;
	struct scar_name name;
	struct stat target, present;
	int found;

	if (scar_name_parse(entry->hard_link, &name, err) < 0)
		return scar_err_wrap(err, "target of a hard link");
	if (name.kind != SCAR_NAME_PLAIN || !*name.base)
		return scar_err_set(err, SCAR_ERR_IMAGE, "a hard link to %.256s, which is no file",
				    entry->hard_link);
	found = scar_parents_get(rootfs, name.parent, false, &dir, err);
	if (found < 0)
		return -1;
	if (found == 0 || fstatat(dir->fd, name.base, &target, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "a hard link to %.256s, which is not there", entry->hard_link);
	if (S_ISDIR(target.st_mode))
		return scar_err_set(err, SCAR_ERR_IMAGE, "a hard link to the directory %.256s",
				    entry->hard_link);
	/* Already one file: removing one name first could remove the last. */
	if (fstatat(to->dir->fd, to->base, &present, AT_SYMLINK_NOFOLLOW) == 0 &&
	    present.st_ino == target.st_ino) {
		*ret_errno = 0;
		return 0;
	}
	return made(linkat(dir->fd, name.base, to->dir->fd, to->base, 0), ret_errno);
}

/* ---- dispatch ---- */

/* Makes the entry. *ret_errno: of the call that makes it; -1 with it 0 means that err is filled. */
static int make(struct scar_rootfs *rootfs, struct scar_tar *tar,
		const struct scar_tar_entry *entry, const struct target *to, int *ret_errno,
		struct scar_err *err)
{
	*ret_errno = 0;
	if (entry->hard_link)
		return make_hard_link(rootfs, entry, to, ret_errno, err);
	switch (entry->type) {
	case S_IFDIR: return make_dir(rootfs, tar, entry, to, ret_errno, err);
	case S_IFLNK: return make_symlink(rootfs, entry, to, ret_errno, err);
	case S_IFIFO: return make_fifo(rootfs, entry, to, ret_errno, err);
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK: return make_file(rootfs, tar, entry, to, ret_errno, err);
	case S_IFSOCK: scar_debug("a socket in a layer is skipped"); return 0;
	default: return scar_err_set(err, SCAR_ERR_IMAGE, "unknown type of file");
	}
}

static int apply_plain(struct scar_rootfs *rootfs, struct scar_tar *tar,
		       const struct scar_tar_entry *entry, const struct scar_name *name,
		       struct scar_err *err)
{
	struct target to = {.base = name->base};
	int errnum;

	if (scar_parents_get(rootfs, name->parent, true, &to.dir, err) < 0)
		return -1;
	if (make(rootfs, tar, entry, &to, &errnum, err) < 0) {
		if (errnum != EEXIST)
			return errnum ? scar_err_errno(err, errnum, "cannot make it") : -1;
		if (scar_remove(rootfs, to.dir, to.base, SCAR_REMOVE_ALL, err) < 0)
			return -1;
		if (make(rootfs, tar, entry, &to, &errnum, err) < 0)
			return errnum ? scar_err_errno(err, errnum, "cannot make it") : -1;
	}
	return scar_touched_add(rootfs, to.dir->ino, to.base, err);
}

/* A whiteout below what is not there hides nothing, and makes nothing. */
static int apply_whiteout(struct scar_rootfs *rootfs, const struct scar_name *name,
			  struct scar_err *err)
{
	const struct scar_dir *dir;
	int found;

	if (rootfs->layer <= 1)
		return 0;
	found = scar_parents_get(rootfs, name->parent, false, &dir, err);
	if (found <= 0)
		return found;
	if (name->kind == SCAR_NAME_OPAQUE)
		return scar_remove_lower_children(rootfs, dir, err);
	return scar_remove(rootfs, dir, name->base, SCAR_REMOVE_LOWER, err);
}

int scar_rootfs_apply(struct scar_rootfs *rootfs, struct scar_tar *tar,
		      const struct scar_tar_entry *entry, struct scar_err *err)
{
	struct scar_name name;

	if (++rootfs->entries > SCAR_LIMIT_TAR_ENTRIES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the image has more than %d entries",
				    SCAR_LIMIT_TAR_ENTRIES);
	if (scar_name_parse(entry->name, &name, err) < 0)
		return -1;
	switch (name.kind) {
	case SCAR_NAME_META: return 0;
	case SCAR_NAME_WHITEOUT:
	case SCAR_NAME_OPAQUE: return apply_whiteout(rootfs, &name, err);
	case SCAR_NAME_PLAIN: break;
	}
	if (!*name.base)
		return apply_root(rootfs, tar, entry, err);
	return apply_plain(rootfs, tar, entry, &name, err);
}

int scar_rootfs_finish(struct scar_rootfs *rootfs, int dirfd, const char *owners_name,
		       struct scar_err *err)
{
	scar_dir_times_apply(rootfs);
	return scar_owner_table_write(&rootfs->owners, dirfd, owners_name, err);
}
