/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/owners.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <stddef.h>
#include <sys/mman.h>

#include "invoke/engine/guest/ledger.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/handle.h"
#include "invoke/engine/rewrite/loader/undo.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_EMPTY_PATH_ 0x1000
#define RENAME_EXCHANGE_ 2
#define NR_fchmodat2 452
#define KEEP UINT32_MAX
#define TYPE(mode) ((mode)&0170000u)
#define PERMISSIONS 07777u

/* Mapped at first need, since many programs never ask; fork(2) hands the mapping on. */
static struct scar_ledger *mapped;
static uint8_t unavailable;

static struct scar_ledger *map_ledger(void)
{
	char path[SCAR_GUEST_ROOT_MAX + 32];
	struct scar_text t = scar_text_of(path, sizeof(path));
	/* Only its size counts, which the analyzer does not see the kernel write. */
	struct stat st = {.st_size = 0};
	long fd, at = -1;

	scar_text_str(&t, scar_loader.guest.state_dir);
	scar_text_str(&t, SCAR_LEDGER_NAME);
	scar_text_unsigned(&t, scar_loader.guest.ledger, 10);
	fd = scar_sys(__NR_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (scar_sys(__NR_fstat, fd, &st) == 0)
		at = scar_sys(__NR_mmap, 0, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	scar_sys(__NR_close, fd);
	if (at < 0 && at > -4096)
		return NULL;
	return scar_ledger_is_valid((struct scar_ledger *)at, (size_t)st.st_size)
		       ? (struct scar_ledger *)at
		       : NULL;
}

/* NULL if there is none, or no descriptor was left to map it: then nothing is remembered. */
static struct scar_ledger *ledger(void)
{
	struct scar_ledger *have = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE);

	if (have || unavailable || !scar_loader.guest.ledger)
		return have;
	/* Two threads may both map it; that costs an address range and no more. */
	have = map_ledger();
	if (have)
		__atomic_store_n(&mapped, have, __ATOMIC_RELEASE);
	else
		unavailable = 1;
	return have;
}

uint32_t *scar_owners_links(void)
{
	struct scar_ledger *l = ledger();

	return l ? &l->links : NULL;
}

static bool is_root(void)
{
	return scar_loader.guest.ids.euid == 0;
}

/* The encoding of st_dev and st_rdev in the kernel's interface. */
static uint64_t device(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static bool stat_of(int dir_fd, const char *path, long flags, struct stat *st)
{
	return scar_sys(__NR_newfstatat, dir_fd, path, st, flags) == 0 && ledger() &&
	       st->st_dev == ledger()->dev;
}

/* ---- what the guest sees ---- */

void scar_owners_show(struct stat *st)
{
	struct scar_ledger *l = ledger();
	const struct scar_ledger_entry *entry = NULL;
	bool ours = l && st->st_dev == l->dev;

	if (ours)
		entry = scar_ledger_find(l, st->st_ino);
	if (entry && (entry->flags & SCAR_LEDGER_MODE)) {
		st->st_mode = entry->mode;
		if (TYPE(entry->mode) == S_IFCHR || TYPE(entry->mode) == S_IFBLK)
			st->st_rdev = device(entry->rdev_major, entry->rdev_minor);
	}
	if (entry && (entry->flags & SCAR_LEDGER_OWNER)) {
		st->st_uid = entry->uid;
		st->st_gid = entry->gid;
	} else if (ours) {
		st->st_uid = st->st_uid == scar_loader.guest.host_uid ? 0 : st->st_uid;
		st->st_gid = st->st_gid == scar_loader.guest.host_gid ? 0 : st->st_gid;
	} else {
		st->st_uid = scar_shown_uid(st->st_uid);
		st->st_gid = scar_shown_gid(st->st_gid);
	}
}

void scar_owners_show_statx(struct statx *x)
{
	struct stat st = {.st_dev = device(x->stx_dev_major, x->stx_dev_minor),
			  .st_ino = x->stx_ino,
			  .st_mode = x->stx_mode,
			  .st_uid = x->stx_uid,
			  .st_gid = x->stx_gid,
			  .st_rdev = device(x->stx_rdev_major, x->stx_rdev_minor)};

	scar_owners_show(&st);
	x->stx_mode = (uint16_t)st.st_mode;
	x->stx_uid = st.st_uid;
	x->stx_gid = st.st_gid;
	x->stx_rdev_major = (uint32_t)(st.st_rdev >> 8) & 0xfff;
	x->stx_rdev_minor = (uint32_t)((st.st_rdev & 0xff) | ((st.st_rdev >> 12) & 0xfff00));
}

/* ---- what the guest changes ---- */

static void remember_owner(uint64_t ino, uint32_t uid, uint32_t gid)
{
	struct scar_ledger_entry *entry = scar_ledger_find(ledger(), ino);
	bool known = entry && (entry->flags & SCAR_LEDGER_OWNER);

	if (uid == KEEP)
		uid = known ? entry->uid : 0;
	if (gid == KEEP)
		gid = known ? entry->gid : 0;
	/* Root's files need no entry: tar and dpkg give each of theirs to root. */
	if (!entry && uid == 0 && gid == 0)
		return;
	if (!entry)
		entry = scar_ledger_claim(ledger(), ino);
	if (!entry)
		return;
	entry->uid = uid;
	entry->gid = gid;
	__atomic_or_fetch(&entry->flags, SCAR_LEDGER_OWNER, __ATOMIC_RELEASE);
}

static void remember_mode(uint64_t ino, const struct scar_owners_change *change)
{
	struct scar_ledger_entry *entry = scar_ledger_claim(ledger(), ino);

	if (!entry)
		return;
	if (!(entry->flags & SCAR_LEDGER_MODE) || TYPE(entry->mode) == TYPE(change->mode)) {
		entry->rdev_major = change->rdev_major;
		entry->rdev_minor = change->rdev_minor;
	}
	entry->mode = change->mode;
	__atomic_or_fetch(&entry->flags, SCAR_LEDGER_MODE, __ATOMIC_RELEASE);
}

void scar_owners_changed(int dir_fd, const char *path, long flags, uint32_t uid, uint32_t gid)
{
	struct stat st;

	if (stat_of(dir_fd, path, flags, &st))
		remember_owner(st.st_ino, uid, gid);
}

void scar_owners_copied(uint64_t ino, uint64_t copy)
{
	const struct scar_ledger_entry *entry = ledger() ? scar_ledger_find(ledger(), ino) : NULL;
	struct scar_ledger_entry *made = entry ? scar_ledger_claim(ledger(), copy) : NULL;

	if (!made)
		return;
	made->uid = entry->uid;
	made->gid = entry->gid;
	made->mode = entry->mode;
	made->rdev_major = entry->rdev_major;
	made->rdev_minor = entry->rdev_minor;
	__atomic_store_n(&made->flags, entry->flags, __ATOMIC_RELEASE);
}

static bool creates_as_root(void)
{
	return scar_loader.guest.ids.fsuid == 0 && scar_loader.guest.ids.fsgid == 0;
}

void scar_owners_created(int fd)
{
	struct stat st;

	/* One that has content or an owner was there before. */
	if (!creates_as_root() && stat_of(fd, "", AT_EMPTY_PATH_, &st) && st.st_size == 0 &&
	    !scar_ledger_find(ledger(), st.st_ino))
		remember_owner(st.st_ino, scar_loader.guest.ids.fsuid, scar_loader.guest.ids.fsgid);
}

/* ---- calls with paths ---- */

static void before_removal(int dir_fd, const char *path, struct scar_owners_change *change)
{
	struct stat st;

	if (!ledger() || !ledger()->claimed || !stat_of(dir_fd, path, AT_SYMLINK_NOFOLLOW_, &st))
		return;
	if ((TYPE(st.st_mode) == S_IFDIR || st.st_nlink <= 1) &&
	    scar_ledger_find(ledger(), st.st_ino))
		change->forget = st.st_ino;
}

/* What has the new name goes, unless it is the file itself: then nothing happens. */
static void before_rename(const long a[6], struct scar_owners_change *change)
{
	struct stat st;

	before_removal((int)a[2], (const char *)a[3], change);
	if (change->forget && stat_of((int)a[0], (const char *)a[1], AT_SYMLINK_NOFOLLOW_, &st) &&
	    st.st_ino == change->forget)
		change->forget = 0;
}

/* The mode for the disk; what differs from the one that was asked for is entered afterwards. */
static uint32_t mode_for_disk(const struct stat *st, uint32_t mode,
			      struct scar_owners_change *change)
{
	const struct scar_ledger_entry *entry = scar_ledger_find(ledger(), st->st_ino);
	bool has_mode = entry && (entry->flags & SCAR_LEDGER_MODE);
	uint32_t wanted = mode & PERMISSIONS, disk = wanted;

	if (is_root())
		disk |= TYPE(st->st_mode) == S_IFDIR ? 0700 : 0600;
	if (disk == wanted && !has_mode)
		return mode;
	change->ino = st->st_ino;
	change->has_mode = true;
	change->mode = (has_mode ? TYPE(entry->mode) : TYPE(st->st_mode)) | wanted;
	if (has_mode) {
		change->rdev_major = entry->rdev_major;
		change->rdev_minor = entry->rdev_minor;
	}
	return disk;
}

static void before_chmod(int dir_fd, const char *path, long flags, long *mode,
			 struct scar_owners_change *change)
{
	struct stat st;

	if (stat_of(dir_fd, path, flags, &st) && TYPE(st.st_mode) != S_IFLNK)
		*mode = (long)mode_for_disk(&st, (uint32_t)*mode, change);
}

/* Only root may make devices, and we are not: an empty file stands for one. */
static void before_mknod(int dir_fd, const char *path, long *mode, uint32_t dev,
			 struct scar_owners_change *change)
{
	uint32_t type = TYPE((uint32_t)*mode);

	change->dir_fd = dir_fd;
	change->path = path;
	if (!is_root() || !ledger() || (type != S_IFCHR && type != S_IFBLK))
		return;
	change->has_mode = true;
	change->mode = (uint32_t)*mode;
	change->rdev_major = (dev >> 8) & 0xfff;
	change->rdev_minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
	*mode = S_IFREG | 0600;
}

static void before_creation(int dir_fd, const char *path, struct scar_owners_change *change)
{
	change->dir_fd = dir_fd;
	change->path = creates_as_root() ? NULL : path;
}

void scar_owners_before(long nr, long a[6], struct scar_owners_change *ret_change)
{
	*ret_change = (struct scar_owners_change){.path = NULL};
	switch (nr) {
	/* Old forms have become these (handle.c). */
	case __NR_unlinkat: before_removal((int)a[0], (const char *)a[1], ret_change); break;
	case __NR_renameat: before_rename(a, ret_change); break;
	case __NR_renameat2:
		if (!(a[4] & RENAME_EXCHANGE_))
			before_rename(a, ret_change);
		break;
	case __NR_fchmodat:
		before_chmod((int)a[0], (const char *)a[1], 0, &a[2], ret_change);
		break;
	case NR_fchmodat2:
		before_chmod((int)a[0], (const char *)a[1], a[3], &a[2], ret_change);
		break;
	case __NR_mkdirat: before_creation((int)a[0], (const char *)a[1], ret_change); break;
	case __NR_symlinkat: before_creation((int)a[1], (const char *)a[2], ret_change); break;
	case __NR_mknodat:
		before_mknod((int)a[0], (const char *)a[1], &a[2], (uint32_t)a[3], ret_change);
		break;
	default: break;
	}
}

void scar_owners_after(const struct scar_owners_change *change)
{
	struct stat st;

	if (change->forget)
		scar_ledger_forget(ledger(), change->forget);
	if (change->ino)
		remember_mode(change->ino, change);
	if (!change->path || !stat_of(change->dir_fd, change->path, AT_SYMLINK_NOFOLLOW_, &st))
		return;
	if (!creates_as_root())
		remember_owner(st.st_ino, scar_loader.guest.ids.fsuid, scar_loader.guest.ids.fsgid);
	if (change->has_mode)
		remember_mode(st.st_ino, change);
}

long scar_owners_fchmod(int fd, uint32_t mode)
{
	struct scar_owners_change change = {.path = NULL};
	struct stat st;
	long ret;

	if (stat_of(fd, "", AT_EMPTY_PATH_, &st))
		mode = mode_for_disk(&st, mode, &change);
	scar_undo_changing(fd, "", AT_EMPTY_PATH_);
	ret = scar_sys(__NR_fchmod, fd, mode);
	if (ret == 0)
		scar_owners_after(&change);
	return ret;
}
