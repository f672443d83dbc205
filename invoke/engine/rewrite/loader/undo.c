/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "invoke/engine/guest/legacy.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/guest/undo.h"
#include "invoke/engine/rewrite/loader/loader.h"
#include "invoke/engine/rewrite/loader/owners.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_REMOVEDIR_ 0x200
#define AT_SYMLINK_FOLLOW_ 0x400
#define AT_EMPTY_PATH_ 0x1000
#define RENAME_NOREPLACE_ 1
#define RENAME_EXCHANGE_ 2
#define NR_fchmodat2 452
#define TMPFILE_ (O_TMPFILE & ~O_DIRECTORY)

/* Mapped at the first change; most programs make none. fork(2) hands the mapping on. */
static struct scar_undo undo;
/* 0: not mapped yet, 1: a thread is at it, 2: mapped */
static uint32_t state;

bool scar_undo_is_on(void)
{
	return scar_loader.guest.undo_dir && scar_loader.guest.undo_dir[0];
}

/* @return 0 with `undo` mapped, or -errno: then nothing may be changed */
static long map(void)
{
	uint32_t none = 0;
	int ret;

	while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != 2) {
		struct scar_undo mapped;

		/* Two threads may both map it; that costs an address range and no more. */
		ret = scar_undo_open(&mapped, scar_loader.guest.undo_dir);
		if (ret)
			return ret;
		mapped.copied = scar_owners_copied;
		if (__atomic_compare_exchange_n(&state, &none, 1, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			undo = mapped;
			__atomic_store_n(&state, 2, __ATOMIC_RELEASE);
		}
	}
	return 0;
}

/* What lies in a bind is not the image's. */
static bool is_outside(int dir_fd, const char *path)
{
	const struct scar_guest *guest = &scar_loader.guest;

	return dir_fd == AT_FDCWD && path[0] == '/' && strncmp(path, "/proc/self/", 11) != 0 &&
	       !scar_path_below(path, guest->root, guest->root_len);
}

static long change_name(int dir_fd, const char *path)
{
	return is_outside(dir_fd, path) ? 0 : scar_undo_name(&undo, dir_fd, path);
}

static void change_attributes(int dir_fd, const char *path, long flags)
{
	if (!path)
		scar_undo_attributes(&undo, dir_fd, "", AT_EMPTY_PATH_);
	else if (!is_outside(dir_fd, path))
		scar_undo_attributes(&undo, dir_fd, path,
				     flags & (AT_SYMLINK_NOFOLLOW_ | AT_EMPTY_PATH_));
}

/* Content or extended attributes; what cannot become a copy makes the image be pulled again. */
static long change_content(const char *path, bool is_magic, bool keep, bool attributes)
{
	long ret = 0;

	if (is_magic)
		scar_undo_spoil(&undo, AT_FDCWD, path, 0);
	else if (!is_outside(AT_FDCWD, path))
		ret = scar_undo_content(&undo, AT_FDCWD, path, keep);
	if (ret == 0 && attributes && !is_magic)
		scar_undo_spoil(&undo, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW_);
	return ret;
}

/* Attributes that have no copy: the image is pulled again. */
static void spoil(int dir_fd, const char *path, long flags)
{
	if (!path)
		scar_undo_spoil(&undo, dir_fd, "", AT_EMPTY_PATH_);
	else if (!is_outside(dir_fd, path))
		scar_undo_spoil(&undo, dir_fd, path,
				flags & (AT_SYMLINK_NOFOLLOW_ | AT_EMPTY_PATH_));
}

static long remove_name(const long a[6])
{
	const char *path = (const char *)a[1];

	if (!(a[2] & AT_REMOVEDIR_))
		return change_name((int)a[0], path);
	return is_outside((int)a[0], path) ? 0 : scar_undo_directory(&undo, (int)a[0], path);
}

/* A directory takes the place of one of the image, which has to be empty. */
static long replace_directory(const long a[6], struct scar_undo_change *change)
{
	const char *from = (const char *)a[1], *to = (const char *)a[3];
	uint64_t ino = scar_undo_directory_at(&undo, (int)a[2], to);
	struct stat st;
	long ret;

	/* Over itself, or not by a directory: the kernel knows what to say. */
	if (!ino || scar_sys(__NR_newfstatat, (int)a[0], from, &st, AT_SYMLINK_NOFOLLOW_) ||
	    !S_ISDIR(st.st_mode) || st.st_ino == ino)
		return 0;
	ret = scar_undo_directory(&undo, (int)a[2], to);
	if (ret <= 0)
		return ret;
	*change = (struct scar_undo_change){.dir_fd = (int)a[2], .path = to, .ino = ino};
	return 0;
}

static long rename_name(const long a[6], long flags, struct scar_undo_change *change)
{
	long ret = change_name((int)a[0], (const char *)a[1]);

	if (ret == 0)
		ret = change_name((int)a[2], (const char *)a[3]);
	if (ret || (flags & (RENAME_NOREPLACE_ | RENAME_EXCHANGE_)) ||
	    is_outside((int)a[2], (const char *)a[3]))
		return ret;
	return replace_directory(a, change);
}

long scar_undo_before(long nr, const long a[6], bool is_magic, struct scar_undo_change *ret_change)
{
	const char *first = (const char *)a[0], *second = (const char *)a[1];
	long ret;

	ret_change->ino = 0;
	if (!scar_undo_is_on())
		return 0;
	ret = map();
	if (ret)
		return ret;
	switch (nr) {
	case __NR_mkdirat:
	case __NR_mknodat: return change_name((int)a[0], second);
	case __NR_symlinkat: return change_name((int)a[1], (const char *)a[2]);
	case __NR_linkat:
		change_attributes((int)a[0], second,
				  (a[4] & AT_EMPTY_PATH_) |
					  (a[4] & AT_SYMLINK_FOLLOW_ ? 0 : AT_SYMLINK_NOFOLLOW_));
		return change_name((int)a[2], (const char *)a[3]);
	case __NR_unlinkat: return remove_name(a);
	case __NR_renameat: return rename_name(a, 0, ret_change);
	case __NR_renameat2: return rename_name(a, a[4], ret_change);
	case __NR_utime: change_attributes(AT_FDCWD, first, 0); return 0;
	case __NR_futimesat:
	case __NR_fchmodat: change_attributes((int)a[0], second, 0); return 0;
	case __NR_utimensat:
	case NR_fchmodat2: change_attributes((int)a[0], second, a[3]); return 0;
	case __NR_truncate: return change_content(first, is_magic, a[1] != 0, false);
	case __NR_setxattr:
	case __NR_lsetxattr:
	case __NR_removexattr:
	case __NR_lremovexattr: return change_content(first, is_magic, true, true);
	case SCAR_NR_setxattrat:
	case SCAR_NR_removexattrat: spoil((int)a[0], second, a[2]); return 0;
	case SCAR_NR_file_setattr: spoil((int)a[0], second, a[4]); return 0;
	default: return 0;
	}
}

void scar_undo_after(long result, const struct scar_undo_change *change)
{
	if (change->ino && result < 0)
		scar_undo_directory_back(&undo, change->dir_fd, change->path, change->ino);
}

long scar_undo_opening(const struct scar_where *where, uint64_t flags)
{
	bool writes = flags & (O_ACCMODE | O_TRUNC);
	long ret;

	if (!scar_undo_is_on() || !(writes || (flags & O_CREAT)) || (flags & O_PATH) ||
	    (flags & TMPFILE_) || (!where->magic && is_outside(where->dir_fd, where->path)))
		return 0;
	ret = map();
	if (ret)
		return ret;
	if (where->magic) {
		scar_undo_spoil(&undo, where->dir_fd, where->path, 0);
		return 0;
	}
	if (writes && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		ret = scar_undo_content(&undo, where->dir_fd, where->path, !(flags & O_TRUNC));
	return ret == 0 && (flags & O_CREAT) ? change_name(where->dir_fd, where->path) : ret;
}

void scar_undo_opened(long fd, uint64_t flags)
{
	char link[40], path[SCAR_GUEST_PATH_MAX];
	struct scar_text t = scar_text_of(link, sizeof(link));
	long n;

	if (!scar_undo_is_on() || fd < 0 || !(flags & (O_ACCMODE | O_CREAT | O_TRUNC)) ||
	    (flags & (O_PATH | TMPFILE_)) || map())
		return;
	scar_undo_spoil(&undo, (int)fd, "", AT_EMPTY_PATH_);
	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (unsigned)fd, 10);
	n = scar_sys(__NR_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	(void)change_name(AT_FDCWD, path);
}

long scar_undo_creating(const struct scar_where *where)
{
	long ret;

	if (!scar_undo_is_on() || is_outside(where->dir_fd, where->path))
		return 0;
	ret = map();
	return ret ? ret : scar_undo_name(&undo, where->dir_fd, where->path);
}

void scar_undo_changing(int dir_fd, const char *path, long flags)
{
	if (scar_undo_is_on() && map() == 0)
		change_attributes(dir_fd, path, flags);
}

long scar_call_attribute(long nr, const long a[6])
{
	long ret = scar_undo_is_on() ? map() : 0;

	if (ret)
		return ret;
	if (scar_undo_is_on())
		scar_undo_spoil(&undo, (int)a[0], "", AT_EMPTY_PATH_);
	return scar_sys6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
