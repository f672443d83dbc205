/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file helper.h
 * Credential helpers of Docker: a program docker-credential-NAME on PATH that takes a server's address on standard input and
 * answers with {"Username", "Secret"} (github.com/docker/docker-credential-helpers). Internal to registry/.
 */
#ifndef SCAR_REGISTRY_HELPER_H
#define SCAR_REGISTRY_HELPER_H

struct scar_credentials;
struct scar_err;

/**
 * Runs `docker-credential-<name> get` for at most 10 s. A program that does not exist, or that knows no credentials for the server,
 * gives none; one that fails otherwise is SCAR_ERR_CONFIG. The program inherits the environment; its standard error is
 * discarded.
 */
int scar_helper_get(const char *name, const char *server, struct scar_credentials *ret_found,
		    struct scar_err *err);

#endif
