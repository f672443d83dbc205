/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file credentials.h
 * User names and passwords, or identity tokens, from a Docker config.json, as `docker login` and `podman login` write it: its
 * "auths", else the credential helper that it names; and from the text of a secret. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_CREDENTIALS_H
#define SCAR_REGISTRY_CREDENTIALS_H

#include <stdbool.h>

#include "runtime/base/cleanup.h"

struct scar_err;

/** In place of a user name: the password is an identity token. Docker's credential helpers began with it. */
#define SCAR_CREDENTIALS_TOKEN "<token>"

struct scar_credentials {
	char *username; /**< NULL: none found */
	char *password;
};

/** Copies both into empty credentials. */
int scar_credentials_set(struct scar_credentials *credentials, const char *username,
			 const char *password, struct scar_err *err);

/**
 * Looks up a registry (canonical name as in struct scar_ref). A file that does not exist or does not know the registry
 * gives no credentials; one that cannot be understood is SCAR_ERR_CONFIG.
 */
int scar_credentials_load(const char *path, const char *registry,
			  struct scar_credentials *ret_found, struct scar_err *err);
/** The same from text; `what` names it in errors. */
int scar_credentials_parse(const char *text, size_t len, const char *what, const char *registry,
			   struct scar_credentials *ret_found, struct scar_err *err);
/** From Base64 of NAME:PASSWORD. SCAR_ERR_CONFIG if it is none. */
int scar_credentials_from_auth(const char *auth, struct scar_credentials *ret_found,
			       struct scar_err *err);
/**
 * From a secret: the text of a config.json, {"username": ..., "password": ...}, or NAME:PASSWORD. The last two say not for which
 * registry they are, so they are used only where is_pinned: for the one that the image reference names, not for a mirror.
 * SCAR_ERR_CONFIG names `what`, never the text.
 */
int scar_credentials_from_secret(const char *text, const char *what, const char *registry,
				 bool is_pinned, struct scar_credentials *ret_found,
				 struct scar_err *err);
/** Wipes and frees. */
void scar_credentials_clear(struct scar_credentials *credentials);

#define scar_credentials_auto scar_auto(scar_credentials_clear)

#endif
