/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/definition.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "invoke/config.h"
#include "invoke/text.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

#define FILE_NAME "function_config.yaml"
#define VARIABLE "FDL"
#define TASK_ROOT "/var/task"
#define PROGRAM_VARIABLE "CONT_VAR_"

/* clang-format off */
static const struct scar_definition_key keys[] = {
	{"container.image_file", "SCAR_IMAGE", "a `docker save` archive in the function's package; before `container.image`"},
	{"container.image", "SCAR_IMAGE", ""},
	{"container.timeout_threshold", "SCAR_TIMEOUT_THRESHOLD", "seconds there, milliseconds here"},
	{"init_script", "SCAR_SCRIPT", "a path in the function's package"},
	{"log_level", "SCAR_LOG_LEVEL", "`CRITICAL` and `WARNING` are `FATAL` and `WARN` here"},
	{"download_input", "SCAR_DOWNLOAD_INPUT", ""},
	{"execution_mode", "SCAR_EXECUTION_MODE", ""},
	{"batch.multi_node_parallel.enabled", "SCAR_BATCH_MULTI_NODE", ""},
};
/* clang-format on */

#define KEYS (sizeof keys / sizeof keys[0])

const struct scar_definition_key *scar_definition_keys(size_t *ret_count)
{
	*ret_count = KEYS;
	return keys;
}

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* ---- reading ---- */

/* @return 1 with the text, 0 if there is no definition, -1 */
static int read_text(char *const *environment, struct scar_definition *definition,
		     struct scar_buf *text, struct scar_err *err)
{
	const char *root = scar_environment_get(environment, "LAMBDA_TASK_ROOT");
	const char *variable = scar_environment_get(environment, VARIABLE);

	if (scar_text_copy(root && *root ? root : TASK_ROOT, &definition->task_root, err) < 0)
		return -1;
	if (asprintf(&definition->name, "%s/" FILE_NAME, definition->task_root) < 0) {
		definition->name = NULL;
		return no_memory(err);
	}
	if (scar_fs_read_file(AT_FDCWD, definition->name, text, err) == 0)
		return 1;
	if (err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (!variable || !*variable)
		return 0;
	free(definition->name);
	definition->name = NULL;
	if (scar_text_copy(VARIABLE, &definition->name, err) < 0)
		return -1;
	if (scar_text_decode_base64(variable, text, err) < 0)
		return scar_err_wrap(err, VARIABLE);
	return 1;
}

static int load(char *const *environment, struct scar_definition *definition, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	int found;

	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	found = read_text(environment, definition, &text, err);
	if (found <= 0)
		return found;
	if (scar_yaml_parse(text.data, text.len, definition->name, &definition->root, err) < 0)
		return -1;
	if (scar_yaml_type(definition->root) == SCAR_YAML_MAPPING)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: is not a mapping", definition->name,
			    scar_yaml_line(definition->root));
}

int scar_definition_load(char *const *environment, struct scar_definition *ret_definition,
			 struct scar_err *err)
{
	scar_definition_auto struct scar_definition definition = {0};

	if (load(environment, &definition, err) < 0) {
		if (err->kind != SCAR_ERR_NOMEM)
			err->kind = SCAR_ERR_CONFIG;
		return -1;
	}
	*ret_definition = definition;
	definition = (struct scar_definition){0};
	return 0;
}

void scar_definition_clear(struct scar_definition *definition)
{
	scar_yaml_free(definition->root);
	free(definition->name);
	free(definition->task_root);
	*definition = (struct scar_definition){0};
}

/* ---- settings ---- */

static int wrong(const struct scar_definition *definition, const struct scar_yaml *node,
		 const char *key, const char *why, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s %s", definition->name,
			    scar_yaml_line(node), key, why);
}

/* The node at "a.b.c", NULL if one of them is absent or null. */
static const struct scar_yaml *find(const struct scar_definition *definition, const char *key)
{
	const struct scar_yaml *node = definition->root;

	while (node && *key) {
		size_t len = strcspn(key, ".");
		char part[64];

		snprintf(part, sizeof part, "%.*s", (int)len, key);
		node = scar_yaml_get(node, part);
		key += len + (key[len] == '.');
	}
	return node && scar_yaml_type(node) != SCAR_YAML_NULL ? node : NULL;
}

static int take_seconds(const struct scar_definition *definition, const struct scar_yaml *node,
			const char *key, char **ret_value, struct scar_err *err)
{
	double seconds;

	if (scar_yaml_double(node, &seconds) < 0 || !(seconds >= 0 && seconds <= 900))
		return wrong(definition, node, key, "is not a number of seconds from 0 to 900",
			     err);
	return asprintf(ret_value, "%lld", (long long)(seconds * 1000)) < 0 ? no_memory(err) : 0;
}

static int take_script(const struct scar_definition *definition, const char *text, char **ret_value,
		       struct scar_err *err)
{
	if (*text == '/')
		return scar_text_copy(text, ret_value, err);
	return asprintf(ret_value, "%s/%s", definition->task_root, text) < 0 ? no_memory(err) : 0;
}

static const char *level_of(const char *text)
{
	if (strcasecmp(text, "CRITICAL") == 0)
		return "FATAL";
	return strcasecmp(text, "WARNING") == 0 ? "WARN" : text;
}

static int take_archive(const struct scar_definition *definition, const char *text,
			char **ret_value, struct scar_err *err)
{
	scar_free_auto char *path = NULL;

	if (take_script(definition, text, &path, err) < 0)
		return -1;
	return asprintf(ret_value, "docker-archive:%s", path) < 0 ? no_memory(err) : 0;
}

static int take(const struct scar_definition *definition, const struct scar_definition_key *row,
		const struct scar_yaml *node, char **ret_value, struct scar_err *err)
{
	const char *text = scar_yaml_text(node);

	if (!text)
		return wrong(definition, node, row->key, "is not a single value", err);
	if (strcmp(row->key, "container.timeout_threshold") == 0)
		return take_seconds(definition, node, row->key, ret_value, err);
	if (strcmp(row->key, "container.image_file") == 0)
		return take_archive(definition, text, ret_value, err);
	if (strcmp(row->key, "init_script") == 0)
		return take_script(definition, text, ret_value, err);
	if (strcmp(row->key, "log_level") == 0)
		text = level_of(text);
	return scar_text_copy(text, ret_value, err);
}

int scar_definition_get(const struct scar_definition *definition, const char *setting,
			char **ret_value, char **ret_label, struct scar_err *err)
{
	for (size_t i = 0; i < KEYS; i++) {
		const struct scar_yaml *node = strcmp(keys[i].setting, setting) == 0
						       ? find(definition, keys[i].key)
						       : NULL;
		scar_free_auto char *value = NULL;

		if (!node)
			continue;
		if (take(definition, &keys[i], node, &value, err) < 0)
			return -1;
		if (asprintf(ret_label, "%s, line %u: %s", definition->name, scar_yaml_line(node),
			     keys[i].key) < 0)
			return no_memory(err);
		*ret_value = scar_steal(value);
		return 0;
	}
	return 0;
}

/* ---- the program's variables ---- */

static bool is_name(const char *text)
{
	return *text && !strchr(text, '=');
}

int scar_definition_add_variables(const struct scar_definition *definition,
				  struct scar_list *environment, struct scar_err *err)
{
	const struct scar_yaml *list = find(definition, "container.environment.Variables");

	if (!list)
		list = find(definition, "container.environment.variables");
	if (list && scar_yaml_type(list) != SCAR_YAML_MAPPING)
		return wrong(definition, list, "container.environment.Variables",
			     "is not a mapping", err);
	for (size_t i = 0; i < scar_yaml_size(list); i++) {
		const char *name = scar_yaml_text(scar_yaml_key_at(list, i));
		const struct scar_yaml *node = scar_yaml_at(list, i);
		const char *text = scar_yaml_text(node);
		scar_free_auto char *variable = NULL;
		bool is_set = false;

		if (!is_name(name) || !text)
			return wrong(definition, node, name, "is no variable with a single value",
				     err);
		if (asprintf(&variable, PROGRAM_VARIABLE "%s", name) < 0) {
			variable = NULL;
			return no_memory(err);
		}
		for (size_t j = 0; j < environment->count && !is_set; j++)
			is_set = strncmp(environment->items[j], variable, strlen(variable)) == 0 &&
				 environment->items[j][strlen(variable)] == '=';
		if (!is_set &&
		    scar_list_set_variable(environment, variable, strlen(variable), text, err) < 0)
			return -1;
	}
	return 0;
}
