/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file lambda_private.h
 * What the files of the Lambda client share. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_LAMBDA_PRIVATE_H
#define SCAR_DEPLOYER_AWS_LAMBDA_PRIVATE_H

#include "deployer/aws/call.h"
#include "deployer/aws/lambda.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

/** Bodies without code. */
#define SCAR_LAMBDA_BODY_MAX SCAR_KIB(256)
/** 50 MB of zip in Base64, and the rest. */
#define SCAR_LAMBDA_CODE_BODY_MAX SCAR_MIB(72)

/** scar_aws_rest() that waits while AWS says that another change of the function is in progress. */
int scar_lambda_rest(struct scar_aws *aws, const struct scar_aws_call *call,
		     struct scar_json **ret_json, struct scar_err *err, const char *form,
		     const char *function);
/** Writes ZipFile, S3Bucket..., or ImageUri. */
void scar_lambda_write_code(struct scar_json_writer *writer, const struct scar_lambda_code *code);

#endif
