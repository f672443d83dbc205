/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define BYTES_MAX SCAR_MIB(16)
#define DEPTH_MAX 64
/* A page of S3 lists 1000 keys with about ten elements each. */
#define ELEMENTS_MAX 200000
/* What expat puts between the URI of a namespace and a name, which cannot hold it. */
#define NAMESPACE_END '|'

struct scar_xml {
	char *name;
	struct scar_buf text;
	struct scar_xml *parent, *first, *last, *next;
};

struct builder {
	XML_Parser parser;
	struct scar_xml *root, *open;
	size_t count, depth;
	struct scar_err *err;
	bool failed;
};

static int fail(struct builder *b)
{
	b->failed = true;
	(void)XML_StopParser(b->parser, XML_FALSE);
	return -1;
}

static struct scar_xml *create(struct builder *b, const char *name)
{
	const char *end = strrchr(name, NAMESPACE_END);
	struct scar_xml *node = calloc(1, sizeof *node);

	if (!node)
		return NULL;
	scar_buf_init(&node->text, BYTES_MAX);
	node->parent = b->open;
	node->name = strdup(end ? end + 1 : name);
	if (!node->name) {
		free(node);
		return NULL;
	}
	return node;
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct builder *b = ctx;
	struct scar_xml *node;

	(void)attributes;
	if (b->failed)
		return;
	if (++b->count > ELEMENTS_MAX || ++b->depth > DEPTH_MAX) {
		scar_err_set(b->err, SCAR_ERR_LIMIT,
			     "more than %d elements, or more than %d inside each other",
			     ELEMENTS_MAX, DEPTH_MAX);
		fail(b);
		return;
	}
	node = create(b, name);
	if (!node) {
		scar_err_set(b->err, SCAR_ERR_NOMEM, "out of memory");
		fail(b);
		return;
	}
	if (!b->open)
		b->root = node;
	else if (b->open->last)
		b->open->last->next = node;
	else
		b->open->first = node;
	if (b->open)
		b->open->last = node;
	b->open = node;
}

static bool is_blank(const struct scar_buf *text)
{
	return strspn(text->data, " \t\r\n") == text->len;
}

static void on_end(void *ctx, const XML_Char *name)
{
	struct builder *b = ctx;

	(void)name;
	if (b->failed)
		return;
	/* Indentation is no text; the white space of an element that holds nothing else is. */
	if (b->open->first && is_blank(&b->open->text))
		scar_buf_clear(&b->open->text);
	b->open = b->open->parent;
	b->depth--;
}

static void on_text(void *ctx, const XML_Char *text, int len)
{
	struct builder *b = ctx;

	if (!b->failed && b->open && scar_buf_append(&b->open->text, text, (size_t)len, b->err) < 0)
		fail(b);
}

static void on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
		       const XML_Char *public_id, int has_internal)
{
	struct builder *b = ctx;

	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal;
	if (b->failed)
		return;
	scar_err_set(b->err, SCAR_ERR_PROTOCOL, "it has a document type");
	fail(b);
}

int scar_xml_parse(const char *text, size_t len, const char *what, struct scar_xml **ret_root,
		   struct scar_err *err)
{
	struct builder b = {.err = err};

	if (len > BYTES_MAX || len > INT_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: more than %zu bytes of XML", what,
				    BYTES_MAX);
	b.parser = XML_ParserCreateNS(NULL, NAMESPACE_END);
	if (!b.parser)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	XML_SetUserData(b.parser, &b);
	XML_SetElementHandler(b.parser, on_start, on_end);
	XML_SetCharacterDataHandler(b.parser, on_text);
	XML_SetStartDoctypeDeclHandler(b.parser, on_doctype);
	if (XML_Parse(b.parser, text, (int)len, XML_TRUE) != XML_STATUS_OK && !b.failed) {
		scar_err_set(err, SCAR_ERR_PROTOCOL, "no XML: %s in line %lu",
			     XML_ErrorString(XML_GetErrorCode(b.parser)),
			     (unsigned long)XML_GetCurrentLineNumber(b.parser));
		b.failed = true;
	}
	XML_ParserFree(b.parser);
	if (b.failed) {
		scar_xml_free(b.root);
		return scar_err_wrap(err, "%s", what);
	}
	*ret_root = b.root;
	return 0;
}

/* Depth is bounded by the parser. */
void scar_xml_free(struct scar_xml *root)
{
	if (!root)
		return;
	for (struct scar_xml *child = root->first; child;) {
		struct scar_xml *next = child->next;

		scar_xml_free(child);
		child = next;
	}
	scar_buf_clear(&root->text);
	free(root->name);
	free(root);
}

const char *scar_xml_name(const struct scar_xml *node)
{
	return node->name;
}

const char *scar_xml_text(const struct scar_xml *node)
{
	return node->text.data;
}

static const struct scar_xml *find(const struct scar_xml *node, const char *name, size_t len)
{
	for (; node; node = node->next) {
		if (!name || (strncmp(node->name, name, len) == 0 && !node->name[len]))
			return node;
	}
	return NULL;
}

const struct scar_xml *scar_xml_first(const struct scar_xml *node, const char *name)
{
	return node ? find(node->first, name, name ? strlen(name) : 0) : NULL;
}

const struct scar_xml *scar_xml_next(const struct scar_xml *node, const char *name)
{
	return find(node->next, name, name ? strlen(name) : 0);
}

const struct scar_xml *scar_xml_at(const struct scar_xml *node, const char *path)
{
	while (node && *path) {
		size_t len = strcspn(path, "/");

		node = find(node->first, path, len);
		path += len + (path[len] == '/');
	}
	return node;
}

const char *scar_xml_text_at(const struct scar_xml *node, const char *path)
{
	const struct scar_xml *found = scar_xml_at(node, path);

	return found ? found->text.data : NULL;
}

int scar_xml_print(const struct scar_xml *node, struct scar_buf *buf, struct scar_err *err)
{
	if (scar_buf_printf(buf, err, "<%s>", node->name) < 0 ||
	    scar_xml_append_text(buf, node->text.data, err) < 0)
		return -1;
	for (const struct scar_xml *child = node->first; child; child = child->next) {
		if (scar_xml_print(child, buf, err) < 0)
			return -1;
	}
	return scar_buf_printf(buf, err, "</%s>", node->name);
}

static const char *replacement(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	/* Else a reader makes line ends of them. */
	case '\r': return "&#13;";
	default: return NULL;
	}
}

int scar_xml_append_text(struct scar_buf *buf, const char *text, struct scar_err *err)
{
	for (; *text; text++) {
		const char *other = replacement(*text);

		if ((unsigned char)*text < ' ' && !strchr("\t\n\r", *text))
			return scar_err_set(err, SCAR_ERR_CONFIG,
					    "a control character, which XML cannot carry");
		if (other ? scar_buf_append_str(buf, other, err)
			  : scar_buf_append_char(buf, *text, err))
			return -1;
	}
	return 0;
}

int scar_xml_append_element(struct scar_buf *buf, const char *name, const char *text,
			    struct scar_err *err)
{
	if (!text)
		return 0;
	if (scar_buf_printf(buf, err, "<%s>", name) < 0 || scar_xml_append_text(buf, text, err) < 0)
		return -1;
	return scar_buf_printf(buf, err, "</%s>", name);
}
