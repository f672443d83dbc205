/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/fdl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/environment.h"
#include "deployer/fdl_keys.h"
#include "deployer/package.h"
#include "deployer/suggest.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

#define FUNCTIONS_MAX 256
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
#define DEFAULTS_NAME "scar.cfg"
#define COMMAND_LINE "command line"
#define CONFIG_FILE_BUCKET_MAX 63

static const char *name_of(const struct scar_fdl *fdl)
{
	return fdl->name ? fdl->name : COMMAND_LINE;
}

/* ---- the command line ---- */

static const struct {
	enum scar_option_id id;
	const char *key;
} from_options[] = {
	{SCAR_OPTION_NAME, "lambda.name"},
	{SCAR_OPTION_REGION, "lambda.region"},
	{SCAR_OPTION_PROFILE, "lambda.boto_profile"},
	{SCAR_OPTION_IMAGE, "lambda.container.image"},
	{SCAR_OPTION_IMAGE_FILE, "lambda.container.image_file"},
	{SCAR_OPTION_INIT_SCRIPT, "lambda.init_script"},
	{SCAR_OPTION_DESCRIPTION, "lambda.description"},
	{SCAR_OPTION_ENV, "lambda.container.environment.Variables"},
	{SCAR_OPTION_LAMBDA_ENV, "lambda.environment.Variables"},
	{SCAR_OPTION_MEMORY, "lambda.memory"},
	{SCAR_OPTION_TIMEOUT, "lambda.timeout"},
	{SCAR_OPTION_TIMEOUT_THRESHOLD, "lambda.container.timeout_threshold"},
	{SCAR_OPTION_LOG_LEVEL, "lambda.log_level"},
	{SCAR_OPTION_LAYERS, "lambda.layers"},
	{SCAR_OPTION_INPUT_BUCKET, "lambda.input"},
	{SCAR_OPTION_OUTPUT_BUCKET, "lambda.output"},
	{SCAR_OPTION_EXECUTION_MODE, "lambda.execution_mode"},
	{SCAR_OPTION_ROLE, "iam.role"},
	{SCAR_OPTION_SUPERVISOR_VERSION, "lambda.supervisor.version"},
	{SCAR_OPTION_RUNTIME, "lambda.runtime"},
	{SCAR_OPTION_BATCH_MEMORY, "batch.memory"},
	{SCAR_OPTION_BATCH_VCPUS, "batch.vcpus"},
	{SCAR_OPTION_ENABLE_GPU, "batch.enable_gpu"},
	{SCAR_OPTION_PREHEAT, "lambda.preheat"},
	{SCAR_OPTION_EXTRA_PAYLOAD, "lambda.extra_payload"},
	{SCAR_OPTION_DEPLOYMENT_BUCKET, "lambda.deployment.bucket"},
	{SCAR_OPTION_API_GATEWAY, "api_gateway.name"},
	{SCAR_OPTION_STORAGE, "lambda.ephemeral_storage"},
	{SCAR_OPTION_ARCHITECTURE, "lambda.architectures"},
};

static bool is_path(enum scar_option_id id)
{
	return id == SCAR_OPTION_IMAGE_FILE || id == SCAR_OPTION_INIT_SCRIPT ||
	       id == SCAR_OPTION_EXTRA_PAYLOAD;
}

/* Paths of the file begin at the file; those of the command line here, so they are made absolute. */
static int set_option(struct scar_fdl_function *function, const char *key,
		      const struct scar_given *given, struct scar_err *err)
{
	const char *value = given->value ? given->value : "";
	scar_free_auto char *path = NULL;

	if (is_path(given->option->id)) {
		path = realpath(value, NULL);
		if (!path)
			return scar_err_set(err, SCAR_ERR_CONFIG, "%s: there is no %s",
					    given->option->name, value);
		value = path;
	}
	return scar_fdl_set(function, key, value, given->option->name, err);
}

static int take_arguments(struct scar_fdl_function *function,
			  const struct scar_arguments *arguments, struct scar_err *err)
{
	for (size_t i = 0; arguments && i < arguments->given_count; i++) {
		const struct scar_given *given = &arguments->given[i];

		for (size_t j = 0; j < sizeof from_options / sizeof from_options[0]; j++) {
			if (from_options[j].id == given->option->id &&
			    set_option(function, from_options[j].key, given, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- the document ---- */

static int add_function(struct scar_fdl *fdl, const struct scar_yaml *sections, size_t index,
			const struct scar_arguments *arguments, struct scar_err *err)
{
	struct scar_fdl_function *grown = fdl->functions;
	struct scar_fdl_function *function;
	const struct scar_yaml *defaults = scar_yaml_get(fdl->defaults, "aws");
	char where[64];

	if (fdl->count >= FUNCTIONS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: more than %d functions", name_of(fdl),
				    FUNCTIONS_MAX);
	grown = reallocarray(grown, fdl->count + 1, sizeof *grown);
	if (!grown)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	fdl->functions = grown;
	function = &grown[fdl->count++];
	*function = (struct scar_fdl_function){.line = sections ? scar_yaml_line(sections) : 0};
	if (defaults && scar_yaml_type(defaults) != SCAR_YAML_NULL &&
	    scar_fdl_take(function, defaults, DEFAULTS_NAME, "aws", err) < 0)
		return -1;
	/* SCAR's defaults of defaults, which say nothing. */
	if (function->profile && strcmp(function->profile, "default") == 0) {
		free(function->profile);
		function->profile = NULL;
	}
	snprintf(where, sizeof where, "functions.aws[%zu]", index);
	if (sections && scar_fdl_take(function, sections, name_of(fdl), where, err) < 0)
		return -1;
	return take_arguments(function, arguments, err);
}

static int expect(const struct scar_fdl *fdl, const struct scar_yaml *node, const char *key,
		  enum scar_yaml_type type, struct scar_err *err)
{
	if (scar_yaml_type(node) == type)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s is not %s", name_of(fdl),
			    scar_yaml_line(node), key, scar_yaml_type_name(type));
}

/* Refuses members of a mapping that are not among the two that are known. */
static int only(const struct scar_fdl *fdl, const struct scar_yaml *node, const char *where,
		const char *one, const char *other, struct scar_err *err)
{
	char text[96];

	for (size_t i = 0; i < scar_yaml_size(node); i++) {
		const struct scar_yaml *key = scar_yaml_key_at(node, i);
		struct scar_suggestion meant = {.word = scar_yaml_text(key)};

		if (strcmp(meant.word, one) == 0 || strcmp(meant.word, other) == 0)
			continue;
		scar_suggest_offer(&meant, one);
		scar_suggest_offer(&meant, other);
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s%.100s is not known%s",
				    name_of(fdl), scar_yaml_line(key), where, meant.word,
				    scar_suggest_text(&meant, text));
	}
	return 0;
}

static int take_functions(struct scar_fdl *fdl, const struct scar_yaml *functions,
			  const struct scar_arguments *arguments, struct scar_err *err)
{
	const struct scar_yaml *aws = scar_yaml_get(functions, "aws");
	const struct scar_yaml *oscar = scar_yaml_get(functions, "oscar");

	if (expect(fdl, functions, "functions", SCAR_YAML_MAPPING, err) < 0 ||
	    only(fdl, functions, "functions.", "aws", "oscar", err) < 0)
		return -1;
	fdl->oscar_count = scar_yaml_size(oscar);
	if (!aws || scar_yaml_type(aws) == SCAR_YAML_NULL)
		return 0;
	if (expect(fdl, aws, "functions.aws", SCAR_YAML_SEQUENCE, err) < 0)
		return -1;
	if (scar_yaml_size(aws) > 1 && arguments && scar_arguments_has(arguments, SCAR_OPTION_NAME))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s has several functions, so --name cannot name them",
				    name_of(fdl));
	for (size_t i = 0; i < scar_yaml_size(aws); i++) {
		if (add_function(fdl, scar_yaml_at(aws, i), i, arguments, err) < 0)
			return -1;
	}
	return 0;
}

static int take_document(struct scar_fdl *fdl, const struct scar_arguments *arguments,
			 struct scar_err *err)
{
	const struct scar_yaml *functions = scar_yaml_get(fdl->root, "functions");
	const struct scar_yaml *providers = scar_yaml_get(fdl->root, "storage_providers");

	if (expect(fdl, fdl->root, "the definition", SCAR_YAML_MAPPING, err) < 0 ||
	    only(fdl, fdl->root, "", "functions", "storage_providers", err) < 0)
		return -1;
	if (providers && scar_yaml_type(providers) != SCAR_YAML_NULL) {
		if (expect(fdl, providers, "storage_providers", SCAR_YAML_MAPPING, err) < 0)
			return -1;
		fdl->providers = providers;
	}
	if (!functions)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: functions is missing",
				    name_of(fdl), scar_yaml_line(fdl->root));
	return take_functions(fdl, functions, arguments, err);
}

int scar_fdl_parse(const char *defaults, size_t defaults_len, const char *text, size_t len,
		   const char *name, const struct scar_arguments *arguments,
		   struct scar_fdl *ret_fdl, struct scar_err *err)
{
	scar_fdl_auto struct scar_fdl fdl = {0};
	const char *slash = name ? strrchr(name, '/') : NULL;

	fdl.name = text ? strdup(name) : NULL;
	fdl.directory = slash ? strndup(name, (size_t)(slash - name) + 1) : strdup(".");
	if ((text && !fdl.name) || !fdl.directory)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (defaults &&
	    scar_yaml_parse(defaults, defaults_len, DEFAULTS_NAME, &fdl.defaults, err) < 0)
		return -1;
	if (!text) {
		if (add_function(&fdl, NULL, 0, arguments, err) < 0)
			return -1;
	} else if (scar_yaml_parse(text, len, fdl.name, &fdl.root, err) < 0 ||
		   take_document(&fdl, arguments, err) < 0) {
		return -1;
	}
	*ret_fdl = fdl;
	fdl = (struct scar_fdl){0};
	return 0;
}

/* ---- files ---- */

static int read_defaults(char *const *environment, struct scar_buf *text, bool *ret_found,
			 struct scar_err *err)
{
	const char *folder = scar_environment_value(environment, "SCAR_CONFIG_FOLDER");
	const char *home = scar_environment_value(environment, "HOME");
	scar_free_auto char *path = NULL;

	*ret_found = false;
	if (!folder && !home)
		return 0;
	if (asprintf(&path, "%s%s/" DEFAULTS_NAME, folder ? folder : home, folder ? "" : "/.scar") <
	    0) {
		path = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (scar_fs_read_file(AT_FDCWD, path, text, err) < 0) {
		if (err->kind != SCAR_ERR_NOT_FOUND)
			return -1;
		scar_err_clear(err);
		return 0;
	}
	*ret_found = true;
	return 0;
}

int scar_fdl_load(const struct scar_arguments *arguments, char *const *environment,
		  struct scar_fdl *ret_fdl, struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_FILE);
	scar_buf_auto struct scar_buf defaults;
	scar_buf_auto struct scar_buf text;
	bool has_defaults;

	scar_buf_init(&defaults, SCAR_LIMIT_YAML_BYTES);
	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	if (read_defaults(environment, &defaults, &has_defaults, err) < 0)
		return -1;
	if (path && strcmp(path, "-") == 0) {
		if (scar_fs_read_all(STDIN_FILENO, "standard input", &text, err) < 0)
			return -1;
	} else if (path && scar_fs_read_file(AT_FDCWD, path, &text, err) < 0) {
		return -1;
	}
	return scar_fdl_parse(has_defaults ? defaults.data : NULL, defaults.len,
			      path ? text.data : NULL, text.len, path, arguments, ret_fdl, err);
}

void scar_fdl_clear(struct scar_fdl *fdl)
{
	for (size_t i = 0; i < fdl->count; i++)
		scar_fdl_function_clear(&fdl->functions[i]);
	free(fdl->functions);
	free(fdl->name);
	free(fdl->directory);
	scar_yaml_free(fdl->root);
	scar_yaml_free(fdl->defaults);
	*fdl = (struct scar_fdl){0};
}

/* ---- what belongs together ---- */

enum scar_fdl_mode scar_fdl_mode_of(const struct scar_fdl_function *function)
{
	if (!function->mode || strcmp(function->mode, "lambda") == 0)
		return SCAR_FDL_LAMBDA;
	return strcmp(function->mode, "batch") == 0 ? SCAR_FDL_BATCH : SCAR_FDL_LAMBDA_BATCH;
}

bool scar_fdl_is_s3(const struct scar_fdl_place *place)
{
	return strcmp(place->provider, "s3") == 0 || strcmp(place->provider, "s3.default") == 0;
}

void scar_fdl_split(const char *path, char bucket[64], const char **ret_folder)
{
	size_t len = strcspn(path, "/");

	snprintf(bucket, 64, "%.*s",
		 (int)(len > CONFIG_FILE_BUCKET_MAX ? CONFIG_FILE_BUCKET_MAX : len), path);
	*ret_folder = path[len] ? path + len + 1 : "";
}

const struct scar_fdl_function *scar_fdl_find(const struct scar_fdl *fdl, const char *name)
{
	for (size_t i = 0; i < fdl->count; i++) {
		if (fdl->functions[i].name && strcmp(fdl->functions[i].name, name) == 0)
			return &fdl->functions[i];
	}
	return NULL;
}

/* Whether what is written to `output` would start a function of `input` again. */
static bool feeds(const struct scar_fdl_place *output, const struct scar_fdl_place *input)
{
	size_t len = strlen(input->path);

	return strcmp(output->provider, input->provider) == 0 &&
	       strncmp(output->path, input->path, len) == 0 &&
	       (output->path[len] == '\0' || output->path[len] == '/');
}

static int bad(const struct scar_fdl *fdl, unsigned line, const char *name, const char *why,
	       struct scar_err *err)
{
	if (line == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "function %s: %s", name ? name : "?",
				    why);
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: function %s: %s", name_of(fdl),
			    line, name ? name : "?", why);
}

static int check_name(const struct scar_fdl *fdl, size_t index, struct scar_err *err)
{
	const struct scar_fdl_function *function = &fdl->functions[index];
	const char *name = function->name;

	if (!name)
		return bad(fdl, function->line, NULL, "a name is missing (lambda.name, --name)",
			   err);
	if (!*name || strlen(name) > 64 || name[strspn(name, NAME_CHARACTERS)] != '\0')
		return bad(fdl, function->line, name,
			   "a name (lambda.name) is up to 64 letters, digits, '-' and '_'", err);
	if (scar_fdl_find(fdl, name) != function)
		return bad(fdl, function->line, name, "its name (lambda.name) is there twice", err);
	return 0;
}

bool scar_fdl_is_s3_files(const struct scar_fdl_place *mount)
{
	const char *service = strncmp(mount->provider, "arn:", 4) == 0
				      ? strchr(mount->provider + 4, ':')
				      : NULL;

	return service && strncmp(service, ":s3files:", 9) == 0;
}

static int check_mounts(const struct scar_fdl *fdl, const struct scar_fdl_function *function,
			struct scar_err *err)
{
	const struct scar_fdl_places *mounts = &function->mounts;

	if (mounts->count && function->subnets.count == 0)
		return bad(fdl, function->line, function->name,
			   "lambda.file_system needs lambda.vpc", err);
	for (size_t i = 1; i < mounts->count; i++) {
		if (scar_fdl_is_s3_files(&mounts->items[i]) !=
		    scar_fdl_is_s3_files(&mounts->items[0]))
			return bad(fdl, function->line, function->name,
				   "a function mounts either EFS or S3 Files (lambda.file_system), "
				   "not both",
				   err);
	}
	return 0;
}

static int check_function(const struct scar_fdl *fdl, size_t index, struct scar_err *err)
{
	const struct scar_fdl_function *function = &fdl->functions[index];

	if (check_name(fdl, index, err) < 0)
		return -1;
	if (!function->image && !function->image_file)
		return bad(fdl, function->line, function->name,
			   "an image is missing (lambda.container.image, --image)", err);
	if ((function->subnets.count == 0) != (function->security_groups.count == 0))
		return bad(fdl, function->line, function->name,
			   "lambda.vpc needs both SubnetIds and SecurityGroupIds", err);
	if (check_mounts(fdl, function, err) < 0)
		return -1;
	for (size_t i = 0; i < function->outputs.count; i++) {
		for (size_t j = 0; j < function->inputs.count; j++) {
			if (feeds(&function->outputs.items[i], &function->inputs.items[j]))
				return bad(
					fdl, function->outputs.items[i].line, function->name,
					"its output lies in its input (lambda.output.path), so it "
					"would start itself for ever",
					err);
		}
	}
	return 0;
}

int scar_fdl_check(const struct scar_fdl *fdl, struct scar_err *err)
{
	if (fdl->count == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s has no function for AWS",
				    name_of(fdl));
	for (size_t i = 0; i < fdl->count; i++) {
		if (check_function(fdl, i, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- what the function reads ---- */

static void write_pairs(struct scar_json_writer *writer, const struct scar_fdl_pairs *pairs)
{
	scar_json_write_open(writer, "environment", '{');
	scar_json_write_open(writer, "Variables", '{');
	for (size_t i = 0; i < pairs->count; i++)
		scar_json_write_string(writer, pairs->items[i].name, pairs->items[i].value);
	scar_json_write_close(writer, '}');
	scar_json_write_close(writer, '}');
}

static void write_places(struct scar_json_writer *writer, const char *key,
			 const struct scar_fdl_places *places)
{
	if (!places->count)
		return;
	scar_json_write_open(writer, key, '[');
	for (size_t i = 0; i < places->count; i++) {
		const struct scar_fdl_place *place = &places->items[i];

		scar_json_write_open(writer, NULL, '{');
		scar_json_write_string(writer, "storage_provider", place->provider);
		scar_json_write_string(writer, "path", place->path);
		scar_json_write_strings(writer, "prefix",
					(const char *const *)place->prefixes.items);
		scar_json_write_strings(writer, "suffix",
					(const char *const *)place->suffixes.items);
		scar_json_write_close(writer, '}');
	}
	scar_json_write_close(writer, ']');
}

int scar_fdl_write_config(const struct scar_fdl *fdl, const struct scar_fdl_function *function,
			  struct scar_buf *text, struct scar_err *err)
{
	struct scar_json_writer writer;
	scar_json_auto struct scar_json *providers = NULL;

	if (fdl->providers && scar_yaml_to_json(fdl->providers, &providers, err) < 0)
		return -1;
	scar_json_writer_init(&writer, text, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_string(&writer, "name", function->name);
	scar_json_write_string(&writer, "execution_mode", function->mode);
	scar_json_write_string(&writer, "log_level", function->log_level);
	scar_json_write_open(&writer, "container", '{');
	scar_json_write_string(&writer, "image", function->image);
	if (function->threshold_s.said)
		scar_json_write_int(&writer, "timeout_threshold", function->threshold_s.value);
	write_pairs(&writer, &function->program_environment);
	scar_json_write_close(&writer, '}');
	if (function->init_script)
		scar_json_write_string(&writer, "init_script",
				       scar_package_name(function->init_script));
	if (function->stage_in_off)
		scar_json_write_bool(&writer, "download_input", false);
	if (function->batch.multi_node) {
		scar_json_write_open(&writer, "batch", '{');
		scar_json_write_open(&writer, "multi_node_parallel", '{');
		scar_json_write_bool(&writer, "enabled", true);
		scar_json_write_close(&writer, '}');
		scar_json_write_close(&writer, '}');
	}
	write_places(&writer, "input", &function->inputs);
	write_places(&writer, "output", &function->outputs);
	scar_json_write_node(&writer, "storage_providers", providers);
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}
