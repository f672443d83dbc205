/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/fdl_keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "deployer/suggest.h"
#include "runtime/base/err.h"
#include "runtime/base/yaml.h"

#define ITEMS_MAX 1000
#define KEY_MAX 256
#define AT(member) offsetof(struct scar_fdl_function, member)

/* clang-format off */
static const struct scar_fdl_key keys[] = {
	{"lambda.name", SCAR_FDL_TEXT, AT(name), 0, 0, NULL},
	{"lambda.boto_profile", SCAR_FDL_TEXT, AT(profile), 0, 0, NULL},
	{"lambda.region", SCAR_FDL_TEXT, AT(region), 0, 0, NULL},
	{"lambda.execution_mode", SCAR_FDL_TEXT, AT(mode), 0, 0, "lambda|lambda-batch|batch"},
	{"lambda.timeout", SCAR_FDL_INT, AT(timeout_s), 1, 900, NULL},
	{"lambda.memory", SCAR_FDL_INT, AT(memory_mb), 128, 10240, NULL},
	{"lambda.ephemeral_storage", SCAR_FDL_INT, AT(storage_mb), 512, 10240, NULL},
	{"lambda.description", SCAR_FDL_TEXT, AT(description), 0, 0, NULL},
	{"lambda.runtime", SCAR_FDL_TEXT, AT(runtime), 0, 0, NULL},
	{"lambda.architectures", SCAR_FDL_FIRST, AT(architecture), 0, 0, "x86_64|arm64"},
	{"lambda.layers", SCAR_FDL_LIST, AT(layers), 0, 0, NULL},
	{"lambda.log_level", SCAR_FDL_TEXT, AT(log_level), 0, 0, "CRITICAL|ERROR|WARNING|INFO|DEBUG"},
	{"lambda.environment.Variables", SCAR_FDL_PAIRS, AT(environment), 0, 0, NULL},
	{"lambda.deployment.bucket", SCAR_FDL_TEXT, AT(deployment_bucket), 0, 0, NULL},
	{"lambda.deployment.max_payload_size", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.deployment.max_s3_payload_size", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.container.image", SCAR_FDL_TEXT, AT(image), 0, 0, NULL},
	{"lambda.container.image_file", SCAR_FDL_TEXT, AT(image_file), 0, 0, NULL},
	{"lambda.container.environment.Variables", SCAR_FDL_PAIRS, AT(program_environment), 0, 0, NULL},
	{"lambda.container.environment.variables", SCAR_FDL_PAIRS, AT(program_environment), 0, 0, NULL},
	{"lambda.container.timeout_threshold", SCAR_FDL_NUMBER, AT(threshold_s), 0, 900, NULL},
	{"lambda.container.alpine", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.container.create_image", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	/* As definitions had it before container. */
	{"lambda.image", SCAR_FDL_TEXT, AT(image), 0, 0, NULL},
	{"lambda.image_file", SCAR_FDL_TEXT, AT(image_file), 0, 0, NULL},
	{"lambda.timeout_threshold", SCAR_FDL_NUMBER, AT(threshold_s), 0, 900, NULL},
	{"lambda.supervisor.version", SCAR_FDL_TEXT, AT(supervisor_version), 0, 0, NULL},
	{"lambda.supervisor.layer_name", SCAR_FDL_TEXT, AT(layer_name), 0, 0, NULL},
	{"lambda.supervisor.license_info", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.init_script", SCAR_FDL_TEXT, AT(init_script), 0, 0, NULL},
	{"lambda.run_script", SCAR_FDL_TEXT, AT(run_script), 0, 0, NULL},
	{"lambda.input", SCAR_FDL_PLACES, AT(inputs), 0, 0, NULL},
	{"lambda.output", SCAR_FDL_PLACES, AT(outputs), 0, 0, NULL},
	{"lambda.preheat", SCAR_FDL_BOOL, AT(preheat), 0, 0, NULL},
	{"lambda.extra_payload", SCAR_FDL_TEXT, AT(extra_payload), 0, 0, NULL},
	{"lambda.vpc.SubnetIds", SCAR_FDL_LIST, AT(subnets), 0, 0, NULL},
	{"lambda.vpc.SecurityGroupIds", SCAR_FDL_LIST, AT(security_groups), 0, 0, NULL},
	{"lambda.file_system", SCAR_FDL_MOUNTS, AT(mounts), 0, 0, NULL},
	{"lambda.file_stage_in", SCAR_FDL_BOOL, AT(stage_in_off), 0, 0, NULL},
	{"lambda.download_input", SCAR_FDL_NOT, AT(stage_in_off), 0, 0, NULL},
	{"lambda.url.auth_type", SCAR_FDL_TEXT, AT(url_auth), 0, 0, "NONE|AWS_IAM"},
	{"lambda.url.invoke_mode", SCAR_FDL_TEXT, AT(url_mode), 0, 0, "BUFFERED|RESPONSE_STREAM"},
	{"lambda.reserved_concurrency", SCAR_FDL_INT, AT(reserved), 1, 100000, NULL},
	{"lambda.retry_attempts", SCAR_FDL_NUMBER, AT(retries), 0, 2, NULL},
	{"lambda.maximum_event_age", SCAR_FDL_INT, AT(event_age_s), 60, 21600, NULL},
	{"lambda.invocation_type", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.asynchronous", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"lambda.log_type", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"iam.role", SCAR_FDL_TEXT, AT(role), 0, 0, NULL},
	{"iam.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.name", SCAR_FDL_TEXT, AT(api_name), 0, 0, NULL},
	{"api_gateway.type", SCAR_FDL_TEXT, AT(api_type), 0, 0, "rest|http"},
	{"api_gateway.stage_name", SCAR_FDL_TEXT, AT(api_stage), 0, 0, NULL},
	{"api_gateway.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.region", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.endpoint", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.request_parameters", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.http_method", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.method", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.integration", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.path_part", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.service_id", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.source_arn_testing", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"api_gateway.source_arn_invocation", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"cloudwatch.log_retention_policy_in_days", SCAR_FDL_INT, AT(retention_days), 1, 3653, NULL},
	{"cloudwatch.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"cloudwatch.region", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"s3.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"s3.region", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"s3.event", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"ecr.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"ecr.region", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"ecr.delete_image", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"batch.boto_profile", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"batch.region", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"batch.vcpus", SCAR_FDL_INT, AT(batch.vcpus), 1, 1024, NULL},
	{"batch.memory", SCAR_FDL_INT, AT(batch.memory_mb), 4, 1 << 24, NULL},
	{"batch.enable_gpu", SCAR_FDL_BOOL, AT(batch.gpu), 0, 0, NULL},
	{"batch.state", SCAR_FDL_TEXT, AT(batch.state), 0, 0, "ENABLED|DISABLED"},
	{"batch.type", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"batch.service_role", SCAR_FDL_TEXT, AT(batch.service_role), 0, 0, NULL},
	{"batch.environment.Variables", SCAR_FDL_PAIRS, AT(batch.environment), 0, 0, NULL},
	{"batch.multi_node_parallel.enabled", SCAR_FDL_BOOL, AT(batch.multi_node), 0, 0, NULL},
	{"batch.multi_node_parallel.number_nodes", SCAR_FDL_INT, AT(batch.nodes), 1, 1000, NULL},
	{"batch.multi_node_parallel.main_node_index", SCAR_FDL_INT, AT(batch.main_node), 0, 999, NULL},
	{"batch.compute_resources.type", SCAR_FDL_TEXT, AT(batch.type), 0, 0, "EC2|SPOT|FARGATE|FARGATE_SPOT"},
	{"batch.compute_resources.state", SCAR_FDL_UNUSED, 0, 0, 0, NULL},
	{"batch.compute_resources.security_group_ids", SCAR_FDL_LIST, AT(batch.security_groups), 0, 0, NULL},
	{"batch.compute_resources.subnets", SCAR_FDL_LIST, AT(batch.subnets), 0, 0, NULL},
	{"batch.compute_resources.instance_types", SCAR_FDL_LIST, AT(batch.instance_types), 0, 0, NULL},
	{"batch.compute_resources.desired_v_cpus", SCAR_FDL_INT, AT(batch.desired_vcpus), 0, 100000, NULL},
	{"batch.compute_resources.min_v_cpus", SCAR_FDL_INT, AT(batch.min_vcpus), 0, 100000, NULL},
	{"batch.compute_resources.max_v_cpus", SCAR_FDL_INT, AT(batch.max_vcpus), 1, 100000, NULL},
	{"batch.compute_resources.instance_role", SCAR_FDL_TEXT, AT(batch.instance_role), 0, 0, NULL},
	{"batch.compute_resources.launch_template_name", SCAR_FDL_TEXT, AT(batch.launch_template), 0, 0, NULL},
};
/* clang-format on */

#define KEYS (sizeof keys / sizeof keys[0])

const struct scar_fdl_key *scar_fdl_keys(size_t *ret_count)
{
	*ret_count = KEYS;
	return keys;
}

/* Where a value stands, for messages. */
struct place {
	const char *name, *where;
	const struct scar_yaml *node;
	const char *key;
};

static int wrong(const struct place *at, const char *why, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s.%s %s", at->name,
			    scar_yaml_line(at->node), at->where, at->key, why);
}

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* ---- what a function holds ---- */

static void *member(struct scar_fdl_function *function, const struct scar_fdl_key *row)
{
	return (char *)function + row->offset;
}

static int replace(char **text, const char *value, size_t len, struct scar_err *err)
{
	char *copy = strndup(value, len);

	if (!copy)
		return no_memory(err);
	free(*text);
	*text = copy;
	return 0;
}

/* One more item of `size` bytes, zeroed, with a zeroed one behind it. @return it, or NULL */
static void *grow(void *items_at, size_t *count, size_t size, struct scar_err *err)
{
	void **items = items_at;
	char *grown;

	if (*count >= ITEMS_MAX) {
		(void)scar_err_set(err, SCAR_ERR_LIMIT, "more than %d items", ITEMS_MAX);
		return NULL;
	}
	grown = reallocarray(*items, *count + 2, size);
	if (!grown) {
		(void)no_memory(err);
		return NULL;
	}
	*items = grown;
	memset(grown + *count * size, 0, 2 * size);
	return grown + (*count)++ * size;
}

static int list_add(struct scar_fdl_list *list, const char *text, struct scar_err *err)
{
	char **item = grow(&list->items, &list->count, sizeof *item, err);

	return item ? replace(item, text, strlen(text), err) : -1;
}

/* A name that is there gets the new value. */
static int pairs_set(struct scar_fdl_pairs *pairs, const char *name, size_t name_len,
		     const char *value, struct scar_err *err)
{
	struct scar_fdl_pair *pair = NULL;

	for (size_t i = 0; i < pairs->count && !pair; i++) {
		if (strlen(pairs->items[i].name) == name_len &&
		    strncmp(pairs->items[i].name, name, name_len) == 0)
			pair = &pairs->items[i];
	}
	if (!pair) {
		pair = grow(&pairs->items, &pairs->count, sizeof *pair, err);
		if (!pair)
			return -1;
		pair->name = strndup(name, name_len);
		if (!pair->name) {
			pairs->count--;
			return no_memory(err);
		}
	}
	return replace(&pair->value, value, strlen(value), err);
}

static void list_clear(struct scar_fdl_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct scar_fdl_list){0};
}

static void pairs_clear(struct scar_fdl_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
	*pairs = (struct scar_fdl_pairs){0};
}

static void places_clear(struct scar_fdl_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		free(places->items[i].provider);
		free(places->items[i].path);
		list_clear(&places->items[i].prefixes);
		list_clear(&places->items[i].suffixes);
	}
	free(places->items);
	*places = (struct scar_fdl_places){0};
}

void scar_fdl_function_clear(struct scar_fdl_function *function)
{
	for (size_t i = 0; i < KEYS; i++) {
		void *at = member(function, &keys[i]);

		switch (keys[i].type) {
		case SCAR_FDL_TEXT:
		case SCAR_FDL_FIRST:
			free(*(char **)at);
			*(char **)at = NULL;
			break;
		case SCAR_FDL_LIST: list_clear(at); break;
		case SCAR_FDL_PAIRS: pairs_clear(at); break;
		case SCAR_FDL_PLACES:
		case SCAR_FDL_MOUNTS: places_clear(at); break;
		case SCAR_FDL_INT:
		case SCAR_FDL_NUMBER:
		case SCAR_FDL_BOOL:
		case SCAR_FDL_NOT:
		case SCAR_FDL_UNUSED: break;
		}
	}
	*function = (struct scar_fdl_function){0};
}

/* ---- values ---- */

/* Definitions say "debug" too: the choice that is meant, in the table's letters. @return its length, 0 if it is none */
static size_t find_choice(const char *choices, const char *text, const char **ret_choice)
{
	size_t len = strlen(text);

	for (; *choices; choices += strcspn(choices, "|"), choices += *choices == '|') {
		if (strcspn(choices, "|") == len && strncasecmp(choices, text, len) == 0) {
			*ret_choice = choices;
			return len;
		}
	}
	return 0;
}

static int take_text(char **text, const struct scar_fdl_key *row, const struct place *at,
		     struct scar_err *err)
{
	const char *value = scar_yaml_text(at->node);
	size_t len = value ? strlen(value) : 0;
	char why[128];

	if (!value)
		return wrong(at, "is not a single value", err);
	if (row->choices && (len = find_choice(row->choices, value, &value)) == 0) {
		snprintf(why, sizeof why, "is one of %s", row->choices);
		return wrong(at, why, err);
	}
	return replace(text, value, len, err);
}

static int take_int(int *number, const struct scar_fdl_key *row, const struct place *at,
		    struct scar_err *err)
{
	int64_t value;
	char why[96];

	if (scar_yaml_int(at->node, &value) < 0 || value < row->min || value > row->max) {
		snprintf(why, sizeof why, "is a whole number from %d to %d", row->min, row->max);
		return wrong(at, why, err);
	}
	*number = (int)value;
	return 0;
}

static int take_list(struct scar_fdl_list *list, const struct place *at, struct scar_err *err)
{
	if (scar_yaml_type(at->node) != SCAR_YAML_SEQUENCE)
		return wrong(at, "is not a list", err);
	for (size_t i = 0; i < scar_yaml_size(at->node); i++) {
		const char *text = scar_yaml_text(scar_yaml_at(at->node, i));

		if (!text)
			return wrong(at, "is not a list of single values", err);
		if (list_add(list, text, err) < 0)
			return -1;
	}
	return 0;
}

static int take_first(char **text, const struct scar_fdl_key *row, const struct place *at,
		      struct scar_err *err)
{
	struct place inner = *at;

	if (scar_yaml_type(at->node) != SCAR_YAML_SEQUENCE)
		return take_text(text, row, at, err);
	if (scar_yaml_size(at->node) != 1)
		return wrong(at, "is not a list of one", err);
	inner.node = scar_yaml_at(at->node, 0);
	return take_text(text, row, &inner, err);
}

static int take_pairs(struct scar_fdl_pairs *pairs, const struct place *at, struct scar_err *err)
{
	if (scar_yaml_type(at->node) != SCAR_YAML_MAPPING)
		return wrong(at, "is not a mapping", err);
	for (size_t i = 0; i < scar_yaml_size(at->node); i++) {
		const char *name = scar_yaml_text(scar_yaml_key_at(at->node, i));
		const struct scar_yaml *value = scar_yaml_at(at->node, i);
		const char *text = scar_yaml_text(value);

		if (!*name || strchr(name, '='))
			return wrong(at, "has a name that no variable can have", err);
		if (!text)
			return wrong(at, "has a value that is not single", err);
		if (scar_yaml_type(value) == SCAR_YAML_NULL)
			text = "";
		if (pairs_set(pairs, name, strlen(name), text, err) < 0)
			return -1;
	}
	return 0;
}

/* "bucket/folder" without slashes at its ends. */
static int set_path(char **path, const char *text, struct scar_err *err)
{
	size_t len;

	text += strspn(text, "/");
	len = strlen(text);
	while (len > 0 && text[len - 1] == '/')
		len--;
	free(*path);
	*path = strndup(text, len);
	return *path ? 0 : no_memory(err);
}

static int take_place_key(struct scar_fdl_place *place, const struct place *at,
			  struct scar_err *err)
{
	static const char *const known[] = {"storage_provider", "path", "prefix", "suffix"};
	struct scar_suggestion meant = {.word = at->key};
	const char *text = scar_yaml_text(at->node);
	char suggestion[96], why[160];

	if (strcmp(at->key, "prefix") == 0 || strcmp(at->key, "suffix") == 0) {
		struct scar_fdl_list *list = at->key[0] == 'p' ? &place->prefixes
							       : &place->suffixes;

		return text ? list_add(list, text, err) : take_list(list, at, err);
	}
	if (strcmp(at->key, "storage_provider") == 0 || strcmp(at->key, "path") == 0) {
		if (!text || !*text)
			return wrong(at, "is not text", err);
		return at->key[0] == 's' ? replace(&place->provider, text, strlen(text), err)
					 : set_path(&place->path, text, err);
	}
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		scar_suggest_offer(&meant, known[i]);
	snprintf(why, sizeof why, "is not known%s", scar_suggest_text(&meant, suggestion));
	return wrong(at, why, err);
}

static int take_mount_key(struct scar_fdl_place *place, const struct place *at,
			  struct scar_err *err)
{
	const char *text = scar_yaml_text(at->node);

	if (!text)
		return wrong(at, "is not text", err);
	if (strcmp(at->key, "Arn") == 0)
		return replace(&place->provider, text, strlen(text), err);
	if (strcmp(at->key, "LocalMountPath") == 0)
		return replace(&place->path, text, strlen(text), err);
	return wrong(at, "is not known: there is Arn and LocalMountPath", err);
}

static int take_places(struct scar_fdl_places *places, bool mounts, const struct place *at,
		       struct scar_err *err)
{
	char where[KEY_MAX];

	if (scar_yaml_type(at->node) != SCAR_YAML_SEQUENCE)
		return wrong(at, "is not a list", err);
	for (size_t i = 0; i < scar_yaml_size(at->node); i++) {
		const struct scar_yaml *item = scar_yaml_at(at->node, i);
		struct scar_fdl_place *place;

		if (scar_yaml_type(item) != SCAR_YAML_MAPPING)
			return wrong(at, "is not a list of mappings", err);
		place = grow(&places->items, &places->count, sizeof *place, err);
		if (!place)
			return -1;
		place->line = scar_yaml_line(item);
		snprintf(where, sizeof where, "%s.%s[%zu]", at->where, at->key, i);
		for (size_t j = 0; j < scar_yaml_size(item); j++) {
			const struct place inner = {at->name, where, scar_yaml_at(item, j),
						    scar_yaml_text(scar_yaml_key_at(item, j))};

			if ((mounts ? take_mount_key(place, &inner, err)
				    : take_place_key(place, &inner, err)) < 0)
				return -1;
		}
		if (!place->provider || !place->path)
			return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s needs %s and %s",
					    at->name, place->line, where,
					    mounts ? "Arn" : "storage_provider",
					    mounts ? "LocalMountPath" : "path");
	}
	return 0;
}

static int take_value(struct scar_fdl_function *function, const struct scar_fdl_key *row,
		      const struct place *at, struct scar_err *err)
{
	void *to = member(function, row);
	bool on;

	switch (row->type) {
	case SCAR_FDL_TEXT: return take_text(to, row, at, err);
	case SCAR_FDL_INT: return take_int(to, row, at, err);
	case SCAR_FDL_NUMBER:
		((struct scar_fdl_number *)to)->said = true;
		return take_int(&((struct scar_fdl_number *)to)->value, row, at, err);
	case SCAR_FDL_LIST: return take_list(to, at, err);
	case SCAR_FDL_FIRST: return take_first(to, row, at, err);
	case SCAR_FDL_PAIRS: return take_pairs(to, at, err);
	case SCAR_FDL_PLACES: return take_places(to, false, at, err);
	case SCAR_FDL_MOUNTS: return take_places(to, true, at, err);
	case SCAR_FDL_UNUSED: return 0;
	case SCAR_FDL_BOOL:
	case SCAR_FDL_NOT:
		if (scar_yaml_bool(at->node, &on) < 0)
			return wrong(at, "is not true or false", err);
		*(bool *)to = on != (row->type == SCAR_FDL_NOT);
		return 0;
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "key %s has no type", row->key);
}

/* ---- mappings ---- */

static const struct scar_fdl_key *find(const char *key)
{
	for (size_t i = 0; i < KEYS; i++) {
		if (strcmp(keys[i].key, key) == 0)
			return &keys[i];
	}
	return NULL;
}

static bool is_group(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < KEYS; i++) {
		if (strncmp(keys[i].key, key, len) == 0 && keys[i].key[len] == '.')
			return true;
	}
	return false;
}

/* Looks among what stands beside it. */
static int unknown(const struct place *at, struct scar_err *err)
{
	const char *dot = strrchr(at->key, '.');
	size_t begin = dot ? (size_t)(dot - at->key) + 1 : 0;
	struct scar_suggestion meant = {.word = at->key + begin};
	char known[KEYS][64], text[96], why[160];

	for (size_t i = 0; i < KEYS; i++) {
		if (strncmp(keys[i].key, at->key, begin) != 0)
			continue;
		snprintf(known[i], sizeof known[i], "%.*s", (int)strcspn(keys[i].key + begin, "."),
			 keys[i].key + begin);
		scar_suggest_offer(&meant, known[i]);
	}
	snprintf(why, sizeof why, "is not known%s", scar_suggest_text(&meant, text));
	return wrong(at, why, err);
}

static int take_mapping(struct scar_fdl_function *function, const struct scar_yaml *mapping,
			const char *prefix, const struct place *outer, struct scar_err *err)
{
	for (size_t i = 0; i < scar_yaml_size(mapping); i++) {
		char key[KEY_MAX];
		struct place at = {outer->name, outer->where, scar_yaml_at(mapping, i), key};
		const struct scar_fdl_key *row;
		bool is_null = scar_yaml_type(at.node) == SCAR_YAML_NULL;
		int ret = 0;

		/* What is cut is not in the table. */
		snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "",
			 scar_yaml_text(scar_yaml_key_at(mapping, i)));
		row = find(key);
		if (!row && !is_group(key))
			return unknown(&at, err);
		if (is_null)
			continue;
		if (row)
			ret = take_value(function, row, &at, err);
		else if (scar_yaml_type(at.node) != SCAR_YAML_MAPPING)
			ret = wrong(&at, "is not a mapping", err);
		else
			ret = take_mapping(function, at.node, key, outer, err);
		if (ret < 0)
			return -1;
	}
	return 0;
}

int scar_fdl_take(struct scar_fdl_function *function, const struct scar_yaml *sections,
		  const char *name, const char *where, struct scar_err *err)
{
	const struct place at = {name, where, sections, ""};

	if (scar_yaml_type(sections) != SCAR_YAML_MAPPING)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: line %u: %s is not a mapping", name,
				    scar_yaml_line(sections), where);
	return take_mapping(function, sections, "", &at, err);
}

/* ---- the command line ---- */

static int set_number(int *number, const struct scar_fdl_key *row, const char *value,
		      const char *option, struct scar_err *err)
{
	char *end;
	long parsed;

	errno = 0;
	parsed = strtol(value, &end, 10);
	if (errno || end == value || *end || parsed < row->min || parsed > row->max)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s is a number from %d to %d, not \"%.100s\"", option,
				    row->min, row->max, value);
	*number = (int)parsed;
	return 0;
}

static int set_pair(struct scar_fdl_pairs *pairs, const char *value, const char *option,
		    struct scar_err *err)
{
	size_t len = strcspn(value, "=");

	if (len == 0 || value[len] != '=')
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s takes NAME=VALUE, not \"%.100s\"",
				    option, value);
	return pairs_set(pairs, value, len, value + len + 1, err);
}

int scar_fdl_set(struct scar_fdl_function *function, const char *key, const char *value,
		 const char *option, struct scar_err *err)
{
	const struct scar_fdl_key *row = find(key);
	void *to = row ? member(function, row) : NULL;
	struct scar_fdl_place *place;
	struct scar_fdl_places *places = to;

	if (!row)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "no key %s", key);
	switch (row->type) {
	case SCAR_FDL_TEXT:
	case SCAR_FDL_FIRST: return replace(to, value, strlen(value), err);
	case SCAR_FDL_INT: return set_number(to, row, value, option, err);
	case SCAR_FDL_NUMBER:
		((struct scar_fdl_number *)to)->said = true;
		return set_number(&((struct scar_fdl_number *)to)->value, row, value, option, err);
	case SCAR_FDL_BOOL: *(bool *)to = true; return 0;
	case SCAR_FDL_LIST: return list_add(to, value, err);
	case SCAR_FDL_PAIRS: return set_pair(to, value, option, err);
	case SCAR_FDL_PLACES:
		place = grow(&places->items, &places->count, sizeof *place, err);
		if (!place || replace(&place->provider, "s3", 2, err) < 0)
			return -1;
		return set_path(&place->path, value, err);
	case SCAR_FDL_NOT:
	case SCAR_FDL_MOUNTS:
	case SCAR_FDL_UNUSED: break;
	}
	return scar_err_set(err, SCAR_ERR_INTERNAL, "%s is not for the command line", key);
}
