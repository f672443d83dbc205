/* SPDX-License-Identifier: Apache-2.0 */
/* Job definitions and jobs. */
#include "deployer/aws/batch.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "deployer/aws/batch_private.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* AWS's limit for a job definition. */
#define DEFINITION_MAX ((size_t)24 * 1024)
#define VOLUME "scar"

int scar_batch_send(struct scar_aws *aws, const char *operation, const struct scar_json_writer *w,
		    struct scar_json **ret_answer, struct scar_err *err)
{
	char path[64] = "/v1/";
	const struct scar_aws_call call = {
		.service = SCAR_AWS_BATCH, .operation = operation, .path = path};

	for (size_t i = 0; operation[i] && i + 5 < sizeof path; i++) {
		path[4 + i] = (char)tolower((unsigned char)operation[i]);
		path[5 + i] = '\0';
	}
	return scar_aws_send(aws, &call, w, ret_answer, err);
}

/* [{"name": ..., "value": ...}] */
void scar_batch_write_pairs(struct scar_json_writer *w, const char *key,
			    const struct scar_aws_pair *pairs, size_t count)
{
	if (!count)
		return;
	scar_json_write_open(w, key, '[');
	for (size_t i = 0; i < count; i++) {
		scar_json_write_open(w, NULL, '{');
		scar_json_write_string(w, "name", pairs[i].name);
		scar_json_write_string(w, "value", pairs[i].value);
		scar_json_write_close(w, '}');
	}
	scar_json_write_close(w, ']');
}

/* ---- the definition ---- */

static void write_need(struct scar_json_writer *w, const char *type, const char *value)
{
	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "type", type);
	scar_json_write_string(w, "value", value);
	scar_json_write_close(w, '}');
}

static void write_needs(struct scar_json_writer *w, const struct scar_batch_definition *d)
{
	char number[16];

	scar_json_write_open(w, "resourceRequirements", '[');
	write_need(w, "VCPU", d->vcpus ? d->vcpus : "1");
	snprintf(number, sizeof number, "%d", d->memory_mb);
	write_need(w, "MEMORY", number);
	if (d->gpus) {
		snprintf(number, sizeof number, "%d", d->gpus);
		write_need(w, "GPU", number);
	}
	scar_json_write_close(w, ']');
}

static void write_one(struct scar_json_writer *w, const char *key, const char *name,
		      const char *value)
{
	scar_json_write_open(w, key, '{');
	scar_json_write_string(w, name, value);
	scar_json_write_close(w, '}');
}

static void write_volume(struct scar_json_writer *w, const struct scar_batch_definition *d)
{
	if (!d->host_path)
		return;
	scar_json_write_open(w, "volumes", '[');
	scar_json_write_open(w, NULL, '{');
	write_one(w, "host", "sourcePath", d->host_path);
	scar_json_write_string(w, "name", VOLUME);
	scar_json_write_close(w, '}');
	scar_json_write_close(w, ']');
	scar_json_write_open(w, "mountPoints", '[');
	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "containerPath", d->container_path);
	scar_json_write_bool(w, "readOnly", true);
	scar_json_write_string(w, "sourceVolume", VOLUME);
	scar_json_write_close(w, '}');
	scar_json_write_close(w, ']');
}

static void write_fargate(struct scar_json_writer *w, const struct scar_batch_definition *d)
{
	if (!d->fargate)
		return;
	/* Without an address of its own it cannot reach a registry, where there is no NAT. */
	write_one(w, "networkConfiguration", "assignPublicIp", "ENABLED");
	if (d->storage_gb) {
		scar_json_write_open(w, "ephemeralStorage", '{');
		scar_json_write_int(w, "sizeInGiB", d->storage_gb);
		scar_json_write_close(w, '}');
	}
	if (d->architecture) {
		scar_json_write_open(w, "runtimePlatform", '{');
		scar_json_write_string(w, "operatingSystemFamily", "LINUX");
		scar_json_write_string(w, "cpuArchitecture", d->architecture);
		scar_json_write_close(w, '}');
	}
}

static void write_container(struct scar_json_writer *w, const char *key,
			    const struct scar_batch_definition *d)
{
	scar_json_write_open(w, key, '{');
	scar_json_write_string(w, "image", d->image);
	scar_json_write_strings(w, "command", d->command);
	scar_json_write_string(w, "jobRoleArn", d->job_role);
	scar_json_write_string(w, "executionRoleArn", d->execution_role);
	scar_batch_write_pairs(w, "environment", d->environment, d->environment_count);
	write_needs(w, d);
	write_volume(w, d);
	write_fargate(w, d);
	if (d->credentials)
		write_one(w, "repositoryCredentials", "credentialsParameter", d->credentials);
	scar_json_write_close(w, '}');
}

static void write_nodes(struct scar_json_writer *w, const struct scar_batch_definition *d)
{
	scar_json_write_open(w, "nodeProperties", '{');
	scar_json_write_int(w, "numNodes", d->nodes);
	scar_json_write_int(w, "mainNode", d->main_node);
	scar_json_write_open(w, "nodeRangeProperties", '[');
	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "targetNodes", "0:");
	write_container(w, "container", d);
	scar_json_write_close(w, '}');
	scar_json_write_close(w, ']');
	scar_json_write_close(w, '}');
}

static void write_tags(struct scar_json_writer *w, const struct scar_batch_definition *d)
{
	if (!d->tag_count)
		return;
	scar_json_write_open(w, "tags", '{');
	for (size_t i = 0; i < d->tag_count; i++)
		scar_json_write_string(w, d->tags[i].name, d->tags[i].value);
	scar_json_write_close(w, '}');
}

static int write_definition(const struct scar_batch_definition *d, struct scar_json_writer *w)
{
	const char *const platforms[] = {d->fargate ? "FARGATE" : "EC2", NULL};

	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "jobDefinitionName", d->name);
	scar_json_write_string(w, "type", d->nodes > 1 ? "multinode" : "container");
	if (d->nodes > 1)
		write_nodes(w, d);
	else
		write_container(w, "containerProperties", d);
	scar_json_write_strings(w, "platformCapabilities", platforms);
	if (d->attempts) {
		scar_json_write_open(w, "retryStrategy", '{');
		scar_json_write_int(w, "attempts", d->attempts);
		scar_json_write_close(w, '}');
	}
	if (d->timeout_s) {
		scar_json_write_open(w, "timeout", '{');
		scar_json_write_int(w, "attemptDurationSeconds", d->timeout_s);
		scar_json_write_close(w, '}');
	}
	write_tags(w, d);
	scar_json_write_close(w, '}');
	return scar_json_writer_end(w);
}

int scar_batch_write_definition(const struct scar_batch_definition *definition,
				struct scar_buf *ret_body, struct scar_err *err)
{
	struct scar_json_writer w;
	size_t before = ret_body->len;

	if (definition->nodes > 1 && definition->fargate)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "jobs of several nodes run on EC2, not on Fargate");
	if (definition->gpus && definition->fargate)
		return scar_err_set(err, SCAR_ERR_CONFIG, "Fargate has no GPUs: use EC2");
	scar_json_writer_init(&w, ret_body, err);
	if (write_definition(definition, &w) < 0)
		return -1;
	if (ret_body->len - before > DEFINITION_MAX)
		return scar_err_set(
			err, SCAR_ERR_LIMIT,
			"the job definition has %zu bytes, of which Batch takes %zu: make "
			"the script or the environment smaller",
			ret_body->len - before, DEFINITION_MAX);
	return 0;
}

int scar_batch_register(struct scar_aws *aws, const struct scar_batch_definition *definition,
			struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;

	scar_buf_init(&body, SCAR_BATCH_BODY_MAX);
	if (scar_batch_write_definition(definition, &body, err) < 0)
		return scar_err_wrap(err, "RegisterJobDefinition");
	return scar_batch_register_body(aws, &body, ret_answer, err);
}

int scar_batch_register_body(struct scar_aws *aws, const struct scar_buf *body,
			     struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_BATCH,
					   .operation = "RegisterJobDefinition",
					   .path = "/v1/registerjobdefinition",
					   .body = body->data,
					   .body_len = body->len};

	return scar_aws_perform_json(aws, &call, ret_answer, err);
}

/* ---- jobs ---- */

int scar_batch_submit(struct scar_aws *aws, const struct scar_batch_job *job, char **ret_id,
		      struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	const char *id;

	scar_buf_init(&body, SCAR_BATCH_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "jobName", job->name);
	scar_json_write_string(&w, "jobQueue", job->queue);
	scar_json_write_string(&w, "jobDefinition", job->definition);
	if (job->array_size) {
		scar_json_write_open(&w, "arrayProperties", '{');
		scar_json_write_int(&w, "size", job->array_size);
		scar_json_write_close(&w, '}');
	}
	if (job->environment_count || job->command) {
		scar_json_write_open(&w, "containerOverrides", '{');
		scar_json_write_strings(&w, "command", job->command);
		scar_batch_write_pairs(&w, "environment", job->environment, job->environment_count);
		scar_json_write_close(&w, '}');
	}
	scar_json_write_close(&w, '}');
	if (scar_batch_send(aws, "SubmitJob", &w, &answer, err) < 0 ||
	    scar_json_need_string(answer, "jobId", "batch SubmitJob", &id, err) < 0)
		return -1;
	return scar_aws_copy(id, ret_id, err);
}

int scar_batch_get_job(struct scar_aws *aws, const char *id, struct scar_json **ret_job,
		       struct scar_err *err)
{
	const char *const ids[] = {id, NULL};
	scar_json_auto struct scar_json *answer = NULL;
	scar_buf_auto struct scar_buf body, text;
	const struct scar_json *job;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(4));
	scar_buf_init(&text, SCAR_LIMIT_JSON_BYTES);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_strings(&w, "jobs", ids);
	scar_json_write_close(&w, '}');
	if (scar_batch_send(aws, "DescribeJobs", &w, &answer, err) < 0)
		return -1;
	job = scar_json_first(scar_json_get(answer, "jobs"));
	if (!job)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there is no Batch job %s", id);
	/* The caller owns the job alone. */
	if (scar_json_print(job, &text, err) < 0)
		return -1;
	return scar_json_parse(text.data, text.len, "the job", ret_job, err);
}

struct question {
	const char *queue, *status;
};

static int ask_jobs(struct scar_aws *aws, void *ctx, const char *marker,
		    struct scar_json **ret_answer, struct scar_err *err)
{
	const struct question *question = ctx;
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(8));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "jobQueue", question->queue);
	scar_json_write_string(&w, "jobStatus", question->status);
	scar_json_write_string(&w, "nextToken", marker);
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "ListJobs", &w, ret_answer, err);
}

int scar_batch_list_jobs(struct scar_aws *aws, const char *queue, const char *status,
			 scar_aws_each each, void *ctx, struct scar_err *err)
{
	struct question question = {queue, status};

	return scar_aws_list(aws, ask_jobs, &question, "jobSummaryList", "nextToken", each, ctx,
			     err);
}

int scar_batch_end_job(struct scar_aws *aws, const char *id, const char *reason,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(8));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "jobId", id);
	scar_json_write_string(&w, "reason", reason);
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "TerminateJob", &w, NULL, err);
}
