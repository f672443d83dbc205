/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file config.h
 * What the function's environment says about how to run. All settings are rows of one table, from which
 * docs/environment.md is checked. Nothing else of bootstrap reads the environment, but for switches of the
 * libraries (CA bundle, probes).
 *
 * A value that is not understood is refused, naming the variable: a typing error must not turn into
 * another behaviour. An empty value counts as not set.
 */
#ifndef SCAR_INVOKE_CONFIG_H
#define SCAR_INVOKE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct scar_err;
struct scar_storage;

enum scar_setting_type {
	SCAR_SETTING_TEXT,
	SCAR_SETTING_SECRET, /**< text that appears in no message */
	SCAR_SETTING_SWITCH, /**< 1 0 true false yes no on off */
	SCAR_SETTING_NUMBER,
	SCAR_SETTING_CHOICE
};

/** A row of the table. */
struct scar_setting {
	const char *name;
	const char *alias; /**< read where `name` is not set, or NULL */
	enum scar_setting_type type;
	size_t offset;        /**< in struct scar_invoke_config */
	const char *fallback; /**< as if set to this; NULL: not set */
	const char *choices;  /**< CHOICE: "a|b", of which the value is the index, in any case */
	int64_t min, max;     /**< NUMBER */
	const char *doc;      /**< one sentence */
};

/** The table. */
const struct scar_setting *scar_settings(size_t *ret_count);

enum scar_log_format_choice { SCAR_LOG_FORMAT_TEXT, SCAR_LOG_FORMAT_JSON };
enum scar_response_choice { SCAR_RESPOND_BUFFERED, SCAR_RESPOND_STREAMING };
enum scar_mode_choice { SCAR_MODE_PROGRAM, SCAR_MODE_SERVER, SCAR_MODE_RUNTIME };
enum scar_pull_choice {
	SCAR_PULL_AUTO, /**< at initialisation where that happens before there is an invocation */
	SCAR_PULL_INIT,
	SCAR_PULL_INVOCATION
};
enum scar_execution_choice {
	SCAR_EXECUTION_LAMBDA,
	SCAR_EXECUTION_LAMBDA_BATCH, /**< what Lambda has no time or room for goes to AWS Batch */
	SCAR_EXECUTION_BATCH         /**< everything does */
};
enum scar_output_choice {
	SCAR_OUTPUT_STDOUT,
	SCAR_OUTPUT_FILES,
	SCAR_OUTPUT_ZIP,
	SCAR_OUTPUT_JSON
};

/** Owns its strings; those not set are NULL. */
struct scar_invoke_config {
	char *runtime_api;
	char *image;
	bool allow_event_image;
	char *platform;
	bool plain_http;
	char *registry_username;
	char *registry_password;
	char *registry_config;
	char *registry_secret;
	char *registry_mirrors;
	char *aws_endpoint;
	char *ca_bundle;
	char *engine;
	char *store_dir;
	bool keep_changes;
	char *script_text;      /**< as set */
	struct scar_buf script; /**< the script itself; empty if none */
	int64_t response_mode;  /**< enum scar_response_choice */
	int64_t mode;           /**< enum scar_mode_choice */
	int64_t port;
	int64_t concurrency;
	char *health_path;
	int64_t output;    /**< enum scar_output_choice */
	int64_t execution; /**< enum scar_execution_choice */
	int64_t pull_at;   /**< enum scar_pull_choice */
	bool multi_node;   /**< the job definition is of a multi-node parallel job */
	bool output_headers;
	bool http_text;
	bool body_is_event;
	bool pass_credentials;
	int64_t threshold_ms;
	char *log_level_text;
	int log_level;      /**< enum scar_log_level */
	int64_t log_format; /**< enum scar_log_format_choice */
	int64_t memory_mb;  /**< 0: not known */
	bool download_input;
	struct scar_storage *storage; /**< never NULL once loaded */
	/** A copy of the whole environment, from which that of the program is made. NULL-terminated. */
	char **environment;
};

/**
 * Reads `environment` ("NAME=value", NULL-terminated; copied), and where a setting has no variable there, SCAR's
 * function definition (definition.h). Fails with SCAR_ERR_CONFIG, or
 * SCAR_ERR_REFERENCE for an image reference; the text names the variable. `ret_config` is cleared by
 * scar_invoke_config_clear().
 */
int scar_invoke_config_load(char *const *environment, struct scar_invoke_config *ret_config,
			    struct scar_err *err);
/** SCAR_ERR_CONFIG if there is no Runtime API: only a job of AWS Batch does without. */
int scar_invoke_config_need_api(const struct scar_invoke_config *config, struct scar_err *err);
void scar_invoke_config_clear(struct scar_invoke_config *config);

/** Value of a variable in such a list, or NULL. Borrowed. */
const char *scar_environment_get(char *const *environment, const char *name);
/** SCAR_* variables that no row has: likely typing errors. Calls `found` for each. */
void scar_invoke_config_unknown(char *const *environment,
				void (*found)(const char *name, void *ctx), void *ctx);

#define scar_invoke_config_auto scar_auto(scar_invoke_config_clear)

#endif
