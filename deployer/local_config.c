/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local_config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

enum option {
	OPTION_ENGINE,
	OPTION_NO_JAIL,
	OPTION_MEMORY,
	OPTION_TMP_SIZE,
	OPTION_TIMEOUT,
	OPTION_PLAIN_HTTP,
	OPTION_BOOTSTRAP,
	OPTION_ENV,
	OPTION_SCRIPT,
	OPTION_STDIN,
	OPTION_PORT,
	OPTION_CONCURRENCY,
	OPTION_NAME,
	OPTION_HELP
};

static const struct {
	const char *name;
	enum option option;
	bool has_value;
	enum { BOTH, RUN, SERVE } command;
} options[] = {
	{"--engine", OPTION_ENGINE, true, BOTH},
	{"--no-jail", OPTION_NO_JAIL, false, BOTH},
	{"--memory", OPTION_MEMORY, true, BOTH},
	{"--tmp-size", OPTION_TMP_SIZE, true, BOTH},
	{"--timeout", OPTION_TIMEOUT, true, BOTH},
	{"--plain-http", OPTION_PLAIN_HTTP, false, BOTH},
	{"--bootstrap", OPTION_BOOTSTRAP, true, BOTH},
	{"--env", OPTION_ENV, true, BOTH},
	{"-e", OPTION_ENV, true, BOTH},
	{"--script", OPTION_SCRIPT, true, RUN},
	{"--stdin", OPTION_STDIN, true, RUN},
	{"--port", OPTION_PORT, true, SERVE},
	{"--concurrency", OPTION_CONCURRENCY, true, SERVE},
	{"--name", OPTION_NAME, true, BOTH},
	{"--help", OPTION_HELP, false, BOTH},
	{"-h", OPTION_HELP, false, BOTH},
};

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

static int set_variable(struct scar_local_config *config, const char *name, const char *value,
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

static int parse_number(const char *name, const char *text, unsigned min, unsigned max,
			unsigned *ret_value, struct scar_err *err)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < (long)min || value > (long)max)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s is a number from %u to %u, not \"%s\"", name, min, max,
				    text);
	*ret_value = (unsigned)value;
	return 0;
}

static int take_option(struct scar_local_config *config, enum option option, const char *name,
		       const char *value, struct scar_err *err)
{
	struct scar_function *function = &config->function;
	unsigned port;

	switch (option) {
	case OPTION_ENGINE: return set_variable(config, "SCAR_ENGINE", value, err);
	case OPTION_PLAIN_HTTP: return set_variable(config, "SCAR_PLAIN_HTTP", "1", err);
	case OPTION_ENV: return add_variable(config, value, err);
	/* Lambda's own bounds. */
	case OPTION_MEMORY: return parse_number(name, value, 16, 10240, &function->memory_mb, err);
	case OPTION_TMP_SIZE: return parse_number(name, value, 1, 10240, &function->tmp_mb, err);
	case OPTION_TIMEOUT: return parse_number(name, value, 1, 900, &function->timeout_s, err);
	case OPTION_PORT:
		if (parse_number(name, value, 1, 65535, &port, err) < 0)
			return -1;
		config->port = (uint16_t)port;
		return 0;
	case OPTION_CONCURRENCY:
		return parse_number(name, value, 1, SCAR_POOL_MAX, &config->concurrency, err);
	case OPTION_NO_JAIL: function->no_jail = true; return 0;
	case OPTION_SCRIPT: config->script = value; return 0;
	case OPTION_STDIN: config->stdin_path = value; return 0;
	case OPTION_NAME:
		if (!value || !*value || strlen(value) > 64 ||
		    value[strspn(value, NAME_CHARACTERS)] != '\0')
			return scar_err_set(
				err, SCAR_ERR_CONFIG,
				"--name takes up to 64 letters, digits, '-' and '_', not \"%.100s\"",
				value);
		function->name = value;
		return 0;
	case OPTION_HELP: config->help = true; return 0;
	case OPTION_BOOTSTRAP:
		free(config->bootstrap);
		config->bootstrap = strdup(value);
		return config->bootstrap ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "option %s has no meaning", name);
}

/* One option at *args, which moves on behind it (and its value: "--name V" or "--name=V"). */
static int parse_option(struct scar_local_config *config, bool serve, char ***args,
			struct scar_err *err)
{
	char *word = *(*args)++;
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *value = NULL;

		if (strlen(options[i].name) != len || strncmp(word, options[i].name, len) != 0 ||
		    options[i].command == (serve ? RUN : SERVE))
			continue;
		if (options[i].has_value)
			value = word[len] == '=' ? word + len + 1 : **args;
		if (options[i].has_value ? !value : word[len] == '=')
			return scar_err_set(err, SCAR_ERR_CONFIG, "option %s %s", options[i].name,
					    options[i].has_value ? "needs a value"
								 : "takes no value");
		if (options[i].has_value && word[len] != '=')
			(*args)++;
		return take_option(config, options[i].option, options[i].name, value, err);
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "unknown option %s", word);
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
	if (set_variable(config, "SCAR_IMAGE", text, err) < 0)
		return -1;
	return add_bind(config, real, err);
}

static int take_image(struct scar_local_config *config, const char *image, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {0};

	if (scar_ref_parse(image, &ref, err) < 0)
		return -1;
	if (ref.transport != SCAR_TRANSPORT_DOCKER)
		return take_path_image(config, &ref, err);
	return set_variable(config, "SCAR_IMAGE", image, err);
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

/* bootstrap lies beside this program unless an option says otherwise. */
static int find_bootstrap(struct scar_local_config *config, struct scar_err *err)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("bootstrap"));
	char *slash;

	if (config->bootstrap)
		return 0;
	if (len <= 0)
		return scar_err_errno(err, errno, "/proc/self/exe");
	path[len] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash ? slash + 1 : path, "bootstrap", sizeof("bootstrap"));
	config->bootstrap = strdup(path);
	return config->bootstrap ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int parse(struct scar_local_config *config, bool serve, char **args, char **environment,
		 struct scar_err *err)
{
	const char *image = NULL;

	if (take_environment(config, environment, err) < 0)
		return -1;
	while (*args && (*args)[0] == '-' && strcmp(*args, "--") != 0) {
		if (parse_option(config, serve, &args, err) < 0)
			return -1;
	}
	if (config->help)
		return 0;
	if (*args && strcmp(*args, "--") != 0)
		image = *args++;
	if (*args && strcmp(*args, "--") == 0)
		args++;
	if (!serve && !image)
		return scar_err_set(err, SCAR_ERR_CONFIG, "run needs an image");
	if (serve && *args)
		return scar_err_set(err, SCAR_ERR_CONFIG, "unexpected argument %s", *args);
	config->args = args;
	if (image && take_image(config, image, err) < 0)
		return -1;
	if (show_certificates(config, err) < 0)
		return -1;
	return find_bootstrap(config, err);
}

int scar_local_config_parse(bool serve, char **args, char **environment,
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
	if ((!serve && set_variable(&config, "SCAR_RESPONSE_MODE", "streaming", err) < 0) ||
	    parse(&config, serve, args, environment, err) < 0) {
		scar_local_config_clear(&config);
		return -1;
	}
	config.function.bootstrap = config.bootstrap;
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
	memset(config, 0, sizeof(*config));
}
