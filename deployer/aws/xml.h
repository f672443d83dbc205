/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file xml.h
 * The XML of S3, IAM, STS and EC2, on expat: a document as a tree of elements with text. Prefixes of namespaces, attributes, comments
 * and white space between elements are dropped; a document type is refused, so nothing is expanded. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_XML_H
#define SCAR_DEPLOYER_AWS_XML_H

#include <stddef.h>

#include "runtime/base/cleanup.h"

struct scar_buf;
struct scar_err;
struct scar_xml; /**< an element; borrowed from the root, which the caller owns */

/** SCAR_ERR_PROTOCOL names `what`; SCAR_ERR_LIMIT: too deep, too many elements. */
int scar_xml_parse(const char *text, size_t len, const char *what, struct scar_xml **ret_root,
		   struct scar_err *err);
void scar_xml_free(struct scar_xml *root);

const char *scar_xml_name(const struct scar_xml *node);
/** The text directly in the element; of one that has elements only, "". */
const char *scar_xml_text(const struct scar_xml *node);
/** First child of that name (NULL: of any), and the next one. `node` may be NULL. */
const struct scar_xml *scar_xml_first(const struct scar_xml *node, const char *name);
const struct scar_xml *scar_xml_next(const struct scar_xml *node, const char *name);
/** The element at a path of names below `node`, "A/B/C"; NULL. */
const struct scar_xml *scar_xml_at(const struct scar_xml *node, const char *path);
/** Text of scar_xml_at(); NULL if it is not there. */
const char *scar_xml_text_at(const struct scar_xml *node, const char *path);
/** Appends the element as XML, as it came but for what parsing drops. */
int scar_xml_print(const struct scar_xml *node, struct scar_buf *buf, struct scar_err *err);
/** Appends text with what XML reserves replaced; what XML 1.0 cannot carry is SCAR_ERR_CONFIG. */
int scar_xml_append_text(struct scar_buf *buf, const char *text, struct scar_err *err);
/** Appends `<name>text</name>`; a NULL text appends nothing. */
int scar_xml_append_element(struct scar_buf *buf, const char *name, const char *text,
			    struct scar_err *err);

static inline void scar_cleanup_xml(struct scar_xml **root)
{
	scar_xml_free(*root);
}
#define scar_xml_auto scar_auto(scar_cleanup_xml)

#endif
