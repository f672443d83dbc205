/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file zip.h
 * Writes a zip archive (PKWARE APPNOTE 6.3, without ZIP64, hence below 4 GiB) into a bounded buffer, and what does not fit there elsewhere, if there is
 * such a place.
 */
#ifndef SCAR_RUNTIME_BASE_ZIP_H
#define SCAR_RUNTIME_BASE_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/buf.h"

struct scar_err;

/** Where the archive goes when the buffer is full. */
struct scar_zip_spill {
	int (*append)(void *ctx, const void *data, size_t len, struct scar_err *err);
	/** Changes bytes that were appended, `at` bytes after the first. */
	int (*patch)(void *ctx, uint64_t at, const void *data, size_t len, struct scar_err *err);
	void *ctx;
};

struct scar_zip {
	struct scar_buf *out;               /**< borrowed; the archive begins where it ended */
	const struct scar_zip_spill *spill; /**< borrowed; NULL: none */
	uint64_t spilled;
	struct scar_buf directory;
	uint32_t entries;
	size_t start;
};

void scar_zip_begin(struct scar_zip *zip, struct scar_buf *out);
/** The same with an empty `out`, which goes to `spill` whenever it is full. The end of the archive is in `out`, all of it if zip->spilled is 0. */
void scar_zip_begin_spilling(struct scar_zip *zip, struct scar_buf *out,
			     const struct scar_zip_spill *spill);
/** Adds a file: name (UTF-8, '/' between its parts), its bytes read to the end of fd, its permissions and time. SCAR_ERR_LIMIT if `out` is full. */
int scar_zip_add(struct scar_zip *zip, const char *name, int fd, unsigned mode, time_t modified,
		 struct scar_err *err);
/** The same with bytes at hand. */
int scar_zip_add_data(struct scar_zip *zip, const char *name, const void *data, size_t len,
		      unsigned mode, time_t modified, struct scar_err *err);
int scar_zip_end(struct scar_zip *zip, struct scar_err *err);
void scar_zip_clear(struct scar_zip *zip);

#define scar_zip_auto scar_auto(scar_zip_clear)

#endif
