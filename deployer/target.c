/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/aws.h"
#include "deployer/aws/iam.h"
#include "deployer/aws/sts.h"
#include "deployer/batch.h"
#include "deployer/environment.h"
#include "deployer/package.h"
#include "deployer/plan.h"
#include "registry/client.h"
#include "registry/ref.h"
#include "runtime/base/base64.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define POLICY_MAX SCAR_KIB(64)
#define STATE_MAX SCAR_MIB(32)
#define MODE_VARIABLE "SCAR_EXECUTION_MODE"
#define DEFAULT_RUNTIME "provided.al2023"
#define STORAGE_MIN_MB 512
#define STORAGE_MAX_MB 10240
/* Layers are unpacked as they come and never kept packed; unpacked they are two to three times as large. Half as much again is for the run. */
#define UNPACKED_FACTOR 3
#define STORAGE_SPARE_MB 256
#define ROLE_FUNCTION_MAX 36

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* ---- the image ---- */

static int open_image(const struct scar_session *session, const char *text, const char *platform,
		      struct scar_source **ret_source, struct scar_err *err)
{
	char *const *environment = session->environment;
	const char *home = scar_environment_value(environment, "HOME");
	const char *config = scar_environment_value(environment, "SCAR_REGISTRY_CONFIG");
	scar_ref_auto struct scar_ref ref = {0};
	scar_free_auto char *docker = NULL;

	if (!config && home && asprintf(&docker, "%s/.docker/config.json", home) < 0) {
		docker = NULL;
		return no_memory(err);
	}
	if (scar_ref_parse(text, &ref, err) < 0)
		return -1;
	return scar_source_open(
		&ref,
		&(struct scar_source_options){
			.username = scar_environment_value(environment, "SCAR_REGISTRY_USERNAME"),
			.password = scar_environment_value(environment, "SCAR_REGISTRY_PASSWORD"),
			.docker_config = config ? config : docker,
			.mirrors = scar_environment_value(environment, "SCAR_REGISTRY_MIRRORS"),
			.ca_bundle = scar_environment_value(environment, "SCAR_CA_BUNDLE"),
			.allow_plain = scar_arguments_has(session->arguments,
							  SCAR_OPTION_PLAIN_HTTP),
			.platform = platform,
			.cancel = scar_session_interrupted(),
		},
		ret_source, err);
}

/* There for the processor, and small enough; finds the size of /tmp. */
static int check_image(const struct scar_session *session, struct scar_target *target,
		       const char *text, struct scar_err *err)
{
	bool arm = strcmp(target->architecture, "arm64") == 0;
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	uint64_t size_mb, wanted_mb;

	if (open_image(session, text, arm ? "linux/arm64" : "linux/amd64", &source, err) < 0 ||
	    scar_source_resolve(source, &image, err) < 0)
		return scar_err_wrap(err, "function %s: image %s", target->function->name, text);
	size_mb = image->layers_size_bytes >> 20;
	if (size_mb > STORAGE_MAX_MB)
		return scar_err_set(
			err, SCAR_ERR_LIMIT,
			"function %s: image %s has %llu MB of layers, and Lambda no more than "
			"%d MB of /tmp: such images run in AWS Batch, docs/batch.md",
			target->function->name, text, (unsigned long long)size_mb, STORAGE_MAX_MB);
	wanted_mb = size_mb * UNPACKED_FACTOR + STORAGE_SPARE_MB;
	if (wanted_mb > STORAGE_MAX_MB)
		wanted_mb = STORAGE_MAX_MB;
	if (wanted_mb < STORAGE_MIN_MB)
		wanted_mb = STORAGE_MIN_MB;
	scar_session_detail(session, "image %s: %zu layers, %llu MB", text, image->layer_count,
			    (unsigned long long)size_mb);
	if (target->function->storage_mb == 0)
		target->storage_mb = (int)wanted_mb;
	return 0;
}

/* How an archive that travels in the package is called there. */
static int name_image(struct scar_target *target, struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const char *file = function->image_file;

	if (!file)
		target->image = strdup(function->image);
	else if (asprintf(&target->image, "docker-archive:/var/task/%s", scar_package_name(file)) <
		 0)
		target->image = NULL;
	return target->image ? 0 : no_memory(err);
}

static int take_image(const struct scar_session *session, struct scar_target *target,
		      struct scar_err *err)
{
	const char *file = target->function->image_file;
	scar_free_auto char *path = NULL;
	scar_free_auto char *text = NULL;

	target->storage_mb = target->function->storage_mb ? target->function->storage_mb
							  : STORAGE_MIN_MB;
	if (name_image(target, err) < 0)
		return -1;
	if (scar_arguments_has(session->arguments, SCAR_OPTION_NO_IMAGE_CHECK) ||
	    scar_fdl_mode_of(target->function) == SCAR_FDL_BATCH)
		return 0;
	if (!file)
		return check_image(session, target, target->image, err);
	if (scar_package_path(target->fdl, file, &path, err) < 0)
		return -1;
	if (asprintf(&text, "docker-archive:%s", path) < 0) {
		text = NULL;
		return no_memory(err);
	}
	return check_image(session, target, text, err);
}

/* ---- names ---- */

/* IAM is global, so the region is part of the name; of 64 characters, so a digest ends what is cut. */
static int name_role(struct scar_target *target, struct scar_err *err)
{
	const char *name = target->function->name;
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];
	int len;

	if (scar_digest_of(SCAR_DIGEST_SHA256, name, strlen(name), &digest, err) < 0)
		return -1;
	if (strlen(name) <= ROLE_FUNCTION_MAX)
		len = asprintf(&target->role_name, "scar-%s-%.20s", name, target->region);
	else
		len = asprintf(&target->role_name, "scar-%.27s-%.8s-%.20s", name,
			       scar_digest_hex(&digest, hex), target->region);
	if (len >= 0)
		return 0;
	target->role_name = NULL;
	return no_memory(err);
}

static int take_role(struct scar_target *target, struct scar_err *err)
{
	const char *role = target->function->role;
	const struct scar_sts_identity *identity = target->identity;
	int len;

	if (role && strncmp(role, "arn:", 4) == 0) {
		target->role = strdup(role);
		return target->role ? 0 : no_memory(err);
	}
	if (role && *role) {
		len = asprintf(&target->role, "arn:%s:iam::%s:role/%s", identity->partition,
			       identity->account, role);
	} else {
		if (name_role(target, err) < 0)
			return -1;
		len = asprintf(&target->role, "arn:%s:iam::%s:role/%s", identity->partition,
			       identity->account, target->role_name);
	}
	if (len >= 0)
		return 0;
	target->role = NULL;
	return no_memory(err);
}

static int take_names(const struct scar_session *session, struct scar_target *target,
		      struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const char *region = NULL;

	if (scar_aws_need_region(session->aws, &region, err) < 0)
		return -1;
	snprintf(target->region, sizeof target->region, "%s", region);
	if (asprintf(&target->arn, "arn:%s:lambda:%s:%s:function:%s", target->identity->partition,
		     region, target->identity->account, function->name) < 0) {
		target->arn = NULL;
		return no_memory(err);
	}
	if (asprintf(&target->log_group, "/aws/lambda/%s", function->name) < 0) {
		target->log_group = NULL;
		return no_memory(err);
	}
	return take_role(target, err);
}

static void take_settings(const struct scar_session *session, struct scar_target *target)
{
	const struct scar_fdl_function *function = target->function;

	target->memory_mb = function->memory_mb ? function->memory_mb : SCAR_DEFAULT_MEMORY_MB;
	target->timeout_s = function->timeout_s ? function->timeout_s : SCAR_DEFAULT_TIMEOUT_S;
	target->retention_days = function->retention_days ? function->retention_days
							  : SCAR_DEFAULT_RETENTION_DAYS;
	target->architecture = function->architecture ? function->architecture : "x86_64";
	/* SCAR's own are Python's or "image". */
	target->runtime = function->runtime && strncmp(function->runtime, "provided.", 9) == 0
				  ? function->runtime
				  : DEFAULT_RUNTIME;
	target->no_layer = scar_arguments_has(session->arguments, SCAR_OPTION_NO_LAYER);
}

/* ---- the role's policy ---- */

static size_t own_paths(const struct scar_fdl_places *places, const char **paths, size_t count)
{
	for (size_t i = 0; i < places->count; i++) {
		if (scar_fdl_is_s3(&places->items[i]))
			paths[count++] = places->items[i].path;
	}
	return count;
}

static int write_policy(struct scar_target *target, struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	size_t most = function->inputs.count + function->outputs.count + function->mounts.count + 1;
	size_t s3_mounts = 0;
	scar_free_auto const char **read = calloc(most, sizeof *read);
	scar_free_auto const char **write = calloc(most, sizeof *write);
	scar_free_auto const char **s3_files = calloc(most, sizeof *s3_files);

	if (!read || !write || !s3_files)
		return no_memory(err);
	for (size_t i = 0; i < function->mounts.count; i++) {
		if (scar_fdl_is_s3_files(&function->mounts.items[i]))
			s3_files[s3_mounts++] = function->mounts.items[i].provider;
	}
	own_paths(&function->inputs, read, 0);
	own_paths(&function->outputs, write, 0);
	return scar_iam_write_policy(
		&(struct scar_iam_needs){
			.partition = target->identity->partition,
			.region = target->region,
			.account = target->identity->account,
			.function = function->name,
			.read = read,
			.write = write,
			.vpc = function->subnets.count > 0,
			.files = function->mounts.count > s3_mounts,
			.s3_files = s3_files,
			.batch = scar_fdl_mode_of(function) != SCAR_FDL_LAMBDA,
		},
		&target->policy, err);
}

/* ---- the package and its environment ---- */

static int add_pair(struct scar_fdl_pairs *pairs, const char *name, const char *value,
		    struct scar_err *err)
{
	struct scar_fdl_pair *pair = &pairs->items[pairs->count];

	pair->name = strdup(name);
	pair->value = strdup(value);
	pairs->count++;
	return pair->name && pair->value ? 0 : no_memory(err);
}

static bool says_mode(const struct scar_fdl_function *function)
{
	for (size_t i = 0; i < function->environment.count; i++) {
		if (strcmp(function->environment.items[i].name, MODE_VARIABLE) == 0)
			return true;
	}
	return false;
}

static int take_environment(struct scar_target *target, struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;

	target->environment.items = calloc(function->environment.count + 4,
					   sizeof *target->environment.items);
	if (!target->environment.items)
		return no_memory(err);
	for (size_t i = 0; i < function->environment.count; i++) {
		const struct scar_fdl_pair *pair = &function->environment.items[i];

		/* Of SCAR's default configuration. */
		if (strncmp(pair->name, "UDOCKER_", 8) != 0 &&
		    add_pair(&target->environment, pair->name, pair->value, err) < 0)
			return -1;
	}
	if (function->extra_payload &&
	    add_pair(&target->environment, "EXTRA_PAYLOAD", "/var/task", err) < 0)
		return -1;
	/* For those who look at the function alone, such as rm. */
	if (scar_fdl_mode_of(function) != SCAR_FDL_LAMBDA && !says_mode(function) &&
	    add_pair(&target->environment, MODE_VARIABLE, function->mode, err) < 0)
		return -1;
	return add_pair(&target->environment, "IMAGE_ID", target->image, err);
}

static int make_package(const struct scar_session *session, struct scar_target *target,
			struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	struct scar_digest digest;

	scar_buf_init(&text, sizeof target->package_sha256);
	if (scar_package_write(target->fdl, target->function, session->arguments, target->no_layer,
			       target->architecture, &target->package, err) < 0)
		return scar_err_wrap(err, "function %s", target->function->name);
	if (scar_digest_of(SCAR_DIGEST_SHA256, target->package.data, target->package.len, &digest,
			   err) < 0 ||
	    scar_base64_encode(digest.bytes, 32, &text, err) < 0)
		return -1;
	snprintf(target->package_sha256, sizeof target->package_sha256, "%s", text.data);
	return 0;
}

/* ---- state ---- */

/* Only where there are any, so that the state of other functions stays what it was. */
static int add_limits(const struct scar_fdl_function *function, struct scar_buf *text,
		      struct scar_err *err)
{
	if (!scar_plan_wants_limits(function))
		return 0;
	return scar_buf_printf(text, err, "\n%d %d %d", function->reserved,
			       function->retries.said ? function->retries.value : -1,
			       function->event_age_s);
}

static int take_state(const struct scar_session *session, struct scar_target *target,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	scar_buf_init(&text, STATE_MAX);
	if (scar_buf_printf(&text, err, "%d\n%s", target->retention_days,
			    target->role_name ? target->policy.data : "") < 0 ||
	    add_limits(target->function, &text, err) < 0 ||
	    (scar_fdl_mode_of(target->function) != SCAR_FDL_LAMBDA &&
	     scar_batch_make(session, target, &target->batch, &text, err) < 0) ||
	    scar_digest_of(SCAR_DIGEST_SHA256, text.data, text.len, &digest, err) < 0)
		return -1;
	snprintf(target->state, sizeof target->state, "%.16s", scar_digest_hex(&digest, hex));
	return 0;
}

int scar_target_make(const struct scar_session *session, const struct scar_fdl *fdl,
		     const struct scar_fdl_function *function,
		     const struct scar_sts_identity *identity, struct scar_target *ret_target,
		     struct scar_err *err)
{
	scar_target_auto struct scar_target target = {
		.fdl = fdl, .function = function, .identity = identity};

	scar_buf_init(&target.policy, POLICY_MAX);
	scar_buf_init(&target.package, SCAR_PACKAGE_BYTES_MAX);
	take_settings(session, &target);
	if (take_names(session, &target, err) < 0 || take_image(session, &target, err) < 0 ||
	    write_policy(&target, err) < 0 || take_environment(&target, err) < 0 ||
	    make_package(session, &target, err) < 0 || take_state(session, &target, err) < 0)
		return -1;
	*ret_target = target;
	target = (struct scar_target){0};
	scar_buf_init(&target.policy, 0);
	scar_buf_init(&target.package, 0);
	return 0;
}

void scar_target_clear(struct scar_target *target)
{
	for (size_t i = 0; i < target->environment.count; i++) {
		free(target->environment.items[i].name);
		free(target->environment.items[i].value);
	}
	free(target->environment.items);
	free(target->arn);
	free(target->role);
	free(target->role_name);
	free(target->log_group);
	free(target->image);
	scar_batch_free(target->batch);
	scar_buf_clear(&target->policy);
	scar_buf_clear(&target->package);
	*target = (struct scar_target){0};
}
