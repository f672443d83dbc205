/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file delegate.h
 * Hands work over to AWS Batch: SubmitJob (batch 2016-08-10), to the queue and the job definition that have the function's name, as SCAR makes them. The job
 * gets what its supervisor (batch.h) needs as variables: SCRIPT, EVENT, AWS_LAMBDA_REQUEST_ID.
 */
#ifndef SCAR_INVOKE_DELEGATE_H
#define SCAR_INVOKE_DELEGATE_H

#include <stddef.h>

#include "runtime/base/limits.h"

struct scar_buf;
struct scar_err;
struct scar_invoke_config;

/** What AWS Batch takes as one request. */
#define SCAR_DELEGATE_BYTES_MAX SCAR_KIB(30)

struct scar_delegation {
	const char *request_id;
	const struct scar_buf *event;  /**< the document of what is to be done */
	const struct scar_buf *script; /**< or NULL: the job's own command */
};

/**
 * Submits a job; appends what SCAR says of one to ret_text. SCAR_ERR_CONFIG without a function name or region, SCAR_ERR_LIMIT for an event and script that are too large for
 * Batch, SCAR_ERR_AUTH with the permission that is missing, SCAR_ERR_NOT_FOUND for a queue or definition that is not there, SCAR_ERR_NETWORK, ...
 */
int scar_delegate(const struct scar_invoke_config *config, const struct scar_delegation *work,
		  struct scar_buf *ret_text, struct scar_err *err);

#endif
