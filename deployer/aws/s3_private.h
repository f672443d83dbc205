/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file s3_private.h
 * What the files of the S3 client share. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_S3_PRIVATE_H
#define SCAR_DEPLOYER_AWS_S3_PRIVATE_H

#include "deployer/aws/call.h"
#include "deployer/aws/s3.h"

/** Appends "/<key>", encoded. SCAR_ERR_CONFIG: an empty key, which would be the bucket. */
int scar_s3_append_key(struct scar_buf *path, const char *key, struct scar_err *err);
/** A whole number without a sign; 0 if it is none. */
uint64_t scar_s3_number(const char *text);

#endif
