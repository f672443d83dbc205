/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file issued.h
 * Access tokens that a token server issues for a refresh token (OAuth 2.0, RFC 6749 section 6), kept until shortly before they expire. A server may
 * replace the refresh token each time; the newest is used. Internal to invoke/storage/.
 */
#ifndef SCAR_INVOKE_STORAGE_ISSUED_H
#define SCAR_INVOKE_STORAGE_ISSUED_H

#include "invoke/storage/provider.h"
#include "runtime/base/buf.h"

/** Makes account->issued. */
int scar_storage_issued_prepare(struct scar_storage_account *account, struct scar_err *err);
/** NULL is fine. */
void scar_storage_issued_free(struct scar_storage_token *token);
/** Appends an access token. Several threads may ask; one request is made. SCAR_ERR_AUTH if the server gives none. */
int scar_storage_issued_get(const struct scar_storage_transfer *transfer, struct scar_buf *text,
			    struct scar_err *err);

#endif
