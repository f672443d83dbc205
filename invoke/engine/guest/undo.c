/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "invoke/engine/guest/config.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_REMOVEDIR_ 0x200
#define AT_EMPTY_PATH_ 0x1000
#define FILE_PATH_MAX (SCAR_UNDO_DIR_MAX + 32)
#define NAMES_MAX 4096 /* of extended attributes */
#define VALUE_MAX 4096
#define TYPE(mode) ((mode)&0170000u)

static long stat_at(int dir_fd, const char *path, long flags, struct stat *st)
{
	return scar_sys(__NR_newfstatat, dir_fd, path, st, flags);
}

static const char *file_path(const struct scar_undo *undo, const char *name,
			     char buf[FILE_PATH_MAX])
{
	struct scar_text t = scar_text_of(buf, FILE_PATH_MAX);

	scar_text_str(&t, undo->dir);
	scar_text_str(&t, "/");
	scar_text_str(&t, name);
	return buf;
}

/* Where an inode of the image is kept; prefix '\0': a file. */
static const char *kept_path(const struct scar_undo *undo, char prefix, uint64_t ino,
			     char buf[FILE_PATH_MAX])
{
	struct scar_text t = scar_text_of(buf, FILE_PATH_MAX);

	scar_text_str(&t, undo->dir);
	scar_text_str(&t, "/" SCAR_BASELINE_KEEP "/");
	if (prefix)
		scar_text_put(&t, &prefix, 1);
	scar_text_unsigned(&t, ino, 16);
	return buf;
}

/* ---- the baseline ---- */

static int map_file(struct scar_undo *undo, int fd)
{
	struct stat st = {.st_size = 0};
	long all, marks;

	if (scar_sys(__NR_fstat, fd, &st))
		return -EIO;
	all = scar_sys(__NR_mmap, 0, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (scar_sys_failed(all))
		return (int)all;
	if (scar_baseline_check((void *)all, (size_t)st.st_size, &undo->baseline)) {
		scar_sys(__NR_munmap, all, st.st_size);
		return -EINVAL;
	}
	marks = scar_sys(__NR_mmap, 0, undo->baseline.header->nodes_offset, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	if (scar_sys_failed(marks)) {
		scar_sys(__NR_munmap, all, st.st_size);
		return (int)marks;
	}
	undo->header = (struct scar_baseline_header *)marks;
	return 0;
}

int scar_undo_open(struct scar_undo *undo, const char *dir)
{
	char path[FILE_PATH_MAX];
	long fd;
	int ret;

	*undo = (struct scar_undo){.dir = dir};
	fd = scar_sys(__NR_openat, AT_FDCWD, file_path(undo, SCAR_BASELINE_FILE, path),
		      O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return (int)fd;
	ret = map_file(undo, (int)fd);
	scar_sys(__NR_close, fd);
	return ret;
}

void scar_undo_close(struct scar_undo *undo)
{
	if (!undo->header)
		return;
	scar_sys(__NR_munmap, undo->header, undo->baseline.header->nodes_offset);
	scar_sys(__NR_munmap, undo->baseline.header, undo->baseline.header->file_size);
	undo->header = NULL;
}

static void set_state(const struct scar_undo *undo, uint32_t state)
{
	if ((__atomic_load_n(&undo->header->state, __ATOMIC_RELAXED) & state) != state)
		__atomic_or_fetch(&undo->header->state, state, __ATOMIC_SEQ_CST);
}

/* Before the change: whoever finds the change finds the mark. */
static void mark(const struct scar_undo *undo, uint32_t node)
{
	uint8_t *byte = (uint8_t *)undo->header + SCAR_BASELINE_MARKS_OFFSET + node / 8;
	uint8_t bit = (uint8_t)(1u << (node % 8));

	if (!(__atomic_load_n(byte, __ATOMIC_RELAXED) & bit))
		__atomic_or_fetch(byte, bit, __ATOMIC_SEQ_CST);
	set_state(undo, SCAR_BASELINE_MARKED);
}

static uint32_t find(const struct scar_undo *undo, const struct stat *st)
{
	return st->st_dev == undo->header->dev ? scar_baseline_find(&undo->baseline, st->st_ino)
					       : SCAR_BASELINE_NONE;
}

/* The node at that place, of the image wherever a guest has moved it. */
static uint32_t node_at(const struct scar_undo *undo, int dir_fd, const char *path, long flags,
			struct stat *st)
{
	return stat_at(dir_fd, path, flags, st) ? SCAR_BASELINE_NONE : find(undo, st);
}

static bool is_dir(const struct stat *st)
{
	return TYPE(st->st_mode) == S_IFDIR;
}

/* Marks the directory that holds the name, if it is of the image. */
static void mark_parent(const struct scar_undo *undo, int dir_fd, const char *path)
{
	char parent[SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX];
	size_t len = strlen(path);
	uint32_t node;
	struct stat st;

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	if (len >= sizeof(parent))
		return;
	memcpy(parent, path, len);
	if (!len)
		parent[len++] = '.';
	parent[len] = '\0';
	node = node_at(undo, dir_fd, parent, 0, &st);
	if (node != SCAR_BASELINE_NONE)
		mark(undo, node);
}

/* Marks the directory where the image has that file, or the directory itself. */
static void mark_home(const struct scar_undo *undo, uint32_t node)
{
	const struct scar_baseline_node *n = &undo->baseline.nodes[node];

	mark(undo, TYPE(n->mode) == S_IFDIR ? node : n->parent);
}

/* ---- names ---- */

/* A second name, so that the inode stays whatever happens to this one. */
static long keep_file(const struct scar_undo *undo, int dir_fd, const char *path, uint64_t ino)
{
	char kept[FILE_PATH_MAX];
	long ret = scar_sys(__NR_linkat, dir_fd, path, AT_FDCWD, kept_path(undo, '\0', ino, kept),
			    0);

	return ret == -EEXIST ? 0 : ret;
}

long scar_undo_name(const struct scar_undo *undo, int dir_fd, const char *path)
{
	struct stat st;
	uint32_t node;

	mark_parent(undo, dir_fd, path);
	node = node_at(undo, dir_fd, path, AT_SYMLINK_NOFOLLOW_, &st);
	if (node == SCAR_BASELINE_NONE || is_dir(&st))
		return 0;
	mark_home(undo, node);
	return keep_file(undo, dir_fd, path, st.st_ino);
}

/* 1: empty, 0: not, or -errno */
static long is_empty(int dir_fd, const char *path)
{
	/* Which part the kernel fills, the analyzer does not see. */
	char entries[1024] = {0};
	long fd = scar_sys(__NR_openat, dir_fd, path,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	long n, names = 0;

	if (fd < 0)
		return fd;
	while (names < 3 && (n = scar_sys(__NR_getdents64, fd, entries, sizeof(entries))) > 0) {
		/* Of each entry only the length is needed: d_ino, d_off, d_reclen. */
		for (long at = 0; at < n; names++)
			at += *(const uint16_t *)(const void *)(entries + at + 16);
	}
	scar_sys(__NR_close, fd);
	return names <= 2;
}

uint64_t scar_undo_directory_at(const struct scar_undo *undo, int dir_fd, const char *path)
{
	struct stat st;

	return node_at(undo, dir_fd, path, AT_SYMLINK_NOFOLLOW_, &st) != SCAR_BASELINE_NONE &&
			       is_dir(&st)
		       ? st.st_ino
		       : 0;
}

long scar_undo_directory(const struct scar_undo *undo, int dir_fd, const char *path)
{
	uint64_t ino = scar_undo_directory_at(undo, dir_fd, path);
	char kept[FILE_PATH_MAX];
	long ret;

	mark_parent(undo, dir_fd, path);
	if (!ino)
		return 0;
	ret = is_empty(dir_fd, path);
	if (ret <= 0)
		return ret < 0 ? ret : -ENOTEMPTY;
	kept_path(undo, SCAR_BASELINE_KEEP_DIR, ino, kept);
	ret = scar_sys(__NR_renameat, dir_fd, path, AT_FDCWD, kept);
	if (ret)
		return ret;
	/* Something came into it meanwhile. */
	if (is_empty(AT_FDCWD, kept) == 0) {
		scar_undo_directory_back(undo, dir_fd, path, ino);
		return -ENOTEMPTY;
	}
	return 1;
}

void scar_undo_directory_back(const struct scar_undo *undo, int dir_fd, const char *path,
			      uint64_t ino)
{
	char kept[FILE_PATH_MAX];

	/* If that fails, the directory is gone until the image is put back. */
	(void)scar_sys(__NR_renameat, AT_FDCWD, kept_path(undo, SCAR_BASELINE_KEEP_DIR, ino, kept),
		       dir_fd, path);
}

/* ---- attributes ---- */

void scar_undo_attributes(const struct scar_undo *undo, int dir_fd, const char *path, long flags)
{
	struct stat st;
	uint32_t node = node_at(undo, dir_fd, path, flags, &st);

	if (node != SCAR_BASELINE_NONE)
		mark_home(undo, node);
}

void scar_undo_spoil(const struct scar_undo *undo, int dir_fd, const char *path, long flags)
{
	struct stat st;

	if (node_at(undo, dir_fd, path, flags, &st) != SCAR_BASELINE_NONE)
		set_state(undo, SCAR_BASELINE_SPOILED);
}

void scar_undo_untracked(const struct scar_undo *undo)
{
	set_state(undo, SCAR_BASELINE_UNTRACKED);
}

/* ---- content ---- */

/* What of the attributes does not fit is left out: a copy serves one invocation. */
static void copy_attributes(long from, long to)
{
	char names[NAMES_MAX], value[VALUE_MAX];
	long len = scar_sys(__NR_flistxattr, from, names, sizeof(names));

	for (const char *name = names; len > 0 && name < names + len; name += strlen(name) + 1) {
		long size = scar_sys(__NR_fgetxattr, from, name, value, sizeof(value));

		if (size >= 0)
			scar_sys(__NR_fsetxattr, to, name, value, size, 0);
	}
}

static long copy_bytes(long from, long to, int64_t size)
{
	/* sendfile(2) from file to file since 2.6.33: through the page cache, without a buffer of ours. */
	while (size > 0) {
		long n = scar_sys(__NR_sendfile, to, from, 0,
				  size > 0x40000000 ? 0x40000000 : (long)size);

		if (n <= 0)
			return n < 0 ? n : 0;
		size -= n;
	}
	return 0;
}

static long fill_copy(long from, long to, const struct stat *st, bool keep)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	long ret = keep ? copy_bytes(from, to, st->st_size) : 0;

	if (ret)
		return ret;
	copy_attributes(from, to);
	ret = scar_sys(__NR_fchmod, to, st->st_mode & 07777);
	/* The call that follows changes the time of what it changes. */
	return ret ? ret : scar_sys(__NR_utimensat, to, 0, times, 0);
}

static long make_copy(const struct scar_undo *undo, int dir_fd, const char *path,
		      const struct stat *st, bool keep)
{
	char copy[FILE_PATH_MAX];
	struct stat made = {.st_ino = 0};
	long from = scar_sys(__NR_openat, dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0), to;
	long ret;

	if (from < 0)
		return from;
	kept_path(undo, SCAR_BASELINE_KEEP_COPY, st->st_ino, copy);
	scar_sys(__NR_unlinkat, AT_FDCWD, copy, 0);
	to = scar_sys(__NR_openat, AT_FDCWD, copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ret = to < 0 ? to : fill_copy(from, to, st, keep);
	if (ret == 0 && (ret = scar_sys(__NR_fstat, to, &made)) == 0 && undo->copied)
		undo->copied(st->st_ino, made.st_ino);
	if (ret == 0)
		ret = scar_sys(__NR_renameat, AT_FDCWD, copy, dir_fd, path);
	if (ret && to >= 0)
		scar_sys(__NR_unlinkat, AT_FDCWD, copy, 0);
	if (to >= 0)
		scar_sys(__NR_close, to);
	scar_sys(__NR_close, from);
	return ret;
}

/* With the lock: nobody else makes a copy. */
static long replace(const struct scar_undo *undo, int dir_fd, const char *path, bool keep)
{
	struct stat st;
	uint32_t node = node_at(undo, dir_fd, path, AT_SYMLINK_NOFOLLOW_, &st);
	long ret;

	if (node == SCAR_BASELINE_NONE || TYPE(st.st_mode) != S_IFREG)
		return 0;
	/* What may not be written stays: the call will fail by itself. */
	if (scar_sys(__NR_faccessat, dir_fd, path, 2 /* W_OK */))
		return 0;
	mark_parent(undo, dir_fd, path);
	mark_home(undo, node);
	ret = keep_file(undo, dir_fd, path, st.st_ino);
	return ret ? ret : make_copy(undo, dir_fd, path, &st, keep);
}

long scar_undo_content(const struct scar_undo *undo, int dir_fd, const char *path, bool keep)
{
	char baseline[FILE_PATH_MAX];
	struct stat st;
	/* A signal handler of the guest that wants a copy too would wait for its own thread. */
	uint64_t all = ~0ull, before = 0;
	long lock, ret;

	if (node_at(undo, dir_fd, path, AT_SYMLINK_NOFOLLOW_, &st) == SCAR_BASELINE_NONE ||
	    TYPE(st.st_mode) != S_IFREG)
		return 0;
	lock = scar_sys(__NR_openat, AT_FDCWD, file_path(undo, SCAR_BASELINE_FILE, baseline),
			O_RDONLY | O_CLOEXEC, 0);
	if (lock < 0)
		return lock;
	scar_sys(__NR_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, &before, sizeof(all));
	while ((ret = scar_sys(__NR_flock, lock, LOCK_EX)) == -EINTR)
		;
	if (ret == 0)
		ret = replace(undo, dir_fd, path, keep);
	/* Said, since a child that another thread forked just now may still have the descriptor. */
	scar_sys(__NR_flock, lock, LOCK_UN);
	scar_sys(__NR_close, lock);
	scar_sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &before, 0, sizeof(before));
	return ret;
}
