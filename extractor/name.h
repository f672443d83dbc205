/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file name.h
 * Names of layer entries: from the bytes of a tar to a path below the root, and what a name means
 * (image-spec, layer.md, "Whiteouts").
 */
#ifndef SCAR_EXTRACTOR_NAME_H
#define SCAR_EXTRACTOR_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/limits.h"

struct scar_err;

enum scar_name_kind {
	SCAR_NAME_PLAIN,
	SCAR_NAME_WHITEOUT, /**< ".wh.X": removes X of the layers below */
	SCAR_NAME_OPAQUE, /**< ".wh..wh..opq": removes all that the layers below have in its directory */
	SCAR_NAME_META /**< any other ".wh..wh.*": bookkeeping of aufs, not content */
};

struct scar_name {
	/**
	 * Relative to the root; no empty, "." or ".." component; "" is the root itself. The slash before `base` is a
	 * NUL, so that the text here is the parent directory.
	 */
	char parent[SCAR_LIMIT_PATH_BYTES];
	const char *base; /**< last component; of a whiteout without its ".wh."; "" for the root */
	enum scar_name_kind kind;
};

/**
 * Cleans a name as all builders of images do: ".." takes away the component before it, and nothing above the root
 * is reached. (Symbolic links among the components are resolved later, also below the root.) Fails with
 * SCAR_ERR_IMAGE (a whiteout of nothing, of "." or "..") or SCAR_ERR_LIMIT.
 */
int scar_name_parse(const char *text, struct scar_name *ret_name, struct scar_err *err);

/** What every directory has, and no layer brings. */
static inline bool scar_name_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

#endif
