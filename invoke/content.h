/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file content.h
 * What kind of content bytes are: guessed from their beginning, or told by the program in a block of header fields as CGI
 * programs write it (RFC 3875, 6.2): "Status: 404 Not Found", "Content-Type: ...", "Location: ...", any other field, an
 * empty line.
 */
#ifndef SCAR_INVOKE_CONTENT_H
#define SCAR_INVOKE_CONTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_err;

/** A longer block is none. */
#define SCAR_CONTENT_HEAD_BYTES 65536
#define SCAR_CONTENT_FIELDS 100

/** Media type of bytes that begin like this; never NULL, "application/octet-stream" if nothing fits. */
const char *scar_content_sniff(const void *data, size_t len);
/** True if all of it is UTF-8 without control bytes other than white space; whole: a character may not be cut at the end. */
bool scar_content_is_text(const void *data, size_t len, bool whole);

struct scar_content_field {
	const char *name, *value;
};

struct scar_content_head {
	int status; /**< 200 if not told; 302 with a Location */
	struct scar_content_field fields[SCAR_CONTENT_FIELDS]; /**< without Status */
	size_t count;
	char *text; /**< what the fields point into; owned */
};

/**
 * Reads the block at the beginning of `data`. @return 1 with *ret_len, where the body begins; 0: it has not ended yet; -1 with
 * SCAR_ERR_PROTOCOL: this is none, saying what is wrong with it. ended: nothing more will come.
 */
int scar_content_read_head(const char *data, size_t len, bool ended,
			   struct scar_content_head *ret_head, size_t *ret_len,
			   struct scar_err *err);
void scar_content_head_clear(struct scar_content_head *head);
/** Value of a field, in any case, or NULL. */
const char *scar_content_head_get(const struct scar_content_head *head, const char *name);

#define scar_content_head_auto scar_auto(scar_content_head_clear)

#endif
