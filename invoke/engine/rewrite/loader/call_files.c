/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/known.h"
#include "invoke/engine/rewrite/loader/owners.h"
#include "invoke/engine/rewrite/loader/procfs.h"
#include "invoke/engine/rewrite/loader/undo.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_EMPTY_PATH_ 0x1000
#define TMPFS_MAGIC_ 0x01021994
/* Flags that open(2) knows; it ignores others, while openat2(2) refuses them. */
#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | \
	 O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE_ | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
	 O_CLOEXEC | O_PATH | O_TMPFILE)
#define O_LARGEFILE_ 0100000
#define IS_LINK(mode) (((mode)&0170000) == 0120000)

/* openat2 was found missing or refused: as good as SCAR_GUEST_NO_OPENAT2. */
static bool no_openat2;

static bool opens_for_writing(uint64_t flags)
{
	return (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != 0;
}

static bool read_only_binds(void)
{
	for (uint32_t i = 0; i < scar_loader.guest.bind_count; i++)
		if (scar_loader.guest.binds[i].flags & SCAR_BIND_READ_ONLY)
			return true;
	return false;
}

/*
 * openat2 resolves a path without links or binds in one call, and its ENOENT is final.
 * Anything else (-ELOOP: there is a link) takes the walk.
 */
static bool open_fast(int dir_fd, const char *path, const struct open_how *how, long *ret_result)
{
	struct open_how fast = *how;
	bool straight;
	long ret;

	if (no_openat2 || (scar_loader.guest.flags & SCAR_GUEST_NO_OPENAT2) ||
	    (opens_for_writing(how->flags) && (scar_undo_is_on() || read_only_binds())))
		return false;
	straight = scar_known_is_straight(dir_fd, path);
	if (!straight && !scar_path_is_plain(&scar_loader.guest, path))
		return false;
	fast.resolve = RESOLVE_NO_SYMLINKS | (straight ? 0 : RESOLVE_BENEATH);
	if (*path == '/') {
		dir_fd = scar_loader.guest.root_fd;
		while (*path == '/')
			path++;
	}
	if (!*path)
		return false;
	ret = scar_call_point(SCAR_NR_openat2, dir_fd, (long)path, (long)&fast, sizeof(fast), 0, 0);
	if (ret == -ENOSYS || ret == -EPERM)
		no_openat2 = true;
	*ret_result = ret;
	return ret >= 0 || ret == -ENOENT || ret == -EACCES || ret == -EEXIST || ret == -EINTR;
}

/* True if the last component is "." or "..", with or without a slash behind it, or if there is none but the root. */
static bool ends_in_dots(const char *path)
{
	size_t len = strlen(path), dots = 0;

	while (len && path[len - 1] == '/')
		len--;
	while (dots < len && path[len - 1 - dots] == '.')
		dots++;
	return (!len && *path) ||
	       ((dots == 1 || dots == 2) && (dots == len || path[len - 1 - dots] == '/'));
}

/*
 * What creates a file takes no name of a directory, and the kernel would find other errors first if it
 * saw the place of one, which ends in a slash. 1: the path names none.
 */
static long refuse_directory(int dir_fd, const char *path, uint64_t flags, struct scar_where *where)
{
	const bool dots = ends_in_dots(path);
	size_t len = strlen(path);
	struct stat st;
	char *end;
	long ret;

	if (!dots && (!len || path[len - 1] != '/'))
		return 1;
	ret = scar_resolve(dir_fd, path, dots ? SCAR_PATH_NOFOLLOW : SCAR_PATH_PARENT, where);
	if (ret)
		return ret;
	if (dots) {
		ret = scar_sys(__NR_newfstatat, where->dir_fd, where->path, &st, 0);
		return ret ? ret : flags & O_EXCL ? -EEXIST : -EISDIR;
	}
	/* Only what comes before the name matters. */
	end = (char *)where->path + strlen(where->path);
	if (end > where->path + 1 && end[-1] == '/')
		end[-1] = '\0';
	ret = scar_sys(__NR_newfstatat, where->dir_fd, where->path, &st, AT_SYMLINK_NOFOLLOW_);
	return ret && ret != -ENOENT ? ret : -EISDIR;
}

static long open_how(int dir_fd, const char *path, struct open_how *how, bool strict)
{
	struct scar_where where;
	long ret;
	bool follow = !(how->flags & O_NOFOLLOW) &&
		      (how->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);

	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (open_fast(dir_fd, path, how, &ret))
		/* An absolute path that needs no walk does not lead into a bind. */
		return ret < 0 || *path == '/' ? ret : scar_procfs_opened(ret, path, how->flags);
	if ((how->flags & O_CREAT) &&
	    (ret = refuse_directory(dir_fd, path, how->flags, &where)) <= 0)
		return ret;
	ret = scar_resolve(dir_fd, path, follow ? SCAR_PATH_FOLLOW : SCAR_PATH_NOFOLLOW, &where);
	if (ret)
		return ret;
	if (where.read_only && opens_for_writing(how->flags))
		return -EROFS;
	ret = scar_undo_opening(&where, how->flags);
	if (ret)
		return ret;
	/* Of openat2(2) the guest expects that unknown flags are refused. */
	if (strict)
		ret = scar_call_point(SCAR_NR_openat2, where.dir_fd, (long)where.path, (long)how,
				      sizeof(*how), 0, 0);
	else
		ret = scar_call_point(__NR_openat, where.dir_fd, (long)where.path, (long)how->flags,
				      (long)how->mode, 0, 0);
	if (scar_root_was_lost(ret, &where)) {
		where.dir_fd = scar_loader.guest.root_fd;
		ret = scar_undo_opening(&where, how->flags);
		if (ret == 0)
			ret = scar_sys(__NR_openat, where.dir_fd, where.path, how->flags,
				       how->mode);
	}
	if (ret >= 0 && (where.bind_flags & SCAR_BIND_PROC))
		ret = scar_procfs_opened(ret, where.guest, how->flags);
	return ret;
}

static long open_plain(int dir_fd, const char *path, long flags, long mode)
{
	struct open_how how = {.flags = (uint64_t)flags & OPEN_FLAGS};
	long ret;

	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
		how.mode = (uint64_t)mode & 07777;
	ret = open_how(dir_fd, path, &how, false);
	if (ret >= 0 && (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		scar_owners_created((int)ret);
	return ret;
}

/* openat2(2) by the guest itself: its own restrictions are the kernel's to enforce. */
static long open_restricted(int dir_fd, const char *path, const struct open_how *guest, long size)
{
	struct open_how how;
	long ret;

	if (scar_is_bad_pointer(guest) || scar_is_bad_pointer(path))
		return -EFAULT;
	if (scar_loader.guest.flags & SCAR_GUEST_NO_OPENAT2)
		return -ENOSYS;
	if (size != sizeof(how))
		return scar_sys(SCAR_NR_openat2, -1, "", guest, size);
	how = *guest;
	if (how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		ret = scar_sys(SCAR_NR_openat2, dir_fd, path, &how, sizeof(how));
		scar_undo_opened(ret, how.flags);
		return ret;
	}
	if ((how.resolve & (RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)) &&
	    scar_path_is_plain(&scar_loader.guest, path)) {
		while (*path == '/' && path[1] == '/')
			path++;
		how.resolve |= RESOLVE_IN_ROOT;
		ret = scar_sys(SCAR_NR_openat2, *path == '/' ? scar_loader.guest.root_fd : dir_fd,
			       path, &how, sizeof(how));
		scar_undo_opened(ret, how.flags);
		return ret;
	}
	return open_how(dir_fd, path, &how, true);
}

long scar_call_open(struct scar_regs *r)
{
	switch (r->nr) {
	case __NR_open: return open_plain(AT_FDCWD, (const char *)r->arg[0], r->arg[1], r->arg[2]);
	case __NR_creat:
		return open_plain(AT_FDCWD, (const char *)r->arg[0], O_CREAT | O_WRONLY | O_TRUNC,
				  r->arg[1]);
	case __NR_openat:
		return open_plain((int)r->arg[0], (const char *)r->arg[1], r->arg[2], r->arg[3]);
	default:
		return open_restricted((int)r->arg[0], (const char *)r->arg[1],
				       (const struct open_how *)r->arg[2], r->arg[3]);
	}
}

static long stat_at(int dir_fd, const char *path, struct stat *buf, long flags)
{
	struct scar_where where;
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW_);
	int at = dir_fd;
	const char *name = path;
	long ret;

	if ((flags & AT_EMPTY_PATH_) && (!path || (!scar_is_bad_pointer(path) && !*path)))
		return scar_sys(__NR_newfstatat, dir_fd, path, buf, flags);
	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (scar_is_direct(&at, &name)) {
		ret = scar_sys(__NR_newfstatat, at, name, buf, flags | AT_SYMLINK_NOFOLLOW_);
		if (ret != -EBADF && (ret || !follow || !IS_LINK(buf->st_mode)))
			return ret;
	}
	ret = scar_known_resolve(dir_fd, path, SCAR_PATH_NOFOLLOW, &where);
	if (ret < 0)
		return ret;
	if (ret) {
		ret = scar_sys(__NR_newfstatat, where.dir_fd, where.path, buf,
			       flags | AT_SYMLINK_NOFOLLOW_);
		if (ret != -EBADF && (ret || !follow || !IS_LINK(buf->st_mode)))
			return ret;
	}
	ret = scar_resolve(dir_fd, path, follow ? SCAR_PATH_FOLLOW : SCAR_PATH_NOFOLLOW, &where);
	if (ret)
		return ret;
	ret = scar_sys(__NR_newfstatat, where.dir_fd, where.path, buf, flags);
	if (scar_root_was_lost(ret, &where))
		ret = scar_sys(__NR_newfstatat, scar_loader.guest.root_fd, where.path, buf, flags);
	return ret;
}

static long statx_at(int dir_fd, const char *path, long flags, long mask, struct statx *buf)
{
	struct scar_where where;
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW_);
	int at = dir_fd;
	const char *name = path;
	long ret;

	if ((flags & AT_EMPTY_PATH_) && (!path || (!scar_is_bad_pointer(path) && !*path)))
		return scar_sys(__NR_statx, dir_fd, path, flags, mask, buf);
	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (scar_is_direct(&at, &name)) {
		ret = scar_sys(__NR_statx, at, name, flags | AT_SYMLINK_NOFOLLOW_,
			       mask | STATX_TYPE, buf);
		if (ret != -EBADF && (ret || !follow || !IS_LINK(buf->stx_mode)))
			return ret;
	}
	ret = scar_known_resolve(dir_fd, path, SCAR_PATH_NOFOLLOW, &where);
	if (ret < 0)
		return ret;
	if (ret) {
		ret = scar_sys(__NR_statx, where.dir_fd, where.path, flags | AT_SYMLINK_NOFOLLOW_,
			       mask | STATX_TYPE, buf);
		if (ret != -EBADF && (ret || !follow || !IS_LINK(buf->stx_mode)))
			return ret;
	}
	ret = scar_resolve(dir_fd, path, follow ? SCAR_PATH_FOLLOW : SCAR_PATH_NOFOLLOW, &where);
	if (ret)
		return ret;
	return scar_sys(__NR_statx, where.dir_fd, where.path, flags, mask, buf);
}

long scar_call_stat(struct scar_regs *r)
{
	struct stat *buf = (struct stat *)r->arg[1];
	long ret;

	switch (r->nr) {
	case __NR_fstat:
		if ((int)r->arg[0] == scar_loader.guest.root_fd)
			return -EBADF;
		ret = scar_sys(__NR_fstat, r->arg[0], buf);
		break;
	case __NR_stat: ret = stat_at(AT_FDCWD, (const char *)r->arg[0], buf, 0); break;
	case __NR_lstat:
		ret = stat_at(AT_FDCWD, (const char *)r->arg[0], buf, AT_SYMLINK_NOFOLLOW_);
		break;
	case __NR_newfstatat:
		buf = (struct stat *)r->arg[2];
		ret = stat_at((int)r->arg[0], (const char *)r->arg[1], buf, r->arg[3]);
		break;
	default: {
		struct statx *x = (struct statx *)r->arg[4];

		ret = statx_at((int)r->arg[0], (const char *)r->arg[1], r->arg[2], r->arg[3], x);
		if (ret == 0)
			scar_owners_show_statx(x);
		return ret;
	}
	}
	if (ret == 0)
		scar_owners_show(buf);
	return ret;
}

/*
 * Of a direct name one look tells whether it is a link, which would take another call before access(2), and whether
 * it may be read: an owner's permissions are what the mode says, unless we are privileged.
 */
static bool access_fast(int dir_fd, const char *path, long mode, long *ret_result)
{
	struct stat st;
	long ret;

	if ((mode & ~R_OK) || !scar_is_direct(&dir_fd, &path))
		return false;
	ret = scar_sys(__NR_newfstatat, dir_fd, path, &st, AT_SYMLINK_NOFOLLOW_);
	if (ret == -EBADF || (ret == 0 && IS_LINK(st.st_mode)))
		return false;
	if (ret == 0 && mode &&
	    (st.st_uid != scar_loader.guest.host_uid || !(st.st_mode & S_IRUSR)))
		ret = scar_sys(__NR_faccessat, dir_fd, path, mode);
	*ret_result = ret;
	return true;
}

long scar_call_access(struct scar_regs *r)
{
	bool legacy = r->nr == __NR_access;
	int dir_fd = legacy ? AT_FDCWD : (int)r->arg[0];
	const char *path = (const char *)(legacy ? r->arg[0] : r->arg[1]);
	long mode = legacy ? r->arg[1] : r->arg[2],
	     flags = r->nr == SCAR_NR_faccessat2 ? r->arg[3] : 0, ret;
	struct scar_where where;

	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (!*path && (flags & AT_EMPTY_PATH_))
		return scar_sys(SCAR_NR_faccessat2, dir_fd, path, mode, flags);
	if (!flags && access_fast(dir_fd, path, mode, &ret))
		return ret;
	ret = scar_resolve_near(
		dir_fd, path, flags & AT_SYMLINK_NOFOLLOW_ ? SCAR_PATH_NOFOLLOW : SCAR_PATH_FOLLOW,
		&where);
	if (ret)
		return ret;
	if (where.read_only && (mode & 2))
		return -EROFS;
	/* Kernels before 5.8 lack the flags; without any the calls are the same. */
	if (flags)
		return scar_sys(SCAR_NR_faccessat2, where.dir_fd, where.path, mode, flags);
	ret = scar_sys(__NR_faccessat, where.dir_fd, where.path, mode);
	if (scar_root_was_lost(ret, &where))
		ret = scar_sys(__NR_faccessat, scar_loader.guest.root_fd, where.path, mode);
	return ret;
}

/* A link of procfs as the guest must see it: text of n bytes, at most size bytes of it kept. */
static long show_link(const struct scar_where *where, char *text, long n, char *buf, long size)
{
	size_t len;

	text[n] = '\0';
	if (strcmp(text, scar_loader.exe_host) == 0) {
		int ret = scar_procfs_exe_of(where->guest, text, SCAR_GUEST_PATH_MAX);

		if (ret < 0)
			return ret;
	} else if (text[0] == '/' && text[1]) {
		scar_path_to_guest(&scar_loader.guest, text, SCAR_GUEST_PATH_MAX);
	}
	len = strlen(text);
	if ((long)len > size)
		len = (size_t)size;
	memcpy(buf, text, len);
	return (long)len;
}

long scar_call_readlink(struct scar_regs *r)
{
	bool legacy = r->nr == __NR_readlink;
	int dir_fd = legacy ? AT_FDCWD : (int)r->arg[0];
	const char *path = (const char *)(legacy ? r->arg[0] : r->arg[1]);
	char *buf = (char *)(legacy ? r->arg[1] : r->arg[2]), text[SCAR_GUEST_PATH_MAX];
	long size = (int)(legacy ? r->arg[2] : r->arg[3]), ret;
	struct scar_where where;

	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (size <= 0)
		return -EINVAL;
	if (!*path)
		return scar_sys(__NR_readlinkat, dir_fd, path, buf, size);
	ret = scar_resolve(dir_fd, path, SCAR_PATH_NOFOLLOW, &where);
	if (ret)
		return ret;
	if (!(where.bind_flags & SCAR_BIND_PROC)) {
		ret = scar_sys(__NR_readlinkat, where.dir_fd, where.path, buf, size);
		if (scar_root_was_lost(ret, &where))
			ret = scar_sys(__NR_readlinkat, scar_loader.guest.root_fd, where.path, buf,
				       size);
		return ret;
	}
	ret = scar_sys(__NR_readlinkat, where.dir_fd, where.path, text, sizeof(text) - 1);
	if (ret <= 0)
		return ret;
	return scar_is_bad_pointer(buf) ? -EFAULT : show_link(&where, text, ret, buf, size);
}

long scar_call_getcwd(struct scar_regs *r)
{
	char path[SCAR_GUEST_PATH_MAX];
	char *buf = (char *)r->arg[0];
	long ret = scar_sys(__NR_getcwd, path, sizeof(path));

	if (ret < 0)
		return ret;
	if (scar_path_to_guest(&scar_loader.guest, path, sizeof(path)) < 0)
		return -ENOENT;
	ret = (long)strlen(path) + 1;
	if (ret > r->arg[1])
		return -ERANGE;
	if (scar_is_bad_pointer(buf))
		return -EFAULT;
	memcpy(buf, path, (size_t)ret);
	return ret;
}

long scar_call_statfs(struct scar_regs *r)
{
	struct statfs *buf = (struct statfs *)r->arg[1];
	struct scar_where where = {.bind_flags = 0};
	char flat[SCAR_GUEST_PATH_MAX], link[40];
	long ret;

	if (r->nr == __NR_fstatfs) {
		struct scar_text t = scar_text_of(link, sizeof(link));

		ret = scar_sys(__NR_fstatfs, r->arg[0], buf);
		if (ret)
			return ret;
		scar_text_str(&t, "/proc/self/fd/");
		scar_text_unsigned(&t, (unsigned)r->arg[0], 10);
		/* Of a descriptor the name tells where it lies; one without a name is no file of a bind. */
		ret = scar_sys(__NR_readlinkat, AT_FDCWD, link, where.guest,
			       sizeof(where.guest) - 1);
		where.guest[ret > 0 ? ret : 0] = '\0';
		if (where.guest[0] == '/' &&
		    scar_path_to_guest(&scar_loader.guest, where.guest, sizeof(where.guest)) > 0 &&
		    scar_path_below(where.guest, "/dev/shm", 8))
			where.bind_flags = SCAR_BIND_TMPFS;
		ret = 0;
	} else {
		ret = scar_resolve(AT_FDCWD, (const char *)r->arg[0], SCAR_PATH_FOLLOW, &where);
		if (ret == 0) {
			const char *path = scar_flatten(&where, flat);

			ret = path ? scar_sys(__NR_statfs, path, buf) : -ENOMEM;
		}
	}
	/* POSIX shared memory asks whether /dev/shm really is a tmpfs. */
	if (ret == 0 && (where.bind_flags & SCAR_BIND_TMPFS))
		buf->f_type = TMPFS_MAGIC_;
	return ret;
}

/* Not permitted, as in Lambda; but to the root that we are in already it is harmless. */
long scar_call_chroot(struct scar_regs *r)
{
	struct scar_where where;
	long ret = scar_resolve(AT_FDCWD, (const char *)r->arg[0], SCAR_PATH_FOLLOW, &where);

	if (ret)
		return ret;
	return where.guest_len == 0 && scar_loader.guest.ids.euid == 0 ? 0 : -EPERM;
}
