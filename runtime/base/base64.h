/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base64.h
 * Base64 (RFC 4648, 4): credentials, error documents in trailers, log tails, scripts in events.
 */
#ifndef SCAR_RUNTIME_BASE_BASE64_H
#define SCAR_RUNTIME_BASE_BASE64_H

#include <stddef.h>

struct scar_buf;
struct scar_err;

/** Appends the padded text. */
int scar_base64_encode(const void *data, size_t len, struct scar_buf *buf, struct scar_err *err);
/** Appends the bytes; padding may be absent, anything else that is not Base64 is SCAR_ERR_CONFIG. */
int scar_base64_decode(const char *text, struct scar_buf *buf, struct scar_err *err);

#endif
