/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bytes.h
 * The bytes of an archive, wherever they are, read in any order: of a file, or of an object of S3 by ranges; compressed ones (gzip, zstd) as what they
 * decompress to. Nothing is kept on disk: to go back in compressed bytes means to decompress them again, but decoders stay where they are, so that several
 * threads which each read forward do not. `cancel` (or NULL) ends every read: SCAR_ERR_INTERRUPTED. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_BYTES_H
#define SCAR_REGISTRY_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "registry/client.h"
#include "runtime/base/cleanup.h"

struct scar_bytes;

/** Of a size that only reading tells. */
#define SCAR_BYTES_UNKNOWN UINT64_MAX

/** SCAR_ERR_NOT_FOUND, _UNSUPPORTED (no regular file), _IMAGE (empty), ... */
int scar_bytes_open_file(const char *path, const volatile int *cancel,
			 struct scar_bytes **ret_bytes, struct scar_err *err);
/** `place` is "BUCKET/KEY"; a request is made. SCAR_ERR_NOT_FOUND, _AUTH, _NETWORK, ... */
int scar_bytes_open_s3(const char *place, const struct scar_source_options *options,
		       struct scar_bytes **ret_bytes, struct scar_err *err);
/** NULL is fine. */
void scar_bytes_close(struct scar_bytes *bytes);

/** Or SCAR_BYTES_UNKNOWN. */
uint64_t scar_bytes_size(const struct scar_bytes *bytes);
/** Exactly len bytes; SCAR_ERR_IMAGE if there are fewer. For small reads, more or less forward, of one thread. */
int scar_bytes_read(struct scar_bytes *bytes, uint64_t first, void *data, size_t len,
		    struct scar_err *err);
/** Streams bytes first..first+size_bytes into sink; `what` is for messages. From several threads at once. */
int scar_bytes_copy(struct scar_bytes *bytes, const char *what, uint64_t first, uint64_t size_bytes,
		    scar_http_sink sink, void *ctx, struct scar_err *err);

static inline void scar_cleanup_bytes(struct scar_bytes **bytes)
{
	scar_bytes_close(*bytes);
}
#define scar_bytes_auto scar_auto(scar_cleanup_bytes)

/* ---- for those who provide them ---- */

struct scar_bytes_ops {
	/** As scar_bytes_copy(); what is beyond the end is SCAR_ERR_IMAGE. */
	int (*copy)(void *impl, uint64_t first, uint64_t size_bytes, const volatile int *cancel,
		    scar_http_sink sink, void *ctx, struct scar_err *err);
	void (*close)(void *impl);
	size_t ahead; /**< how much a small read fetches at once */
};

/** Takes impl, also when it fails. If the bytes are compressed, *ret_bytes is what they decompress to. */
int scar_bytes_make(const struct scar_bytes_ops *ops, void *impl, uint64_t size_bytes,
		    const volatile int *cancel, struct scar_bytes **ret_bytes,
		    struct scar_err *err);
/** What `packed` (taken, also when it fails) decompresses to. zstd: else gzip. */
int scar_bytes_unpack(struct scar_bytes *packed, bool zstd, const volatile int *cancel,
		      struct scar_bytes **ret_bytes, struct scar_err *err);

#endif
