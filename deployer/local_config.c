/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local_config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/beside.h"
#include "deployer/local_definition.h"
#include "deployer/timeline.h"
#include "registry/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/pool.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define VARIABLES_MAX 1024
#define BINDS_MAX 16

#define DEFAULT_PORT 9001
#define DEFAULT_MEMORY_MB 512
#define DEFAULT_TIMEOUT_S 300
#define DEFAULT_TMP_MB 512

/* ---- lists of owned text -------------------------------------------------------------------- */

static int append(char **list, size_t max, char *text, const char *what, struct scar_err *err)
{
	size_t count = 0;

	if (!text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	while (list[count])
		count++;
	if (count + 1 >= max) {
		free(text);
		return scar_err_set(err, SCAR_ERR_CONFIG, "too many %s", what);
	}
	list[count] = text;
	return 0;
}

static int add_variable(struct scar_local_config *config, const char *variable,
			struct scar_err *err)
{
	const char *equals = strchr(variable, '=');

	if (!equals || equals == variable)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: a variable is NAME=VALUE", variable);
	return append(config->variables, VARIABLES_MAX, strdup(variable), "variables", err);
}

int scar_local_config_set(struct scar_local_config *config, const char *name, const char *value,
			  struct scar_err *err)
{
	char *text = NULL;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		text = NULL;
	return append(config->variables, VARIABLES_MAX, text, "variables", err);
}

static int add_bind(struct scar_local_config *config, const char *path, struct scar_err *err)
{
	char *real = realpath(path, NULL);

	if (!real)
		return scar_err_errno(err, errno, "%s", path);
	return append(config->binds, BINDS_MAX, real, "paths", err);
}

/* ---- values --------------------------------------------------------------------------------- */

static int take_number(const struct scar_arguments *arguments, enum scar_option_id id, unsigned min,
		       unsigned max, unsigned *ret_value, struct scar_err *err)
{
	int64_t value = *ret_value;

	if (scar_arguments_int(arguments, id, min, max, &value, err) < 0)
		return -1;
	*ret_value = (unsigned)value;
	return 0;
}

/* Lambda's own bounds. */
static int take_numbers(struct scar_local_config *config, const struct scar_arguments *arguments,
			struct scar_err *err)
{
	struct scar_function *function = &config->function;
	unsigned port = config->port;

	if (take_number(arguments, SCAR_OPTION_MEMORY, 16, 10240, &function->memory_mb, err) < 0 ||
	    take_number(arguments, SCAR_OPTION_TMP_SIZE, 1, 10240, &function->tmp_mb, err) < 0 ||
	    take_number(arguments, SCAR_OPTION_TIMEOUT, 1, 900, &function->timeout_s, err) < 0 ||
	    take_number(arguments, SCAR_OPTION_CONCURRENCY, 1, SCAR_POOL_MAX, &config->concurrency,
			err) < 0 ||
	    take_number(arguments, SCAR_OPTION_PORT, 1, 65535, &port, err) < 0)
		return -1;
	config->port = (uint16_t)port;
	return 0;
}

static int take_name(struct scar_local_config *config, const char *name, struct scar_err *err)
{
	if (!name)
		return 0;
	if (!*name || strlen(name) > 64 || name[strspn(name, NAME_CHARACTERS)] != '\0')
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"--name takes up to 64 letters, digits, '-' and '_', not \"%.100s\"", name);
	config->function.name = name;
	return 0;
}

/* The absolute path of a folder that the function will see. */
static int take_folder(char **folder, const char *option, const char *path, struct scar_err *err)
{
	struct stat st;

	if (!path)
		return 0;
	free(*folder); /* the definition's */
	*folder = realpath(path, NULL);
	if (!*folder || stat(*folder, &st) < 0)
		return scar_err_errno(err, errno, "%s %s", option, path);
	if (!S_ISDIR(st.st_mode))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s takes a folder, not a file such as a zip: unpack %s",
				    option, path);
	return 0;
}

static int take_options(struct scar_local_config *config, const struct scar_arguments *arguments,
			struct scar_err *err)
{
	const char *engine = scar_arguments_get(arguments, SCAR_OPTION_ENGINE);
	const char *host = scar_arguments_get(arguments, SCAR_OPTION_HOST);
	const char *variable;
	size_t index = 0;

	config->host = host ? host : "127.0.0.1";
	if (scar_timeline_check(arguments, err) < 0 || take_numbers(config, arguments, err) < 0 ||
	    take_name(config, scar_arguments_get(arguments, SCAR_OPTION_NAME), err) < 0 ||
	    (engine && scar_local_config_set(config, "SCAR_ENGINE", engine, err) < 0))
		return -1;
	if (scar_arguments_has(arguments, SCAR_OPTION_PLAIN_HTTP) &&
	    scar_local_config_set(config, "SCAR_PLAIN_HTTP", "1", err) < 0)
		return -1;
	while ((variable = scar_arguments_next(arguments, SCAR_OPTION_ENV, &index))) {
		if (add_variable(config, variable, err) < 0)
			return -1;
	}
	if (scar_arguments_has(arguments, SCAR_OPTION_NO_JAIL))
		config->function.no_jail = true;
	config->function.freeze = scar_arguments_has(arguments, SCAR_OPTION_FREEZE);
	config->client_context = scar_timeline_context(arguments);
	config->s3_trigger = scar_arguments_has(arguments, SCAR_OPTION_S3_TRIGGER);
	if (take_folder(&config->task, "--task", scar_arguments_get(arguments, SCAR_OPTION_TASK),
			err) < 0 ||
	    take_folder(&config->layers, "--opt", scar_arguments_get(arguments, SCAR_OPTION_OPT),
			err) < 0)
		return -1;
	config->script = scar_arguments_get(arguments, SCAR_OPTION_RUN_SCRIPT);
	config->stdin_path = scar_arguments_get(arguments, SCAR_OPTION_STDIN);
	return 0;
}

/* ---- the image and the environment ---------------------------------------------------------- */

/* A path is seen in the sandbox where it is here, so it has to be absolute. */
static int take_path_image(struct scar_local_config *config, struct scar_ref *ref,
			   struct scar_err *err)
{
	char *real = realpath(ref->path, NULL);
	scar_free_auto char *text = NULL;

	if (!real)
		return scar_err_errno(err, errno, "%s", ref->path);
	free(ref->path);
	ref->path = real;
	text = scar_ref_format(ref);
	if (!text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (scar_local_config_set(config, "SCAR_IMAGE", text, err) < 0)
		return -1;
	return add_bind(config, real, err);
}

int scar_local_config_take_image(struct scar_local_config *config, const char *image,
				 struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {0};

	if (scar_ref_parse(image, &ref, err) < 0)
		return -1;
	if (ref.transport != SCAR_TRANSPORT_DOCKER && ref.transport != SCAR_TRANSPORT_S3)
		return take_path_image(config, &ref, err);
	return scar_local_config_set(config, "SCAR_IMAGE", image, err);
}

static bool is_for_function(const char *variable)
{
	/* Settings of this program and of its tests. */
	static const char *const ours[] = {"SCAR_JAIL=", "SCAR_MUST_WORK=", "SCAR_CACHE="};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
			return false;
	}
	return strncmp(variable, "SCAR_", 5) == 0 || strncmp(variable, "SSL_CERT_FILE=", 14) == 0;
}

static int take_jail(struct scar_local_config *config, const char *value, struct scar_err *err)
{
	if (strcmp(value, "off") == 0)
		config->function.no_jail = true;
	else if (strcmp(value, "kernel-4.14") == 0)
		config->function.kernel = SCAR_JAIL_KERNEL_4_14;
	else if (strcmp(value, "kernel-5.10") == 0)
		config->function.kernel = SCAR_JAIL_KERNEL_5_10;
	else if (*value && strcmp(value, "on") != 0)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "SCAR_JAIL is on, off, kernel-5.10 or kernel-4.14, not \"%s\"",
				    value);
	return 0;
}

/* First, so that the command line comes after and wins. */
static int take_environment(struct scar_local_config *config, char **environment,
			    struct scar_err *err)
{
	for (char **variable = environment; *variable; variable++) {
		if (strncmp(*variable, "SCAR_JAIL=", 10) == 0 &&
		    take_jail(config, *variable + 10, err) < 0)
			return -1;
		if (is_for_function(*variable) && add_variable(config, *variable, err) < 0)
			return -1;
	}
	return 0;
}

/* Certificates that the function is told to trust must be visible to it. */
static int show_certificates(struct scar_local_config *config, struct scar_err *err)
{
	static const char *const names[] = {"SSL_CERT_FILE=", "SCAR_CA_BUNDLE="};

	for (char **variable = config->variables; *variable; variable++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			const char *path = *variable + strlen(names[i]);

			if (strncmp(*variable, names[i], strlen(names[i])) == 0 &&
			    access(path, R_OK) == 0 && add_bind(config, path, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* What the option names, that of the layers, or the one that came with this program. */
static int take_bootstrap(struct scar_local_config *config, const char *path, struct scar_err *err)
{
	char found[PATH_MAX];

	if (!path && config->layers) {
		if (asprintf(&config->bootstrap, "%s/bootstrap", config->layers) < 0)
			config->bootstrap = NULL;
	} else {
		if (!path && scar_beside("bootstrap", found, err) < 0)
			return -1;
		config->bootstrap = strdup(path ? path : found);
	}
	return config->bootstrap ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int read_all(struct scar_local_config *config, bool serve,
		    const struct scar_arguments *arguments, char **environment,
		    struct scar_err *err)
{
	char **args = arguments->words;
	const char *image = NULL;

	/* Later ones win: the definition over the environment, options over both. */
	if (take_environment(config, environment, err) < 0 ||
	    scar_local_definition_take(config, arguments, environment, err) < 0 ||
	    take_options(config, arguments, err) < 0)
		return -1;
	if (config->s3_trigger && !config->definition)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "--s3-trigger needs a definition with inputs: --conf-file");
	if (*args && strcmp(*args, "--") != 0)
		image = *args++;
	if (*args && strcmp(*args, "--") == 0)
		args++;
	if (!serve && !image && !config->task && !config->definition)
		return scar_err_set(err, SCAR_ERR_CONFIG, "run needs an image");
	if (serve && *args)
		return scar_err_set(err, SCAR_ERR_CONFIG, "unexpected argument %s", *args);
	config->args = args;
	if (image && scar_local_config_take_image(config, image, err) < 0)
		return -1;
	if (show_certificates(config, err) < 0)
		return -1;
	return take_bootstrap(config, scar_arguments_get(arguments, SCAR_OPTION_BOOTSTRAP), err);
}

int scar_local_config_read(bool serve, const struct scar_arguments *arguments, char **environment,
			   struct scar_local_config *ret_config, struct scar_err *err)
{
	struct scar_local_config config = {
		.port = DEFAULT_PORT,
		.concurrency = 1,
		.function =
			{
				.name = "scar",
				.memory_mb = DEFAULT_MEMORY_MB,
				.timeout_s = DEFAULT_TIMEOUT_S,
				.tmp_mb = DEFAULT_TMP_MB,
			},
		.variables = calloc(VARIABLES_MAX, sizeof(char *)),
		.binds = calloc(BINDS_MAX, sizeof(char *)),
	};

	if (!config.variables || !config.binds) {
		scar_local_config_clear(&config);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	/* A single answer may be of any length, and is printed while it comes. */
	if ((!serve &&
	     scar_local_config_set(&config, "SCAR_RESPONSE_MODE", "streaming", err) < 0) ||
	    read_all(&config, serve, arguments, environment, err) < 0) {
		scar_local_config_clear(&config);
		return -1;
	}
	config.function.bootstrap = config.bootstrap;
	config.function.task = config.task;
	config.function.layers = config.layers;
	config.function.variables = (const char *const *)config.variables;
	config.function.binds = (const char *const *)config.binds;
	*ret_config = config;
	return 0;
}

void scar_local_config_clear(struct scar_local_config *config)
{
	for (char **item = config->variables; item && *item; item++)
		free(*item);
	for (char **item = config->binds; item && *item; item++)
		free(*item);
	free(config->variables);
	free(config->binds);
	free(config->bootstrap);
	free(config->task);
	free(config->layers);
	scar_fdl_clear(&config->fdl);
	memset(config, 0, sizeof(*config));
}
