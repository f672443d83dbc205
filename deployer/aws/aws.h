/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file aws.h
 * One session with AWS: who asks (credentials), where (region, endpoints), and every call's way: sign, send, judge, repeat.
 *
 * A session is used by one thread at a time; scar_aws_clone() gives another thread one with the same settings and credentials.
 * Nothing is asked of the network before the first call. Credentials, tokens, bodies and query strings appear in no log line and in no message.
 *
 * A call that AWS refuses fails with
 *   SCAR_ERR_NOT_FOUND    no such thing (404, ResourceNotFoundException, NoSuchEntity, NoSuchBucket, ...)
 *   SCAR_ERR_AUTH         no credentials, or they are refused, or they lack a permission
 *   SCAR_ERR_RATE_LIMIT   throttled, also after all repetitions
 *   SCAR_ERR_UNAVAILABLE  AWS failed (5xx)
 *   SCAR_ERR_CONFIG       anything else that it does not accept (4xx), no region, a broken configuration file
 *   SCAR_ERR_NETWORK, _TLS, _TIMEOUT, _INTERRUPTED, _PROTOCOL  as in runtime/base/http.h
 * and with a message "lambda CreateFunction: <message> (<code>, HTTP <status>, request <id>)"; scar_aws_failure() tells the parts and what to do.
 */
#ifndef SCAR_DEPLOYER_AWS_AWS_H
#define SCAR_DEPLOYER_AWS_AWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_json;
struct scar_aws; /**< a session */

/** What the command line says; NULL: not said. Copied. */
struct scar_aws_options {
	char *const *environment; /**< "NAME=value", NULL-terminated; must not be NULL */
	const char *profile;      /**< --profile: comes before keys in the environment */
	const char *region;       /**< --region */
	const char *endpoint_url; /**< --endpoint-url: for every service */
	const char *ca_bundle;    /**< NULL: AWS_CA_BUNDLE, then the profile's, then http.h's */
	/** Set elsewhere (a signal handler) to end what is under way with SCAR_ERR_INTERRUPTED; borrowed; may be NULL. */
	const volatile int *cancel;
};

/** Reads the shared configuration files. SCAR_ERR_CONFIG names the file and line, or the profile that does not exist. */
int scar_aws_open(const struct scar_aws_options *options, struct scar_aws **ret_aws,
		  struct scar_err *err);
/** A session for another thread: own connections, the same settings and credentials. */
int scar_aws_clone(const struct scar_aws *aws, struct scar_aws **ret_aws, struct scar_err *err);
void scar_aws_close(struct scar_aws *aws);

/** The region, or NULL if none is set anywhere. Borrowed. */
const char *scar_aws_region(const struct scar_aws *aws);
/** Like scar_aws_region(); without one it is SCAR_ERR_CONFIG with what to set. */
int scar_aws_need_region(const struct scar_aws *aws, const char **ret_region, struct scar_err *err);
/** Uses another region from now on (a function's own `region`). */
int scar_aws_set_region(struct scar_aws *aws, const char *region, struct scar_err *err);
/** The profile in use: "default" if none was named. Borrowed. */
const char *scar_aws_profile(const struct scar_aws *aws);
/** "amazonaws.com", or "amazonaws.com.cn" for a region of China. */
const char *scar_aws_domain(const char *region);
/** "aws", "aws-cn" or "aws-us-gov", by the region. */
const char *scar_aws_partition(const char *region);
/**
 * Finds credentials now rather than with the first call. ret_source: what they come from, for people ("environment", "profile
 * work", ...); borrowed from the session. SCAR_ERR_AUTH lists the places that were looked at.
 */
int scar_aws_find_credentials(struct scar_aws *aws, const char **ret_source, struct scar_err *err);

/** The last call that AWS refused, or all zero and "" if the last call did not fail that way. */
struct scar_aws_failure {
	const char *service;   /**< "lambda" */
	const char *operation; /**< "CreateFunction" */
	int status;            /**< HTTP */
	char code[128];        /**< "ResourceConflictException", "NoSuchBucket" */
	char message[1024];    /**< of AWS, as it is */
	char request_id[128];
	const char *hint; /**< one sentence on what to do; NULL if there is nothing to say */
};

/** Valid until the session's next call. Never NULL. */
const struct scar_aws_failure *scar_aws_failure(const struct scar_aws *aws);
/** Whether the last call failed with that code. */
bool scar_aws_failed_with(const struct scar_aws *aws, const char *code);

/** A name and a value: variables, tags. */
struct scar_aws_pair {
	const char *name;
	const char *value;
};

/** What listings give their items to, one by one, page after page; -1 with err ends the listing with that error. */
typedef int (*scar_aws_each)(void *ctx, const struct scar_json *item, struct scar_err *err);
/** Told while bytes move: `done` of `total` (0: not known) bytes. May be NULL where it is asked for. */
typedef void (*scar_aws_progress)(void *ctx, uint64_t done, uint64_t total);

static inline void scar_cleanup_aws(struct scar_aws **aws)
{
	scar_aws_close(*aws);
}
#define scar_aws_auto scar_auto(scar_cleanup_aws)

#endif
