/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file provider.h
 * Between storage.c, which knows what goes where, and the providers, which know how. Internal to invoke/storage/.
 */
#ifndef SCAR_INVOKE_STORAGE_PROVIDER_H
#define SCAR_INVOKE_STORAGE_PROVIDER_H

#include <pthread.h>

#include "invoke/storage/storage.h"
#include "runtime/base/http.h"

struct scar_storage_ops;

/** A token that was got with another one; lives as long as its account. */
struct scar_storage_token {
	pthread_mutex_t mutex;
	char *access;  /**< NULL: none yet; under the mutex, as the rest */
	char *refresh; /**< the newest that the token server gave, or NULL: that of the settings */
	int64_t expires_ms; /**< epoch */
};

/** An entry of `storage_providers`. Owns its strings; those not set are NULL. */
struct scar_storage_account {
	const struct scar_storage_ops *ops;
	char *name; /**< "minio.default" */
	unsigned line;
	char *endpoint; /**< URL without a slash at its end, or the directory of a local one */
	char *access_key, *secret_key, *session_token;
	char *region;
	char *token;
	char *login, *password;
	char *space;
	char *refresh_token, *token_endpoint, *client_id, *audience, *scopes;
	char *unused; /**< what is taken for SCAR's sake and has no meaning here */
	struct scar_storage_token *issued; /**< of providers that exchange tokens */
};

/** One transfer, on one thread. */
struct scar_storage_transfer {
	const struct scar_storage_account *account;
	struct scar_http *http;
	int64_t deadline_ms;
	const volatile int *cancel; /**< or NULL */
};

/** A file to be delivered. */
struct scar_storage_file {
	int fd;
	uint64_t size_bytes;
	const char *
		path; /**< where to: output's path and the file's own, without slashes at its ends */
	const char *content_type;
};

/** A file of what an object names, where one name may stand for several. Owns its strings. */
struct scar_storage_member {
	char *name;     /**< safe as a file name */
	char *location; /**< what the provider fetches it by */
	uint64_t size_bytes;
	bool has_adler32;
	uint32_t adler32;
};

struct scar_storage_members {
	struct scar_storage_member *list;
	size_t count;
	bool is_file; /**< the object is that one file, not a collection that holds it */
};

struct scar_storage_key {
	const char *name;
	size_t offset; /**< of the char * in struct scar_storage_account */
	bool required;
};

struct scar_storage_ops {
	const char *type;
	const struct scar_storage_key *keys; /**< settings that it takes; ends with a NULL name */
	/** Checks what the keys alone cannot say, and completes the account. The text of a failure needs no place. */
	int (*check)(struct scar_storage_account *account,
		     const struct scar_storage_environment *environment, struct scar_err *err);
	/** Writes the object to fd, which is empty and at its begin. */
	int (*fetch)(const struct scar_storage_transfer *transfer,
		     const struct scar_storage_object *object, int fd, struct scar_err *err);
	/** In place of fetch, where objects may be collections: what there is, and then each of it. */
	int (*list)(const struct scar_storage_transfer *transfer,
		    const struct scar_storage_object *object,
		    struct scar_storage_members *ret_members, struct scar_err *err);
	int (*fetch_member)(const struct scar_storage_transfer *transfer,
			    const struct scar_storage_member *member, int fd, struct scar_err *err);
	int (*deliver)(const struct scar_storage_transfer *transfer,
		       const struct scar_storage_file *file, struct scar_err *err);
};

extern const struct scar_storage_ops scar_storage_s3, scar_storage_minio, scar_storage_webdav,
	scar_storage_onedata, scar_storage_rucio, scar_storage_local;

struct scar_storage_output {
	const struct scar_storage_account *account;
	char *path;                  /**< without slashes at its ends; of a local one absolute */
	char **prefixes, **suffixes; /**< NULL-terminated; empty: any */
};

struct scar_storage {
	struct scar_storage_account **accounts;
	size_t account_count;
	struct scar_storage_output *outputs;
	size_t output_count;
	const struct scar_storage_account **inputs; /**< accounts of `input`, in its order */
	size_t input_count;
	const char *ca_bundle;
};

/** Bounds of what a definition may list. */
#define SCAR_STORAGE_ACCOUNTS_MAX 64
#define SCAR_STORAGE_ENTRIES_MAX 256
/** Files of one collection. */
#define SCAR_STORAGE_MEMBERS_MAX 10000

/** Account of an object as scar_storage_fetch() says; SCAR_ERR_CONFIG if there is none. */
int scar_storage_choose(const struct scar_storage *storage,
			const struct scar_storage_object *object,
			const struct scar_storage_account **ret_account, struct scar_err *err);
/** MIME type by the name's end; "application/octet-stream" if it tells nothing. */
const char *scar_storage_content_type(const char *path);
void scar_storage_members_clear(struct scar_storage_members *members);
/** True if the output takes a file of that path. */
bool scar_storage_takes(const struct scar_storage_output *output, const char *path);

#define scar_storage_members_auto scar_auto(scar_storage_members_clear)

#endif
