/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/rootfs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "extractor/tar.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

mode_t scar_disk_mode(mode_t type, mode_t mode)
{
	if (S_ISDIR(type))
		return mode | S_IRWXU;
	return mode | S_IRUSR;
}

static bool is_device(mode_t type)
{
	return S_ISCHR(type) || S_ISBLK(type);
}

int scar_remember_owner(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			const struct stat *st, struct scar_err *err)
{
	mode_t mode = S_ISLNK(entry->type) ? S_IFLNK | 0777 : entry->type | entry->mode;
	struct scar_owner owner = {
		.ino = st->st_ino,
		.uid = entry->uid,
		.gid = entry->gid,
		.mode = mode,
		.rdev_major = entry->rdev_major,
		.rdev_minor = entry->rdev_minor,
	};

	if (entry->uid == 0 && entry->gid == 0 && st->st_mode == mode) {
		/* The number may be that of a removed file. */
		scar_owner_table_forget(&rootfs->owners, st->st_ino);
		return 0;
	}
	return scar_owner_table_set(&rootfs->owners, &owner, err);
}

void scar_set_xattrs(struct scar_rootfs *rootfs, struct scar_tar *tar, int fd)
{
	const char *name;
	const void *value;
	size_t len;

	while (scar_tar_xattr(tar, &name, &value, &len) == 1) {
		/* security.*, trusted.* and ACLs need privileges, and mean little without them. */
		if (name && strncmp(name, "user.", 5) == 0 &&
		    fsetxattr(fd, name, value, len, 0) == 0)
			continue;
		if (!rootfs->told_xattr)
			scar_debug("extended attribute %s is not kept (further ones not told)",
				   name ? name : "?");
		rootfs->told_xattr = true;
	}
}

/* A time that the file system refuses or cannot hold is not worth failing for. */
static void set_time(int fd, const char *name, const struct timespec *mtime)
{
	const struct timespec times[2] = {*mtime, *mtime};
	int result = name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times);

	if (result < 0)
		scar_debug("cannot set the time of a file: errno %d", errno);
}

int scar_set_file_attributes(struct scar_rootfs *rootfs, struct scar_tar *tar,
			     const struct scar_tar_entry *entry, int fd, struct scar_err *err)
{
	mode_t mode = is_device(entry->type) ? 0600 : scar_disk_mode(entry->type, entry->mode);
	struct stat st;

	scar_set_xattrs(rootfs, tar, fd);
	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at the file written");
	/* Umask took bits away, or writing the set-user-ID bit. */
	if ((st.st_mode & 07777) != mode) {
		if (fchmod(fd, mode) < 0 || fstat(fd, &st) < 0)
			return scar_err_errno(err, errno, "cannot set the mode");
	}
	set_time(fd, NULL, &entry->mtime);
	return scar_remember_owner(rootfs, entry, &st, err);
}

int scar_set_node_attributes(struct scar_rootfs *rootfs, const struct scar_tar_entry *entry,
			     int dirfd, const char *name, struct stat *ret_st, struct scar_err *err)
{
	mode_t mode = scar_disk_mode(entry->type, entry->mode);
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "cannot look at what was made");
	/* Umask, a set-group-ID parent, or the directory was there before. */
	if (!S_ISLNK(st.st_mode) && (st.st_mode & 07777) != mode) {
		if (fchmodat(dirfd, name, mode, 0) < 0 ||
		    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return scar_err_errno(err, errno, "cannot set the mode");
	}
	if (!S_ISDIR(st.st_mode))
		set_time(dirfd, name, &entry->mtime);
	*ret_st = st;
	return scar_remember_owner(rootfs, entry, &st, err);
}
