/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http_trust.h
 * Which CA bundle verifies TLS peers, and which hosts may be spoken to without TLS.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP_TRUST_H
#define SCAR_RUNTIME_BASE_HTTP_TRUST_H

#include <stdbool.h>
#include <stddef.h>

struct scar_err;

/**
 * The CA bundle to use: `configured` if not NULL, else the first readable of $SCAR_CA_BUNDLE,
 * $SSL_CERT_FILE, Amazon Linux's and Debian's file. A variable that names an unreadable file is
 * an error, not passed over: the user meant it. @return borrowed path, or NULL (SCAR_ERR_TLS)
 */
const char *scar_http_ca_bundle(const char *configured, struct scar_err *err);

/** True if the URL's host is localhost, *.localhost, 127.0.0.0/8 or [::1]. */
bool scar_http_is_loopback(const char *url);

/** True if a route to IPv6 hosts exists (a datagram socket is connected; nothing is sent). */
bool scar_http_has_ipv6(void);

#endif
