/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file s3.h
 * Amazon S3 as a deployer needs it: buckets in any region, objects as streams, trees of files, and bucket notifications that leave
 * what others have set as it is.
 *
 * A bucket in another region than the session's is found there by itself. Keys and prefixes are plain text, not encoded.
 */
#ifndef SCAR_DEPLOYER_AWS_S3_H
#define SCAR_DEPLOYER_AWS_S3_H

#include "deployer/aws/aws.h"

struct scar_buf;

/* ---- buckets ---- */

/**
 * Creates the bucket in the session's region unless we own it already; *ret_created (may be NULL) tells. SCAR_ERR_CONFIG with code
 * BucketAlreadyExists: somebody else's.
 */
int scar_s3_create_bucket(struct scar_aws *aws, const char *bucket, bool *ret_created,
			  struct scar_err *err);
/** The region of a bucket (HeadBucket). SCAR_ERR_NOT_FOUND, SCAR_ERR_AUTH. */
int scar_s3_bucket_region(struct scar_aws *aws, const char *bucket, char region[64],
			  struct scar_err *err);
/** An empty bucket; one that is not there is success. */
int scar_s3_delete_bucket(struct scar_aws *aws, const char *bucket, struct scar_err *err);
/** ListBuckets. */
int scar_s3_list_buckets(struct scar_aws *aws,
			 int (*each)(void *ctx, const char *bucket, struct scar_err *err),
			 void *ctx, struct scar_err *err);

/* ---- objects ---- */

struct scar_s3_object {
	const char *key;
	uint64_t size_bytes;
	const char *last_modified; /**< ISO 8601 */
	const char *etag;          /**< with its quotes */
};

typedef int (*scar_s3_each)(void *ctx, const struct scar_s3_object *object, struct scar_err *err);

/** ListObjectsV2, all pages, in the order of keys. `prefix` may be NULL. */
int scar_s3_list(struct scar_aws *aws, const char *bucket, const char *prefix, scar_s3_each each,
		 void *ctx, struct scar_err *err);

struct scar_s3_put {
	const char *bucket, *key;
	int fd;           /**< size_bytes from offset 0 on, read with pread(2); -1: data */
	const void *data; /**< instead of fd */
	uint64_t size_bytes;
	const char *content_type; /**< or NULL */
	const char *owner; /**< account that has to own the bucket, else SCAR_ERR_AUTH; or NULL */
	scar_aws_progress progress;
	void *progress_ctx;
};

/** Above 64 MiB in parts; these are given up on failure and on cancel, and if that fails the message says so. */
int scar_s3_put(struct scar_aws *aws, const struct scar_s3_put *put, struct scar_err *err);

struct scar_s3_get {
	const char *bucket, *key;
	int fd; /**< an empty regular file: a transfer that broke is resumed; -1: sink */
	int (*sink)(void *ctx, const void *data, size_t len, struct scar_err *err);
	void *sink_ctx;
	scar_aws_progress progress;
	void *progress_ctx;
};

int scar_s3_get(struct scar_aws *aws, const struct scar_s3_get *get, struct scar_err *err);
/** HeadObject: the size. SCAR_ERR_NOT_FOUND. */
int scar_s3_head(struct scar_aws *aws, const char *bucket, const char *key,
		 uint64_t *ret_size_bytes, struct scar_err *err);
/** DeleteObject; one that is not there is success. */
int scar_s3_delete(struct scar_aws *aws, const char *bucket, const char *key, struct scar_err *err);
/** DeleteObjects of all below a prefix ("" or NULL: all), a thousand at once. *ret_count may be NULL. */
int scar_s3_delete_prefix(struct scar_aws *aws, const char *bucket, const char *prefix,
			  uint64_t *ret_count, struct scar_err *err);

/* ---- trees ---- */

/** One file of a tree, before it is moved. -1 with err ends the tree; 1 leaves this file out. */
struct scar_s3_tree_file {
	const char *path; /**< on this machine */
	const char *key;
	uint64_t size_bytes;
};

struct scar_s3_tree {
	const char *path; /**< a file or folder on this machine */
	const char *bucket;
	const char *prefix; /**< without a slash at its begin; may be NULL */
	int (*before)(void *ctx, const struct scar_s3_tree_file *file, struct scar_err *err);
	scar_aws_progress progress; /**< of the file under way */
	void *ctx;                  /**< of before and progress */
};

/**
 * A folder's files go to <prefix>/<path below the folder>, a file to <prefix>/<its name>, or to <prefix> itself if that does not end
 * with a slash and `exact` is set. Symbolic links to files are followed, to folders not.
 */
int scar_s3_put_tree(struct scar_aws *aws, const struct scar_s3_tree *tree, bool exact,
		     uint64_t *ret_count, struct scar_err *err);
/**
 * Every object below the prefix goes to <path>/<key without the prefix's folder>. Keys that lead out of `path` are refused, those that end
 * with a slash are folders. A file appears under its name only when it is complete.
 */
int scar_s3_get_tree(struct scar_aws *aws, const struct scar_s3_tree *tree, uint64_t *ret_count,
		     struct scar_err *err);

/* ---- notifications ---- */

struct scar_s3_trigger {
	const char *bucket;
	const char *id; /**< ours: the same for the same function and prefix each time */
	const char *function_arn;
	const char *const *events;   /**< NULL-terminated; NULL: s3:ObjectCreated:* */
	const char *prefix, *suffix; /**< or NULL */
};

/**
 * Adds or replaces the entry with our id; everything else of the bucket's configuration (topics, queues, EventBridge, others'
 * functions) is sent back as it came, and looked at again afterwards. The function's permission has to be there: see
 * scar_lambda_add_permission(); that it is not seen yet is waited out. *ret_changed (may be NULL) false: it was there as wanted.
 */
int scar_s3_put_trigger(struct scar_aws *aws, const struct scar_s3_trigger *trigger,
			bool *ret_changed, struct scar_err *err);
/**
 * Removes the entries with that id (or, id NULL, with that function). No such entry or bucket is success.
 */
int scar_s3_delete_trigger(struct scar_aws *aws, const char *bucket, const char *id,
			   const char *function_arn, bool *ret_changed, struct scar_err *err);
/** Every entry for a Lambda function. */
int scar_s3_list_triggers(struct scar_aws *aws, const char *bucket,
			  int (*each)(void *ctx, const struct scar_s3_trigger *trigger,
				      struct scar_err *err),
			  void *ctx, struct scar_err *err);

#endif
