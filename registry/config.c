/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "registry/document.h"
#include "registry/manifest.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

int scar_document_err(struct scar_err *err)
{
	if (err->kind == SCAR_ERR_PROTOCOL)
		err->kind = SCAR_ERR_IMAGE;
	return -1;
}

int scar_document_parse(const char *text, size_t len, const char *what, struct scar_json **ret_root,
			struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;

	if (scar_json_parse(text, len, what, &root, err) < 0)
		return scar_document_err(err);
	if (scar_json_type(root) != SCAR_JSON_OBJECT)
		return scar_err_set(err, SCAR_ERR_IMAGE, "%s: not a JSON object", what);
	*ret_root = scar_steal(root);
	return 0;
}

static bool is_absent(const struct scar_json *node)
{
	return !node || scar_json_type(node) == SCAR_JSON_NULL;
}

static int take_string(const struct scar_json *object, const char *key, char **ret_text,
		       struct scar_err *err)
{
	const struct scar_json *node = scar_json_get(object, key);
	const char *text = scar_json_string(node);

	if (is_absent(node))
		return 0;
	if (!text)
		return scar_err_set(err, SCAR_ERR_IMAGE, "config: '%s' is not a string", key);
	if (strlen(text) > SCAR_LIMIT_ARG_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "config: '%s' is longer than %zu bytes",
				    key, SCAR_LIMIT_ARG_BYTES);
	/* Builders write "" for what is not set. */
	if (!*text)
		return 0;
	*ret_text = strdup(text);
	return *ret_text ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int take_list(const struct scar_json *object, const char *key, char ***ret_list,
		     struct scar_err *err)
{
	const struct scar_json *node = scar_json_get(object, key);
	size_t count = scar_json_size(node);
	size_t i = 0;

	if (is_absent(node))
		return 0;
	if (scar_json_type(node) != SCAR_JSON_ARRAY)
		return scar_err_set(err, SCAR_ERR_IMAGE, "config: '%s' is not a list", key);
	if (count > SCAR_LIMIT_ARGS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "config: '%s' has more than %d strings",
				    key, SCAR_LIMIT_ARGS);
	*ret_list = calloc(count + 1, sizeof(**ret_list));
	if (!*ret_list)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (const struct scar_json *n = scar_json_first(node); n; n = scar_json_next(n)) {
		const char *text = scar_json_string(n);

		if (!text)
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "config: '%s' holds something that is not a string",
					    key);
		if (strlen(text) > SCAR_LIMIT_ARG_BYTES)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "config: a string of '%s' is longer than %zu bytes",
					    key, SCAR_LIMIT_ARG_BYTES);
		(*ret_list)[i] = strdup(text);
		if (!(*ret_list)[i++])
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	return 0;
}

static int take_diff_ids(const struct scar_json *root, struct scar_image_config *config,
			 struct scar_err *err)
{
	const struct scar_json *rootfs = scar_json_get(root, "rootfs");
	const struct scar_json *ids = scar_json_get(rootfs, "diff_ids");
	const char *type = scar_json_string(scar_json_get(rootfs, "type"));
	size_t count = scar_json_size(ids);

	if (!type || strcmp(type, "layers") != 0)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "config: 'rootfs' is not of type 'layers'");
	/* An image without layers may have null here. */
	if (is_absent(ids))
		return 0;
	if (scar_json_type(ids) != SCAR_JSON_ARRAY)
		return scar_err_set(err, SCAR_ERR_IMAGE, "config: 'diff_ids' is not a list");
	if (count > SCAR_LIMIT_LAYERS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "config: more than %d diff IDs",
				    SCAR_LIMIT_LAYERS);
	config->diff_ids = calloc(count ? count : 1, sizeof(*config->diff_ids));
	if (!config->diff_ids)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (const struct scar_json *n = scar_json_first(ids); n; n = scar_json_next(n)) {
		const char *text = scar_json_string(n);

		if (!text)
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "config: a diff ID is not a string");
		if (scar_digest_parse(text, &config->diff_ids[config->diff_id_count], err) < 0)
			return scar_err_wrap(err, "config: diff ID");
		config->diff_id_count++;
	}
	return 0;
}

int scar_config_parse(const char *text, size_t len, struct scar_image_config *ret_config,
		      struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_config_auto struct scar_image_config config = {.env = NULL};
	const struct scar_json *run;

	if (len > SCAR_LIMIT_CONFIG_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the image config is larger than %zu bytes",
				    SCAR_LIMIT_CONFIG_BYTES);
	if (scar_document_parse(text, len, "config", &root, err) < 0)
		return -1;
	if (take_string(root, "architecture", &config.architecture, err) < 0 ||
	    take_string(root, "os", &config.os, err) < 0 ||
	    take_string(root, "variant", &config.variant, err) < 0 ||
	    take_diff_ids(root, &config, err) < 0)
		return -1;
	run = scar_json_get(root, "config");
	if (!is_absent(run) && scar_json_type(run) != SCAR_JSON_OBJECT)
		return scar_err_set(err, SCAR_ERR_IMAGE, "config: 'config' is not an object");
	if (take_list(run, "Env", &config.env, err) < 0 ||
	    take_list(run, "Entrypoint", &config.entrypoint, err) < 0 ||
	    take_list(run, "Cmd", &config.cmd, err) < 0 ||
	    take_string(run, "User", &config.user, err) < 0 ||
	    take_string(run, "WorkingDir", &config.working_dir, err) < 0 ||
	    take_string(run, "StopSignal", &config.stop_signal, err) < 0)
		return -1;
	*ret_config = config;
	memset(&config, 0, sizeof(config));
	return 0;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void scar_config_clear(struct scar_image_config *config)
{
	free_list(config->env);
	free_list(config->entrypoint);
	free_list(config->cmd);
	free(config->user);
	free(config->working_dir);
	free(config->stop_signal);
	free(config->architecture);
	free(config->os);
	free(config->variant);
	free(config->diff_ids);
	memset(config, 0, sizeof(*config));
}

void scar_image_free(struct scar_image *image)
{
	if (!image)
		return;
	free(image->layers);
	scar_config_clear(&image->config);
	free(image);
}
