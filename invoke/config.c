/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "invoke/definition.h"
#include "invoke/storage/storage.h"
#include "invoke/text.h"
#include "registry/manifest.h"
#include "registry/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

#define AT(member) offsetof(struct scar_invoke_config, member)

/* clang-format off */
static const struct scar_setting table[] = {
	{"SCAR_IMAGE", "IMAGE_ID", SCAR_SETTING_TEXT, AT(image), NULL, NULL, 0, 0,
	 "Image to run: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, `oci:DIR[:NAME]`, `oci-archive:FILE[:NAME]`, `docker-archive:FILE[:NAME]` or `s3://BUCKET/KEY[:NAME]`."},
	{"SCAR_ALLOW_EVENT_IMAGE", NULL, SCAR_SETTING_SWITCH, AT(allow_event_image), "0", NULL, 0, 0,
	 "Let the key `image` of an event replace `SCAR_IMAGE`; where `SCAR_IMAGE` is not set an event must name one."},
	{"SCAR_PLATFORM", NULL, SCAR_SETTING_TEXT, AT(platform), NULL, NULL, 0, 0,
	 "Variant to take from a multi-platform image, `OS/ARCHITECTURE[/VARIANT]`; not set: that of this machine."},
	{"SCAR_SCRIPT", NULL, SCAR_SETTING_TEXT, AT(script_text), NULL, NULL, 0, 0,
	 "Script to run in the image in place of its own command: base64, or the absolute path of a file of the function."},
	{"SCAR_ENGINE", NULL, SCAR_SETTING_TEXT, AT(engine), "auto", NULL, 0, 0,
	 "Engine: `auto`, `rewrite`, `ptrace` or `native`."},
	{"SCAR_RESPONSE_MODE", NULL, SCAR_SETTING_CHOICE, AT(response_mode), "buffered", "buffered|streaming", 0, 0,
	 "`buffered`: one answer of at most 6 MB; `streaming`: output is sent as it is printed."},
	{"SCAR_MODE", NULL, SCAR_SETTING_CHOICE, AT(mode), "program", "program|server|runtime", 0, 0,
	 "How the image works: `program`: it is started for each event and ends; `server`: it listens for HTTP on `SCAR_PORT`, is started once and gets each event as a request; `runtime`: it was built for Lambda and speaks the Runtime API itself."},
	{"SCAR_PORT", NULL, SCAR_SETTING_NUMBER, AT(port), "8080", NULL, 1, 65535,
	 "Port on which the image's server listens; it is told as `PORT`."},
	{"SCAR_HEALTH_PATH", NULL, SCAR_SETTING_TEXT, AT(health_path), NULL, NULL, 0, 0,
	 "Path that the image's server must answer below 500 before it gets its first request; not set: a connection is enough."},
	{"SCAR_OUTPUT", NULL, SCAR_SETTING_CHOICE, AT(output), "stdout", "stdout|files|zip|json", 0, 0,
	 "What the answer holds: `stdout`; `files`: the file that the program left in `TMP_OUTPUT_DIR`, or a zip archive of several, or standard output if there is none; `zip`: always an archive; `json`: a document of exit code, time, output and errors."},
	{"SCAR_EXECUTION_MODE", NULL, SCAR_SETTING_CHOICE, AT(execution), "lambda", "lambda|lambda-batch|batch", 0, 0,
	 "Where programs run: `lambda`: here; `batch`: each event becomes a job of AWS Batch, whose queue and job definition have the function's name; `lambda-batch`: so does what Lambda has no time or no room for."},
	{"SCAR_PULL_AT", NULL, SCAR_SETTING_CHOICE, AT(pull_at), "auto", "auto|init|invocation", 0, 0,
	 "When the image is pulled: `init`: at initialisation, and what takes longer than its ten seconds goes on in the first invocations; `invocation`: at the first one; `auto`: at initialisation with provisioned concurrency, where it is over before anybody waits."},
	{"SCAR_BATCH_MULTI_NODE", NULL, SCAR_SETTING_SWITCH, AT(multi_node), "0", NULL, 0, 0,
	 "The job definition is that of a multi-node parallel job."},
	{"SCAR_OUTPUT_HEADERS", NULL, SCAR_SETTING_SWITCH, AT(output_headers), "0", NULL, 0, 0,
	 "Answering HTTP, the program's output begins with header fields and an empty line, as that of a CGI program."},
	{"SCAR_HTTP_TEXT", NULL, SCAR_SETTING_SWITCH, AT(http_text), "0", NULL, 0, 0,
	 "Answering HTTP, a body that is UTF-8 text is sent as it is; off: in base64, as SCAR does it."},
	{"SCAR_BODY_IS_EVENT", NULL, SCAR_SETTING_SWITCH, AT(body_is_event), "0", NULL, 0, 0,
	 "Read the body of an HTTP request as an event of its own: a notification of a storage, or the keys `script`, `cmd_args` and `stdin`."},
	{"SCAR_PASS_CREDENTIALS", NULL, SCAR_SETTING_SWITCH, AT(pass_credentials), "1", NULL, 0, 0,
	 "Give the program the AWS credentials of the function."},
	{"SCAR_DOWNLOAD_INPUT", "DOWNLOAD_INPUT", SCAR_SETTING_SWITCH, AT(download_input), "1", NULL, 0, 0,
	 "Fetch the file that an event of a storage names, before the program starts."},
	{"SCAR_TIMEOUT_THRESHOLD", NULL, SCAR_SETTING_NUMBER, AT(threshold_ms), "1000", NULL, 0, 900000,
	 "Milliseconds before the function's deadline at which the program is told to end; at most half of the time that is left at its start."},
	{"SCAR_REGISTRY_USERNAME", NULL, SCAR_SETTING_TEXT, AT(registry_username), NULL, NULL, 0, 0,
	 "User of the registry."},
	{"SCAR_REGISTRY_PASSWORD", NULL, SCAR_SETTING_SECRET, AT(registry_password), NULL, NULL, 0, 0,
	 "Password or token of that user."},
	{"SCAR_REGISTRY_CONFIG", NULL, SCAR_SETTING_TEXT, AT(registry_config), NULL, NULL, 0, 0,
	 "Path of a Docker `config.json` with credentials of registries."},
	{"SCAR_REGISTRY_SECRET", NULL, SCAR_SETTING_TEXT, AT(registry_secret), NULL, NULL, 0, 0,
	 "ARN of a secret of Secrets Manager or parameter of Systems Manager with credentials of registries; see docs/images.md."},
	{"SCAR_REGISTRY_MIRRORS", NULL, SCAR_SETTING_TEXT, AT(registry_mirrors), NULL, NULL, 0, 0,
	 "Where to look first: `REGISTRY=HOST[:PORT][/PREFIX]`, separated by commas or spaces."},
	{"SCAR_PLAIN_HTTP", NULL, SCAR_SETTING_SWITCH, AT(plain_http), "0", NULL, 0, 0,
	 "Allow registries without TLS; those on this machine need no permission."},
	{"SCAR_CA_BUNDLE", "SSL_CERT_FILE", SCAR_SETTING_TEXT, AT(ca_bundle), NULL, NULL, 0, 0,
	 "File of certificate authorities; not set: that of Amazon Linux or Debian."},
	{"SCAR_STORE_DIR", NULL, SCAR_SETTING_TEXT, AT(store_dir), "/tmp/scar", NULL, 0, 0,
	 "Directory for unpacked images and running invocations."},
	{"SCAR_KEEP_CHANGES", NULL, SCAR_SETTING_SWITCH, AT(keep_changes), "0", NULL, 0, 0,
	 "What an invocation changes in the files of the image is still there at the next one of a warm function; off: the image is as it was built."},
	{"SCAR_LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL", SCAR_SETTING_TEXT, AT(log_level_text), "INFO", NULL, 0, 0,
	 "`TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`."},
	{"AWS_LAMBDA_LOG_FORMAT", NULL, SCAR_SETTING_CHOICE, AT(log_format), "text", "text|json", 0, 0,
	 "Form of log lines, also of the program's; Lambda sets it."},
	{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", NULL, SCAR_SETTING_NUMBER, AT(memory_mb), "0", NULL, 0, 1 << 24,
	 "Memory of the function in MB, to tell a program that ran out of it; Lambda sets it."},
	{"AWS_LAMBDA_MAX_CONCURRENCY", NULL, SCAR_SETTING_NUMBER, AT(concurrency), "1", NULL, 1, 64,
	 "Invocations at once, each in a process of its own; Lambda Managed Instances set it."},
	{"AWS_ENDPOINT_URL", NULL, SCAR_SETTING_TEXT, AT(aws_endpoint), NULL, NULL, 0, 0,
	 "URL of a server that stands for the AWS services, for tests; not set: AWS's own."},
	{"AWS_LAMBDA_RUNTIME_API", NULL, SCAR_SETTING_TEXT, AT(runtime_api), NULL, NULL, 0, 0,
	 "`HOST:PORT` of the Runtime API; Lambda sets it."},
};
/* clang-format on */

#define ROWS (sizeof table / sizeof table[0])

const struct scar_setting *scar_settings(size_t *ret_count)
{
	*ret_count = ROWS;
	return table;
}

const char *scar_environment_get(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment; environment++) {
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	}
	return NULL;
}

static const char *value_of(char *const *environment, const char *name)
{
	const char *value = name ? scar_environment_get(environment, name) : NULL;

	return value && *value ? value : NULL;
}

/* ---- one value ---- */

static int refuse(const char *name, const char *value, const char *wanted, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s is \"%.200s\", not %s", name, value, wanted);
}

static int parse_switch(const char *name, const char *value, bool *ret_on, struct scar_err *err)
{
	static const char *const on[] = {"1", "true", "yes", "on"};
	static const char *const off[] = {"0", "false", "no", "off"};

	for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
		if (strcasecmp(value, on[i]) != 0 && strcasecmp(value, off[i]) != 0)
			continue;
		*ret_on = strcasecmp(value, on[i]) == 0;
		return 0;
	}
	return refuse(name, value, "one of 1, true, yes, on, 0, false, no, off", err);
}

static int parse_number(const struct scar_setting *row, const char *name, const char *value,
			int64_t *ret_number, struct scar_err *err)
{
	char wanted[96], *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*value) || number < row->min ||
	    number > row->max) {
		snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld",
			 (long long)row->min, (long long)row->max);
		return refuse(name, value, wanted, err);
	}
	*ret_number = number;
	return 0;
}

static int parse_choice(const struct scar_setting *row, const char *name, const char *value,
			int64_t *ret_index, struct scar_err *err)
{
	size_t len = strlen(value);
	char wanted[128];
	int64_t index = 0;

	for (const char *choice = row->choices; choice; index++) {
		size_t choice_len = strcspn(choice, "|");

		if (choice_len == len && strncasecmp(choice, value, len) == 0) {
			*ret_index = index;
			return 0;
		}
		choice = choice[choice_len] ? choice + choice_len + 1 : NULL;
	}
	snprintf(wanted, sizeof wanted, "one of %s", row->choices);
	return refuse(name, value, wanted, err);
}

static int parse_value(const struct scar_setting *row, const char *name, const char *value,
		       struct scar_invoke_config *config, struct scar_err *err)
{
	void *member = (char *)config + row->offset;

	switch (row->type) {
	case SCAR_SETTING_TEXT:
	case SCAR_SETTING_SECRET: return scar_text_copy(value, member, err);
	case SCAR_SETTING_SWITCH: return parse_switch(name, value, member, err);
	case SCAR_SETTING_NUMBER: return parse_number(row, name, value, member, err);
	case SCAR_SETTING_CHOICE: return parse_choice(row, name, value, member, err);
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "setting %s has no type", name);
}

/* The variable, its other name, the function's definition, the fallback. */
static int parse_row(const struct scar_setting *row, char *const *environment,
		     const struct scar_definition *definition, struct scar_invoke_config *config,
		     struct scar_err *err)
{
	scar_free_auto char *defined = NULL, *label = NULL;

	if (value_of(environment, row->name))
		return parse_value(row, row->name, value_of(environment, row->name), config, err);
	if (value_of(environment, row->alias))
		return parse_value(row, row->alias, value_of(environment, row->alias), config, err);
	if (scar_definition_get(definition, row->name, &defined, &label, err) < 0)
		return -1;
	if (defined && *defined)
		return parse_value(row, label, defined, config, err);
	return row->fallback ? parse_value(row, row->name, row->fallback, config, err) : 0;
}

/* ---- what a row alone cannot say ---- */

static int check_image(const struct scar_invoke_config *config, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {0};

	if (!config->image)
		return 0;
	if (scar_ref_parse(config->image, &ref, err) < 0)
		return scar_err_wrap(err, "SCAR_IMAGE");
	return 0;
}

static int check_platform(const struct scar_invoke_config *config, struct scar_err *err)
{
	struct scar_platform platform;

	if (!config->platform)
		return 0;
	if (scar_platform_parse(config->platform, &platform, err) < 0)
		return scar_err_wrap(err, "SCAR_PLATFORM");
	return 0;
}

static int check_credentials(const struct scar_invoke_config *config, struct scar_err *err)
{
	if (!config->registry_username == !config->registry_password)
		return 0;
	return scar_err_set(
		err, SCAR_ERR_CONFIG, "%s is set, but %s is not",
		config->registry_username ? "SCAR_REGISTRY_USERNAME" : "SCAR_REGISTRY_PASSWORD",
		config->registry_username ? "SCAR_REGISTRY_PASSWORD" : "SCAR_REGISTRY_USERNAME");
}

int scar_invoke_config_need_api(const struct scar_invoke_config *config, struct scar_err *err)
{
	if (config->runtime_api)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG,
			    "AWS_LAMBDA_RUNTIME_API is not set: bootstrap is started by Lambda or "
			    "by `scar local`, and in a container by AWS Batch, with SCRIPT");
}

static int check_places(const struct scar_invoke_config *config, struct scar_err *err)
{
	if (config->health_path && config->health_path[0] != '/')
		return refuse("SCAR_HEALTH_PATH", config->health_path, "an absolute path", err);
	if (config->mode != SCAR_MODE_PROGRAM && !config->image)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "SCAR_MODE is server or runtime, but SCAR_IMAGE is not set");
	if (config->store_dir[0] != '/')
		return refuse("SCAR_STORE_DIR", config->store_dir, "an absolute path", err);
	return 0;
}

static int check_log_level(struct scar_invoke_config *config, struct scar_err *err)
{
	enum scar_log_level level;

	if (scar_log_level_parse(config->log_level_text, &level) < 0)
		return refuse("SCAR_LOG_LEVEL (or AWS_LAMBDA_LOG_LEVEL)", config->log_level_text,
			      "TRACE, DEBUG, INFO, WARN, ERROR or FATAL", err);
	config->log_level = (int)level;
	return 0;
}

static int load_script(struct scar_invoke_config *config, struct scar_err *err)
{
	const char *text = config->script_text;
	int failed;

	if (!text)
		return 0;
	/* Base64 that begins with '/' would be a script that begins with a byte of 0xfc or above: there is none. */
	failed = text[0] == '/' ? scar_fs_read_file(AT_FDCWD, text, &config->script, err)
				: scar_text_decode_base64(text, &config->script, err);
	if (failed < 0) {
		err->kind = SCAR_ERR_CONFIG;
		return scar_err_wrap(err, "SCAR_SCRIPT");
	}
	if (config->script.len == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "SCAR_SCRIPT is an empty script");
	return 0;
}

static int open_storage(const struct scar_definition *definition, struct scar_invoke_config *config,
			struct scar_err *err)
{
	char *const *environment = config->environment;
	const char *region = value_of(environment, "AWS_REGION");
	const char *endpoint = value_of(environment, "AWS_ENDPOINT_URL_S3");
	const struct scar_storage_environment from = {
		.access_key = value_of(environment, "AWS_ACCESS_KEY_ID"),
		.secret_key = value_of(environment, "AWS_SECRET_ACCESS_KEY"),
		.session_token = value_of(environment, "AWS_SESSION_TOKEN"),
		.region = region ? region : value_of(environment, "AWS_DEFAULT_REGION"),
		.endpoint = endpoint ? endpoint : value_of(environment, "AWS_ENDPOINT_URL"),
		.ca_bundle = config->ca_bundle,
	};

	if (scar_storage_open(definition->root, &from, &config->storage, err) == 0)
		return 0;
	return definition->name ? scar_err_wrap(err, "%s", definition->name) : -1;
}

/* All of it, with what the definition gives the program. */
static int copy_environment(char *const *environment, const struct scar_definition *definition,
			    struct scar_invoke_config *config, struct scar_err *err)
{
	scar_list_auto struct scar_list list = {0};

	if (scar_list_add_all(&list, environment, err) < 0 ||
	    scar_definition_add_variables(definition, &list, err) < 0)
		return -1;
	return scar_list_steal(&list, &config->environment, err);
}

static int load(char *const *environment, const struct scar_definition *definition,
		struct scar_invoke_config *config, struct scar_err *err)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (parse_row(&table[i], environment, definition, config, err) < 0)
			return -1;
	}
	if (copy_environment(environment, definition, config, err) < 0 ||
	    check_log_level(config, err) < 0 || check_places(config, err) < 0 ||
	    check_image(config, err) < 0 || check_platform(config, err) < 0 ||
	    check_credentials(config, err) < 0 || load_script(config, err) < 0)
		return -1;
	return open_storage(definition, config, err);
}

int scar_invoke_config_load(char *const *environment, struct scar_invoke_config *ret_config,
			    struct scar_err *err)
{
	scar_definition_auto struct scar_definition definition = {0};
	struct scar_invoke_config config = {0};

	if (scar_definition_load(environment, &definition, err) < 0)
		return -1;
	scar_buf_init(&config.script, SCAR_LIMIT_EVENT_BYTES);
	if (load(environment, &definition, &config, err) < 0) {
		scar_invoke_config_clear(&config);
		return -1;
	}
	*ret_config = config;
	return 0;
}

void scar_invoke_config_clear(struct scar_invoke_config *config)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (table[i].type == SCAR_SETTING_TEXT || table[i].type == SCAR_SETTING_SECRET)
			free(*(char **)(void *)((char *)config + table[i].offset));
	}
	scar_buf_clear(&config->script);
	scar_list_free(config->environment);
	scar_storage_close(config->storage);
	*config = (struct scar_invoke_config){0};
}

/* Switches of probes, which tests and experts set, have no rows. */
static bool is_known(const char *name, size_t len)
{
	static const char *const switches[] = {"SCAR_NO_", "SCAR_REWRITE_", "SCAR_PTRACE_",
					       "SCAR_ENGINE_REFUSE"};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		if (strncmp(name, switches[i], strlen(switches[i])) == 0)
			return true;
	}
	for (size_t i = 0; i < ROWS; i++) {
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			return true;
	}
	return false;
}

void scar_invoke_config_unknown(char *const *environment,
				void (*found)(const char *name, void *ctx), void *ctx)
{
	for (; *environment; environment++) {
		size_t len = strcspn(*environment, "=");
		char name[128];

		if (strncmp(*environment, "SCAR_", 5) != 0 || is_known(*environment, len))
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(len < 100 ? len : 100), *environment);
		found(name, ctx);
	}
}
