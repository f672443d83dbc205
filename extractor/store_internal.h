/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store_internal.h
 * What the files behind store.h share. Private to them.
 */
#ifndef SCAR_EXTRACTOR_STORE_INTERNAL_H
#define SCAR_EXTRACTOR_STORE_INTERNAL_H

#include "extractor/store.h"

#define SCAR_STORE_ROOTFS "rootfs"
#define SCAR_STORE_TMP "tmp"
#define SCAR_STORE_LOCK "lock"
#define SCAR_STORE_FS "fs"
#define SCAR_STORE_OWNERS "owners"
#define SCAR_STORE_META "meta"
/** Hex of a chain ID, a dot, a number. */
#define SCAR_STORE_NAME_MAX (SCAR_DIGEST_TEXT_MAX + 24)

struct scar_store {
	char *path;
	int dir_fd;
	int rootfs_fd; /**< <dir>/rootfs */
	int tmp_fd;    /**< <dir>/tmp */
	struct scar_store_options options;
};

/** Told by the meta file. */
struct scar_store_meta {
	uint64_t pulled_bytes;
	uint64_t unpacked_bytes;
};

/* ---- store_meta.c ---- */

int scar_store_meta_write(int entry_fd, const struct scar_store_meta *meta, struct scar_err *err);
/** SCAR_ERR_NOT_FOUND if it is absent or of another version. */
int scar_store_meta_read(int entry_fd, struct scar_store_meta *ret_meta, struct scar_err *err);

/* ---- store_lock.c ---- */

enum scar_store_lock { SCAR_STORE_SHARED, SCAR_STORE_EXCLUSIVE };

/** Locks an open directory or file, waiting; looks at options.cancel meanwhile. */
int scar_store_lock_wait(const struct scar_store *store, int fd, enum scar_store_lock how,
			 struct scar_err *err);
/** @return 1 locked, 0 another process has it, -1 */
int scar_store_lock_try(int fd, enum scar_store_lock how, struct scar_err *err);
/** The store's own lock, held until the descriptor is closed. @return it, or -1 */
int scar_store_open_lock(const struct scar_store *store, struct scar_err *err);
/** True if fd is still what `name` below dirfd names. */
bool scar_store_is_still(int fd, int dirfd, const char *name);

/* ---- store_changes.c ---- */

/** Makes what is needed to put the finished rootfs of this entry back. */
int scar_store_begin_baseline(int entry_fd, struct scar_err *err);
/**
 * Locks a finished entry shared, after putting back what earlier users changed. SCAR_ERR_INTEGRITY if that cannot be done.
 */
int scar_store_enter(const struct scar_store *store, int entry_fd, struct scar_err *err);
/** Nobody watches what is changed from now on; who wants a clean rootfs later has to look at everything. */
int scar_store_note_untracked(int entry_fd, struct scar_err *err);
/** Puts back what was changed, unless others still use the entry: then the last of them does. */
void scar_store_leave(int entry_fd);

/**
 * With the finished entry to ourselves: puts back what earlier users changed. -1 if it is not clean then, or is to stay
 * as they left it.
 */
int scar_store_clean(const struct scar_store *store, int entry_fd, struct scar_err *err);

/* ---- store_base.c ---- */

/** A finished image of which another one has all layers, locked exclusively. */
struct scar_store_base {
	int fd;
	size_t layers;
	uint64_t bytes; /**< that it takes, about */
};

/** Looks for the one of most layers that nobody uses. @return 1, 0 if there is none, -1 */
int scar_store_claim_base(const struct scar_store *store, const struct scar_image *image,
			  struct scar_store_base *ret_base, struct scar_err *err);

/* ---- store_space.c ---- */

/** Opens and locks a directory that nobody holds. @return 1 and the descriptor, 0 if somebody does or it is gone, -1 */
int scar_store_claim(int dirfd, const char *name, int *ret_fd, struct scar_err *err);

/** Removes from tmp/ what no live process holds. */
int scar_store_sweep(const struct scar_store *store, struct scar_err *err);
/** Removes the finished image that was not used for longest and is in no use. @return 1, 0 if there is none, -1 */
int scar_store_evict(const struct scar_store *store, struct scar_err *err);
/** Removes that finished image. @return 1, 0 if it is gone or in use, -1 */
int scar_store_discard(const struct scar_store *store, const char *name, struct scar_err *err);
/**
 * Evicts while that helps an image of these compressed layers to fit. Fails with SCAR_ERR_NOSPACE when it cannot.
 */
int scar_store_make_room(const struct scar_store *store, uint64_t layers_size_bytes,
			 struct scar_err *err);
/** What an image of these compressed layers usually takes. */
uint64_t scar_store_usual_size(uint64_t layers_size_bytes);
/** Evicts until that much is free. @return 1, 0 if that cannot be had, -1 */
int scar_store_free_space(const struct scar_store *store, uint64_t bytes, struct scar_err *err);
/** Puts before a SCAR_ERR_NOSPACE that came while unpacking what the user can do. */
void scar_store_explain_space(const struct scar_store *store, uint64_t layers_size_bytes,
			      struct scar_err *err);

#endif
