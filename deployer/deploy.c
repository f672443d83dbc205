/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/api.h"
#include "deployer/aws/apigateway.h"
#include "deployer/aws/iam.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/logs.h"
#include "deployer/aws/s3.h"
#include "deployer/aws/sts.h"
#include "deployer/batch.h"
#include "deployer/package.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define HANDLER "bootstrap"
#define DEFAULT_DESCRIPTION "Made by scar"
#define POLICY_NAME "scar"
#define API_STATEMENT "scar-api"
#define NAMES_MAX 64
#define DEFAULT_RETRIES 2 /* Lambda's own */

/* Nothing there is no failure when one looks. */
static int or_nothing(int ret, struct scar_err *err)
{
	if (ret == 0 || err->kind != SCAR_ERR_NOT_FOUND)
		return ret;
	scar_err_clear(err);
	return 0;
}

/* ---- looking ---- */

struct trigger_search {
	const struct scar_target *target;
	const char *bucket;
	struct scar_fdl_list *triggers;
};

/* Takes note of entries that are as an input wants them. */
static int note_trigger(void *ctx, const struct scar_s3_trigger *trigger, struct scar_err *err)
{
	const struct trigger_search *search = ctx;
	const struct scar_fdl_places *inputs = &search->target->function->inputs;

	for (size_t i = 0; i < inputs->count; i++) {
		char bucket[64], prefix[1100], id[128];

		scar_plan_prefix(&inputs->items[i], bucket, prefix);
		scar_plan_trigger_id(search->target->function, &inputs->items[i], id);
		if (strcmp(bucket, search->bucket) == 0 && trigger->id &&
		    strcmp(trigger->id, id) == 0 && trigger->function_arn &&
		    strcmp(trigger->function_arn, search->target->arn) == 0 &&
		    strcmp(trigger->prefix ? trigger->prefix : "", prefix) == 0)
			return scar_fdl_list_add(search->triggers, id, err);
	}
	return 0;
}

static int look_at_buckets(struct scar_session *session, const struct scar_target *target,
			   struct scar_found *found, struct scar_err *err)
{
	struct scar_fdl_list buckets = {0};
	int ret = scar_plan_buckets(target, &buckets, err);

	for (size_t i = 0; ret == 0 && i < buckets.count; i++) {
		char region[64];
		struct trigger_search search = {target, buckets.items[i], &found->triggers};

		ret = scar_s3_bucket_region(session->aws, buckets.items[i], region, err);
		if (ret < 0) {
			ret = or_nothing(ret, err);
			continue;
		}
		ret = scar_fdl_list_add(&found->buckets, buckets.items[i], err);
		if (ret == 0 && target->function->inputs.count)
			ret = or_nothing(scar_s3_list_triggers(session->aws, buckets.items[i],
							       note_trigger, &search, err),
					 err);
	}
	scar_fdl_list_clear(&buckets);
	return ret;
}

static int no_event(void *ctx, const struct scar_logs_event *event, struct scar_err *err)
{
	(void)ctx;
	(void)event;
	(void)err;
	return 0;
}

/* A group can be asked for events only; of one millisecond, so that there are none. */
static int look_at_logs(struct scar_session *session, const struct scar_target *target,
			struct scar_found *found, struct scar_err *err)
{
	const int64_t now = scar_clock_epoch_ms();
	const struct scar_logs_query query = {
		.group = target->log_group, .since_ms = now - 1, .until_ms = now};

	if (scar_logs_filter(session->aws, &query, no_event, NULL, err) < 0)
		return or_nothing(-1, err);
	found->log_group = true;
	return 0;
}

static int look_at_api(struct scar_session *session, const struct scar_fdl_function *function,
		       struct scar_found *found, struct scar_err *err)
{
	const struct scar_json *configuration = scar_json_get(found->function, "Configuration");
	const struct scar_api wanted = {.stage = scar_api_stage(function)};
	struct scar_api api;

	if (!scar_api_of(configuration, &api))
		return 0;
	if (scar_api_find(session->aws, &api, err) < 0)
		return or_nothing(-1, err);
	if (function->api_name && scar_api_is_http(&api) != scar_api_is_http(&wanted))
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"function %s: its API %s is %s, and cannot become another: scar "
			"rm the function and apply it again, which gives it another URL",
			function->name, api.id,
			scar_api_is_http(&api) ? "an HTTP API" : "a REST API");
	found->api = strdup(api.id);
	found->api_stage = api.stage ? strdup(api.stage) : NULL;
	return found->api && (found->api_stage || !api.stage)
		       ? 0
		       : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int look_at_role(struct scar_session *session, const struct scar_target *target,
			struct scar_found *found, struct scar_err *err)
{
	scar_free_auto char *arn = NULL;

	if (!target->role_name)
		return 0;
	if (scar_iam_get_role(session->aws, target->role_name, &arn, err) < 0)
		return or_nothing(-1, err);
	found->role = true;
	return 0;
}

static int look_at_url(struct scar_session *session, const struct scar_target *target,
		       struct scar_found *found, struct scar_err *err)
{
	if (!found->function || !scar_plan_wants_url(target->function))
		return 0;
	if (or_nothing(scar_lambda_get_url(session->aws, target->function->name, &found->url, err),
		       err) < 0)
		return -1;
	if (!found->url)
		return 0;
	found->function_url = strdup(scar_json_string(scar_json_get(found->url, "FunctionUrl"))
					     ?: "");
	return found->function_url ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* The version that is asked for has to be there; the latest is ours. */
static int look_at_layer(struct scar_session *session, const struct scar_target *target,
			 const struct scar_layer *layer, struct scar_found *found,
			 struct scar_err *err)
{
	const char *name = target->function->layer_name;
	const char *version = target->function->supervisor_version;

	if (version && strcmp(version, "latest") != 0)
		return scar_layer_find_version(session->aws, name, version, target->architecture,
					       &found->layer, err);
	return scar_layer_find(session->aws, name, layer, &found->layer, err);
}

int scar_deploy_look(struct scar_session *session, const struct scar_target *target,
		     const struct scar_layer *layer, struct scar_found *ret_found,
		     struct scar_err *err)
{
	scar_found_auto struct scar_found found = {0};
	const char *name = target->function->name;

	if (or_nothing(scar_lambda_get(session->aws, name, &found.function, err), err) < 0 ||
	    (found.function &&
	     or_nothing(scar_lambda_get_policy(session->aws, name, &found.policy, err), err) < 0) ||
	    look_at_role(session, target, &found, err) < 0 ||
	    look_at_buckets(session, target, &found, err) < 0 ||
	    look_at_logs(session, target, &found, err) < 0 ||
	    look_at_api(session, target->function, &found, err) < 0 ||
	    look_at_url(session, target, &found, err) < 0)
		return -1;
	if (target->batch && scar_batch_find(session->aws, name, &found.jobs, err) < 0)
		return -1;
	if (layer && look_at_layer(session, target, layer, &found, err) < 0)
		return -1;
	*ret_found = found;
	found = (struct scar_found){0};
	return 0;
}

/* ---- doing ---- */

struct work {
	struct scar_session *session;
	const struct scar_target *target;
	const struct scar_layer *layer;
	struct scar_found *found;
};

static int put_role(const struct work *work, struct scar_err *err)
{
	const struct scar_aws_pair tags[] = {{SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY}};
	const struct scar_batch *batch = work->target->batch;
	char managed[160];
	const char *const list[] = {managed, NULL};
	const struct scar_iam_role role = {
		.name = work->target->role_name,
		/* On Fargate it pulls the image and writes the log, too. */
		.managed = batch && batch->fargate ? list : NULL,
		.description = DEFAULT_DESCRIPTION,
		/* A job has the function's role. */
		.also = batch ? "ecs-tasks.amazonaws.com" : NULL,
		.policy_name = POLICY_NAME,
		.policy = work->target->policy.data,
		.tags = tags,
		.tag_count = 1,
	};
	scar_free_auto char *arn = NULL;

	snprintf(managed, sizeof managed,
		 "arn:%s:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
		 work->target->identity->partition);
	return scar_iam_put_role(work->session->aws, &role, &arn, NULL, err);
}

static int put_api(const struct work *work, struct scar_err *err)
{
	return scar_api_create(work->session->aws, work->target->function, work->target->arn,
			       &work->found->api, err);
}

static int allow_api(const struct work *work, struct scar_err *err)
{
	scar_buf_auto struct scar_buf source;
	struct scar_lambda_permission permission = {.statement_id = API_STATEMENT,
						    .principal = "apigateway.amazonaws.com"};

	scar_buf_init(&source, SCAR_KIB(4));
	if (scar_apigateway_source(work->session->aws, work->target->identity->account,
				   work->found->api, &source, err) < 0)
		return -1;
	permission.source_arn = source.data;
	/* An API that was made anew needs a permission of its own. */
	if (scar_lambda_remove_permission(work->session->aws, work->target->function->name,
					  API_STATEMENT, err) < 0)
		return -1;
	return scar_lambda_add_permission(work->session->aws, work->target->function->name,
					  &permission, NULL, err);
}

/* Small packages travel in the request, others through the deployment bucket. */
static int place_code(const struct work *work, struct scar_lambda_code *ret_code, char key[128],
		      struct scar_err *err)
{
	const struct scar_buf *package = &work->target->package;
	const char *bucket = work->target->function->deployment_bucket;

	if (!bucket && package->len <= SCAR_PACKAGE_DIRECT_MAX) {
		*ret_code = (struct scar_lambda_code){.zip = package->data,
						      .zip_len = package->len};
		return 0;
	}
	if (!bucket)
		return scar_err_set(
			err, SCAR_ERR_LIMIT,
			"the package has %zu MB, more than a request takes: name a bucket with "
			"lambda.deployment.bucket or --deployment-bucket",
			package->len >> 20);
	snprintf(key, 128, "lambda/%s.zip", work->target->function->name);
	if (scar_s3_put(work->session->aws,
			&(struct scar_s3_put){.bucket = bucket,
					      .key = key,
					      .fd = -1,
					      .data = package->data,
					      .size_bytes = package->len,
					      .content_type = "application/zip"},
			err) < 0)
		return -1;
	*ret_code = (struct scar_lambda_code){.s3_bucket = bucket, .s3_key = key};
	return 0;
}

/* What scar_lambda_function borrows. */
struct lists {
	struct scar_aws_pair *environment;
	struct scar_lambda_mount *mounts;
	const char *layers[NAMES_MAX + 1];
	struct scar_aws_pair tags[3];
};

static void clear_lists(struct lists *lists)
{
	free(lists->environment);
	free(lists->mounts);
}

static int fill_lists(const struct work *work, struct scar_lambda_function *function,
		      struct lists *lists, struct scar_err *err)
{
	const struct scar_target *target = work->target;
	const struct scar_fdl_function *wanted = target->function;
	const char *stage = scar_plan_api_stage(target, work->found);
	size_t count = 0;

	lists->environment = calloc(target->environment.count + 2, sizeof *lists->environment);
	lists->mounts = calloc(wanted->mounts.count + 1, sizeof *lists->mounts);
	if (!lists->environment || !lists->mounts)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < target->environment.count; i++)
		lists->environment[i] = (struct scar_aws_pair){target->environment.items[i].name,
							       target->environment.items[i].value};
	function->environment_count = target->environment.count;
	if (work->found->api)
		lists->environment[function->environment_count++] = (struct scar_aws_pair){
			SCAR_API_VARIABLE, work->found->api};
	if (stage)
		lists->environment[function->environment_count++] = (struct scar_aws_pair){
			SCAR_API_STAGE_VARIABLE, stage};
	function->environment = lists->environment;
	for (size_t i = 0; i < wanted->mounts.count; i++)
		lists->mounts[i] = (struct scar_lambda_mount){wanted->mounts.items[i].provider,
							      wanted->mounts.items[i].path};
	function->mounts = lists->mounts;
	function->mount_count = wanted->mounts.count;
	for (size_t i = 0; i < wanted->layers.count && count < NAMES_MAX; i++)
		lists->layers[count++] = wanted->layers.items[i];
	if (work->layer)
		lists->layers[count++] = work->found->layer;
	function->layers = lists->layers;
	return 0;
}

static void describe(const struct work *work, struct scar_lambda_function *function)
{
	const struct scar_target *target = work->target;
	const struct scar_fdl_function *wanted = target->function;

	*function = (struct scar_lambda_function){
		.name = wanted->name,
		.role = target->role,
		.runtime = target->runtime,
		.handler = HANDLER,
		.description = wanted->description,
		.timeout_s = target->timeout_s,
		.memory_mb = target->memory_mb,
		.storage_mb = target->storage_mb,
		.subnet_ids = (const char *const *)wanted->subnets.items,
		.security_group_ids = (const char *const *)wanted->security_groups.items,
	};
}

static size_t write_tags(const struct work *work, struct scar_aws_pair tags[3])
{
	tags[0] = (struct scar_aws_pair){SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY};
	tags[1] = (struct scar_aws_pair){SCAR_TAG_STATE, work->target->state};
	tags[2] = (struct scar_aws_pair){SCAR_TAG_OWNER, work->target->identity->name};
	return *work->target->identity->name ? 3 : 2;
}

static int create_function(const struct work *work, struct scar_err *err)
{
	struct scar_lambda_function function;
	struct lists lists = {0};
	char key[128];
	int ret = -1;

	describe(work, &function);
	function.architecture = work->target->architecture;
	if (!function.description)
		function.description = DEFAULT_DESCRIPTION;
	function.tags = lists.tags;
	function.tag_count = write_tags(work, lists.tags);
	/* One that is empty is not said at all. */
	if (fill_lists(work, &function, &lists, err) == 0 &&
	    place_code(work, &function.code, key, err) == 0) {
		if (!lists.layers[0])
			function.layers = NULL;
		ret = scar_lambda_create(work->session->aws, &function, NULL, err);
	}
	clear_lists(&lists);
	return ret == 0 ? scar_lambda_wait(work->session->aws, function.name, 0, err) : -1;
}

static int change_configuration(const struct work *work, struct scar_err *err)
{
	struct scar_lambda_function function;
	struct lists lists = {0};
	int ret;

	describe(work, &function);
	ret = fill_lists(work, &function, &lists, err);
	if (ret == 0)
		ret = scar_lambda_update_configuration(work->session->aws, &function, NULL, err);
	clear_lists(&lists);
	return ret == 0 ? scar_lambda_wait(work->session->aws, function.name, 0, err) : -1;
}

static int change_code(const struct work *work, struct scar_err *err)
{
	const char *name = work->target->function->name;
	struct scar_lambda_code code;
	char key[128];

	if (place_code(work, &code, key, err) < 0 ||
	    scar_lambda_update_code(work->session->aws, name, &code, work->target->architecture,
				    NULL, err) < 0)
		return -1;
	return scar_lambda_wait(work->session->aws, name, 0, err);
}

static int put_tags(const struct work *work, struct scar_err *err)
{
	struct scar_aws_pair tags[3];
	size_t count = write_tags(work, tags);

	return scar_lambda_tag(work->session->aws, work->target->arn, tags, count, err);
}

static int put_trigger(const struct work *work, size_t index, struct scar_err *err)
{
	const struct scar_fdl_function *function = work->target->function;
	const struct scar_fdl_place *input = &function->inputs.items[index];
	char bucket[64], prefix[1100], id[128], statement[128], source[128];
	const struct scar_lambda_permission permission = {
		.statement_id = statement,
		.principal = "s3.amazonaws.com",
		.source_arn = source,
		.source_account = work->target->identity->account,
	};
	const struct scar_s3_trigger trigger = {
		.bucket = bucket,
		.id = id,
		.function_arn = work->target->arn,
		.prefix = prefix,
	};

	scar_plan_prefix(input, bucket, prefix);
	scar_plan_trigger_id(function, input, id);
	scar_plan_statement_id(bucket, statement);
	snprintf(source, sizeof source, "arn:%s:s3:::%s", work->target->identity->partition,
		 bucket);
	if (scar_lambda_add_permission(work->session->aws, function->name, &permission, NULL, err) <
	    0)
		return -1;
	return scar_s3_put_trigger(work->session->aws, &trigger, NULL, err);
}

static int put_url(const struct work *work, struct scar_err *err)
{
	const struct scar_fdl_function *function = work->target->function;
	const struct scar_lambda_url url = {
		.iam = function->url_auth && strcmp(function->url_auth, "AWS_IAM") == 0,
		.stream = function->url_mode && strcmp(function->url_mode, "RESPONSE_STREAM") == 0,
	};

	free(work->found->function_url);
	work->found->function_url = NULL;
	return scar_lambda_put_url(work->session->aws, function->name, &url,
				   &work->found->function_url, err);
}

static int put_limits(const struct work *work, struct scar_err *err)
{
	const struct scar_fdl_function *function = work->target->function;
	struct scar_aws *aws = work->session->aws;

	if (function->reserved &&
	    scar_lambda_put_concurrency(aws, function->name, function->reserved, err) < 0)
		return -1;
	if (!function->retries.said && !function->event_age_s)
		return 0;
	return scar_lambda_put_retries(aws, function->name,
				       function->retries.said ? function->retries.value
							      : DEFAULT_RETRIES,
				       function->event_age_s, err);
}

static int run_step(const struct work *work, const struct scar_step *step, struct scar_err *err)
{
	struct scar_aws *aws = work->session->aws;
	const struct scar_target *target = work->target;

	switch (step->kind) {
	case SCAR_STEP_BUCKET: return scar_s3_create_bucket(aws, step->name, NULL, err);
	case SCAR_STEP_ROLE: return put_role(work, err);
	case SCAR_STEP_LAYER:
		return scar_layer_publish(aws, target->function->layer_name, work->layer,
					  &work->found->layer, err);
	case SCAR_STEP_JOB_RUNTIME: return scar_batch_upload(work->session, target, err);
	case SCAR_STEP_JOB_QUEUE: return scar_batch_place(work->session, target, err);
	case SCAR_STEP_JOB_DEFINITION: return scar_batch_define(work->session, target, err);
	case SCAR_STEP_API: return put_api(work, err);
	case SCAR_STEP_CREATE: return create_function(work, err);
	case SCAR_STEP_CODE: return change_code(work, err);
	case SCAR_STEP_CONFIGURATION: return change_configuration(work, err);
	case SCAR_STEP_TAGS: return put_tags(work, err);
	case SCAR_STEP_LOGS:
		return scar_logs_create_group(aws, target->log_group, NULL, 0, NULL, err);
	case SCAR_STEP_RETENTION:
		return scar_logs_set_retention(aws, target->log_group, target->retention_days, err);
	case SCAR_STEP_TRIGGER: return put_trigger(work, step->index, err);
	case SCAR_STEP_API_PERMISSION: return allow_api(work, err);
	case SCAR_STEP_URL: return put_url(work, err);
	case SCAR_STEP_LIMITS: return put_limits(work, err);
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "a step without meaning");
}

void scar_deploy_tell(const struct scar_session *session, const struct scar_step *step, bool dry)
{
	static const char signs[] = "=+~";
	static const char *const colours[] = {"", "\033[32m", "\033[33m"};
	bool coloured = session->colour && !dry && step->action != SCAR_STEP_KEEP;

	fprintf(dry ? stdout : stderr, "%s%c %s %s%s%s%s\n", coloured ? colours[step->action] : "",
		signs[step->action], scar_step_noun(step->kind), step->name,
		step->detail ? ": " : "", step->detail ? step->detail : "",
		coloured ? "\033[0m" : "");
}

int scar_deploy_run(struct scar_session *session, const struct scar_target *target,
		    const struct scar_layer *layer, struct scar_found *found,
		    const struct scar_plan *plan, struct scar_err *err)
{
	const struct work work = {session, target, layer, found};

	for (size_t i = 0; i < plan->count; i++) {
		const struct scar_step *step = &plan->steps[i];

		if (step->action == SCAR_STEP_KEEP) {
			if (session->verbose)
				scar_deploy_tell(session, step, false);
			continue;
		}
		if (run_step(&work, step, err) < 0)
			return scar_err_wrap(err, "function %s: %s %s", target->function->name,
					     scar_step_noun(step->kind), step->name);
		scar_deploy_tell(session, step, false);
	}
	return 0;
}
