/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/known.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

#include "invoke/engine/guest/ledger.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/loader.h"
#include "invoke/engine/rewrite/loader/owners.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_REMOVEDIR_ 0x200
#define AT_EMPTY_PATH_ 0x1000
#define RENAME_EXCHANGE_ 2
#define NAME_MAX_ 255
#define ENTRIES 64
#define PATH_BYTES 120

/*
 * One directory. Readers take a copy and look at the version before and after it: it is odd while a
 * thread writes. Should that thread's process end then (a vfork child), only this entry is lost.
 */
struct known {
	uint32_t version;
	uint32_t links; /* of the ledger, when it was found */
	uint16_t from_len, to_len;
	char from[PATH_BYTES]; /* as the guest named it */
	char to[PATH_BYTES];   /* canonical; "" for the root */
};

static struct known known[ENTRIES];

/*
 * A directory as the guest named it, and whether the kernel finds the same under that name: no link leads
 * there, and no bind lies in it.
 */
struct straight {
	uint32_t version, links;
	uint32_t moved; /* of this process, when it was found */
	uint16_t len;
	bool is_straight;
	char from[PATH_BYTES];
};

static struct straight straight[ENTRIES];

/* The working directory, likewise. */
static struct {
	uint32_t version;
	uint32_t links, moved;
	int len;
	char path[PATH_BYTES];
} here;
static uint32_t moves_made;
/* Those who share our memory may each be somewhere else. */
static bool is_scattered;

static uint32_t entry_of(const char *from, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)from[i]) * 16777619u;
	return (hash ^ hash >> 16) % ENTRIES;
}

/* Copies the canonical path to `to`. @return its length, or -1 */
static int recall(const char *from, size_t len, uint32_t links, char *to)
{
	const struct known *entry = &known[entry_of(from, len)];
	uint32_t version = __atomic_load_n(&entry->version, __ATOMIC_ACQUIRE);
	int to_len = entry->to_len;

	if ((version & 1) || entry->links != links || entry->from_len != len ||
	    memcmp(entry->from, from, len) != 0)
		return -1;
	memcpy(to, entry->to, sizeof(entry->to));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&entry->version, __ATOMIC_RELAXED) == version ? to_len : -1;
}

static void keep(const char *from, size_t len, uint32_t links, const struct scar_where *where)
{
	struct known *entry = &known[entry_of(from, len)];
	uint32_t version = __atomic_load_n(&entry->version, __ATOMIC_RELAXED);

	if ((version & 1) ||
	    !__atomic_compare_exchange_n(&entry->version, &version, version + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	entry->links = links;
	entry->from_len = (uint16_t)len;
	entry->to_len = (uint16_t)where->guest_len;
	memcpy(entry->from, from, len);
	memcpy(entry->to, where->guest, where->guest_len);
	__atomic_store_n(&entry->version, version + 2, __ATOMIC_RELEASE);
}

/* Walks to the directory and leaves its canonical path in `where`. */
static int learn(const char *from, size_t len, uint32_t links, struct scar_where *where)
{
	char path[PATH_BYTES + 1];
	struct stat st;
	long ret;

	memcpy(path, from, len);
	path[len] = '\0';
	memcpy(where->guest, path, len + 1);
	where->guest_len = len;
	if (scar_where_place(&scar_loader.guest, where))
		return 0;
	ret = scar_path_resolve(&scar_loader.paths, AT_FDCWD, path, SCAR_PATH_FOLLOW, where);
	if (ret)
		return ret == -EBADF ? 0 : (int)ret;
	if (where->magic || where->fleeting || where->dir_fd != scar_loader.guest.root_fd ||
	    where->guest_len > PATH_BYTES || where->guest[where->guest_len])
		return 0;
	/* What is missing may yet become a link. */
	ret = scar_sys(__NR_newfstatat, where->dir_fd, where->path, &st, AT_SYMLINK_NOFOLLOW_);
	if (ret)
		return ret == -EBADF ? 0 : (int)ret;
	if (!S_ISDIR(st.st_mode)) /* a link by now: some other thread is at it */
		return S_ISLNK(st.st_mode) ? 0 : -ENOTDIR;
	keep(from, len, links, where);
	return SCAR_KNOWN;
}

/* The working directory as the guest calls it, copied to `to` (PATH_BYTES). @return its length, or -1 */
static int working_directory(uint32_t links, char *to)
{
	struct scar_where where;
	uint32_t version = __atomic_load_n(&here.version, __ATOMIC_ACQUIRE), moved;
	int len = here.len;
	long n;

	if (is_scattered)
		return -1;
	moved = __atomic_load_n(&moves_made, __ATOMIC_ACQUIRE);
	if (!(version & 1) && version && here.links == links && here.moved == moved) {
		memcpy(to, here.path, sizeof(here.path));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&here.version, __ATOMIC_RELAXED) == version)
			return len;
	}
	n = scar_sys(__NR_getcwd, where.guest, sizeof(where.guest));
	if (n <= 0)
		return -1;
	n = scar_path_to_guest(&scar_loader.guest, where.guest, sizeof(where.guest));
	if (n <= 0 || n > PATH_BYTES)
		return -1;
	where.guest_len = n == 1 ? 0 : (size_t)n;
	if (scar_where_place(&scar_loader.guest, &where))
		return -1;
	memcpy(to, where.guest, where.guest_len);
	if (!(version & 1) &&
	    __atomic_compare_exchange_n(&here.version, &version, version + 1, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		__atomic_thread_fence(__ATOMIC_RELEASE);
		here.links = links;
		here.moved = moved;
		here.len = (int)where.guest_len;
		memcpy(here.path, where.guest, where.guest_len);
		__atomic_store_n(&here.version, version + 2, __ATOMIC_RELEASE);
	}
	return (int)where.guest_len;
}

/*
 * The canonical path of a directory, as far as `path` names one with its first len bytes. ret_same: it is the
 * path as given, behind that of the working directory if it is relative.
 */
static int find_directory(const char *path, size_t len, uint32_t links, struct scar_where *where,
			  bool *ret_same)
{
	char absolute[2 * PATH_BYTES + 1];
	int found, ret = SCAR_KNOWN;

	if (len > PATH_BYTES)
		return 0;
	if (path[0] != '/') {
		found = working_directory(links, absolute);
		if (found < 0 || (size_t)found + 1 + len > PATH_BYTES)
			return 0;
		absolute[found] = '/';
		memcpy(absolute + found + 1, path, len);
		path = absolute;
		len += (size_t)found + 1;
	}
	where->guest_len = 0;
	found = len ? recall(path, len, links, where->guest) : 0;
	if (found < 0)
		ret = learn(path, len, links, where);
	else
		where->guest_len = (size_t)found;
	*ret_same = ret == SCAR_KNOWN && where->guest_len == len &&
		    memcmp(where->guest, path, len) == 0;
	return ret;
}

/* True if a bind is in the directory itself. */
static bool has_binds(const struct scar_where *where)
{
	for (uint32_t i = 0; i < scar_loader.guest.bind_count; i++) {
		const struct scar_guest_bind *b = &scar_loader.guest.binds[i];
		size_t len = where->guest_len + 1;

		if (b->guest_len >= len && memcmp(b->guest, where->guest, len - 1) == 0 &&
		    b->guest[len - 1] == '/' && !memchr(b->guest + len, '/', b->guest_len - len))
			return true;
	}
	return false;
}

static bool is_straight(const char *from, size_t len, uint32_t links, uint32_t moved)
{
	struct straight *entry = &straight[entry_of(from, len)];
	uint32_t version = __atomic_load_n(&entry->version, __ATOMIC_ACQUIRE);
	struct scar_where where;
	bool found;

	if (!(version & 1) && entry->links == links && entry->moved == moved && entry->len == len &&
	    memcmp(entry->from, from, len) == 0) {
		found = entry->is_straight;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&entry->version, __ATOMIC_RELAXED) == version)
			return found;
	}
	if (find_directory(from, len, links, &where, &found) != SCAR_KNOWN)
		return false;
	found = found && !has_binds(&where);
	if ((version & 1) ||
	    !__atomic_compare_exchange_n(&entry->version, &version, version + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return found;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	entry->links = links;
	entry->moved = moved;
	entry->len = (uint16_t)len;
	entry->is_straight = found;
	memcpy(entry->from, from, len);
	__atomic_store_n(&entry->version, version + 2, __ATOMIC_RELEASE);
	return found;
}

/* Length of what comes before the last component, whose length is put in ret_len; -1 if that is no plain name. */
static long split(const char *path, size_t *ret_len)
{
	size_t len = strnlen(path, SCAR_GUEST_PATH_MAX), at = len;
	const char *name;

	while (at && path[at - 1] != '/')
		at--;
	name = path + at;
	len -= at;
	if (at == 0 || len == 0 || len > NAME_MAX_ ||
	    (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return -1;
	*ret_len = len;
	return (long)at - 1;
}

int scar_known_resolve(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where)
{
	const uint32_t *links = scar_owners_links();
	size_t len;
	long directory, n;
	bool same;
	char byte;
	int ret;

	if (!links || (path[0] != '/' && dir_fd != AT_FDCWD))
		return 0;
	directory = split(path, &len);
	if (directory < 0)
		return 0;
	ret = find_directory(path, (size_t)directory, __atomic_load_n(links, __ATOMIC_ACQUIRE),
			     ret_where, &same);
	if (ret != SCAR_KNOWN || ret_where->guest_len + len + 3 > SCAR_GUEST_PATH_MAX)
		return ret == SCAR_KNOWN ? 0 : ret;
	ret_where->guest[ret_where->guest_len] = '/';
	memcpy(ret_where->guest + ret_where->guest_len + 1, path + directory + 1, len + 1);
	ret_where->guest_len += 1 + len;
	ret_where->magic = false;
	/* A mount point of a bind is no link, whatever lies there. */
	if (scar_where_place(&scar_loader.guest, ret_where) || follow != SCAR_PATH_FOLLOW)
		return SCAR_KNOWN;
	n = scar_sys(__NR_readlinkat, ret_where->dir_fd, ret_where->path, &byte, 1);
	return n == -EINVAL || n == -ENOENT ? SCAR_KNOWN : 0;
}

bool scar_known_is_straight(int dir_fd, const char *path)
{
	const uint32_t *links = scar_owners_links();
	size_t len;
	long directory;
	uint32_t moved = 0;

	if (!links || (path[0] != '/' && (dir_fd != AT_FDCWD || is_scattered)))
		return false;
	directory = split(path, &len);
	if (directory <= 0 || directory > PATH_BYTES)
		return false;
	if (path[0] != '/')
		moved = __atomic_load_n(&moves_made, __ATOMIC_ACQUIRE);
	return is_straight(path, (size_t)directory, __atomic_load_n(links, __ATOMIC_ACQUIRE),
			   moved);
}

void scar_known_moved(void)
{
	/* A child of vfork, perhaps: then its parent has not moved. */
	is_scattered |= scar_sys(__NR_getpid) != scar_loader.pid;
	__atomic_add_fetch(&moves_made, 1, __ATOMIC_ACQ_REL);
}

void scar_known_cloned(uint64_t flags)
{
	/* Memory and working directory: only who shares both or neither is told of a move. */
	is_scattered |= (flags & CLONE_THREAD) && !(flags & CLONE_FS);
	is_scattered |= !(flags & CLONE_VM) && (flags & CLONE_FS);
}

static mode_t type_of(int dir_fd, long path, long flags)
{
	struct stat st;

	if (scar_sys(__NR_newfstatat, dir_fd, path, &st, flags | AT_SYMLINK_NOFOLLOW_))
		return 0;
	return st.st_mode & S_IFMT;
}

static bool moves(const long a[6], bool exchanges)
{
	mode_t from = type_of((int)a[0], a[1], 0), to;

	if (from == S_IFDIR || from == S_IFLNK)
		return true;
	to = type_of((int)a[2], a[3], 0);
	return to == S_IFLNK || (exchanges && to == S_IFDIR);
}

bool scar_known_is_changed_by(long nr, const long a[6])
{
	switch (nr) {
	case __NR_symlinkat: return true;
	case __NR_unlinkat:
		/* A directory that is gone may be where somebody stands, or have been left again by "..". */
		return (a[2] & AT_REMOVEDIR_) || type_of((int)a[0], a[1], 0) == S_IFLNK;
	case __NR_linkat: return type_of((int)a[0], a[1], a[4] & AT_EMPTY_PATH_) == S_IFLNK;
	case __NR_renameat: return moves(a, false);
	case __NR_renameat2: return moves(a, a[4] & RENAME_EXCHANGE_);
	default: return false;
	}
}

void scar_known_changed(void)
{
	uint32_t *links = scar_owners_links();

	if (links)
		__atomic_add_fetch(links, 1, __ATOMIC_ACQ_REL);
}
