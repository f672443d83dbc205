/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/yaml.h"

#include <math.h>
#include <string.h>
#include <yaml.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml_private.h"

struct anchor {
	char *name;
	struct scar_yaml *node;
	struct anchor *next;
};

struct composer {
	yaml_parser_t parser;
	const char *what;
	struct scar_yaml *root; /* first node; the others hang from its chain */
	struct anchor *anchors;
};

#define yaml_event_auto scar_auto(yaml_event_delete)

static int refuse_at(const struct composer *composer, enum scar_err_kind kind, yaml_mark_t mark,
		     const char *why, const char *detail, struct scar_err *err)
{
	return scar_err_set(err, kind, "%s: line %zu, column %zu: %s%.200s", composer->what,
			    mark.line + 1, mark.column + 1, why, detail);
}

static int refuse_node(const struct composer *composer, const struct scar_yaml *node,
		       const char *why, const char *detail, struct scar_err *err)
{
	const yaml_mark_t mark = {.line = node->line - 1, .column = node->column - 1};

	return refuse_at(composer, SCAR_ERR_CONFIG, mark, why, detail, err);
}

static int next_event(struct composer *composer, yaml_event_t *event, struct scar_err *err)
{
	const yaml_parser_t *parser = &composer->parser;
	const char *problem;

	if (yaml_parser_parse(&composer->parser, event))
		return 0;
	if (parser->error == YAML_MEMORY_ERROR)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	problem = parser->problem ? parser->problem : "not YAML";
	if (parser->error == YAML_READER_ERROR)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: byte %zu: %s", composer->what,
				    parser->problem_offset, problem);
	return refuse_at(composer, SCAR_ERR_CONFIG, parser->problem_mark, problem, "", err);
}

/* ---- nodes ---- */

static struct scar_yaml *add_node(struct composer *composer, enum scar_yaml_type type,
				  const yaml_event_t *event, struct scar_err *err)
{
	struct scar_yaml *node = calloc(1, sizeof *node);

	if (!node) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		return NULL;
	}
	node->type = type;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	node->weight = 1;
	if (composer->root) {
		node->chain = composer->root->chain;
		composer->root->chain = node;
	} else {
		composer->root = node;
	}
	return node;
}

static int add_member(const struct composer *composer, struct scar_yaml *parent,
		      struct scar_yaml *key, struct scar_yaml *value, struct scar_err *err)
{
	if (parent->count == parent->room) {
		size_t room = parent->room ? parent->room * 2 : 8;
		struct scar_yaml_member *members = realloc(parent->members, room * sizeof *members);

		if (!members)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		parent->members = members;
		parent->room = room;
	}
	parent->members[parent->count++] = (struct scar_yaml_member){key, value};
	/* Each weight is at most the limit, so that the sum cannot overflow. */
	parent->weight += value->weight + (key != NULL);
	if (parent->height <= value->height)
		parent->height = value->height + 1;
	if (parent->weight > SCAR_LIMIT_YAML_NODES)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "%s: more than %d nodes with all aliases written out",
				    composer->what, SCAR_LIMIT_YAML_NODES);
	return 0;
}

static int too_deep(const struct composer *composer, yaml_mark_t mark, struct scar_err *err)
{
	return refuse_at(composer, SCAR_ERR_LIMIT, mark, "nested too deeply", "", err);
}

/* ---- anchors ---- */

static struct anchor *find_anchor(const struct composer *composer, const char *name)
{
	struct anchor *anchor = composer->anchors;

	while (anchor && strcmp(anchor->name, name) != 0)
		anchor = anchor->next;
	return anchor;
}

static int note_anchor(struct composer *composer, const yaml_event_t *event,
		       const yaml_char_t *name, struct scar_yaml *node, struct scar_err *err)
{
	struct anchor *anchor;

	if (!name)
		return 0;
	if (find_anchor(composer, (const char *)name))
		return refuse_at(composer, SCAR_ERR_CONFIG, event->start_mark,
				 "an anchor of this name exists: ", (const char *)name, err);
	anchor = calloc(1, sizeof *anchor);
	if (!anchor || !(anchor->name = strdup((const char *)name))) {
		free(anchor);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	anchor->node = node;
	anchor->next = composer->anchors;
	composer->anchors = anchor;
	return 0;
}

static int compose_alias(const struct composer *composer, const yaml_event_t *event, unsigned depth,
			 struct scar_yaml **ret_node, struct scar_err *err)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = find_anchor(composer, name);

	if (!anchor)
		return refuse_at(composer, SCAR_ERR_CONFIG, event->start_mark,
				 "no anchor before this alias: ", name, err);
	if (!anchor->node->complete)
		return refuse_at(composer, SCAR_ERR_CONFIG, event->start_mark,
				 "this alias lies in what it stands for: ", name, err);
	if (depth + anchor->node->height > SCAR_LIMIT_YAML_DEPTH)
		return too_deep(composer, event->start_mark, err);
	*ret_node = anchor->node;
	return 0;
}

/* ---- scalars ---- */

#define TAG_PREFIX "tag:yaml.org,2002:"

/* @return 1 with the type that a tag names, 0 for no tag, -1 */
static int type_of_tag(const struct composer *composer, const yaml_event_t *event,
		       const yaml_char_t *tag, enum scar_yaml_type *ret_type, struct scar_err *err)
{
	static const struct {
		const char *name;
		enum scar_yaml_type type;
	} types[] = {
		{"str", SCAR_YAML_STRING},  {"int", SCAR_YAML_INT},   {"float", SCAR_YAML_FLOAT},
		{"bool", SCAR_YAML_BOOL},   {"null", SCAR_YAML_NULL}, {"seq", SCAR_YAML_SEQUENCE},
		{"map", SCAR_YAML_MAPPING},
	};
	const char *name = (const char *)tag;

	if (!tag || strcmp(name, "!") == 0)
		return 0;
	if (strncmp(name, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
		name += strlen(TAG_PREFIX);
	for (size_t i = 0; name != (const char *)tag && i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(name, types[i].name) != 0)
			continue;
		*ret_type = types[i].type;
		return 1;
	}
	return refuse_at(composer, SCAR_ERR_CONFIG, event->start_mark,
			 "no such type here: ", (const char *)tag, err);
}

static int compose_scalar(struct composer *composer, const yaml_event_t *event,
			  struct scar_yaml **ret_node, struct scar_err *err)
{
	const char *text = (const char *)event->data.scalar.value;
	struct scar_yaml *node = add_node(composer, SCAR_YAML_STRING, event, err);
	enum scar_yaml_type type = SCAR_YAML_STRING;
	int tagged, failed = 0;

	if (!node || note_anchor(composer, event, event->data.scalar.anchor, node, err) < 0)
		return -1;
	if (memchr(text, 0, event->data.scalar.length))
		return refuse_node(composer, node, "text with a NUL", "", err);
	node->text = strdup(text);
	if (!node->text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	tagged = type_of_tag(composer, event, event->data.scalar.tag, &type, err);
	if (tagged < 0)
		return -1;
	if (tagged)
		failed = scar_yaml_resolve_as(node, type, err);
	else if (event->data.scalar.plain_implicit)
		failed = scar_yaml_resolve(node, err);
	if (failed < 0)
		return scar_err_wrap(err, "%s: line %u, column %u", composer->what, node->line,
				     node->column);
	node->complete = true;
	*ret_node = node;
	return 0;
}

/* ---- collections ---- */

static int compose(struct composer *composer, yaml_event_t *event, unsigned depth,
		   struct scar_yaml **ret_node, struct scar_err *err);

static int compose_next(struct composer *composer, unsigned depth, struct scar_yaml **ret_node,
			struct scar_err *err)
{
	yaml_event_auto yaml_event_t event = {0};

	if (next_event(composer, &event, err) < 0)
		return -1;
	return compose(composer, &event, depth, ret_node, err);
}

static int compose_sequence(struct composer *composer, struct scar_yaml *node, unsigned depth,
			    struct scar_err *err)
{
	for (;;) {
		yaml_event_auto yaml_event_t event = {0};
		struct scar_yaml *value = NULL;

		if (next_event(composer, &event, err) < 0)
			return -1;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (compose(composer, &event, depth + 1, &value, err) < 0 ||
		    add_member(composer, node, NULL, value, err) < 0)
			return -1;
	}
}

static const struct scar_yaml_member *find_member(const struct scar_yaml *node, const char *key)
{
	for (size_t i = 0; i < node->count; i++) {
		if (strcmp(node->members[i].key->text, key) == 0)
			return &node->members[i];
	}
	return NULL;
}

static int merge_one(const struct composer *composer, struct scar_yaml *node,
		     const struct scar_yaml *from, struct scar_err *err)
{
	if (from->type != SCAR_YAML_MAPPING)
		return refuse_node(composer, from, "only mappings can be merged, this is ",
				   scar_yaml_type_name(from->type), err);
	for (size_t i = 0; i < from->count; i++) {
		const struct scar_yaml_member *member = &from->members[i];

		if (!find_member(node, member->key->text) &&
		    add_member(composer, node, member->key, member->value, err) < 0)
			return -1;
	}
	return 0;
}

/* What is written wins over what is merged, and of several mappings to merge the first. */
static int merge(const struct composer *composer, struct scar_yaml *node,
		 const struct scar_yaml *value, struct scar_err *err)
{
	if (value->type != SCAR_YAML_SEQUENCE)
		return merge_one(composer, node, value, err);
	for (size_t i = 0; i < value->count; i++) {
		if (merge_one(composer, node, value->members[i].value, err) < 0)
			return -1;
	}
	return 0;
}

static int check_key(const struct composer *composer, const struct scar_yaml *node,
		     const struct scar_yaml *key, struct scar_err *err)
{
	const struct scar_yaml_member *member;
	char where[64];

	if (!key->text)
		return refuse_node(composer, key, "a key must be a scalar, this is ",
				   scar_yaml_type_name(key->type), err);
	member = find_member(node, key->text);
	if (!member)
		return 0;
	snprintf(where, sizeof where, " is there twice, first in line %u", member->key->line);
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u, column %u: key \"%.100s\"%s",
			    composer->what, key->line, key->column, key->text, where);
}

static int compose_mapping(struct composer *composer, struct scar_yaml *node, unsigned depth,
			   struct scar_err *err)
{
	const struct scar_yaml *merged = NULL;

	for (;;) {
		yaml_event_auto yaml_event_t event = {0};
		struct scar_yaml *key = NULL, *value = NULL;

		if (next_event(composer, &event, err) < 0)
			return -1;
		if (event.type == YAML_MAPPING_END_EVENT)
			return merged ? merge(composer, node, merged, err) : 0;
		if (compose(composer, &event, depth + 1, &key, err) < 0 ||
		    check_key(composer, node, key, err) < 0 ||
		    compose_next(composer, depth + 1, &value, err) < 0)
			return -1;
		if (key->is_merge && merged)
			return refuse_node(composer, key, "a second << in one mapping", "", err);
		if (key->is_merge)
			merged = value;
		else if (add_member(composer, node, key, value, err) < 0)
			return -1;
	}
}

static int compose_collection(struct composer *composer, const yaml_event_t *event, unsigned depth,
			      struct scar_yaml **ret_node, struct scar_err *err)
{
	bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
	enum scar_yaml_type type = is_mapping ? SCAR_YAML_MAPPING : SCAR_YAML_SEQUENCE, tag = type;
	struct scar_yaml *node = add_node(composer, type, event, err);

	if (!node ||
	    type_of_tag(composer, event,
			is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag,
			&tag, err) < 0 ||
	    note_anchor(composer, event,
			is_mapping ? event->data.mapping_start.anchor
				   : event->data.sequence_start.anchor,
			node, err) < 0)
		return -1;
	if (tag != type)
		return refuse_node(composer, node, "this is not what its tag says", "", err);
	if (depth >= SCAR_LIMIT_YAML_DEPTH)
		return too_deep(composer, event->start_mark, err);
	if ((is_mapping ? compose_mapping(composer, node, depth, err)
			: compose_sequence(composer, node, depth, err)) < 0)
		return -1;
	node->complete = true;
	*ret_node = node;
	return 0;
}

static int compose(struct composer *composer, yaml_event_t *event, unsigned depth,
		   struct scar_yaml **ret_node, struct scar_err *err)
{
	if (event->type == YAML_ALIAS_EVENT)
		return compose_alias(composer, event, depth, ret_node, err);
	if (event->type == YAML_SCALAR_EVENT)
		return compose_scalar(composer, event, ret_node, err);
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		return compose_collection(composer, event, depth, ret_node, err);
	return refuse_at(composer, SCAR_ERR_CONFIG, event->start_mark, "a value is missing", "",
			 err);
}

/* ---- documents ---- */

static int expect(struct composer *composer, yaml_event_type_t type, const char *why,
		  struct scar_err *err)
{
	yaml_event_auto yaml_event_t event = {0};

	if (next_event(composer, &event, err) < 0)
		return -1;
	if (event.type == type)
		return 0;
	return refuse_at(composer, SCAR_ERR_CONFIG, event.start_mark, why, "", err);
}

static int compose_empty(struct composer *composer, const yaml_event_t *event, struct scar_err *err)
{
	struct scar_yaml *node = add_node(composer, SCAR_YAML_NULL, event, err);

	if (!node)
		return -1;
	node->text = strdup("");
	return node->text ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int compose_stream(struct composer *composer, struct scar_err *err)
{
	yaml_event_auto yaml_event_t event = {0};
	struct scar_yaml *root = NULL;

	if (expect(composer, YAML_STREAM_START_EVENT, "not a stream", err) < 0 ||
	    next_event(composer, &event, err) < 0)
		return -1;
	if (event.type == YAML_STREAM_END_EVENT)
		return compose_empty(composer, &event, err);
	if (compose_next(composer, 0, &root, err) < 0 ||
	    expect(composer, YAML_DOCUMENT_END_EVENT, "more than one value", err) < 0)
		return -1;
	return expect(composer, YAML_STREAM_END_EVENT, "a second document begins", err);
}

static void free_anchors(struct composer *composer)
{
	while (composer->anchors) {
		struct anchor *next = composer->anchors->next;

		free(composer->anchors->name);
		free(composer->anchors);
		composer->anchors = next;
	}
}

int scar_yaml_parse(const char *text, size_t len, const char *what, struct scar_yaml **ret_root,
		    struct scar_err *err)
{
	struct composer composer = {.what = what};
	int failed;

	if (len > SCAR_LIMIT_YAML_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: YAML of more than %zu bytes", what,
				    SCAR_LIMIT_YAML_BYTES);
	if (!yaml_parser_initialize(&composer.parser))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	yaml_parser_set_input_string(&composer.parser, (const unsigned char *)text, len);
	failed = compose_stream(&composer, err);
	yaml_parser_delete(&composer.parser);
	free_anchors(&composer);
	if (failed < 0) {
		scar_yaml_free(composer.root);
		return -1;
	}
	*ret_root = composer.root;
	return 0;
}

void scar_yaml_free(struct scar_yaml *root)
{
	while (root) {
		struct scar_yaml *next = root->chain;

		free(root->text);
		free(root->members);
		free(root);
		root = next;
	}
}

/* ---- access ---- */

enum scar_yaml_type scar_yaml_type(const struct scar_yaml *node)
{
	return node->type;
}

const char *scar_yaml_type_name(enum scar_yaml_type type)
{
	switch (type) {
	case SCAR_YAML_NULL: return "null";
	case SCAR_YAML_BOOL: return "a truth value";
	case SCAR_YAML_INT: return "a whole number";
	case SCAR_YAML_FLOAT: return "a number";
	case SCAR_YAML_STRING: return "text";
	case SCAR_YAML_SEQUENCE: return "a list";
	case SCAR_YAML_MAPPING: return "a mapping";
	}
	return "nothing";
}

unsigned scar_yaml_line(const struct scar_yaml *node)
{
	return node->line;
}

unsigned scar_yaml_column(const struct scar_yaml *node)
{
	return node->column;
}

const char *scar_yaml_text(const struct scar_yaml *node)
{
	return node ? node->text : NULL;
}

const char *scar_yaml_string(const struct scar_yaml *node)
{
	return node && node->type == SCAR_YAML_STRING ? node->text : NULL;
}

int scar_yaml_int(const struct scar_yaml *node, int64_t *ret_value)
{
	if (!node || node->type != SCAR_YAML_INT)
		return -1;
	*ret_value = node->value.whole;
	return 0;
}

int scar_yaml_double(const struct scar_yaml *node, double *ret_value)
{
	if (!node || (node->type != SCAR_YAML_INT && node->type != SCAR_YAML_FLOAT))
		return -1;
	*ret_value = node->type == SCAR_YAML_INT ? (double)node->value.whole : node->value.real;
	return 0;
}

int scar_yaml_bool(const struct scar_yaml *node, bool *ret_value)
{
	if (!node || node->type != SCAR_YAML_BOOL)
		return -1;
	*ret_value = node->value.truth;
	return 0;
}

size_t scar_yaml_size(const struct scar_yaml *node)
{
	return node ? node->count : 0;
}

const struct scar_yaml *scar_yaml_at(const struct scar_yaml *node, size_t index)
{
	return index < scar_yaml_size(node) ? node->members[index].value : NULL;
}

const struct scar_yaml *scar_yaml_key_at(const struct scar_yaml *node, size_t index)
{
	return index < scar_yaml_size(node) ? node->members[index].key : NULL;
}

const struct scar_yaml *scar_yaml_get(const struct scar_yaml *node, const char *key)
{
	const struct scar_yaml_member *member;

	if (!node || node->type != SCAR_YAML_MAPPING)
		return NULL;
	member = find_member(node, key);
	return member ? member->value : NULL;
}

/* ---- JSON ---- */

static int print_text(const struct scar_yaml *node, struct scar_buf *buf, struct scar_err *err)
{
	return scar_json_append_string(buf, node->text, strlen(node->text), err);
}

static int print_real(const struct scar_yaml *node, struct scar_buf *buf, struct scar_err *err)
{
	if (!isfinite(node->value.real))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "line %u, column %u: JSON has no such number: %s", node->line,
				    node->column, node->text);
	return scar_buf_printf(buf, err, "%.17g", node->value.real);
}

static int print_members(const struct scar_yaml *node, struct scar_buf *buf, struct scar_err *err)
{
	bool is_mapping = node->type == SCAR_YAML_MAPPING;

	if (scar_buf_append_char(buf, is_mapping ? '{' : '[', err) < 0)
		return -1;
	for (size_t i = 0; i < node->count; i++) {
		const struct scar_yaml_member *member = &node->members[i];

		if (i > 0 && scar_buf_append_char(buf, ',', err) < 0)
			return -1;
		if (is_mapping && (print_text(member->key, buf, err) < 0 ||
				   scar_buf_append_char(buf, ':', err) < 0))
			return -1;
		if (scar_yaml_print_json(member->value, buf, err) < 0)
			return -1;
	}
	return scar_buf_append_char(buf, is_mapping ? '}' : ']', err);
}

int scar_yaml_print_json(const struct scar_yaml *node, struct scar_buf *buf, struct scar_err *err)
{
	switch (node->type) {
	case SCAR_YAML_NULL: return scar_buf_append_str(buf, "null", err);
	case SCAR_YAML_BOOL:
		return scar_buf_append_str(buf, node->value.truth ? "true" : "false", err);
	case SCAR_YAML_INT: return scar_buf_printf(buf, err, "%lld", (long long)node->value.whole);
	case SCAR_YAML_FLOAT: return print_real(node, buf, err);
	case SCAR_YAML_STRING: return print_text(node, buf, err);
	case SCAR_YAML_SEQUENCE:
	case SCAR_YAML_MAPPING: return print_members(node, buf, err);
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "a node without a type");
}

int scar_yaml_to_json(const struct scar_yaml *node, struct scar_json **ret_json,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_JSON_BYTES);
	if (scar_yaml_print_json(node, &text, err) < 0)
		return -1;
	return scar_json_parse(text.data, text.len, "YAML", ret_json, err);
}
