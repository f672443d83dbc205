/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file document.h
 * What the parsers of image documents share; internal to registry/.
 */
#ifndef SCAR_REGISTRY_DOCUMENT_H
#define SCAR_REGISTRY_DOCUMENT_H

#include <stddef.h>

struct scar_err;
struct scar_json;

/** Parses a document whose root must be an object. Fails with SCAR_ERR_IMAGE. */
int scar_document_parse(const char *text, size_t len, const char *what, struct scar_json **ret_root,
			struct scar_err *err);
/** Turns the error of a JSON accessor, which does not know what the text is for, into SCAR_ERR_IMAGE. @return -1 */
int scar_document_err(struct scar_err *err);

#endif
