/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local_definition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/local_config.h"
#include "deployer/package.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

/* What `scar apply` would size by the image's manifest: as large as it may be. */
#define TMP_MB 10240
#define CONFIG_MAX SCAR_MIB(1)

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* In base64, as bootstrap takes them. */
static int set_encoded(struct scar_local_config *config, const char *name,
		       const struct scar_buf *data, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_EVENT_BYTES);
	if (scar_base64_encode(data->data, data->len, &text, err) < 0)
		return -1;
	return scar_local_config_set(config, name, text.data ? text.data : "", err);
}

static int take_script(struct scar_local_config *config, struct scar_fdl_function *function,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf script;
	scar_free_auto char *path = NULL;

	scar_buf_init(&script, SCAR_LIMIT_EVENT_BYTES);
	if (!function->init_script)
		return 0;
	if (scar_package_path(&config->fdl, function->init_script, &path, err) < 0)
		return -1;
	if (scar_fs_read_file(AT_FDCWD, path, &script, err) < 0)
		return scar_err_wrap(err, "%s: init_script", config->fdl.name);
	free(function->init_script);
	function->init_script = NULL;
	return set_encoded(config, "SCAR_SCRIPT", &script, err);
}

/* An archive is shown where it is, instead of in a package. */
static int take_image(struct scar_local_config *config, struct scar_fdl_function *function,
		      struct scar_err *err)
{
	scar_free_auto char *path = NULL;
	scar_free_auto char *image = NULL;

	if (!function->image_file)
		return function->image ? scar_local_config_take_image(config, function->image, err)
				       : 0;
	if (scar_package_path(&config->fdl, function->image_file, &path, err) < 0)
		return -1;
	if (asprintf(&image, "docker-archive:%s", path) < 0) {
		image = NULL;
		return no_memory(err);
	}
	free(function->image_file);
	function->image_file = NULL;
	if (scar_local_config_take_image(config, image, err) < 0)
		return scar_err_wrap(err, "%s: image_file", config->fdl.name);
	return 0;
}

/* Its folder alone is the package: what else would be there travels in variables. */
static int take_payload(struct scar_local_config *config, const struct scar_fdl_function *function,
			struct scar_err *err)
{
	scar_free_auto char *path = NULL;

	if (!function->extra_payload)
		return 0;
	if (scar_package_path(&config->fdl, function->extra_payload, &path, err) < 0)
		return -1;
	config->task = realpath(path, NULL);
	if (!config->task)
		return scar_err_errno(err, errno, "%s: extra_payload: %s", config->fdl.name, path);
	return scar_local_config_set(config, "EXTRA_PAYLOAD", "/var/task", err);
}

static int take_variables(struct scar_local_config *config,
			  const struct scar_fdl_function *function, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	for (size_t i = 0; i < function->environment.count; i++) {
		const struct scar_fdl_pair *pair = &function->environment.items[i];

		if (strncmp(pair->name, "UDOCKER_", 8) != 0 &&
		    scar_local_config_set(config, pair->name, pair->value, err) < 0)
			return -1;
	}
	scar_buf_init(&text, CONFIG_MAX);
	if (scar_fdl_write_config(&config->fdl, function, &text, err) < 0)
		return -1;
	return set_encoded(config, "FDL", &text, err);
}

/* What Lambda would give it by its role and region. */
static int take_account(struct scar_local_config *config, char **environment, struct scar_err *err)
{
	static const char *const names[] = {
		"AWS_ACCESS_KEY_ID",  "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",   "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",      "AWS_ENDPOINT_URL_S3",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t len = strlen(names[i]);

		for (char **variable = environment; *variable; variable++) {
			if (strncmp(*variable, names[i], len) == 0 && (*variable)[len] == '=' &&
			    scar_local_config_set(config, names[i], *variable + len + 1, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int choose(struct scar_local_config *config, const char *name,
		  struct scar_fdl_function **ret_function, struct scar_err *err)
{
	struct scar_fdl *fdl = &config->fdl;
	const struct scar_fdl_function *found = name              ? scar_fdl_find(fdl, name)
						: fdl->count == 1 ? fdl->functions
								  : NULL;

	if (!found && name)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s has no function %s", fdl->name, name);
	if (!found)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s has %zu functions for AWS: choose one with --name",
				    fdl->name, fdl->count);
	*ret_function = &fdl->functions[found - fdl->functions];
	return 0;
}

int scar_local_definition_take(struct scar_local_config *config,
			       const struct scar_arguments *arguments, char **environment,
			       struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_FILE);
	scar_buf_auto struct scar_buf text;
	struct scar_fdl_function *function = NULL;

	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	if (!path)
		return 0;
	/* Options of `local` mean the function at hand, not its definition. */
	if (scar_fs_read_file(AT_FDCWD, path, &text, err) < 0 ||
	    scar_fdl_parse(NULL, 0, text.data ? text.data : "", text.len, path, NULL, &config->fdl,
			   err) < 0 ||
	    choose(config, scar_arguments_get(arguments, SCAR_OPTION_NAME), &function, err) < 0)
		return -1;
	/* As apply would refuse it: above all a function whose outputs start it again. */
	if (scar_arguments_has(arguments, SCAR_OPTION_S3_TRIGGER) &&
	    scar_fdl_check(&config->fdl, err) < 0)
		return -1;
	config->definition = function;
	if (function->name)
		config->function.name = function->name;
	if (function->memory_mb)
		config->function.memory_mb = (unsigned)function->memory_mb;
	if (function->timeout_s)
		config->function.timeout_s = (unsigned)function->timeout_s;
	config->function.tmp_mb = function->storage_mb ? (unsigned)function->storage_mb : TMP_MB;
	if (take_account(config, environment, err) < 0 || take_script(config, function, err) < 0 ||
	    take_image(config, function, err) < 0 || take_payload(config, function, err) < 0)
		return -1;
	return take_variables(config, function, err);
}
