/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file yaml_private.h
 * Between yaml.c, which builds the tree, and yaml_scalar.c, which knows what a scalar means.
 */
#ifndef SCAR_RUNTIME_BASE_YAML_PRIVATE_H
#define SCAR_RUNTIME_BASE_YAML_PRIVATE_H

#include "runtime/base/yaml.h"

struct scar_yaml_member {
	struct scar_yaml *key; /* NULL in a sequence */
	struct scar_yaml *value;
};

struct scar_yaml {
	enum scar_yaml_type type;
	unsigned line, column;
	char *text;    /* of a scalar; owned */
	bool is_merge; /* the plain scalar `<<` */
	union {
		bool truth;
		int64_t whole;
		double real;
	} value;
	struct scar_yaml_member *members; /* owned; its nodes are not */
	size_t count, room;
	size_t weight;           /* nodes, aliases written out */
	unsigned height;         /* levels below it */
	bool complete;           /* an alias to what is not complete would be a circle */
	struct scar_yaml *chain; /* all nodes of a tree, from its root */
};

/** Decides what a plain scalar is, from its text. Fails with SCAR_ERR_CONFIG for a number that does not fit. */
int scar_yaml_resolve(struct scar_yaml *node, struct scar_err *err);
/** The same where the text must be of that type. SCAR_ERR_CONFIG if it is not. */
int scar_yaml_resolve_as(struct scar_yaml *node, enum scar_yaml_type type, struct scar_err *err);

#endif
