/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file zip.h
 * Writes a zip archive (PKWARE APPNOTE 6.3, without ZIP64) into a bounded buffer: what is to be an answer, or a package, cannot be larger than one.
 */
#ifndef SCAR_RUNTIME_BASE_ZIP_H
#define SCAR_RUNTIME_BASE_ZIP_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "runtime/base/buf.h"

struct scar_err;

struct scar_zip {
	struct scar_buf *out; /**< borrowed; the archive begins where it ended */
	struct scar_buf directory;
	uint32_t entries;
	size_t start;
};

void scar_zip_begin(struct scar_zip *zip, struct scar_buf *out);
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
