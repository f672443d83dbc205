/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/functions.h"

#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/aws.h"
#include "deployer/aws/lambda.h"
#include "deployer/plan.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

const char *scar_functions_variable(const struct scar_json *configuration, const char *name)
{
	const struct scar_json *environment = scar_json_get(configuration, "Environment");

	return scar_json_string(scar_json_get(scar_json_get(environment, "Variables"), name));
}

bool scar_functions_is_ours(const struct scar_json *configuration)
{
	return scar_functions_variable(configuration, "IMAGE_ID") != NULL;
}

static int note_name(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	const char *name = scar_json_string(scar_json_get(item, "FunctionName"));

	return name && scar_functions_is_ours(item) ? scar_fdl_list_add(ctx, name, err) : 0;
}

static int take_file(struct scar_session *session, struct scar_fdl_list *names,
		     struct scar_err *err)
{
	scar_fdl_auto struct scar_fdl fdl = {0};

	if (scar_fdl_load(session->arguments, session->environment, &fdl, err) < 0)
		return -1;
	for (size_t i = 0; i < fdl.count; i++) {
		const struct scar_fdl_function *function = &fdl.functions[i];

		if (!function->name)
			return scar_err_set(err, SCAR_ERR_CONFIG,
					    "function %zu of the file has no name", i + 1);
		if (function->region &&
		    scar_aws_set_region(session->aws, function->region, err) < 0)
			return -1;
		if (scar_fdl_list_add(names, function->name, err) < 0)
			return -1;
	}
	return 0;
}

static int collect(struct scar_session *session, struct scar_fdl_list *names, struct scar_err *err)
{
	if (scar_arguments_has(session->arguments, SCAR_OPTION_ALL))
		return scar_lambda_list(session->aws, note_name, names, err);
	if (scar_arguments_has(session->arguments, SCAR_OPTION_FILE) ||
	    scar_arguments_has(session->arguments, SCAR_OPTION_NAME))
		return take_file(session, names, err);
	return scar_err_set(err, SCAR_ERR_CONFIG, "which function? --name, or --conf-file");
}

int scar_functions_names(struct scar_session *session, struct scar_fdl_list *ret_names,
			 struct scar_err *err)
{
	struct scar_fdl_list names = {0};

	if (collect(session, &names, err) < 0) {
		scar_fdl_list_clear(&names);
		return -1;
	}
	*ret_names = names;
	return 0;
}

int scar_functions_name(struct scar_session *session, char **ret_name, struct scar_err *err)
{
	struct scar_fdl_list names = {0};
	int ret = -1;

	if (scar_functions_names(session, &names, err) < 0)
		return -1;
	if (names.count != 1)
		(void)scar_err_set(err, SCAR_ERR_CONFIG,
				   "the file has %zu functions: name one with --name", names.count);
	else if (!(*ret_name = strdup(names.items[0])))
		(void)scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	else
		ret = 0;
	scar_fdl_list_clear(&names);
	return ret;
}
