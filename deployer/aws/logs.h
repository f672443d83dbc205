/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file logs.h
 * CloudWatch Logs: a function's log group, its retention, and reading and following events.
 */
#ifndef SCAR_DEPLOYER_AWS_LOGS_H
#define SCAR_DEPLOYER_AWS_LOGS_H

#include "deployer/aws/aws.h"

/** CreateLogGroup; one that is there is success. *ret_created may be NULL. */
int scar_logs_create_group(struct scar_aws *aws, const char *group,
			   const struct scar_aws_pair *tags, size_t tag_count, bool *ret_created,
			   struct scar_err *err);
/** PutRetentionPolicy; days that AWS does not know (1, 3, 5, 7, 14, 30, ...) are SCAR_ERR_CONFIG; 0 removes the policy. */
int scar_logs_set_retention(struct scar_aws *aws, const char *group, int days,
			    struct scar_err *err);
/** DeleteLogGroup; none is success, and *ret_deleted (may be NULL) false. */
int scar_logs_delete_group(struct scar_aws *aws, const char *group, bool *ret_deleted,
			   struct scar_err *err);

struct scar_logs_event {
	const char *stream;
	const char *message; /**< usually ends with a newline */
	int64_t time_ms;     /**< since the epoch */
	const char *id;
};

typedef int (*scar_logs_each)(void *ctx, const struct scar_logs_event *event, struct scar_err *err);

struct scar_logs_query {
	const char *group;
	const char *stream;         /**< one stream, or NULL */
	const char *stream_prefix;  /**< or NULL */
	const char *pattern;        /**< filter pattern of CloudWatch Logs, or NULL */
	int64_t since_ms, until_ms; /**< since the epoch; 0: not bounded */
};

/** FilterLogEvents, all pages, ordered by time. SCAR_ERR_NOT_FOUND: no such group, so nothing was invoked yet. */
int scar_logs_filter(struct scar_aws *aws, const struct scar_logs_query *query, scar_logs_each each,
		     void *ctx, struct scar_err *err);
/**
 * Like filter, then goes on with what comes, each event once, also those that arrive late; ends with SCAR_ERR_INTERRUPTED by the
 * session's cancel, or with 0 when `each` says 1. A group that does not exist yet is waited for.
 */
int scar_logs_follow(struct scar_aws *aws, const struct scar_logs_query *query, scar_logs_each each,
		     void *ctx, struct scar_err *err);
/** GetLogEvents of one stream, from its begin. */
int scar_logs_get_stream(struct scar_aws *aws, const char *group, const char *stream,
			 scar_logs_each each, void *ctx, struct scar_err *err);

#endif
