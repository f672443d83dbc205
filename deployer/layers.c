/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/commands.h"
#include "deployer/layer.h"
#include "deployer/plan.h"
#include "deployer/print.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

static const struct scar_column columns[] = {
	{"NAME", "Name"},           {"VERSION", "Version"},     {"DESCRIPTION", "Description"},
	{"CREATED", "CreatedDate"}, {"ARN", "LayerVersionArn"}, {NULL, NULL},
};

static const char *architecture_of(const struct scar_arguments *arguments)
{
	const char *wanted = scar_arguments_get(arguments, SCAR_OPTION_ARCHITECTURE);

	return wanted ? wanted : scar_layer_host_architecture();
}

/* ---- build ---- */

int scar_layer_build_command(const struct scar_arguments *arguments, char **environment)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_TO);
	const struct scar_session session = {.arguments = arguments, .environment = environment};
	scar_layer_auto struct scar_layer layer = {0};
	struct scar_err err;

	if (!path)
		path = SCAR_LAYER_NAME ".zip";
	if (scar_layer_read(arguments, architecture_of(arguments), &layer, &err) < 0 ||
	    scar_fs_write_file(AT_FDCWD, path, 0644, layer.zip.data, layer.zip.len, &err) < 0)
		return scar_session_fail(&session, &err);
	printf("%s\n", path);
	return 0;
}

/* ---- publish ---- */

static int publish(struct scar_session *session, struct scar_err *err)
{
	scar_layer_auto struct scar_layer layer = {0};
	scar_free_auto char *arn = NULL;

	if (scar_layer_read(session->arguments, architecture_of(session->arguments), &layer, err) <
		    0 ||
	    scar_layer_find(session->aws, NULL, &layer, &arn, err) < 0)
		return -1;
	if (arn)
		scar_session_note(session, "this layer is there already");
	else if (scar_layer_publish(session->aws, NULL, &layer, &arn, err) < 0)
		return -1;
	printf("%s\n", arn);
	return 0;
}

int scar_layer_publish_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    publish(&session, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}

/* ---- ls ---- */

static int add_version(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct scar_buf *items = ctx;
	scar_buf_auto struct scar_buf one;

	scar_buf_init(&one, SCAR_MIB(1));
	if (scar_json_print(item, &one, err) < 0)
		return -1;
	/* The name, which AWS does not repeat, comes first in the object. */
	return scar_buf_printf(items, err, "%s{\"Name\":\"" SCAR_LAYER_NAME "\"%s%s",
			       items->len > 1 ? "," : "", one.len > 2 ? "," : "", one.data + 1);
}

static int read_versions(struct scar_session *session, struct scar_json **ret_versions,
			 struct scar_err *err)
{
	scar_buf_auto struct scar_buf items;

	scar_buf_init(&items, SCAR_LIMIT_JSON_BYTES);
	if (scar_buf_append_char(&items, '[', err) < 0)
		return -1;
	if (scar_lambda_list_layer_versions(session->aws, SCAR_LAYER_NAME, add_version, &items,
					    err) < 0 &&
	    err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (scar_buf_append_char(&items, ']', err) < 0)
		return -1;
	return scar_json_parse(items.data, items.len, "versions", ret_versions, err);
}

int scar_layer_ls_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	scar_json_auto struct scar_json *versions = NULL;
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    read_versions(&session, &versions, &err) < 0 ||
	    scar_print_list(&session, "Layers", versions, columns, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}

/* ---- prune ---- */

static int note_layers(void *ctx, const struct scar_json *configuration, struct scar_err *err)
{
	const struct scar_json *layer = scar_json_first(scar_json_get(configuration, "Layers"));

	for (; layer; layer = scar_json_next(layer)) {
		const char *arn = scar_json_string(scar_json_get(layer, "Arn"));

		if (arn && scar_fdl_list_add(ctx, arn, err) < 0)
			return -1;
	}
	return 0;
}

/* Versions come newest first. */
static int prune(struct scar_session *session, const struct scar_fdl_list *used,
		 struct scar_err *err)
{
	bool dry = scar_arguments_has(session->arguments, SCAR_OPTION_DRY_RUN);
	scar_json_auto struct scar_json *versions = NULL;
	const struct scar_json *version;
	int64_t keep = 1, number;

	if (scar_arguments_int(session->arguments, SCAR_OPTION_KEEP, 0, 1000, &keep, err) < 0 ||
	    read_versions(session, &versions, err) < 0)
		return -1;
	for (version = scar_json_first(versions); version; version = scar_json_next(version)) {
		const char *arn = scar_json_string(scar_json_get(version, "LayerVersionArn"));

		if (keep-- > 0 || !arn || scar_fdl_list_has(used, arn) ||
		    scar_json_int(scar_json_get(version, "Version"), &number) < 0)
			continue;
		if (!dry &&
		    scar_lambda_delete_layer(session->aws, SCAR_LAYER_NAME, number, err) < 0)
			return -1;
		printf("%s%s\n", dry ? "would delete " : "deleted ", arn);
	}
	return 0;
}

int scar_layer_prune_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_fdl_list used = {0};
	struct scar_err err;
	int ret = -1;

	if (scar_session_open(arguments, environment, &session, &err) == 0 &&
	    scar_lambda_list(session.aws, note_layers, &used, &err) == 0)
		ret = prune(&session, &used, &err);
	scar_fdl_list_clear(&used);
	return ret < 0 ? scar_session_fail(&session, &err) : 0;
}
