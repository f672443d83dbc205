/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bucket.h
 * Where a bucket of S3, or of what speaks its protocol, is found: the part of an object's URL before its key.
 */
#ifndef SCAR_RUNTIME_BASE_BUCKET_H
#define SCAR_RUNTIME_BASE_BUCKET_H

#include <stdbool.h>

struct scar_buf;
struct scar_err;

/**
 * Appends the URL of a bucket, without a slash at its end: below `endpoint` where there is one, else at AWS in that region, in the host's
 * name where that can carry it and path_style does not say otherwise. SCAR_ERR_CONFIG: no such bucket can be.
 */
int scar_bucket_append_url(struct scar_buf *url, const char *endpoint, const char *region,
			   const char *bucket, bool path_style, struct scar_err *err);
/** Whether that URL has the bucket in its path. */
bool scar_bucket_is_in_path(const char *endpoint, const char *bucket, bool path_style);

#endif
