/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/aws/batch.h"
#include "deployer/aws/iam.h"
#include "deployer/aws/launch_template.h"
#include "deployer/aws/s3.h"
#include "deployer/aws/sts.h"
#include "runtime/base/base64.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define FOLDER "/opt/scar"
#define KEY_FOLDER "scar"
#define CONFIG_VARIABLE "FUNCTION_CONFIG"
#define SCAR_S_TEMPLATE "faas-supervisor"
#define POLICY_NAME "scar"
#define DEFAULT_MEMORY_MB 1024
/* The least that Fargate gives one processor. */
#define FARGATE_MEMORY_MB 2048
#define DEFAULT_MAX_VCPUS 2
#define DEFAULT_NODES 10
#define VARIABLES_MAX 1000
/* EC2's limit of user data before base64. */
#define USER_DATA_MAX SCAR_KIB(16)

/*
 * What a machine does when it starts, with its own role. Batch wants it in MIME; machines have either of the two tools. A bucket of that name that is somebody else's
 * is not trusted. Region, bucket, key, account, domain of AWS.
 */
static const char user_data_format[] =
	"MIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=\"==SCAR==\"\n"
	"\n"
	"--==SCAR==\n"
	"Content-Type: text/x-shellscript; charset=\"us-ascii\"\n"
	"\n"
	"#!/bin/sh\n"
	"set -eu\n"
	"region=%s bucket=%s key=%s owner=%s domain=%s\n"
	"metadata=http://169.254.169.254/latest\n"
	"mkdir -p " FOLDER "\n"
	"part=" FOLDER "/bootstrap.part\n"
	"if command -v aws > /dev/null; then\n"
	"    aws --region \"$region\" s3api get-object --bucket \"$bucket\" --key \"$key\" --expected-bucket-owner \"$owner\" \"$part\"\n"
	"else\n"
	"    token=$(curl -sSf --retry 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $metadata/api/token)\n"
	"    ask() { curl -sSf --retry 5 -H \"X-aws-ec2-metadata-token: $token\" \"$metadata/meta-data/iam/security-credentials/$1\"; }\n"
	"    keys=$(ask \"$(ask '')\" | tr -d ' \\n')\n"
	"    field() { echo \"$keys\" | sed \"s/.*\\\"$1\\\":\\\"\\([^\\\"]*\\)\\\".*/\\1/\"; }\n"
	"    curl -sSf --retry 5 --aws-sigv4 \"aws:amz:$region:s3\" -K - -o \"$part\" \"https://s3.$region.$domain/$bucket/$key\" << END\n"
	"user = \"$(field AccessKeyId):$(field SecretAccessKey)\"\n"
	"header = \"x-amz-security-token: $(field Token)\"\n"
	"header = \"x-amz-content-sha256: UNSIGNED-PAYLOAD\"\n"
	"header = \"x-amz-expected-bucket-owner: $owner\"\n"
	"END\n"
	"fi\n"
	"chmod 755 \"$part\"\n"
	"mv \"$part\" " FOLDER "/bootstrap\n"
	"--==SCAR==--\n";

void scar_batch_free(struct scar_batch *batch)
{
	if (!batch)
		return;
	scar_buf_clear(&batch->runtime);
	scar_buf_clear(&batch->user_data);
	scar_buf_clear(&batch->config);
	scar_buf_clear(&batch->definition);
	free(batch);
}

static void scar_cleanup_batch(struct scar_batch **batch)
{
	scar_batch_free(*batch);
}

/* SCAR's default configuration names things of the account that nobody may have made: they count as not said. */
static const char *said(const char *text)
{
	return text && *text && !strstr(text, "{account_id}") ? text : NULL;
}

/* ---- names ---- */

/* Of a role: 64 characters. IAM is global, so the region counts. */
static int name_host(const char *function, const char *region, char host[64], struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	scar_buf_init(&text, SCAR_KIB(1));
	if (scar_buf_printf(&text, err, "%s/%s", region, function) < 0 ||
	    scar_digest_of(SCAR_DIGEST_SHA256, text.data, text.len, &digest, err) < 0)
		return -1;
	snprintf(host, 64, "scar-host-%.24s-%.8s", function, scar_digest_hex(&digest, hex));
	return 0;
}

static int take_names(const struct scar_target *target, struct scar_batch *batch,
		      struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const char *template = said(function->batch.launch_template);
	const char *bucket = function->deployment_bucket;

	if (bucket)
		snprintf(batch->bucket, sizeof batch->bucket, "%s", bucket);
	else
		snprintf(batch->bucket, sizeof batch->bucket, "scar-%.20s-%.24s",
			 target->identity->account, target->region);
	snprintf(batch->key, sizeof batch->key, KEY_FOLDER "/bootstrap-%.16s",
		 target->architecture);
	batch->own_profile = !said(function->batch.instance_role);
	batch->own_template = !template || strcmp(template, SCAR_S_TEMPLATE) == 0;
	return name_host(function->name, target->region, batch->host, err);
}

/* ---- what the definition says ---- */

static bool is_fargate(const struct scar_fdl_function *function)
{
	return function->batch.type && strncmp(function->batch.type, "FARGATE", 7) == 0;
}

/* As Docker has it. */
static const char *image_of(const struct scar_fdl_function *function)
{
	const char *image = function->image;

	return image && strncmp(image, "docker://", 9) == 0 ? image + 9 : image;
}

static int check(const struct scar_fdl_function *function, struct scar_err *err)
{
	const char *image = image_of(function);

	if (!image || strstr(image, "://") || strncmp(image, "oci:", 4) == 0 ||
	    strncmp(image, "oci-archive:", 12) == 0 || strncmp(image, "docker-archive:", 15) == 0)
		return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
				    "function %s: AWS Batch takes its images from a registry, not "
				    "from a file: push it and name it as container.image",
				    function->name);
	return 0;
}

static int make_user_data(const struct scar_target *target, struct scar_batch *batch,
			  struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, USER_DATA_MAX);
	if (scar_buf_printf(&text, err, user_data_format, target->region, batch->bucket, batch->key,
			    target->identity->account, scar_aws_domain(target->region)) < 0)
		return -1;
	return scar_base64_encode(text.data, text.len, &batch->user_data, err);
}

/* What is in the container stays as the image has it: variables of the program, then those of jobs. */
static size_t list_variables(const struct scar_fdl_function *function,
			     const struct scar_batch *batch, struct scar_aws_pair *pairs)
{
	const struct scar_fdl_pairs *const both[] = {&function->program_environment,
						     &function->batch.environment};
	size_t count = 0;

	pairs[count++] = (struct scar_aws_pair){CONFIG_VARIABLE, batch->config.data};
	pairs[count++] = (struct scar_aws_pair){"AWS_LAMBDA_FUNCTION_NAME", function->name};
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < both[i]->count && count < VARIABLES_MAX; j++)
			pairs[count++] = (struct scar_aws_pair){both[i]->items[j].name,
								both[i]->items[j].value};
	}
	return count;
}

static int write_definition(const struct scar_target *target, struct scar_batch *batch,
			    struct scar_err *err)
{
	static const char *const command[] = {FOLDER "/bootstrap", NULL};
	const struct scar_fdl_function *function = target->function;
	const struct scar_aws_pair tags[] = {{SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY}};
	scar_free_auto struct scar_aws_pair *variables = calloc(VARIABLES_MAX, sizeof *variables);
	char vcpus[16];
	struct scar_batch_definition definition = {
		.name = function->name,
		.image = image_of(function),
		.command = command,
		.environment = variables,
		.vcpus = vcpus,
		.memory_mb = function->batch.memory_mb,
		.gpus = function->batch.gpu ? 1 : 0,
		.job_role = target->role,
		.host_path = batch->fargate ? NULL : FOLDER,
		.container_path = batch->fargate ? NULL : FOLDER,
		.fargate = batch->fargate,
		.execution_role = batch->fargate ? target->role : NULL,
		.architecture = !batch->fargate                              ? NULL
				: strcmp(target->architecture, "arm64") == 0 ? "ARM64"
									     : "X86_64",
		.tags = tags,
		.tag_count = 1,
	};

	if (!variables)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (!definition.memory_mb)
		definition.memory_mb = batch->fargate ? FARGATE_MEMORY_MB : DEFAULT_MEMORY_MB;
	snprintf(vcpus, sizeof vcpus, "%d", function->batch.vcpus ? function->batch.vcpus : 1);
	definition.environment_count = list_variables(function, batch, variables);
	if (function->batch.multi_node) {
		definition.nodes = function->batch.nodes ? function->batch.nodes : DEFAULT_NODES;
		definition.main_node = function->batch.main_node;
	}
	return scar_batch_write_definition(&definition, &batch->definition, err);
}

static int encode_config(const struct scar_target *target, struct scar_batch *batch,
			 struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	if (scar_fdl_write_config(target->fdl, target->function, &text, err) < 0)
		return -1;
	return scar_base64_encode(text.data, text.len, &batch->config, err);
}

static const char *type_of(const struct scar_fdl_function *function)
{
	return function->batch.type ? function->batch.type : "EC2";
}

static int write_list(const struct scar_fdl_list *list, struct scar_buf *state,
		      struct scar_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (scar_buf_printf(state, err, " %s", list->items[i]) < 0)
			return -1;
	}
	return scar_buf_append_char(state, '\n', err);
}

static int write_state(const struct scar_target *target, const struct scar_batch *batch,
		       struct scar_buf *state, struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const char *profile = said(function->batch.instance_role);
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	if (scar_digest_of(SCAR_DIGEST_SHA256, batch->runtime.data, batch->runtime.len, &digest,
			   err) < 0 ||
	    scar_buf_printf(state, err, "\n%s %s %s\n%s\n%s %s %d %d %d %s %s\n", batch->bucket,
			    batch->key, scar_digest_hex(&digest, hex), batch->definition.data,
			    type_of(function), function->batch.state ? function->batch.state : "",
			    function->batch.min_vcpus, function->batch.max_vcpus,
			    function->batch.desired_vcpus, profile ? profile : "",
			    batch->own_template ? "" : function->batch.launch_template) < 0)
		return -1;
	if (write_list(&function->batch.instance_types, state, err) < 0 ||
	    write_list(&function->batch.subnets, state, err) < 0)
		return -1;
	return write_list(&function->batch.security_groups, state, err);
}

int scar_batch_make(const struct scar_session *session, const struct scar_target *target,
		    struct scar_batch **ret_batch, struct scar_buf *state, struct scar_err *err)
{
	scar_auto(scar_cleanup_batch) struct scar_batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	scar_buf_init(&batch->runtime, SCAR_LAYER_BYTES_MAX);
	scar_buf_init(&batch->user_data, SCAR_KIB(32));
	scar_buf_init(&batch->config, SCAR_MIB(8));
	scar_buf_init(&batch->definition, SCAR_MIB(16));
	batch->fargate = is_fargate(target->function);
	if (batch->fargate)
		scar_session_note(
			session,
			"function %s: Fargate gives jobs no host to keep the runtime: the "
			"image must have it at " FOLDER "/bootstrap",
			target->function->name);
	if (check(target->function, err) < 0 || take_names(target, batch, err) < 0 ||
	    scar_layer_read_bootstrap(session->arguments, target->architecture, &batch->runtime,
				      err) < 0 ||
	    make_user_data(target, batch, err) < 0 || encode_config(target, batch, err) < 0 ||
	    write_definition(target, batch, err) < 0 || write_state(target, batch, state, err) < 0)
		return -1;
	*ret_batch = scar_steal(batch);
	return 0;
}

/* ---- doing ---- */

int scar_batch_upload(struct scar_session *session, const struct scar_target *target,
		      struct scar_err *err)
{
	const struct scar_batch *batch = target->batch;

	return scar_s3_put(session->aws,
			   &(struct scar_s3_put){.bucket = batch->bucket,
						 .key = batch->key,
						 .fd = -1,
						 .data = batch->runtime.data,
						 .size_bytes = batch->runtime.len,
						 .owner = target->identity->account,
						 .content_type = "application/octet-stream"},
			   err);
}

/* May be a machine of ECS, and read the runtime. */
static int put_profile(struct scar_session *session, const struct scar_target *target,
		       char **ret_arn, struct scar_err *err)
{
	const struct scar_batch *batch = target->batch;
	const char *partition = target->identity->partition;
	const struct scar_aws_pair tags[] = {{SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY}};
	char managed[160], policy[512];
	const char *const list[] = {managed, NULL};
	const struct scar_iam_role role = {
		.name = batch->host,
		.service = "ec2.amazonaws.com",
		.description = "Machines of AWS Batch, made by scar",
		.managed = list,
		.policy_name = POLICY_NAME,
		.policy = policy,
		.tags = tags,
		.tag_count = 1,
	};
	scar_free_auto char *arn = NULL;

	snprintf(managed, sizeof managed,
		 "arn:%s:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
		 partition);
	snprintf(policy, sizeof policy,
		 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":"
		 "\"s3:GetObject\",\"Resource\":\"arn:%s:s3:::%s/" KEY_FOLDER "/*\"}]}",
		 partition, batch->bucket);
	if (scar_iam_put_role(session->aws, &role, &arn, NULL, err) < 0)
		return -1;
	return scar_iam_put_profile(session->aws, batch->host, batch->host, ret_arn, err);
}

static int put_template(struct scar_session *session, const struct scar_batch *batch,
			struct scar_err *err)
{
	const struct scar_aws_pair tags[] = {{SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY}};
	const struct scar_launch_template template = {.name = batch->host,
						      .user_data = batch->user_data.data,
						      .tags = tags,
						      .tag_count = 1};

	return scar_launch_template_put(session->aws, &template, NULL, err);
}

/* What has the processor, and the GPU where one is wanted. */
static const char *default_type(const struct scar_target *target)
{
	bool arm = strcmp(target->architecture, "arm64") == 0;

	if (target->function->batch.gpu)
		return arm ? "g5g" : "g4dn";
	return arm ? "m7g" : "optimal";
}

static const char *const *list_of(const struct scar_fdl_list *list)
{
	return list->count ? (const char *const *)list->items : NULL;
}

static int put_queue(struct scar_session *session, const struct scar_batch_environment *environment,
		     struct scar_err *err)
{
	scar_session_detail(session, "compute environment %s: this may take minutes",
			    environment->name);
	if (scar_batch_put_environment(session->aws, environment, NULL, err) < 0)
		return -1;
	return scar_batch_put_queue(session->aws, environment->name, environment->name, NULL, err);
}

int scar_batch_place(struct scar_session *session, const struct scar_target *target,
		     struct scar_err *err)
{
	const struct scar_fdl_function *function = target->function;
	const struct scar_batch *batch = target->batch;
	const struct scar_aws_pair tags[] = {{SCAR_TAG_CREATED_BY, SCAR_TAG_MADE_BY}};
	const char *const types[] = {default_type(target), NULL};
	scar_free_auto char *profile = NULL;
	struct scar_batch_environment environment = {
		.name = function->name,
		.type = type_of(function),
		.min_vcpus = function->batch.min_vcpus,
		.max_vcpus = function->batch.max_vcpus ? function->batch.max_vcpus
						       : DEFAULT_MAX_VCPUS,
		.desired_vcpus = function->batch.desired_vcpus,
		.instance_types = list_of(&function->batch.instance_types),
		.instance_role = said(function->batch.instance_role),
		.launch_template = batch->own_template ? batch->host
						       : function->batch.launch_template,
		.service_role = said(function->batch.service_role),
		.state = function->batch.state,
		.subnets = list_of(&function->batch.subnets),
		.security_groups = list_of(&function->batch.security_groups),
		.tags = tags,
		.tag_count = 1,
	};

	if (batch->fargate) {
		environment.instance_types = NULL;
		environment.instance_role = environment.launch_template = NULL;
		return put_queue(session, &environment, err);
	}
	if (!environment.instance_types)
		environment.instance_types = types;
	if (batch->own_profile && put_profile(session, target, &profile, err) < 0)
		return -1;
	if (batch->own_profile)
		environment.instance_role = profile;
	if (batch->own_template && put_template(session, batch, err) < 0)
		return -1;
	return put_queue(session, &environment, err);
}

int scar_batch_define(struct scar_session *session, const struct scar_target *target,
		      struct scar_err *err)
{
	return scar_batch_register_body(session->aws, &target->batch->definition, NULL, err);
}

/* ---- away with it ---- */

static int remove_host(struct scar_session *session, const char *host, struct scar_err *err)
{
	scar_free_auto char *tag = NULL;

	if (scar_launch_template_delete(session->aws, host, err) < 0)
		return -1;
	if (scar_iam_get_role_tag(session->aws, host, SCAR_TAG_CREATED_BY, &tag, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	if (!tag || strcmp(tag, SCAR_TAG_MADE_BY) != 0)
		return 0;
	if (scar_iam_delete_profile(session->aws, host, host, err) < 0)
		return -1;
	return scar_iam_delete_role(session->aws, host, err);
}

int scar_batch_remove(struct scar_session *session, const char *function, bool *ret_deleted,
		      struct scar_err *err)
{
	const char *region = NULL;
	char host[64];

	if (scar_aws_need_region(session->aws, &region, err) < 0 ||
	    name_host(function, region, host, err) < 0 ||
	    scar_batch_delete_all(session->aws, function, ret_deleted, err) < 0)
		return -1;
	return remove_host(session, host, err);
}
