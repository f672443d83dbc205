/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file digest.h
 * Content digests of the OCI image specification (descriptor.md, "Digests"):
 * "sha256:<64 hex>" and "sha512:<128 hex>", lower case only.
 */
#ifndef SCAR_RUNTIME_BASE_DIGEST_H
#define SCAR_RUNTIME_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;

#define SCAR_DIGEST_TEXT_MAX (7 + 128 + 1)

enum scar_digest_alg { SCAR_DIGEST_SHA256 = 1, SCAR_DIGEST_SHA512 };

struct scar_digest {
	enum scar_digest_alg alg;
	uint8_t bytes[64]; /**< 32 used by SHA-256; the rest is 0 */
};

/** Parses exactly one digest; anything else is SCAR_ERR_IMAGE. */
int scar_digest_parse(const char *text, struct scar_digest *ret_digest, struct scar_err *err);
/** Writes the canonical text, NUL included. @return text */
const char *scar_digest_format(const struct scar_digest *digest, char text[SCAR_DIGEST_TEXT_MAX]);
/** The hex part alone (a file name). @return text */
const char *scar_digest_hex(const struct scar_digest *digest, char text[SCAR_DIGEST_TEXT_MAX]);
bool scar_digest_equal(const struct scar_digest *a, const struct scar_digest *b);
/** Digest of a whole buffer. */
int scar_digest_of(enum scar_digest_alg alg, const void *data, size_t len,
		   struct scar_digest *ret_digest, struct scar_err *err);

/** Digest of len bytes of a file from offset on; one that ends before is SCAR_ERR_IO. The descriptor's position stays. */
int scar_digest_of_file(enum scar_digest_alg alg, int fd, uint64_t offset, uint64_t len,
			struct scar_digest *ret_digest, struct scar_err *err);

/** A running digest; usable from one thread at a time. */
struct scar_hasher;
struct scar_hasher *scar_hasher_create(enum scar_digest_alg alg, struct scar_err *err);
void scar_hasher_free(struct scar_hasher *hasher);
int scar_hasher_update(struct scar_hasher *hasher, const void *data, size_t len,
		       struct scar_err *err);
/** Ends the computation; the hasher may only be freed afterwards. */
int scar_hasher_finish(struct scar_hasher *hasher, struct scar_digest *ret_digest,
		       struct scar_err *err);

static inline void scar_cleanup_hasher(struct scar_hasher **hasher)
{
	scar_hasher_free(*hasher);
}
#define scar_hasher_auto scar_auto(scar_cleanup_hasher)

#endif
