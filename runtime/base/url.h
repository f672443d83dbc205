/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file url.h
 * The little of RFC 3986 that following a redirect by hand needs: taking http and https URLs apart,
 * resolving a Location against the URL that answered with it, and telling whether two URLs have the same
 * origin, so that credentials stay with the one they are for.
 */
#ifndef SCAR_RUNTIME_BASE_URL_H
#define SCAR_RUNTIME_BASE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scar_err;

struct scar_url {
	bool is_https;
	char host[256];   /**< lower case; an IPv6 address keeps its brackets */
	uint16_t port;    /**< that of the scheme if the URL names none */
	const char *rest; /**< path and query, "" if there is none; borrowed from the text */
};

/**
 * Takes an absolute http:// or https:// URL apart. User information, control characters and spaces are refused,
 * as is anything above SCAR_LIMIT_URL_BYTES. Fails with SCAR_ERR_PROTOCOL.
 */
int scar_url_parse(const char *text, struct scar_url *ret_url, struct scar_err *err);
/** Scheme, host and port are the same. */
bool scar_url_same_origin(const struct scar_url *a, const struct scar_url *b);
/** The URL names this machine: "localhost", 127.0.0.0/8 or [::1]. */
bool scar_url_is_loopback(const struct scar_url *url);
/** The same for a host[:port] as references have it; false if that is no host. */
bool scar_url_host_is_loopback(const char *host);
/**
 * The absolute URL (free()) that `location` means in an answer to `base`; its fragment is dropped. Absolute, "//host/..",
 * "/path" and "?query" forms; a path relative to that of base is resolved without removing dot segments.
 */
int scar_url_resolve(const char *base, const char *location, char **ret_url, struct scar_err *err);
/**
 * Whether a server at `from` may send us on to `to`. Never from https to http, and to this machine only from this
 * machine: what is asked for here (the Runtime API listens on loopback) is not for a server elsewhere to choose. http to
 * another machine needs allow_plain.
 */
bool scar_url_may_lead(const struct scar_url *from, const struct scar_url *to, bool allow_plain);
/** Whether c may stand in a query value as it is (RFC 3986, "unreserved"). */
bool scar_url_char_is_unreserved(char c);

#endif
