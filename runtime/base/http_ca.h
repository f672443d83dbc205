/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http_ca.h
 * A bundle of certificates to trust of which only those are parsed that a server's chain asks for: OpenSSL takes about 0.3 ms for each,
 * and the usual bundle has 140. Which certificates are trusted, and for what, stays OpenSSL's decision.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP_CA_H
#define SCAR_RUNTIME_BASE_HTTP_CA_H

struct scar_err;
struct scar_http_ca;

/** Reads a PEM file. SCAR_ERR_TLS if it cannot be read or has no certificate in it. */
struct scar_http_ca *scar_http_ca_create(const char *path, struct scar_err *err);
/** No SSL_CTX that was given it may be in use any more. NULL is fine. */
void scar_http_ca_free(struct scar_http_ca *ca);

/** Makes an SSL_CTX, of OpenSSL, trust the bundle; again does nothing. The bundle is borrowed. */
int scar_http_ca_install(struct scar_http_ca *ca, void *ssl_ctx, struct scar_err *err);

#endif
