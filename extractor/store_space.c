/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* An image usually takes two to three times the size of its layers; that much is freed beforehand if it can be. */
#define USUAL_RATIO 3

static DIR *open_listing(int dirfd, struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, ".", OPEN_DIR);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream)
		scar_steal_fd(&fd);
	else
		scar_err_errno(err, errno, "cannot list the store");
	return stream;
}

static bool is_hidden(const struct dirent *entry)
{
	return entry->d_name[0] == '.';
}

int scar_store_claim(int dirfd, const char *name, int *ret_fd, struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, name, OPEN_DIR);
	int got;

	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : scar_err_errno(err, errno, "cannot open %s in the store", name);
	got = scar_store_lock_try(fd, SCAR_STORE_EXCLUSIVE, err);
	if (got <= 0)
		return got;
	if (!scar_store_is_still(fd, dirfd, name))
		return 0;
	*ret_fd = scar_steal_fd(&fd);
	return 1;
}

static int sweep_one(const struct scar_store *store, const char *name, struct scar_err *err)
{
	scar_fd_auto int fd = -1;
	int got = scar_store_claim(store->tmp_fd, name, &fd, err);

	if (got <= 0)
		return got;
	scar_debug("removing what a dead process left in the store: %s", name);
	return scar_fs_remove_tree(store->tmp_fd, name, err);
}

int scar_store_sweep(const struct scar_store *store, struct scar_err *err)
{
	scar_dir_auto DIR *stream = NULL;
	scar_fd_auto int lock = -1;
	const struct dirent *entry;

	/* Whoever makes a directory in tmp/ locks it before it gives this lock back. */
	lock = scar_store_open_lock(store, err);
	if (lock < 0)
		return -1;
	stream = open_listing(store->tmp_fd, err);
	if (!stream)
		return -1;
	while ((entry = readdir(stream)) != NULL) {
		if (!is_hidden(entry) && sweep_one(store, entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- eviction ---- */

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The least recently used entry that could be claimed. @return 1, 0 if there is none, -1 */
static int claim_oldest(const struct scar_store *store, char name[SCAR_STORE_NAME_MAX], int *ret_fd,
			struct scar_err *err)
{
	scar_dir_auto DIR *stream = NULL;
	scar_fd_auto int best = -1;
	struct timespec best_time = {0};
	const struct dirent *entry;

	stream = open_listing(store->rootfs_fd, err);
	if (!stream)
		return -1;
	while ((entry = readdir(stream)) != NULL) {
		scar_fd_auto int fd = -1;
		struct stat st;
		int got;

		if (is_hidden(entry) || strlen(entry->d_name) >= SCAR_STORE_NAME_MAX)
			continue;
		got = scar_store_claim(store->rootfs_fd, entry->d_name, &fd, err);
		if (got < 0)
			return -1;
		if (got == 0 || fstat(fd, &st) < 0 ||
		    (best >= 0 && !is_before(&st.st_mtim, &best_time)))
			continue;
		best_time = st.st_mtim;
		memcpy(name, entry->d_name, strlen(entry->d_name) + 1);
		if (best >= 0)
			close(best);
		best = scar_steal_fd(&fd);
	}
	if (best < 0)
		return 0;
	*ret_fd = scar_steal_fd(&best);
	return 1;
}

/* Moves rootfs/<name> to a free name in tmp/: from then on it is nobody's image. */
static int retire(const struct scar_store *store, const char *name, char tmp[SCAR_STORE_NAME_MAX],
		  struct scar_err *err)
{
	unsigned i;

	for (i = 0; i < 1000; i++) {
		snprintf(tmp, SCAR_STORE_NAME_MAX, "%.128s.%u", name, i);
		if (renameat(store->rootfs_fd, name, store->tmp_fd, tmp) == 0)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
	}
	return scar_err_errno(err, errno, "cannot evict image %s", name);
}

/* With the store's lock and the entry's held: makes it vanish, gives the store's lock back, deletes. */
static int remove_claimed(const struct scar_store *store, const char *name, int *lock,
			  struct scar_err *err)
{
	char tmp[SCAR_STORE_NAME_MAX];

	if (retire(store, name, tmp, err) < 0)
		return -1;
	/* Deleting takes long, and the entry's own lock keeps others off. */
	close(scar_steal_fd(lock));
	return scar_fs_remove_tree(store->tmp_fd, tmp, err) < 0 ? -1 : 1;
}

int scar_store_evict(const struct scar_store *store, struct scar_err *err)
{
	char name[SCAR_STORE_NAME_MAX];
	scar_fd_auto int lock = -1;
	scar_fd_auto int entry = -1;
	int got;

	lock = scar_store_open_lock(store, err);
	if (lock < 0)
		return -1;
	got = claim_oldest(store, name, &entry, err);
	if (got <= 0)
		return got;
	scar_debug("evicting image %s from the store", name);
	return remove_claimed(store, name, &lock, err);
}

int scar_store_discard(const struct scar_store *store, const char *name, struct scar_err *err)
{
	scar_fd_auto int lock = -1;
	scar_fd_auto int entry = -1;
	int got;

	lock = scar_store_open_lock(store, err);
	if (lock < 0)
		return -1;
	got = scar_store_claim(store->rootfs_fd, name, &entry, err);
	return got <= 0 ? got : remove_claimed(store, name, &lock, err);
}

/* ---- space ---- */

static void format_mb(uint64_t bytes, char text[32])
{
	uint64_t tenths = bytes / 100000;

	snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " MB", tenths / 10, tenths % 10);
}

uint64_t scar_store_usual_size(uint64_t layers_size_bytes)
{
	uint64_t bytes;

	return __builtin_mul_overflow(layers_size_bytes, USUAL_RATIO, &bytes) ? UINT64_MAX : bytes;
}

/* What is missing, and what to do about it. */
static const char *advise(const struct scar_store *store, uint64_t layers_size_bytes,
			  char text[SCAR_ERR_MSG_MAX / 2])
{
	struct scar_err ignored;
	uint64_t free_bytes = 0, total_bytes = 0, need_bytes;
	char layers[32], need[32], have[32], total[32], missing[32];

	scar_fs_space(store->dir_fd, &free_bytes, &total_bytes, &ignored);
	need_bytes = scar_store_usual_size(layers_size_bytes);
	/* One that compresses better than usual: more than what there is, that much is certain. */
	if (need_bytes <= free_bytes)
		need_bytes = free_bytes * 2;
	format_mb(layers_size_bytes, layers);
	format_mb(need_bytes, need);
	format_mb(free_bytes, have);
	format_mb(total_bytes, total);
	format_mb(need_bytes - free_bytes, missing);
	snprintf(
		text, SCAR_ERR_MSG_MAX / 2,
		"not enough space for the image: %s of compressed layers need about %s, and %s of %s are free "
		"in %.256s: about %s are missing; raise the function's EphemeralStorage (scar local: --tmp-size)",
		layers, need, have, total, store->path, missing);
	return text;
}

void scar_store_explain_space(const struct scar_store *store, uint64_t layers_size_bytes,
			      struct scar_err *err)
{
	char text[SCAR_ERR_MSG_MAX / 2];

	scar_err_wrap(err, "%s", advise(store, layers_size_bytes, text));
}

int scar_store_free_space(const struct scar_store *store, uint64_t bytes, struct scar_err *err)
{
	uint64_t free_bytes, total_bytes;
	int evicted;

	do {
		if (scar_fs_space(store->dir_fd, &free_bytes, &total_bytes, err) < 0)
			return -1;
		if (free_bytes >= bytes)
			return 1;
		evicted = scar_store_evict(store, err);
	} while (evicted == 1);
	return evicted;
}

int scar_store_make_room(const struct scar_store *store, uint64_t layers_size_bytes,
			 struct scar_err *err)
{
	uint64_t free_bytes, total_bytes;
	char text[SCAR_ERR_MSG_MAX / 2];
	int got = scar_store_free_space(store, scar_store_usual_size(layers_size_bytes), err);

	if (got != 0)
		return got < 0 ? -1 : 0;
	if (scar_fs_space(store->dir_fd, &free_bytes, &total_bytes, err) < 0)
		return -1;
	if (free_bytes >= layers_size_bytes)
		return 0;
	return scar_err_set(err, SCAR_ERR_NOSPACE, "%s", advise(store, layers_size_bytes, text));
}
