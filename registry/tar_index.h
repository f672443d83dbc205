/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tar_index.h
 * Where the members of a tar file are, so that they can be read in any order: what a `docker save`
 * archive needs, whose manifest.json may come last. Knows ustar, pax (path, linkpath, size) and GNU long names;
 * checks header checksums; bounds names and their number. Layers are not read with this but with libarchive. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_TAR_INDEX_H
#define SCAR_REGISTRY_TAR_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_bytes;
struct scar_err;

struct scar_tar_member {
	char *name; /**< normal form: no leading "/" or "./", no "." or ".." inside */
	char *target; /**< a link's target in the same form, relative to the archive's root; else NULL */
	uint64_t first_byte;
	uint64_t size_bytes;
};

struct scar_tar_index {
	struct scar_tar_member *members;
	size_t count;
	size_t capacity;
};

/**
 * Reads the headers. Fails with SCAR_ERR_IMAGE if it is no tar file or damaged,
 * _UNSUPPORTED if it is compressed in a way that bytes.h does not know, _LIMIT.
 */
int scar_tar_index_read(struct scar_bytes *bytes, struct scar_tar_index *ret_index,
			struct scar_err *err);
void scar_tar_index_clear(struct scar_tar_index *index);
/** The regular file of that name (leading "/" and "./" do not count), through links; the last of several. NULL if there is none. Borrowed. */
const struct scar_tar_member *scar_tar_index_find(const struct scar_tar_index *index,
						  const char *name);

#define scar_tar_index_auto scar_auto(scar_tar_index_clear)

#endif
