/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file challenge.h
 * The WWW-Authenticate header (RFC 9110, 11.6.1) as far as registries use it: Bearer with realm, service and scope
 * (distribution's token specification), and Basic. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_CHALLENGE_H
#define SCAR_REGISTRY_CHALLENGE_H

#define SCAR_CHALLENGE_PARAM_MAX 1024

enum scar_challenge_scheme { SCAR_CHALLENGE_NONE, SCAR_CHALLENGE_BASIC, SCAR_CHALLENGE_BEARER };

/** Parameters that are absent or too long are "". */
struct scar_challenge {
	enum scar_challenge_scheme scheme;
	char realm[SCAR_CHALLENGE_PARAM_MAX];
	char service[SCAR_CHALLENGE_PARAM_MAX];
	char scope[SCAR_CHALLENGE_PARAM_MAX];
};

/**
 * Looks through one header value, which may hold several challenges, for the best that is usable: Bearer with a
 * realm, else Basic. Keeps what ret_challenge has if that is better, so values of repeated headers can be
 * given one after the other; start with a zeroed one. Never fails: what cannot be understood is skipped.
 */
void scar_challenge_parse(const char *value, struct scar_challenge *ret_challenge);

#endif
