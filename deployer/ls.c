/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "deployer/api.h"
#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/s3.h"
#include "deployer/commands.h"
#include "deployer/functions.h"
#include "deployer/layer.h"
#include "deployer/plan.h"
#include "deployer/print.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

#define VERSIONS_MAX 1000

/* The keys are SCAR's. */
static const struct scar_column function_columns[] = {
	{"NAME", "Name"},
	{"MEMORY", "Memory"},
	{"TIME", "Timeout"},
	{"IMAGE_ID", "Image_id"},
	{"API_URL", "Api_gateway"},
	{"SUPERVISOR_VERSION", "Sup_version"},
	{NULL, NULL},
};

/* ---- functions ---- */

struct listing {
	struct scar_session *session;
	struct scar_buf items;      /* of functions, without brackets */
	struct scar_json *versions; /* of the layer; read when the first function has it */
	bool versions_read;
};

static int append_item(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct scar_buf *items = ctx;

	if (items->len && scar_buf_append_char(items, ',', err) < 0)
		return -1;
	return scar_json_print(item, items, err);
}

/* "[a,b]" of what was appended. */
static int close_list(const struct scar_buf *items, struct scar_json **ret_list,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_JSON_BYTES);
	if (scar_buf_printf(&text, err, "[%s]", items->data) < 0)
		return -1;
	return scar_json_parse(text.data, text.len, "list", ret_list, err);
}

static int read_versions(struct listing *listing, struct scar_err *err)
{
	scar_buf_auto struct scar_buf items;

	if (listing->versions_read)
		return 0;
	listing->versions_read = true;
	scar_buf_init(&items, SCAR_LIMIT_JSON_BYTES);
	if (scar_lambda_list_layer_versions(listing->session->aws, SCAR_LAYER_NAME, append_item,
					    &items, err) < 0 &&
	    err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	return close_list(&items, &listing->versions, err);
}

/* The description of the function's version of the layer, up to its first space; "package" without layer. */
static int find_version(struct listing *listing, const struct scar_json *configuration,
			char version[128], struct scar_err *err)
{
	const struct scar_json *layer = scar_json_first(scar_json_get(configuration, "Layers"));
	const struct scar_json *item;

	snprintf(version, 128, "package");
	for (; layer; layer = scar_json_next(layer)) {
		const char *arn = scar_json_string(scar_json_get(layer, "Arn"));

		if (!arn || !strstr(arn, ":layer:" SCAR_LAYER_NAME ":"))
			continue;
		snprintf(version, 128, "%s", strrchr(arn, ':') + 1);
		if (read_versions(listing, err) < 0)
			return -1;
		for (item = scar_json_first(listing->versions); item; item = scar_json_next(item)) {
			const char *own = scar_json_string(scar_json_get(item, "LayerVersionArn"));
			const char *text = scar_json_string(scar_json_get(item, "Description"));

			if (own && text && strcmp(own, arn) == 0)
				snprintf(version, 128, "%.*s", (int)strcspn(text, " "), text);
		}
	}
	return 0;
}

static int add_function(void *ctx, const struct scar_json *configuration, struct scar_err *err)
{
	struct listing *listing = ctx;
	struct scar_api api;
	bool has_api = scar_api_of(configuration, &api);
	scar_buf_auto struct scar_buf url;
	struct scar_json_writer writer;
	int64_t memory = 128, timeout = 3;
	char version[128];

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (!scar_functions_is_ours(configuration))
		return 0;
	if (find_version(listing, configuration, version, err) < 0 ||
	    (has_api && scar_api_url(listing->session->aws, &api, &url, err) < 0) ||
	    (listing->items.len && scar_buf_append_char(&listing->items, ',', err) < 0))
		return -1;
	scar_json_int(scar_json_get(configuration, "MemorySize"), &memory);
	scar_json_int(scar_json_get(configuration, "Timeout"), &timeout);
	scar_json_writer_init(&writer, &listing->items, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_string(&writer, "Name",
			       scar_json_string(scar_json_get(configuration, "FunctionName")));
	scar_json_write_int(&writer, "Memory", memory);
	scar_json_write_int(&writer, "Timeout", timeout);
	scar_json_write_string(&writer, "Image_id",
			       scar_functions_variable(configuration, "IMAGE_ID"));
	scar_json_write_string(&writer, "Api_gateway", has_api ? url.data : "-");
	scar_json_write_string(&writer, "Sup_version", version);
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}

static int list_functions(struct scar_session *session, struct scar_err *err)
{
	struct listing listing = {.session = session};
	scar_json_auto struct scar_json *items = NULL;
	int ret = -1;

	scar_buf_init(&listing.items, SCAR_LIMIT_JSON_BYTES);
	if (scar_lambda_list(session->aws, add_function, &listing, err) == 0 &&
	    close_list(&listing.items, &items, err) == 0)
		ret = scar_print_list(session, "Functions", items, function_columns, err);
	scar_buf_clear(&listing.items);
	scar_json_free(listing.versions);
	return ret;
}

/* ---- files ---- */

static int print_key(void *ctx, const struct scar_s3_object *object, struct scar_err *err)
{
	size_t len = strlen(object->key);

	(void)ctx;
	/* Folders are no files. */
	if (len == 0 || object->key[len - 1] == '/')
		return 0;
	if (printf("%s\n", object->key) < 0)
		return scar_err_set(err, SCAR_ERR_IO, "cannot write to standard output");
	return 0;
}

static int list_files(struct scar_session *session, const char *path, struct scar_err *err)
{
	char bucket[64];
	const char *prefix;

	scar_fdl_split(path, bucket, &prefix);
	return scar_s3_list(session->aws, bucket, prefix, print_key, NULL, err);
}

int scar_ls_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	const char *bucket = scar_arguments_get(arguments, SCAR_OPTION_BUCKET);
	struct scar_err err;
	int ret;

	if (scar_arguments_has(arguments, SCAR_OPTION_LIST_LAYERS))
		return scar_layer_ls_command(arguments, environment);
	if (scar_session_open(arguments, environment, &session, &err) < 0)
		return scar_session_fail(&session, &err);
	ret = bucket ? list_files(&session, bucket, &err) : list_functions(&session, &err);
	return ret < 0 ? scar_session_fail(&session, &err) : 0;
}

/* ---- one function ---- */

static int describe(struct scar_session *session, const char *name, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	scar_json_auto struct scar_json *policy = NULL;
	scar_json_auto struct scar_json *url = NULL;
	scar_json_auto struct scar_json *document = NULL;
	scar_buf_auto struct scar_buf text;
	struct scar_json_writer writer;

	scar_buf_init(&text, SCAR_LIMIT_JSON_BYTES);
	if (scar_lambda_get(session->aws, name, &answer, err) < 0)
		return -1;
	if ((scar_lambda_get_policy(session->aws, name, &policy, err) < 0 ||
	     scar_lambda_get_url(session->aws, name, &url, err) < 0) &&
	    err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	/* Without Code: its address is a secret for ten minutes. */
	scar_json_writer_init(&writer, &text, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_node(&writer, "Configuration", scar_json_get(answer, "Configuration"));
	scar_json_write_node(&writer, "Tags", scar_json_get(answer, "Tags"));
	scar_json_write_node(&writer, "Concurrency", scar_json_get(answer, "Concurrency"));
	scar_json_write_node(&writer, "Permissions", scar_json_get(policy, "Statement"));
	scar_json_write_string(&writer, "FunctionUrl",
			       scar_json_string(scar_json_get(url, "FunctionUrl")));
	scar_json_write_close(&writer, '}');
	if (scar_json_writer_end(&writer) < 0 ||
	    scar_json_parse(text.data, text.len, "description", &document, err) < 0)
		return -1;
	return scar_print_object(session, document, name, err);
}

int scar_describe_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	scar_free_auto char *name = NULL;
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    scar_functions_name(&session, &name, &err) < 0 || describe(&session, name, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}
