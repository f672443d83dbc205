/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "deployer/api.h"
#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/sts.h"
#include "deployer/commands.h"
#include "deployer/deploy.h"
#include "deployer/fdl.h"
#include "deployer/print.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

static const struct scar_column columns[] = {
	{"NAME", "FunctionName"},    {"CHANGES", "Changes"},
	{"MEMORY", "MemorySize"},    {"TIMEOUT", "Timeout"},
	{"TMP", "EphemeralStorage"}, {"API_URL", "ApiUrl"},
	{"URL", "FunctionUrl"},      {NULL, NULL},
};

/* A zip a processor, read when the first function wants it. */
struct layers {
	struct scar_layer items[2];
	bool read[2];
};

struct apply {
	struct scar_session session;
	struct scar_fdl fdl;
	struct scar_sts_identity identity;
	struct layers layers;
	struct scar_buf report; /* a JSON array of what was done */
	bool dry;
};

static void clear(struct apply *apply)
{
	for (size_t i = 0; i < 2; i++) {
		if (apply->layers.read[i])
			scar_layer_clear(&apply->layers.items[i]);
	}
	scar_buf_clear(&apply->report);
	scar_fdl_clear(&apply->fdl);
	scar_session_close(&apply->session);
}

static int need_layer(struct apply *apply, const struct scar_target *target,
		      const struct scar_layer **ret_layer, struct scar_err *err)
{
	size_t index = strcmp(target->architecture, "arm64") == 0;

	*ret_layer = NULL;
	if (target->no_layer)
		return 0;
	if (!apply->layers.read[index]) {
		if (scar_layer_read(apply->session.arguments, target->architecture,
				    &apply->layers.items[index], err) < 0)
			return -1;
		apply->layers.read[index] = true;
	}
	*ret_layer = &apply->layers.items[index];
	return 0;
}

static int report(struct apply *apply, const struct scar_target *target,
		  const struct scar_found *found, size_t changes, struct scar_err *err)
{
	const struct scar_api api = {found->api, scar_plan_api_stage(target, found)};
	scar_buf_auto struct scar_buf url;
	struct scar_json_writer writer;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (found->api && scar_api_url(apply->session.aws, &api, &url, err) < 0)
		return -1;
	if (apply->report.len && scar_buf_append_char(&apply->report, ',', err) < 0)
		return -1;
	scar_json_writer_init(&writer, &apply->report, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_string(&writer, "FunctionName", target->function->name);
	scar_json_write_string(&writer, "FunctionArn", target->arn);
	scar_json_write_int(&writer, "Changes", (int64_t)changes);
	scar_json_write_int(&writer, "MemorySize", target->memory_mb);
	scar_json_write_int(&writer, "Timeout", target->timeout_s);
	scar_json_write_int(&writer, "EphemeralStorage", target->storage_mb);
	scar_json_write_string(&writer, "Role", target->role);
	scar_json_write_string(&writer, "ApiUrl", found->api ? url.data : NULL);
	scar_json_write_string(&writer, "FunctionUrl", found->function_url);
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}

static int preheat(struct apply *apply, const struct scar_target *target, struct scar_err *err)
{
	scar_lambda_result_auto struct scar_lambda_result result = {0};
	const struct scar_lambda_call call = {.function = target->function->name,
					      .type = SCAR_LAMBDA_SYNC,
					      .payload = "{}",
					      .payload_len = 2,
					      .timeout_s = target->timeout_s};

	if (scar_lambda_invoke(apply->session.aws, &call, &result, err) < 0)
		return -1;
	if (result.function_error)
		scar_session_note(&apply->session, "%s: the first run failed: %.500s",
				  target->function->name, result.payload);
	return 0;
}

static int apply_one(struct apply *apply, const struct scar_fdl_function *function,
		     struct scar_err *err)
{
	scar_target_auto struct scar_target target = {0};
	scar_found_auto struct scar_found found = {0};
	scar_plan_auto struct scar_plan plan = {0};
	const struct scar_layer *layer = NULL;
	size_t changes;

	if (function->region && scar_aws_set_region(apply->session.aws, function->region, err) < 0)
		return -1;
	if (scar_target_make(&apply->session, &apply->fdl, function, &apply->identity, &target,
			     err) < 0 ||
	    need_layer(apply, &target, &layer, err) < 0 ||
	    scar_deploy_look(&apply->session, &target, layer, &found, err) < 0 ||
	    scar_plan_make(&target, layer, &found, &plan, err) < 0)
		return -1;
	changes = scar_plan_changes(&plan);
	if (apply->dry) {
		for (size_t i = 0; i < plan.count; i++) {
			if (plan.steps[i].action != SCAR_STEP_KEEP || apply->session.verbose)
				scar_deploy_tell(&apply->session, &plan.steps[i], true);
		}
		return 0;
	}
	if (scar_deploy_run(&apply->session, &target, layer, &found, &plan, err) < 0)
		return -1;
	if (function->preheat && preheat(apply, &target, err) < 0)
		return -1;
	return report(apply, &target, &found, changes, err);
}

static int print_report(struct apply *apply, struct scar_err *err)
{
	scar_json_auto struct scar_json *items = NULL;
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_JSON_BYTES);
	if (scar_buf_printf(&text, err, "[%s]", apply->report.data) < 0 ||
	    scar_json_parse(text.data, text.len, "report", &items, err) < 0)
		return -1;
	return scar_print_list(&apply->session, "Functions", items, columns, err);
}

static int apply_all(struct apply *apply, const struct scar_arguments *arguments,
		     char **environment, struct scar_err *err)
{
	scar_buf_init(&apply->report, SCAR_LIMIT_JSON_BYTES);
	if (scar_fdl_load(arguments, environment, &apply->fdl, err) < 0 ||
	    scar_fdl_check(&apply->fdl, err) < 0)
		return -1;
	if (scar_session_open(arguments, environment, &apply->session, err) < 0)
		return -1;
	if (apply->fdl.oscar_count)
		scar_session_note(&apply->session,
				  "%zu services for OSCAR clusters are left to oscar-cli",
				  apply->fdl.oscar_count);
	if (apply->fdl.functions[0].region &&
	    scar_aws_set_region(apply->session.aws, apply->fdl.functions[0].region, err) < 0)
		return -1;
	if (scar_sts_get_identity(apply->session.aws, &apply->identity, err) < 0)
		return -1;
	for (size_t i = 0; i < apply->fdl.count; i++) {
		if (apply_one(apply, &apply->fdl.functions[i], err) < 0)
			return -1;
	}
	return apply->dry ? 0 : print_report(apply, err);
}

int scar_apply_command(const struct scar_arguments *arguments, char **environment)
{
	struct apply apply = {.dry = scar_arguments_has(arguments, SCAR_OPTION_DRY_RUN)};
	struct scar_err err;
	int ret = 0;

	if (apply_all(&apply, arguments, environment, &err) < 0) {
		ret = scar_session_fail(&apply.session, &err);
		if (apply.session.aws && !apply.dry)
			fputs("scar: what was made stays; the next apply goes on from there, and rm removes it\n",
			      stderr);
	}
	clear(&apply);
	return ret;
}
