/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/api.h"
#include "deployer/arguments.h"
#include "deployer/aws/iam.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/logs.h"
#include "deployer/aws/s3.h"
#include "deployer/batch.h"
#include "deployer/commands.h"
#include "deployer/functions.h"
#include "deployer/plan.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define STATEMENT_PREFIX "scar-s3-"

/* Says what is gone, or would be. */
static void gone(const struct scar_session *session, const char *what, const char *name)
{
	bool dry = scar_arguments_has(session->arguments, SCAR_OPTION_DRY_RUN);

	fprintf(stdout, "%s%s %s\n", dry ? "would delete " : "deleted ", what, name);
}

static int remove_triggers(struct scar_session *session, const char *name, const char *arn,
			   bool dry, struct scar_err *err)
{
	scar_json_auto struct scar_json *policy = NULL;
	const struct scar_json *statement;

	if (scar_lambda_get_policy(session->aws, name, &policy, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	statement = scar_json_first(scar_json_get(policy, "Statement"));
	for (; statement; statement = scar_json_next(statement)) {
		const struct scar_json *like = scar_json_get(scar_json_get(statement, "Condition"),
							     "ArnLike");
		const char *source = scar_json_string(scar_json_get(like, "AWS:SourceArn"));
		const char *bucket = source ? strstr(source, ":s3:::") : NULL;
		bool changed = false;

		if (!bucket)
			continue;
		bucket += strlen(":s3:::");
		if (!dry &&
		    scar_s3_delete_trigger(session->aws, bucket, NULL, arn, &changed, err) < 0)
			return -1;
		if (dry || changed)
			gone(session, "triggers in bucket", bucket);
	}
	return 0;
}

/* Only one that we made, which its tag tells. */
static int remove_role(struct scar_session *session, const char *arn, bool dry,
		       struct scar_err *err)
{
	const char *slash = arn ? strrchr(arn, '/') : NULL;
	scar_free_auto char *tag = NULL;

	if (!slash || strncmp(slash + 1, "scar-", 5) != 0)
		return 0;
	if (scar_iam_get_role_tag(session->aws, slash + 1, SCAR_TAG_CREATED_BY, &tag, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	if (!tag || strcmp(tag, SCAR_TAG_MADE_BY) != 0)
		return 0;
	if (!dry && scar_iam_delete_role(session->aws, slash + 1, err) < 0)
		return -1;
	gone(session, "role", slash + 1);
	return 0;
}

/* After the function, which else would make it again. */
static int remove_logs(struct scar_session *session, const char *name, bool dry,
		       struct scar_err *err)
{
	bool deleted = true;
	char group[128];

	if (scar_arguments_has(session->arguments, SCAR_OPTION_KEEP_LOGS))
		return 0;
	snprintf(group, sizeof group, "/aws/lambda/%s", name);
	if (!dry && scar_logs_delete_group(session->aws, group, &deleted, err) < 0)
		return -1;
	if (deleted)
		gone(session, "log group", group);
	return 0;
}

static int remove_api(struct scar_session *session, const struct scar_json *configuration, bool dry,
		      struct scar_err *err)
{
	struct scar_api api;

	if (!scar_api_of(configuration, &api))
		return 0;
	if (!dry && scar_api_delete(session->aws, &api, err) < 0)
		return -1;
	gone(session, "API", api.id);
	return 0;
}

static int remove_batch(struct scar_session *session, const char *name, bool dry,
			struct scar_err *err)
{
	bool deleted = true;

	if (!dry && scar_batch_remove(session, name, &deleted, err) < 0)
		return -1;
	if (deleted)
		gone(session, "Batch queue, environment and job definitions", name);
	return 0;
}

/* A mode that was once Batch's leaves its mark in the variables. */
static bool has_batch(const struct scar_json *configuration)
{
	const char *mode = scar_functions_variable(configuration, "SCAR_EXECUTION_MODE");

	return mode && strcmp(mode, "lambda") != 0;
}

static int remove_one(struct scar_session *session, const char *name, struct scar_err *err)
{
	bool dry = scar_arguments_has(session->arguments, SCAR_OPTION_DRY_RUN);
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *configuration;
	const char *arn;

	if (scar_lambda_get(session->aws, name, &answer, err) < 0) {
		if (err->kind == SCAR_ERR_NOT_FOUND &&
		    scar_arguments_has(session->arguments, SCAR_OPTION_IGNORE_MISSING))
			return remove_logs(session, name, dry, err);
		return -1;
	}
	configuration = scar_json_get(answer, "Configuration");
	if (scar_json_need_string(configuration, "FunctionArn", "GetFunction", &arn, err) < 0 ||
	    remove_triggers(session, name, arn, dry, err) < 0 ||
	    remove_api(session, configuration, dry, err) < 0 ||
	    (has_batch(configuration) && remove_batch(session, name, dry, err) < 0) ||
	    (!dry && scar_lambda_delete(session->aws, name, err) < 0))
		return -1;
	gone(session, "function", name);
	if (remove_logs(session, name, dry, err) < 0)
		return -1;
	return remove_role(session, scar_json_string(scar_json_get(configuration, "Role")), dry,
			   err);
}

/* Goes on with the others after a failure; the first one is told last. */
static int remove_all(struct scar_session *session, struct scar_err *err)
{
	struct scar_fdl_list names = {0};
	struct scar_err first;
	int ret = 0;

	if (scar_functions_names(session, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count && !*scar_session_interrupted(); i++) {
		if (remove_one(session, names.items[i], err) == 0)
			continue;
		(void)scar_err_wrap(err, "function %s", names.items[i]);
		if (ret < 0)
			(void)scar_session_fail(session, err);
		else
			first = *err;
		ret = -1;
	}
	scar_fdl_list_clear(&names);
	if (ret < 0)
		*err = first;
	return ret;
}

int scar_rm_command(const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct scar_err err;

	if (scar_session_open(arguments, environment, &session, &err) < 0 ||
	    remove_all(&session, &err) < 0)
		return scar_session_fail(&session, &err);
	return 0;
}
