/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file run_event.h
 * Events that `scar run` sends: what to run, or the file of a bucket, as S3 would tell of it.
 */
#ifndef SCAR_DEPLOYER_RUN_EVENT_H
#define SCAR_DEPLOYER_RUN_EVENT_H

#include <stdint.h>

struct scar_arguments;
struct scar_buf;
struct scar_err;

/** {"cmd_args", "script", "stdin"} as far as they were given. */
int scar_run_event_write(const struct scar_arguments *arguments, struct scar_buf *event,
			 struct scar_err *err);
/** A new object as S3 tells of it. Texts are borrowed. */
struct scar_run_event_object {
	const char *partition, *region, *bucket;
	const char *key; /**< plain */
	const char
		*etag; /**< with its quotes or without; NULL: not told, and neither is the size */
	uint64_t size_bytes;
};

/** ObjectCreated of one object, its key encoded as S3 does it. */
int scar_run_event_write_s3(const struct scar_run_event_object *object, struct scar_buf *event,
			    struct scar_err *err);

#endif
