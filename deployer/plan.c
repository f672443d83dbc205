/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/api.h"
#include "deployer/batch.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define STEPS_MAX 1000
#define DETAIL_MAX 512
#define HANDLER "bootstrap"

/* ---- lists ---- */

int scar_fdl_list_add(struct scar_fdl_list *list, const char *text, struct scar_err *err)
{
	char **grown = reallocarray(list->items, list->count + 2, sizeof *grown);
	char *copy = strdup(text);

	if (grown)
		list->items = grown;
	if (!grown || !copy) {
		free(copy);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	grown[list->count++] = copy;
	grown[list->count] = NULL;
	return 0;
}

bool scar_fdl_list_has(const struct scar_fdl_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], text) == 0)
			return true;
	}
	return false;
}

void scar_fdl_list_clear(struct scar_fdl_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct scar_fdl_list){0};
}

void scar_found_clear(struct scar_found *found)
{
	scar_json_free(found->function);
	scar_json_free(found->policy);
	scar_fdl_list_clear(&found->buckets);
	scar_fdl_list_clear(&found->triggers);
	free(found->layer);
	free(found->api);
	free(found->api_stage);
	scar_json_free(found->url);
	free(found->function_url);
	*found = (struct scar_found){0};
}

void scar_plan_clear(struct scar_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->steps[i].name);
		free(plan->steps[i].detail);
	}
	free(plan->steps);
	*plan = (struct scar_plan){0};
}

size_t scar_plan_changes(const struct scar_plan *plan)
{
	size_t changes = 0;

	for (size_t i = 0; i < plan->count; i++)
		changes += plan->steps[i].action != SCAR_STEP_KEEP;
	return changes;
}

const char *scar_step_noun(enum scar_step_kind kind)
{
	switch (kind) {
	case SCAR_STEP_BUCKET: return "bucket";
	case SCAR_STEP_ROLE: return "role";
	case SCAR_STEP_LAYER: return "layer";
	case SCAR_STEP_JOB_RUNTIME: return "runtime of jobs";
	case SCAR_STEP_JOB_QUEUE: return "Batch queue";
	case SCAR_STEP_JOB_DEFINITION: return "job definition";
	case SCAR_STEP_API: return "API";
	case SCAR_STEP_CREATE: return "function";
	case SCAR_STEP_CODE: return "code of";
	case SCAR_STEP_CONFIGURATION: return "settings of";
	case SCAR_STEP_TAGS: return "tags of";
	case SCAR_STEP_LOGS: return "log group";
	case SCAR_STEP_RETENTION: return "retention of";
	case SCAR_STEP_TRIGGER: return "trigger";
	case SCAR_STEP_API_PERMISSION: return "permission of API";
	case SCAR_STEP_URL: return "URL of";
	case SCAR_STEP_LIMITS: return "limits of";
	}
	return "?";
}

/* ---- names ---- */

int scar_plan_buckets(const struct scar_target *target, struct scar_fdl_list *buckets,
		      struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const struct scar_fdl_places *const both[] = {&function->inputs, &function->outputs};

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < both[i]->count; j++) {
			char bucket[64];
			const char *folder;

			if (!scar_fdl_is_s3(&both[i]->items[j]))
				continue;
			scar_fdl_split(both[i]->items[j].path, bucket, &folder);
			if (!scar_fdl_list_has(buckets, bucket) &&
			    scar_fdl_list_add(buckets, bucket, err) < 0)
				return -1;
		}
	}
	if (function->deployment_bucket &&
	    !scar_fdl_list_has(buckets, function->deployment_bucket) &&
	    scar_fdl_list_add(buckets, function->deployment_bucket, err) < 0)
		return -1;
	if (target->batch && !target->batch->fargate &&
	    !scar_fdl_list_has(buckets, target->batch->bucket))
		return scar_fdl_list_add(buckets, target->batch->bucket, err);
	return 0;
}

void scar_plan_trigger_id(const struct scar_fdl_function *function,
			  const struct scar_fdl_place *input, char id[128])
{
	struct scar_digest digest;
	struct scar_err err;
	char hex[SCAR_DIGEST_TEXT_MAX] = "";

	/* Without memory for a digest there is none for what follows either. */
	if (scar_digest_of(SCAR_DIGEST_SHA256, input->path, strlen(input->path), &digest, &err) ==
	    0)
		scar_digest_hex(&digest, hex);
	snprintf(id, 128, "scar-%s-%.12s", function->name, hex);
}

void scar_plan_statement_id(const char *bucket, char id[128])
{
	snprintf(id, 128, "scar-s3-%s", bucket);
	for (char *c = id; *c; c++) {
		if (*c == '.')
			*c = '_';
	}
}

void scar_plan_prefix(const struct scar_fdl_place *input, char bucket[64], char prefix[1100])
{
	const char *folder;

	scar_fdl_split(input->path, bucket, &folder);
	snprintf(prefix, 1100, "%s%s", folder, *folder ? "/" : "");
}

/* ---- steps ---- */

static int add(struct scar_plan *plan, enum scar_step_kind kind, enum scar_step_action action,
	       size_t index, const char *name, const char *detail, struct scar_err *err)
{
	struct scar_step *grown = NULL;
	struct scar_step step = {.kind = kind, .action = action, .index = index};

	if (plan->count < STEPS_MAX)
		grown = reallocarray(plan->steps, plan->count + 1, sizeof *grown);
	if (!grown)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a plan");
	plan->steps = grown;
	step.name = strdup(name);
	step.detail = detail && *detail ? strdup(detail) : NULL;
	grown[plan->count++] = step;
	if (!step.name || (detail && *detail && !step.detail))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return 0;
}

static enum scar_step_action add_if(bool missing)
{
	return missing ? SCAR_STEP_ADD : SCAR_STEP_KEEP;
}

static const char *tag_of(const struct scar_found *found, const char *name)
{
	return scar_json_string(scar_json_get(scar_json_get(found->function, "Tags"), name));
}

/* What a tag vouches for: the role's policy and the like. */
static bool same_state(const struct scar_target *target, const struct scar_found *found)
{
	const char *state = tag_of(found, SCAR_TAG_STATE);

	return state && strcmp(state, target->state) == 0;
}

/* ---- comparing settings ---- */

struct difference {
	char text[DETAIL_MAX];
	size_t len;
};

static void differ(struct difference *difference, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void differ(struct difference *difference, const char *fmt, ...)
{
	size_t left = sizeof difference->text - difference->len;
	va_list args;
	int len;

	if (difference->len && left > 2) {
		memcpy(difference->text + difference->len, ", ", 3);
		difference->len += 2;
		left -= 2;
	}
	va_start(args, fmt);
	len = vsnprintf(difference->text + difference->len, left, fmt, args);
	va_end(args);
	if (len > 0)
		difference->len += (size_t)len < left ? (size_t)len : left - 1;
}

static void compare_text(struct difference *difference, const struct scar_json *configuration,
			 const char *key, const char *wanted)
{
	const char *text = scar_json_string(scar_json_get(configuration, key));

	if (wanted && strcmp(text ? text : "", wanted) != 0)
		differ(difference, "%s %s -> %s", key, text && *text ? text : "none", wanted);
}

static void compare_int(struct difference *difference, const struct scar_json *holder,
			const char *key, const char *name, int64_t fallback, int wanted)
{
	int64_t value = fallback;

	scar_json_int(scar_json_get(holder, key), &value);
	if (value != wanted)
		differ(difference, "%s %lld -> %d", name, (long long)value, wanted);
}

const char *scar_plan_api_stage(const struct scar_target *target, const struct scar_found *found)
{
	if (target->function->api_name)
		return scar_api_stage(target->function);
	return found->api ? found->api_stage : NULL;
}

static void compare_environment(struct difference *difference,
				const struct scar_json *configuration,
				const struct scar_target *target, const struct scar_found *found)
{
	const struct scar_json *variables = scar_json_get(
		scar_json_get(configuration, "Environment"), "Variables");
	const char *api = scar_json_string(scar_json_get(variables, SCAR_API_VARIABLE));
	const char *stage = scar_json_string(scar_json_get(variables, SCAR_API_STAGE_VARIABLE));
	const char *wanted_stage = scar_plan_api_stage(target, found);
	bool wants_api = target->function->api_name || found->api;
	size_t same = 0;

	for (size_t i = 0; i < target->environment.count; i++) {
		const struct scar_fdl_pair *pair = &target->environment.items[i];
		const char *value = scar_json_string(scar_json_get(variables, pair->name));

		if (!value || strcmp(value, pair->value) != 0)
			differ(difference, "variable %s", pair->name);
		else
			same++;
	}
	if (wants_api && (!api || !found->api || strcmp(api, found->api) != 0))
		differ(difference, "variable " SCAR_API_VARIABLE);
	else if (wants_api)
		same++;
	if (wanted_stage && (!stage || strcmp(stage, wanted_stage) != 0))
		differ(difference, "variable " SCAR_API_STAGE_VARIABLE);
	else if (wanted_stage)
		same++;
	if (difference->len == 0 && same != scar_json_size(variables))
		differ(difference, "variables");
}

/* Whether an array of texts, or of objects with a text at `key`, is the same as a list. */
static bool same_list(const struct scar_json *array, const char *key, char *const *list,
		      size_t count)
{
	const struct scar_json *item = scar_json_first(array);

	if (scar_json_size(array) != count)
		return false;
	for (size_t i = 0; i < count; i++, item = scar_json_next(item)) {
		const char *text = scar_json_string(key ? scar_json_get(item, key) : item);

		if (!text || strcmp(text, list[i]) != 0)
			return false;
	}
	return true;
}

static void compare_layers(struct difference *difference, const struct scar_json *configuration,
			   const struct scar_target *target, const struct scar_layer *layer,
			   const struct scar_found *found)
{
	const struct scar_fdl_list *own = &target->function->layers;
	char *wanted[64];
	size_t count = 0;

	for (size_t i = 0; i < own->count && count < 63; i++)
		wanted[count++] = own->items[i];
	if (layer)
		wanted[count++] = found->layer ? found->layer : (char *)"";
	if (!same_list(scar_json_get(configuration, "Layers"), "Arn", wanted, count))
		differ(difference, "layers");
}

static void compare_network(struct difference *difference, const struct scar_json *configuration,
			    const struct scar_fdl_function *function)
{
	const struct scar_json *vpc = scar_json_get(configuration, "VpcConfig");

	if (!same_list(scar_json_get(vpc, "SubnetIds"), NULL, function->subnets.items,
		       function->subnets.count) ||
	    !same_list(scar_json_get(vpc, "SecurityGroupIds"), NULL,
		       function->security_groups.items, function->security_groups.count))
		differ(difference, "network");
}

static void compare_mounts(struct difference *difference, const struct scar_json *configuration,
			   const struct scar_fdl_function *function)
{
	const struct scar_json *mount = scar_json_get(configuration, "FileSystemConfigs");
	bool same = scar_json_size(mount) == function->mounts.count;

	mount = scar_json_first(mount);
	for (size_t i = 0; same && i < function->mounts.count; i++, mount = scar_json_next(mount)) {
		const char *arn = scar_json_string(scar_json_get(mount, "Arn"));
		const char *path = scar_json_string(scar_json_get(mount, "LocalMountPath"));

		same = arn && path && strcmp(arn, function->mounts.items[i].provider) == 0 &&
		       strcmp(path, function->mounts.items[i].path) == 0;
	}
	if (!same)
		differ(difference, "file systems");
}

static void compare(struct difference *difference, const struct scar_target *target,
		    const struct scar_layer *layer, const struct scar_found *found)
{
	const struct scar_json *configuration = scar_json_get(found->function, "Configuration");

	compare_text(difference, configuration, "Role", target->role);
	compare_text(difference, configuration, "Runtime", target->runtime);
	compare_text(difference, configuration, "Handler", HANDLER);
	compare_text(difference, configuration, "Description", target->function->description);
	compare_int(difference, configuration, "Timeout", "timeout", 3, target->timeout_s);
	compare_int(difference, configuration, "MemorySize", "memory", 128, target->memory_mb);
	compare_int(difference, scar_json_get(configuration, "EphemeralStorage"), "Size", "/tmp",
		    512, target->storage_mb);
	compare_environment(difference, configuration, target, found);
	compare_layers(difference, configuration, target, layer, found);
	compare_network(difference, configuration, target->function);
	compare_mounts(difference, configuration, target->function);
}

static bool same_code(const struct scar_target *target, const struct scar_found *found)
{
	const struct scar_json *configuration = scar_json_get(found->function, "Configuration");
	const struct scar_json *architectures = scar_json_get(configuration, "Architectures");
	const char *sha = scar_json_string(scar_json_get(configuration, "CodeSha256"));
	const char *architecture = scar_json_string(scar_json_first(architectures));

	return sha && strcmp(sha, target->package_sha256) == 0 &&
	       strcmp(architecture ? architecture : "x86_64", target->architecture) == 0;
}

/* ---- the plan ---- */

static int plan_function(struct scar_plan *plan, const struct scar_target *target,
			 const struct scar_layer *layer, const struct scar_found *found,
			 struct scar_err *err)
{
	const char *name = target->function->name;
	struct difference difference = {0};
	char detail[160];

	if (!found->function) {
		snprintf(detail, sizeof detail, "%s, memory %d, timeout %d, /tmp %d",
			 target->image ? target->image : "", target->memory_mb, target->timeout_s,
			 target->storage_mb);
		return add(plan, SCAR_STEP_CREATE, SCAR_STEP_ADD, 0, name, detail, err);
	}
	compare(&difference, target, layer, found);
	if (add(plan, SCAR_STEP_CODE, same_code(target, found) ? SCAR_STEP_KEEP : SCAR_STEP_CHANGE,
		0, name, NULL, err) < 0)
		return -1;
	if (add(plan, SCAR_STEP_CONFIGURATION, difference.len ? SCAR_STEP_CHANGE : SCAR_STEP_KEEP,
		0, name, difference.text, err) < 0)
		return -1;
	return add(plan, SCAR_STEP_TAGS,
		   same_state(target, found) && tag_of(found, SCAR_TAG_CREATED_BY)
			   ? SCAR_STEP_KEEP
			   : SCAR_STEP_CHANGE,
		   0, name, NULL, err);
}

static bool has_statement(const struct scar_found *found, const char *id)
{
	const struct scar_json *statement = scar_json_first(
		scar_json_get(found->policy, "Statement"));

	for (; statement; statement = scar_json_next(statement)) {
		const char *sid = scar_json_string(scar_json_get(statement, "Sid"));

		if (sid && strcmp(sid, id) == 0)
			return true;
	}
	return false;
}

static int plan_triggers(struct scar_plan *plan, const struct scar_target *target,
			 const struct scar_found *found, struct scar_err *err)
{
	const struct scar_fdl_places *inputs = &target->function->inputs;

	for (size_t i = 0; i < inputs->count; i++) {
		char bucket[64], trigger[128], statement[128];
		const char *folder;

		if (!scar_fdl_is_s3(&inputs->items[i]))
			continue;
		scar_fdl_split(inputs->items[i].path, bucket, &folder);
		scar_plan_trigger_id(target->function, &inputs->items[i], trigger);
		scar_plan_statement_id(bucket, statement);
		if (add(plan, SCAR_STEP_TRIGGER,
			add_if(!scar_fdl_list_has(&found->triggers, trigger) ||
			       !has_statement(found, statement)),
			i, inputs->items[i].path, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static enum scar_step_action renew(bool there, bool same)
{
	if (!there)
		return SCAR_STEP_ADD;
	return same ? SCAR_STEP_KEEP : SCAR_STEP_CHANGE;
}

/* Before the function, whose tag then vouches for them. */
static int plan_jobs(struct scar_plan *plan, const struct scar_target *target,
		     const struct scar_found *found, struct scar_err *err)
{
	const struct scar_batch_found *jobs = &found->jobs;
	const char *name = target->function->name;
	bool same = same_state(target, found);

	if ((!target->batch->fargate &&
	     add(plan, SCAR_STEP_JOB_RUNTIME, renew(jobs->environment, same), 0,
		 target->batch->bucket, NULL, err) < 0) ||
	    add(plan, SCAR_STEP_JOB_QUEUE, renew(jobs->environment && jobs->queue, same), 0, name,
		NULL, err) < 0)
		return -1;
	return add(plan, SCAR_STEP_JOB_DEFINITION, renew(jobs->definition, same), 0, name, NULL,
		   err);
}

static int plan_before(struct scar_plan *plan, const struct scar_target *target,
		       const struct scar_layer *layer, const struct scar_found *found,
		       struct scar_err *err)
{
	struct scar_fdl_list buckets = {0};
	int ret = scar_plan_buckets(target, &buckets, err);

	for (size_t i = 0; ret == 0 && i < buckets.count; i++)
		ret = add(plan, SCAR_STEP_BUCKET,
			  add_if(!scar_fdl_list_has(&found->buckets, buckets.items[i])), i,
			  buckets.items[i], NULL, err);
	scar_fdl_list_clear(&buckets);
	if (ret < 0)
		return -1;
	if (target->role_name && add(plan, SCAR_STEP_ROLE,
				     !found->role                ? SCAR_STEP_ADD
				     : same_state(target, found) ? SCAR_STEP_KEEP
								 : SCAR_STEP_CHANGE,
				     0, target->role_name, NULL, err) < 0)
		return -1;
	if (layer && add(plan, SCAR_STEP_LAYER, add_if(!found->layer), 0, SCAR_LAYER_NAME,
			 layer->description, err) < 0)
		return -1;
	if (target->batch && plan_jobs(plan, target, found, err) < 0)
		return -1;
	if (!target->function->api_name)
		return 0;
	return add(plan, SCAR_STEP_API, add_if(!found->api), 0, target->function->api_name, NULL,
		   err);
}

bool scar_plan_wants_url(const struct scar_fdl_function *function)
{
	return function->url_auth || function->url_mode;
}

bool scar_plan_wants_limits(const struct scar_fdl_function *function)
{
	return function->reserved || function->retries.said || function->event_age_s;
}

/* What is not said is what AWS takes, too. */
static bool same_url(const struct scar_fdl_function *function, const struct scar_json *url)
{
	const char *auth = scar_json_string(scar_json_get(url, "AuthType"));
	const char *mode = scar_json_string(scar_json_get(url, "InvokeMode"));

	return strcmp(auth ? auth : "NONE", function->url_auth ? function->url_auth : "NONE") ==
		       0 &&
	       strcmp(mode ? mode : "BUFFERED",
		      function->url_mode ? function->url_mode : "BUFFERED") == 0;
}

static int plan_access(struct scar_plan *plan, const struct scar_target *target,
		       const struct scar_found *found, struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;

	if (scar_plan_wants_url(function) &&
	    add(plan, SCAR_STEP_URL,
		!found->url                      ? SCAR_STEP_ADD
		: same_url(function, found->url) ? SCAR_STEP_KEEP
						 : SCAR_STEP_CHANGE,
		0, function->name, NULL, err) < 0)
		return -1;
	if (!scar_plan_wants_limits(function))
		return 0;
	return add(plan, SCAR_STEP_LIMITS,
		   found->function && same_state(target, found) ? SCAR_STEP_KEEP : SCAR_STEP_CHANGE,
		   0, function->name, NULL, err);
}

static int plan_after(struct scar_plan *plan, const struct scar_target *target,
		      const struct scar_found *found, struct scar_err *err)
{
	bool kept = found->log_group && same_state(target, found);

	if (add(plan, SCAR_STEP_LOGS, add_if(!found->log_group), 0, target->log_group, NULL, err) <
	    0)
		return -1;
	if (add(plan, SCAR_STEP_RETENTION, kept ? SCAR_STEP_KEEP : SCAR_STEP_CHANGE, 0,
		target->log_group, NULL, err) < 0)
		return -1;
	if (plan_triggers(plan, target, found, err) < 0 ||
	    plan_access(plan, target, found, err) < 0)
		return -1;
	if (!target->function->api_name)
		return 0;
	return add(plan, SCAR_STEP_API_PERMISSION,
		   add_if(!found->api || !has_statement(found, "scar-api")), 0,
		   target->function->api_name, NULL, err);
}

int scar_plan_make(const struct scar_target *target, const struct scar_layer *layer,
		   const struct scar_found *found, struct scar_plan *ret_plan, struct scar_err *err)
{
	scar_plan_auto struct scar_plan plan = {0};

	if (plan_before(&plan, target, layer, found, err) < 0 ||
	    plan_function(&plan, target, layer, found, err) < 0 ||
	    plan_after(&plan, target, found, err) < 0)
		return -1;
	*ret_plan = plan;
	plan = (struct scar_plan){0};
	return 0;
}
