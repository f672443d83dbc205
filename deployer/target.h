/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file target.h
 * One function of a definition with everything filled in: what is to exist in AWS when apply is done. Making one asks the registry for the image's
 * manifest and STS for the account; it changes nothing.
 */
#ifndef SCAR_DEPLOYER_TARGET_H
#define SCAR_DEPLOYER_TARGET_H

#include <stdbool.h>

#include "deployer/fdl.h"
#include "deployer/layer.h"
#include "deployer/session.h"
#include "runtime/base/buf.h"

struct scar_batch;
struct scar_sts_identity;

#define SCAR_TAG_CREATED_BY "createdby"
#define SCAR_TAG_OWNER "owner"
/** A tag with a digest of what cannot be read back: policy of the role, retention, Batch. */
#define SCAR_TAG_STATE "scar-state"
#define SCAR_TAG_MADE_BY "scar"

#define SCAR_DEFAULT_MEMORY_MB 512
#define SCAR_DEFAULT_TIMEOUT_S 300
#define SCAR_DEFAULT_RETENTION_DAYS 30

struct scar_target {
	const struct scar_fdl *fdl;               /**< borrowed, as is the function */
	const struct scar_fdl_function *function; /**< what the definition says */
	const struct scar_sts_identity *identity; /**< borrowed */
	char region[64];
	char *arn;
	char *role;      /**< ARN */
	char *role_name; /**< of one that we make; NULL: it is given */
	char *log_group;
	char *image; /**< reference as the function uses it */
	struct scar_buf policy;
	const char *runtime, *architecture;
	int memory_mb, timeout_s, storage_mb, retention_days;
	struct scar_buf package;
	char package_sha256[64]; /**< base64, as Lambda tells it */
	struct scar_fdl_pairs environment;
	char state[24]; /**< of SCAR_TAG_STATE */
	bool no_layer;
	struct scar_batch *batch; /**< NULL: the function has no jobs */
};

int scar_target_make(const struct scar_session *session, const struct scar_fdl *fdl,
		     const struct scar_fdl_function *function,
		     const struct scar_sts_identity *identity, struct scar_target *ret_target,
		     struct scar_err *err);
void scar_target_clear(struct scar_target *target);

#define scar_target_auto scar_auto(scar_target_clear)

#endif
