/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file keys.h
 * Credentials of a session: where they come from, and until when they hold. In the order of botocore: the environment, a profile's
 * role, a web identity, the profile's keys, its credential_process, the container's agent, the machine's (IMDSv2). Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_KEYS_H
#define SCAR_DEPLOYER_AWS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_aws;
struct scar_buf;
struct scar_err;
struct scar_json;

/** Owned; wiped by scar_aws_keys_clear(). */
struct scar_aws_keys {
	char *id, *secret;
	char *token;        /* NULL: keys that do not expire */
	int64_t expires_ms; /* since the epoch; 0: never */
	char source[160];   /* for people */
};

/** A copy of the session's credentials, got anew when they end within five minutes. SCAR_ERR_AUTH: none were found. */
int scar_aws_keys_get(struct scar_aws *aws, struct scar_aws_keys *ret_keys, struct scar_err *err);
void scar_aws_keys_clear(struct scar_aws_keys *keys);
/** `token` may be NULL; `expires` is ISO 8601 or NULL. */
int scar_aws_keys_make(const char *id, const char *secret, const char *token, const char *expires,
		       const char *source, struct scar_aws_keys *ret_keys, struct scar_err *err);
/** From a document with AccessKeyId, SecretAccessKey, Token or SessionToken, and Expiration. */
int scar_aws_keys_from_json(const struct scar_json *document, const char *source,
			    struct scar_aws_keys *ret_keys, struct scar_err *err);
/** Cuts off what follows the first line: files of tokens end with a newline. */
void scar_aws_keys_first_line(struct scar_buf *text);
#define scar_aws_keys_auto scar_auto(scar_aws_keys_clear)

/*
 * Providers. @return 1 and keys; 0: nothing of this kind is configured; -1: it is, but does not work.
 */
int scar_aws_keys_of_profile_role(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				  struct scar_err *err);
int scar_aws_keys_of_web_identity(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				  struct scar_err *err);
int scar_aws_keys_of_profile(struct scar_aws *aws, const char *profile,
			     struct scar_aws_keys *ret_keys, struct scar_err *err);
int scar_aws_keys_of_environment(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				 struct scar_err *err);
int scar_aws_keys_of_process(struct scar_aws *aws, const char *command, const char *source,
			     struct scar_aws_keys *ret_keys, struct scar_err *err);
int scar_aws_keys_of_container(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
			       struct scar_err *err);
int scar_aws_keys_of_machine(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
			     struct scar_err *err);

#endif
