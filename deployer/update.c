/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/commands.h"
#include "deployer/functions.h"
#include "deployer/layer.h"
#include "deployer/plan.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define VARIABLES_MAX 512
#define LAYERS_MAX 16
#define MS_A_SECOND 1000

/* A function as it is, with what the command line changes. Texts are borrowed but for `owned`. */
struct change {
	struct scar_lambda_function function;
	struct scar_aws_pair variables[VARIABLES_MAX];
	const char *layers[LAYERS_MAX + 1];
	struct scar_fdl_list owned;
	bool any;
};

static int set_variable(struct change *change, const char *name, const char *value,
			struct scar_err *err)
{
	struct scar_lambda_function *function = &change->function;

	for (size_t i = 0; i < function->environment_count; i++) {
		if (strcmp(change->variables[i].name, name) == 0) {
			change->any |= strcmp(change->variables[i].value, value) != 0;
			change->variables[i].value = value;
			return 0;
		}
	}
	if (function->environment_count >= VARIABLES_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d variables", VARIABLES_MAX);
	change->variables[function->environment_count++] = (struct scar_aws_pair){name, value};
	change->any = true;
	return 0;
}

static int take_variables(struct change *change, const struct scar_json *configuration,
			  struct scar_err *err)
{
	const struct scar_json *environment = scar_json_get(configuration, "Environment");
	const struct scar_json *item = scar_json_first(scar_json_get(environment, "Variables"));

	for (; item; item = scar_json_next(item)) {
		const char *value = scar_json_string(item);

		if (value && set_variable(change, scar_json_key(item), value, err) < 0)
			return -1;
	}
	change->function.environment = change->variables;
	change->any = false;
	return 0;
}

/* "prefixNAME=VALUE" */
static int set_given(struct change *change, const char *prefix, const char *given,
		     struct scar_err *err)
{
	size_t len = strcspn(given, "=");
	char name[256];

	if (len == 0 || !given[len] || len + strlen(prefix) >= sizeof name)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%.100s is not NAME=VALUE", given);
	snprintf(name, sizeof name, "%s%.*s", prefix, (int)len, given);
	if (scar_fdl_list_add(&change->owned, name, err) < 0)
		return -1;
	return set_variable(change, change->owned.items[change->owned.count - 1], given + len + 1,
			    err);
}

/* The package stays as it is: what it says of the program is overruled by variables. */
static int take_environment(struct change *change, const struct scar_arguments *arguments,
			    struct scar_err *err)
{
	const char *image = scar_arguments_get(arguments, SCAR_OPTION_IMAGE);
	const char *level = scar_arguments_get(arguments, SCAR_OPTION_LOG_LEVEL);
	const char *mode = scar_arguments_get(arguments, SCAR_OPTION_EXECUTION_MODE);
	int64_t threshold = -1;
	const char *given;
	size_t index = 0;
	char text[32];

	while ((given = scar_arguments_next(arguments, SCAR_OPTION_ENV, &index))) {
		if (set_given(change, "CONT_VAR_", given, err) < 0)
			return -1;
	}
	index = 0;
	while ((given = scar_arguments_next(arguments, SCAR_OPTION_LAMBDA_ENV, &index))) {
		if (set_given(change, "", given, err) < 0)
			return -1;
	}
	if (level)
		level = strcmp(level, "CRITICAL") == 0  ? "FATAL"
			: strcmp(level, "WARNING") == 0 ? "WARN"
							: level;
	if (scar_arguments_int(arguments, SCAR_OPTION_TIMEOUT_THRESHOLD, 0, 900, &threshold, err) <
	    0)
		return -1;
	snprintf(text, sizeof text, "SCAR_TIMEOUT_THRESHOLD=%lld",
		 (long long)threshold * MS_A_SECOND);
	if (threshold >= 0) {
		if (scar_fdl_list_add(&change->owned, text, err) < 0 ||
		    set_given(change, "", change->owned.items[change->owned.count - 1], err) < 0)
			return -1;
	}
	if ((image && set_variable(change, "IMAGE_ID", image, err) < 0) ||
	    (mode && set_variable(change, "SCAR_EXECUTION_MODE", mode, err) < 0) ||
	    (level && set_variable(change, "SCAR_LOG_LEVEL", level, err) < 0))
		return -1;
	return 0;
}

static int take_numbers(struct change *change, const struct scar_arguments *arguments,
			const struct scar_json *configuration, struct scar_err *err)
{
	static const struct {
		enum scar_option_id id;
		int64_t min, max;
	} rows[] = {{SCAR_OPTION_MEMORY, 128, 10240},
		    {SCAR_OPTION_TIMEOUT, 1, 900},
		    {SCAR_OPTION_STORAGE, 512, 10240}};
	int64_t now[3] = {128, 3, 512}, wanted[3];

	scar_json_int(scar_json_get(configuration, "MemorySize"), &now[0]);
	scar_json_int(scar_json_get(configuration, "Timeout"), &now[1]);
	scar_json_int(scar_json_get(scar_json_get(configuration, "EphemeralStorage"), "Size"),
		      &now[2]);
	for (size_t i = 0; i < 3; i++) {
		wanted[i] = now[i];
		if (scar_arguments_int(arguments, rows[i].id, rows[i].min, rows[i].max, &wanted[i],
				       err) < 0)
			return -1;
		change->any |= wanted[i] != now[i];
	}
	change->function.memory_mb = (int)wanted[0];
	change->function.timeout_s = (int)wanted[1];
	change->function.storage_mb = (int)wanted[2];
	return 0;
}

/* Every version of our layer becomes this one, and -l adds one. */
static int take_layers(struct change *change, const struct scar_arguments *arguments,
		       const struct scar_json *configuration, const char *arn, struct scar_err *err)
{
	const struct scar_json *item = scar_json_first(scar_json_get(configuration, "Layers"));
	const char *given;
	size_t count = 0, index = 0;

	for (; item && count < LAYERS_MAX; item = scar_json_next(item)) {
		const char *layer = scar_json_string(scar_json_get(item, "Arn"));

		if (!layer)
			continue;
		if (arn && strstr(layer, ":layer:" SCAR_LAYER_NAME ":") &&
		    strcmp(layer, arn) != 0) {
			layer = arn;
			change->any = true;
		}
		change->layers[count++] = layer;
	}
	while ((given = scar_arguments_next(arguments, SCAR_OPTION_LAYERS, &index))) {
		if (count >= LAYERS_MAX)
			return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d layers", LAYERS_MAX);
		change->layers[count++] = given;
		change->any = true;
	}
	change->function.layers = change->layers;
	return 0;
}

/* Which version of the layer there shall be: published now if need be. NULL: the function has none of ours. */
static int find_layer(struct scar_session *session, const struct scar_json *configuration,
		      char **ret_arn, struct scar_err *err)
{
	const struct scar_json *item = scar_json_first(scar_json_get(configuration, "Layers"));
	const char *architecture = scar_json_string(
		scar_json_first(scar_json_get(configuration, "Architectures")));
	scar_layer_auto struct scar_layer layer = {0};
	bool has = false;

	for (; item; item = scar_json_next(item)) {
		const char *arn = scar_json_string(scar_json_get(item, "Arn"));

		has |= arn && strstr(arn, ":layer:" SCAR_LAYER_NAME ":");
	}
	if (!has)
		return 0;
	if (scar_layer_read(session->arguments, architecture ? architecture : "x86_64", &layer,
			    err) < 0 ||
	    scar_layer_find(session->aws, NULL, &layer, ret_arn, err) < 0)
		return -1;
	return *ret_arn ? 0 : scar_layer_publish(session->aws, NULL, &layer, ret_arn, err);
}

/* The queue and the definition are not made here, so nobody should wait for jobs in vain. */
static void tell_of_batch(const struct scar_session *session, const char *name)
{
	const char *mode = scar_arguments_get(session->arguments, SCAR_OPTION_EXECUTION_MODE);

	if (mode && strcmp(mode, "lambda") != 0)
		scar_session_note(session,
				  "%s: its jobs go to the Batch queue and job definition of that "
				  "name, which have to be there, and its role has to allow "
				  "batch:SubmitJob (docs/batch.md)",
				  name);
}

static int update(struct scar_session *session, const char *name, struct change *change,
		  struct scar_err *err)
{
	const struct scar_arguments *arguments = session->arguments;
	bool layer_only = scar_arguments_has(arguments, SCAR_OPTION_SUPERVISOR_LAYER);
	scar_json_auto struct scar_json *configuration = NULL;
	scar_free_auto char *arn = NULL;

	if (scar_lambda_get_configuration(session->aws, name, &configuration, err) < 0)
		return -1;
	change->function = (struct scar_lambda_function){.name = name};
	if (take_variables(change, configuration, err) < 0 ||
	    (layer_only && find_layer(session, configuration, &arn, err) < 0) ||
	    take_layers(change, arguments, configuration, arn, err) < 0 ||
	    (!layer_only && (take_environment(change, arguments, err) < 0 ||
			     take_numbers(change, arguments, configuration, err) < 0)))
		return -1;
	change->function.description = scar_arguments_get(arguments, SCAR_OPTION_DESCRIPTION);
	change->function.role = scar_arguments_get(arguments, SCAR_OPTION_ROLE);
	change->any |= change->function.description || change->function.role;
	if (!layer_only)
		tell_of_batch(session, name);
	printf("%s %s\n", change->any ? "updated" : "unchanged", name);
	if (!change->any || scar_arguments_has(arguments, SCAR_OPTION_DRY_RUN))
		return 0;
	if (scar_lambda_update_configuration(session->aws, &change->function, NULL, err) < 0)
		return -1;
	return scar_lambda_wait(session->aws, name, 0, err);
}

static int update_all(struct scar_session *session, struct scar_err *err)
{
	struct scar_fdl_list names = {0};
	int ret = scar_functions_names(session, &names, err);

	for (size_t i = 0; ret == 0 && i < names.count; i++) {
		struct change *change = calloc(1, sizeof *change);

		if (!change) {
			ret = scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
			break;
		}
		ret = update(session, names.items[i], change, err);
		if (ret < 0)
			(void)scar_err_wrap(err, "function %s", names.items[i]);
		scar_fdl_list_clear(&change->owned);
		free(change);
	}
	scar_fdl_list_clear(&names);
	return ret;
}

/* What travels in the package is applied from a definition. */
static bool is_definition(const struct scar_arguments *arguments)
{
	return scar_arguments_has(arguments, SCAR_OPTION_FILE) &&
	       !scar_arguments_has(arguments, SCAR_OPTION_SUPERVISOR_LAYER);
}

static const char *not_here(const struct scar_arguments *arguments)
{
	static const enum scar_option_id of_package[] = {
		SCAR_OPTION_IMAGE_FILE,   SCAR_OPTION_INIT_SCRIPT,   SCAR_OPTION_EXTRA_PAYLOAD,
		SCAR_OPTION_INPUT_BUCKET, SCAR_OPTION_OUTPUT_BUCKET, SCAR_OPTION_API_GATEWAY,
		SCAR_OPTION_ARCHITECTURE, SCAR_OPTION_BATCH_MEMORY,  SCAR_OPTION_BATCH_VCPUS,
		SCAR_OPTION_ENABLE_GPU,   SCAR_OPTION_NO_LAYER,
	};

	for (size_t i = 0; i < arguments->given_count; i++) {
		for (size_t j = 0; j < sizeof of_package / sizeof of_package[0]; j++) {
			if (arguments->given[i].option->id == of_package[j])
				return arguments->given[i].option->name;
		}
	}
	return NULL;
}

int scar_update_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	const char *wrong = not_here(arguments);
	struct scar_err err;

	if (is_definition(arguments))
		return scar_apply_command(arguments, environment);
	if (wrong) {
		fprintf(stderr, "scar: %s changes the function's package: use scar apply\n", wrong);
		return SCAR_EXIT_USAGE;
	}
	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    update_all(&session, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}
