/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file session.h
 * What a session holds. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_SESSION_H
#define SCAR_DEPLOYER_AWS_SESSION_H

#include <pthread.h>
#include <stdint.h>

#include "deployer/aws/aws.h"
#include "deployer/aws/keys.h"
#include "deployer/aws/settings.h"
#include "runtime/base/http.h"

/** Most buckets whose regions are remembered. */
#define SCAR_AWS_BUCKETS_MAX 32

/** What clones have in common. */
struct scar_aws_shared {
	unsigned users; /* atomic */
	struct scar_aws_settings settings;
	pthread_mutex_t lock; /* of keys */
	struct scar_aws_keys keys;
};

struct scar_aws_bucket {
	char name[64];
	char region[64];
};

struct scar_aws {
	struct scar_aws_shared *shared;
	struct scar_http *http;
	const volatile int *cancel;
	char region[64]; /* "": none */
	struct scar_aws_failure failure;
	int64_t clock_offset_s; /* of AWS's clock to ours */
	int retry_quota;
	struct scar_aws_bucket buckets[SCAR_AWS_BUCKETS_MAX];
	size_t bucket_count; /* ever noted; the newest replace the oldest */
	bool finishing;      /* what is called now tidies up: a cancel does not end it */
};

/** Whether the session was told to stop. */
bool scar_aws_is_cancelled(const struct scar_aws *aws);
/** Sleeps; SCAR_ERR_INTERRUPTED soon after a cancel. */
int scar_aws_sleep(const struct scar_aws *aws, int64_t ms, struct scar_err *err);

#endif
