/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file auth.h
 * Authorization of the requests to one repository of one registry: none, Basic, or a Bearer token from the token
 * server that the registry names (distribution, "Token Authentication Specification"), asked for with user name and
 * password, with an identity token ("OAuth2 Token Authentication"), or else anonymously. The token is kept until shortly before it expires and is shared by all threads;
 * while one fetches it the others wait. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_AUTH_H
#define SCAR_REGISTRY_AUTH_H

#include <stdbool.h>

struct scar_buf;
struct scar_err;
struct scar_http_response;
struct scar_url;
struct scar_auth;

struct scar_auth_question {
	const char *url;
	const char *authorization;   /**< header, or NULL */
	const struct scar_buf *form; /**< to POST, URL-encoded; NULL: GET */
};

/** Asks a token server. 0 when any response came. */
typedef int (*scar_auth_ask)(void *ctx, const struct scar_auth_question *question,
			     struct scar_http_response *resp, struct scar_err *err);

/** Strings are copied. */
struct scar_auth_options {
	const char *repository;
	const char *username; /**< NULL: anonymous; SCAR_CREDENTIALS_TOKEN: see credentials.h */
	const char *password;
	/** A token server known beforehand, asked before the first request; saves a refused one. NULL: none. */
	const char *realm;
	const char *service;
	bool allow_plain; /**< as in scar_url_may_lead() */
};

int scar_auth_create(const struct scar_auth_options *options, struct scar_auth **ret_auth,
		     struct scar_err *err);
/** The URL that requests go to, before the first one; it decides whether the token server may do without TLS. */
void scar_auth_set_origin(struct scar_auth *auth, const struct scar_url *origin);
/** NULL is fine. */
void scar_auth_free(struct scar_auth *auth);
/**
 * The value of the Authorization header to send now (free()), NULL for none. *ret_serial tells which credentials it
 * is, for scar_auth_challenged(). May fetch a token.
 */
int scar_auth_header(struct scar_auth *auth, scar_auth_ask ask, void *ctx, char **ret_value,
		     unsigned *ret_serial, struct scar_err *err);
/**
 * The registry answered 401 to a request sent with the credentials `serial`. 0: other credentials are at hand, send again.
 * -1: SCAR_ERR_AUTH if nothing more can be tried, or why the token server did not answer.
 */
int scar_auth_challenged(struct scar_auth *auth, const struct scar_http_response *resp,
			 unsigned serial, scar_auth_ask ask, void *ctx, struct scar_err *err);

static inline void scar_cleanup_auth(struct scar_auth **auth)
{
	scar_auth_free(*auth);
}

#endif
