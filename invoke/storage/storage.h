/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file storage.h
 * Files from and to storage: what a function definition configures under `storage_providers`, `input` and `output`, and the two things that an
 * invocation does with it: fetch an object into a file, and deliver the files of TMP_OUTPUT_DIR. Bytes are streamed: neither a file nor a
 * part of one is ever held in memory. A file that was not delivered whole never appears under its name.
 *
 * A provider is one file with a scar_storage_ops (provider.h) and one line in the table of config.c.
 */
#ifndef SCAR_INVOKE_STORAGE_STORAGE_H
#define SCAR_INVOKE_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_storage;
struct scar_yaml;

/** What the function's environment adds. Borrowed until scar_storage_close(); NULL: not set. */
struct scar_storage_environment {
	const char *access_key;
	const char *secret_key;
	const char *session_token;
	const char *region; /**< of the function */
	const char
		*endpoint; /**< in place of Amazon's, for accounts of type s3 without their own */
	const char *ca_bundle;
};

/** An object that an event names. Comes from outside: no part of it is trusted. */
struct scar_storage_object {
	const char
		*provider; /**< "s3", "minio", "onedata", "dcache" ("webdav"), "rucio", "local" */
	const char *
		account; /**< "minio.cluster2" of a delegated event, or NULL: see scar_storage_fetch() */
	const char *bucket; /**< or Rucio's scope; NULL where the provider has none */
	const char *key;
	const char *version_id; /**< or NULL */
};

struct scar_storage_delivery {
	size_t files; /**< that matched an output and are now there; one for each output */
	uint64_t bytes;
};

/**
 * Reads the configuration of a function (`definition`, a mapping, is not kept; NULL is empty). SCAR_ERR_CONFIG names the line and the
 * key: providers that are not known or lack a setting, outputs without a path or of an account that is not configured. Nothing
 * is connected to.
 */
int scar_storage_open(const struct scar_yaml *definition,
		      const struct scar_storage_environment *environment,
		      struct scar_storage **ret_storage, struct scar_err *err);
/** NULL is fine. */
void scar_storage_close(struct scar_storage *storage);

/** False: delivering would do nothing. */
bool scar_storage_has_outputs(const struct scar_storage *storage);

/**
 * Fetches an object into the new file `name` (no '/') below dir_fd; one that is a collection (a data set of Rucio), into files of a new directory of that name. The account is the named one; else that of the `input` of this type,
 * else `<type>.default`, else the only one of that type. A broken transfer is resumed, as long as the object has not changed. On failure nothing is left.
 * May be called from several threads at once. SCAR_ERR_NOT_FOUND, _AUTH, _NETWORK, _NOSPACE, _TIMEOUT (deadline_ms, epoch, 0: none), ...
 */
int scar_storage_fetch(const struct scar_storage *storage, const struct scar_storage_object *object,
		       int dir_fd, const char *name, int64_t deadline_ms, uint64_t *ret_bytes,
		       struct scar_err *err);

/**
 * Delivers the regular files `paths` (relative to dir_fd, NULL-terminated) to every output whose prefix and suffix they have, several at a time.
 * The first failure ends it; what is delivered by then stays.
 */
int scar_storage_deliver(const struct scar_storage *storage, int dir_fd, char *const *paths,
			 int64_t deadline_ms, struct scar_storage_delivery *ret_delivery,
			 struct scar_err *err);

/** Where something was delivered to. */
struct scar_storage_place {
	const char *account; /**< "s3.default"; of the storage */
	char *path;          /**< bucket and key, or what the provider has for it; owned */
};

/** Delivers the whole of one open file to the first output, whatever its prefixes and suffixes, under `name` (no '/'). SCAR_ERR_CONFIG if there is no output. */
int scar_storage_deliver_one(const struct scar_storage *storage, int fd, const char *name,
			     const char *content_type, int64_t deadline_ms,
			     struct scar_storage_place *ret_place, struct scar_err *err);
void scar_storage_place_clear(struct scar_storage_place *place);

#define scar_storage_place_auto scar_auto(scar_storage_place_clear)

static inline void scar_cleanup_storage(struct scar_storage **storage)
{
	scar_storage_close(*storage);
}
#define scar_storage_auto scar_auto(scar_cleanup_storage)

#endif
