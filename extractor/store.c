/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "extractor/clone.h"
#include "extractor/store_internal.h"
#include "extractor/unpack.h"
#include "registry/manifest.h"
#include "runtime/base/baseline.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define IN_FLIGHT_DEFAULT 3

/* What scar_store_get() hands out is the first member. */
struct entry {
	struct scar_store_entry shown;
	int fd; /* rootfs/<chain>, with the lock on it */
	char *rootfs_path;
	char *owners_path;
	char *undo_dir;
};

/* ---- open and close ---- */

/* Others could plant a rootfs in a directory that is theirs. */
static int check_dir(int fd, const char *path, struct scar_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at %s", path);
	if (st.st_uid != geteuid())
		return scar_err_set(err, SCAR_ERR_CONFIG, "the store %s belongs to another user",
				    path);
	if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
		return scar_err_errno(err, errno, "cannot set the mode of %s", path);
	return 0;
}

static int open_part(int dirfd, const char *name, int *ret_fd, struct scar_err *err)
{
	if (scar_fs_mkdir_p(dirfd, name, 0700, err) < 0)
		return -1;
	return scar_fs_open_dir(dirfd, name, true, ret_fd, err);
}

static int open_parts(struct scar_store *store, const char *dir, struct scar_err *err)
{
	if (open_part(AT_FDCWD, dir, &store->dir_fd, err) < 0 ||
	    check_dir(store->dir_fd, dir, err) < 0)
		return -1;
	store->path = realpath(dir, NULL);
	if (!store->path)
		return scar_err_errno(err, errno, "cannot find the path of %s", dir);
	if (open_part(store->dir_fd, SCAR_STORE_ROOTFS, &store->rootfs_fd, err) < 0 ||
	    open_part(store->dir_fd, SCAR_STORE_TMP, &store->tmp_fd, err) < 0)
		return -1;
	return scar_store_sweep(store, err);
}

int scar_store_open(const char *dir, const struct scar_store_options *options,
		    struct scar_store **ret_store, struct scar_err *err)
{
	struct scar_store *store = calloc(1, sizeof *store);

	if (!store)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a store");
	store->dir_fd = store->rootfs_fd = store->tmp_fd = -1;
	if (options)
		store->options = *options;
	if (store->options.layers_in_flight == 0)
		store->options.layers_in_flight = IN_FLIGHT_DEFAULT;
	if (store->options.layers_in_flight > SCAR_UNPACK_IN_FLIGHT_MAX)
		store->options.layers_in_flight = SCAR_UNPACK_IN_FLIGHT_MAX;
	if (open_parts(store, dir, err) < 0) {
		scar_err_wrap(err, "store %s", dir);
		scar_store_close(store);
		return -1;
	}
	*ret_store = store;
	return 0;
}

void scar_store_close(struct scar_store *store)
{
	if (!store)
		return;
	scar_cleanup_fd(&store->dir_fd);
	scar_cleanup_fd(&store->rootfs_fd);
	scar_cleanup_fd(&store->tmp_fd);
	free(store->path);
	free(store);
}

/* ---- entries ---- */

static int fill_paths(const struct scar_store *store, const char *name, struct entry *entry,
		      struct scar_err *err)
{
	if (asprintf(&entry->rootfs_path, "%s/" SCAR_STORE_ROOTFS "/%s/" SCAR_STORE_FS, store->path,
		     name) < 0)
		entry->rootfs_path = NULL;
	if (asprintf(&entry->owners_path, "%s/" SCAR_STORE_ROOTFS "/%s/" SCAR_STORE_OWNERS,
		     store->path, name) < 0)
		entry->owners_path = NULL;
	if (!store->options.keep_changes &&
	    asprintf(&entry->undo_dir, "%s/" SCAR_STORE_ROOTFS "/%s", store->path, name) < 0)
		entry->undo_dir = NULL;
	if (!entry->rootfs_path || !entry->owners_path ||
	    (!store->options.keep_changes && !entry->undo_dir))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	entry->shown.rootfs_path = entry->rootfs_path;
	entry->shown.owners_path = entry->owners_path;
	entry->shown.undo_dir = entry->undo_dir;
	return 0;
}

/* Makes the entry of a finished image; takes fd, which has the shared lock. */
static int make_entry(const struct scar_store *store, const char *name, int fd,
		      struct scar_store_entry **ret_entry, struct scar_err *err)
{
	struct entry *entry = calloc(1, sizeof *entry);
	struct scar_store_meta meta;

	if (!entry) {
		close(fd);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an entry");
	}
	entry->fd = fd;
	entry->shown.rootfs_fd = -1;
	if ((store->options.keep_changes && scar_store_note_untracked(fd, err) < 0) ||
	    scar_store_meta_read(fd, &meta, err) < 0 || fill_paths(store, name, entry, err) < 0 ||
	    scar_fs_open_dir(fd, SCAR_STORE_FS, false, &entry->shown.rootfs_fd, err) < 0) {
		scar_store_put(&entry->shown);
		return -1;
	}
	entry->shown.pulled_bytes = meta.pulled_bytes;
	entry->shown.unpacked_bytes = meta.unpacked_bytes;
	/* The order of eviction; an older time does no harm. */
	if (futimens(fd, NULL) < 0)
		scar_debug("cannot note the use of image %s: errno %d", name, errno);
	*ret_entry = &entry->shown;
	return 0;
}

void scar_store_put(struct scar_store_entry *entry)
{
	struct entry *whole = (struct entry *)entry;

	if (!whole)
		return;
	if (whole->undo_dir)
		scar_store_leave(whole->fd);
	scar_cleanup_fd(&whole->shown.rootfs_fd);
	scar_cleanup_fd(&whole->fd);
	free(whole->rootfs_path);
	free(whole->owners_path);
	free(whole->undo_dir);
	free(whole);
}

/* Locks the finished image. @return 1 and the descriptor, 0 if there is none, -1 */
static int open_finished(const struct scar_store *store, const char *name, int *ret_fd,
			 struct scar_err *err)
{
	scar_fd_auto int fd = openat(store->rootfs_fd, name, OPEN_DIR);

	if (fd < 0)
		return errno == ENOENT ? 0
				       : scar_err_errno(err, errno, "cannot open image %s", name);
	if (scar_store_enter(store, fd, err) < 0)
		return -1;
	/* Evicted between open and lock. */
	if (!scar_store_is_still(fd, store->rootfs_fd, name))
		return 0;
	*ret_fd = scar_steal_fd(&fd);
	return 1;
}

/* @return 1 and the entry, 0 if the image is not there, -1 */
static int get_cached(const struct scar_store *store, const char *name,
		      struct scar_store_entry **ret_entry, struct scar_err *err)
{
	int fd = -1, got;

	got = open_finished(store, name, &fd, err);
	if (got == 1 && make_entry(store, name, fd, ret_entry, err) == 0) {
		(*ret_entry)->was_cached = true;
		return 1;
	}
	if (got == 0)
		return 0;
	if (err->kind != SCAR_ERR_NOT_FOUND && err->kind != SCAR_ERR_INTEGRITY &&
	    err->errnum != ENOENT)
		return -1;
	/* Of another version, changed for good, or somebody removed a part: away with it. */
	scar_debug("removing image %s: %s", name, err->msg);
	got = scar_store_discard(store, name, err);
	if (got == 0)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE,
				    "image %s is damaged, and another process uses it", name);
	return got < 0 ? -1 : 0;
}

/* ---- pulling ---- */

struct pull {
	const struct scar_store *store;
	const struct scar_image *image;
	scar_layer_fetch fetch;
	void *fetch_ctx;
	char name[SCAR_DIGEST_TEXT_MAX];
	int fd; /* tmp/<name>, with the exclusive lock on it */
};

/* With the store's lock: an empty tmp/<name> of our own. @return 1, 0 if another process has it, -1 */
static int claim_tmp(struct pull *pull, int *ret_fd, struct scar_err *err)
{
	int tmp_fd = pull->store->tmp_fd;
	bool ours = mkdirat(tmp_fd, pull->name, 0700) == 0;
	scar_fd_auto int fd = -1;
	int got;

	if (!ours && errno != EEXIST)
		return scar_err_errno(err, errno, "cannot make a directory in the store");
	fd = openat(tmp_fd, pull->name, OPEN_DIR);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open a directory in the store");
	got = scar_store_lock_try(fd, SCAR_STORE_EXCLUSIVE, err);
	if (got == 1 && !ours) {
		/* Its maker died. Once more, from nothing. */
		if (scar_fs_remove_tree(tmp_fd, pull->name, err) < 0)
			return -1;
		return claim_tmp(pull, ret_fd, err);
	}
	if (got >= 0)
		*ret_fd = scar_steal_fd(&fd);
	return got;
}

/*
 * Begins a pull, or waits for the end of another process's. @return 1 begun, 0 look again for the finished image, -1
 */
static int begin(struct pull *pull, struct scar_err *err)
{
	scar_fd_auto int lock = scar_store_open_lock(pull->store, err);
	scar_fd_auto int fd = -1;
	int got;

	if (lock < 0)
		return -1;
	/* Finished since we looked. */
	if (faccessat(pull->store->rootfs_fd, pull->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	got = claim_tmp(pull, &fd, err);
	if (got == 1)
		pull->fd = scar_steal_fd(&fd);
	if (got != 0)
		return got;
	close(scar_steal_fd(&lock));
	scar_debug("waiting for another process that pulls image %s", pull->name);
	/* The puller goes on with a shared lock on the same directory, for as long as it uses the image. */
	return scar_store_lock_wait(pull->store, fd, SCAR_STORE_SHARED, err);
}

/* What an image shares with one that is there is copied from it, if `base` is not NULL. */
static int unpack_once(struct pull *pull, struct scar_unpack_base *base, struct scar_err *err)
{
	const struct scar_unpack_options options = {
		.fetch = pull->fetch,
		.fetch_ctx = pull->fetch_ctx,
		.cancel = pull->store->options.cancel,
		.in_flight = pull->store->options.layers_in_flight,
		.base = base,
	};
	struct scar_unpack_result result;
	struct scar_store_meta meta;

	if (scar_unpack_image(pull->image, &options, pull->fd, SCAR_STORE_FS, SCAR_STORE_OWNERS,
			      &result, err) < 0)
		return -1;
	if (scar_store_begin_baseline(pull->fd, err) < 0)
		return -1;
	meta = (struct scar_store_meta){result.pulled_bytes, result.unpacked_bytes};
	return scar_store_meta_write(pull->fd, &meta, err);
}

/* After a failure, for another try. */
static int start_over(struct pull *pull, struct scar_err *err)
{
	static const char *const names[] = {SCAR_STORE_FS,      SCAR_STORE_OWNERS,
					    SCAR_BASELINE_FILE, SCAR_BASELINE_KEEP,
					    SCAR_CLONE_LINKS,   SCAR_STORE_META};
	volatile int *cancel = pull->store->options.cancel;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (scar_fs_remove_tree(pull->fd, names[i], err) < 0)
			return -1;
	}
	if (cancel)
		__atomic_store_n(cancel, 0, __ATOMIC_RELAXED);
	return 0;
}

static uint64_t size_above(const struct scar_image *image, size_t layers)
{
	uint64_t bytes = 0;

	for (size_t i = layers; i < image->layer_count; i++) {
		if (__builtin_add_overflow(bytes, image->layers[i].size_bytes, &bytes))
			return UINT64_MAX;
	}
	return bytes;
}

/* True if there is room for a copy of the base and for what comes on it. */
static int has_room(const struct pull *pull, const struct scar_store_base *base,
		    struct scar_err *err)
{
	uint64_t bytes = scar_store_usual_size(size_above(pull->image, base->layers));

	if (__builtin_add_overflow(bytes, base->bytes, &bytes))
		return 0;
	return scar_store_free_space(pull->store, bytes, err);
}

/*
 * With the lowest layers from an image that is there. @return 1, 0 if there is none, or no room for both, and
 * nothing was left behind; -1
 */
static int unpack_on_base(struct pull *pull, struct scar_err *err)
{
	struct scar_store_base found = {.fd = -1};
	struct scar_unpack_base base;
	int got;

	if (pull->image->layer_count != pull->image->config.diff_id_count)
		return 0; /* unpacking tells of it */
	got = scar_store_claim_base(pull->store, pull->image, &found, err);
	if (got == 1)
		got = has_room(pull, &found, err);
	base = (struct scar_unpack_base){.fd = found.fd, .layers = found.layers};
	if (got == 1 && unpack_once(pull, &base, err) < 0) {
		/* Without a base there is one image more to evict. */
		got = err->kind == SCAR_ERR_NOSPACE || base.damaged ? start_over(pull, err) : -1;
	}
	scar_cleanup_fd(&base.fd);
	return got;
}

/* Unpacks; when space runs out, evicts what it can and starts over. */
static int unpack(struct pull *pull, struct scar_err *err)
{
	int got = unpack_on_base(pull, err);
	struct scar_err other;
	int evicted;

	if (got != 0)
		return got < 0 ? -1 : 0;
	if (scar_store_make_room(pull->store, pull->image->layers_size_bytes, err) < 0)
		return -1;
	while (unpack_once(pull, NULL, err) < 0) {
		if (err->kind != SCAR_ERR_NOSPACE)
			return -1;
		evicted = scar_store_evict(pull->store, &other);
		if (evicted != 1) {
			scar_store_explain_space(pull->store, pull->image->layers_size_bytes, err);
			return -1;
		}
		if (start_over(pull, err) < 0)
			return -1;
	}
	return 0;
}

/* Takes the partial tree away, whatever else fails. */
static void abandon(struct pull *pull)
{
	struct scar_err err;

	/* What cannot be removed now is swept later. */
	if (scar_fs_remove_tree(pull->store->tmp_fd, pull->name, &err) < 0)
		scar_debug("cannot remove a partial image: %s", err.msg);
	close(scar_steal_fd(&pull->fd));
}

/* @return 1 and the entry, 0 if it must be looked for again, -1 */
static int pull_image(struct pull *pull, struct scar_store_entry **ret_entry, struct scar_err *err)
{
	const struct scar_store *store = pull->store;
	int64_t start_us = scar_clock_monotonic_us();
	int got = begin(pull, err);

	if (got <= 0)
		return got;
	if (unpack(pull, err) < 0) {
		abandon(pull);
		return -1;
	}
	if (renameat(store->tmp_fd, pull->name, store->rootfs_fd, pull->name) < 0) {
		scar_err_errno(err, errno, "cannot finish image %s", pull->name);
		abandon(pull);
		return -1;
	}
	/* Between the two locks somebody may evict it, though nobody should want to. */
	if (scar_store_lock_wait(store, pull->fd, SCAR_STORE_SHARED, err) < 0) {
		close(scar_steal_fd(&pull->fd));
		return -1;
	}
	if (!scar_store_is_still(pull->fd, store->rootfs_fd, pull->name)) {
		close(scar_steal_fd(&pull->fd));
		return 0;
	}
	if (make_entry(store, pull->name, scar_steal_fd(&pull->fd), ret_entry, err) < 0)
		return -1;
	(*ret_entry)->pull_us = scar_clock_monotonic_us() - start_us;
	return 1;
}

int scar_store_get(struct scar_store *store, const struct scar_image *image, scar_layer_fetch fetch,
		   void *ctx, struct scar_store_entry **ret_entry, struct scar_err *err)
{
	struct pull pull = {
		.store = store,
		.image = image,
		.fetch = fetch,
		.fetch_ctx = ctx,
		.fd = -1,
	};
	struct scar_digest chain_id;
	int got;

	if (scar_unpack_chain_id(image->config.diff_ids, image->config.diff_id_count, &chain_id,
				 err) < 0)
		return -1;
	scar_digest_hex(&chain_id, pull.name);
	do {
		got = get_cached(store, pull.name, ret_entry, err);
		if (got == 0)
			got = pull_image(&pull, ret_entry, err);
	} while (got == 0);
	return got < 0 ? -1 : 0;
}
