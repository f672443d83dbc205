/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where jobs run: compute environments and queues. Both are changed in the background: each step is waited for, since the next one is
 * refused until it holds.
 */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/batch_private.h"
#include "deployer/aws/network.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define PATIENCE_MS 600000

/* The two kinds of things are alike. */
struct kind {
	const char *what;          /* for people */
	const char *describe;      /* operation */
	const char *names_key;     /* of its request */
	const char *list_key;      /* of its answer */
	const char *update, *drop; /* operations */
	const char *name_key;      /* of their requests */
};

static const struct kind queues = {"queue",          "DescribeJobQueues", "jobQueues", "jobQueues",
				   "UpdateJobQueue", "DeleteJobQueue",    "jobQueue"};
static const struct kind environments = {"compute environment",      "DescribeComputeEnvironments",
					 "computeEnvironments",      "computeEnvironments",
					 "UpdateComputeEnvironment", "DeleteComputeEnvironment",
					 "computeEnvironment"};

static const char *text_of(const struct scar_json *node, const char *key)
{
	const char *text = scar_json_string(scar_json_get(node, key));

	return text ? text : "";
}

/* *ret_found is NULL if there is none; it lives as long as *ret_answer. */
static int describe(struct scar_aws *aws, const struct kind *kind, const char *name,
		    struct scar_json **ret_answer, const struct scar_json **ret_found,
		    struct scar_err *err)
{
	const char *const names[] = {name, NULL};
	scar_buf_auto struct scar_buf body;
	const struct scar_json *found;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(4));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_strings(&w, kind->names_key, names);
	scar_json_write_close(&w, '}');
	if (scar_batch_send(aws, kind->describe, &w, ret_answer, err) < 0)
		return -1;
	found = scar_json_first(scar_json_get(*ret_answer, kind->list_key));
	*ret_found = found && strcmp(text_of(found, "status"), "DELETED") != 0 ? found : NULL;
	return 0;
}

/* @return 1: it is VALID, or gone where that is wanted; 0: not yet; -1: it never will be, with err */
static int look(struct scar_aws *aws, const struct kind *kind, const char *name, bool gone,
		struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *found = NULL;

	if (describe(aws, kind, name, &answer, &found, err) < 0)
		return -1;
	if (!found)
		return gone;
	if (!gone && strcmp(text_of(found, "status"), "INVALID") == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the Batch %s %s is not valid: %s",
				    kind->what, name, text_of(found, "statusReason"));
	return !gone && strcmp(text_of(found, "status"), "VALID") == 0;
}

static int wait_for(struct scar_aws *aws, const struct kind *kind, const char *name, bool gone,
		    struct scar_err *err)
{
	struct scar_aws_patience patience = scar_aws_patience(PATIENCE_MS, 500, 5000);

	for (;;) {
		int done = look(aws, kind, name, gone, err);
		int more;

		if (done)
			return done < 0 ? -1 : 0;
		more = scar_aws_be_patient(aws, &patience, err);
		if (more < 0)
			return -1;
		if (more == 0)
			return scar_err_set(err, SCAR_ERR_TIMEOUT,
					    "the Batch %s %s is not %s after %d s", kind->what,
					    name, gone ? "gone" : "ready", PATIENCE_MS / 1000);
	}
}

static void write_tags(struct scar_json_writer *w, const struct scar_aws_pair *tags, size_t count)
{
	if (!count)
		return;
	scar_json_write_open(w, "tags", '{');
	for (size_t i = 0; i < count; i++)
		scar_json_write_string(w, tags[i].name, tags[i].value);
	scar_json_write_close(w, '}');
}

/* ---- compute environments ---- */

static bool is_fargate(const struct scar_batch_environment *e)
{
	return strncmp(e->type, "FARGATE", 7) == 0;
}

static void write_resources(struct scar_json_writer *w, const struct scar_batch_environment *e,
			    const char *const *subnets, const char *const *groups)
{
	scar_json_write_open(w, "computeResources", '{');
	scar_json_write_string(w, "type", e->type);
	if (!is_fargate(e))
		scar_json_write_int(w, "minvCpus", e->min_vcpus);
	scar_json_write_int(w, "maxvCpus", e->max_vcpus);
	if (!is_fargate(e)) {
		scar_json_write_int(w, "desiredvCpus", e->desired_vcpus);
		scar_json_write_strings(w, "instanceTypes", e->instance_types);
		scar_json_write_string(w, "instanceRole", e->instance_role);
	}
	scar_json_write_strings(w, "subnets", subnets);
	scar_json_write_strings(w, "securityGroupIds", groups);
	if (!is_fargate(e) && e->launch_template) {
		scar_json_write_open(w, "launchTemplate", '{');
		scar_json_write_string(w, "launchTemplateName", e->launch_template);
		scar_json_write_string(w, "version", "$Latest");
		scar_json_write_close(w, '}');
	}
	scar_json_write_close(w, '}');
}

static int create_environment(struct scar_aws *aws, const struct scar_batch_environment *e,
			      const char *const *subnets, const char *const *groups,
			      struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_BATCH_BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "computeEnvironmentName", e->name);
	scar_json_write_string(&w, "type", "MANAGED");
	scar_json_write_string(&w, "state", e->state ? e->state : "ENABLED");
	write_resources(&w, e, subnets, groups);
	scar_json_write_string(&w, "serviceRole", e->service_role);
	write_tags(&w, e->tags, e->tag_count);
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "CreateComputeEnvironment", &w, NULL, err);
}

/* Subnets and groups: those that are said, or the default network's. */
static int create_in_network(struct scar_aws *aws, const struct scar_batch_environment *e,
			     struct scar_err *err)
{
	scar_network_auto struct scar_network network = {.subnets = NULL};

	if ((!e->subnets || !e->security_groups) && scar_network_find(aws, &network, err) < 0)
		return -1;
	return create_environment(
		aws, e, e->subnets ? e->subnets : (const char *const *)network.subnets,
		e->security_groups ? e->security_groups : (const char *const *)network.groups, err);
}

static bool differs(const struct scar_json *resources, const char *key, int wanted)
{
	int64_t number = 0;

	return scar_json_int(scar_json_get(resources, key), &number) < 0 || number != wanted;
}

static int refuse_change(const char *name, const char *what, const char *is, const char *wanted,
			 struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG,
			    "the compute environment %s is there with %s %s, and cannot be changed "
			    "to %s: scar rm the function and apply it again",
			    name, what, *is ? is : "none", wanted);
}

/* `wanted` NULL: not said. */
static int check_list(const struct scar_batch_environment *e, const struct scar_json *resources,
		      const char *key, const char *what, const char *const *wanted,
		      struct scar_err *err)
{
	const struct scar_json *item = scar_json_first(scar_json_get(resources, key));
	const char *const *text = wanted;

	if (!wanted)
		return 0;
	for (; item && *text; item = scar_json_next(item), text++) {
		const char *there = scar_json_string(item);

		if (!there || strcmp(there, *text) != 0)
			break;
	}
	return item || *text ? refuse_change(e->name, what, "others", *text ? *text : "fewer", err)
			     : 0;
}

static int check_same(const struct scar_batch_environment *e, const struct scar_json *resources,
		      struct scar_err *err)
{
	const char *type = text_of(resources, "type");
	const char *template = text_of(scar_json_get(resources, "launchTemplate"),
				       "launchTemplateName");

	if (strcmp(type, e->type) != 0)
		return refuse_change(e->name, "type", type, e->type, err);
	if (check_list(e, resources, "subnets", "subnets", e->subnets, err) < 0 ||
	    check_list(e, resources, "securityGroupIds", "security groups", e->security_groups,
		       err) < 0)
		return -1;
	if (is_fargate(e))
		return 0;
	if (e->launch_template && strcmp(template, e->launch_template) != 0)
		return refuse_change(e->name, "launch template", template, e->launch_template, err);
	if (e->instance_role && strcmp(text_of(resources, "instanceRole"), e->instance_role) != 0)
		return refuse_change(e->name, "instance profile",
				     text_of(resources, "instanceRole"), e->instance_role, err);
	return check_list(e, resources, "instanceTypes", "instance types", e->instance_types, err);
}

/* What may change without a new environment: how much there is of it. */
static int update_environment(struct scar_aws *aws, const struct scar_batch_environment *e,
			      const struct scar_json *found, struct scar_err *err)
{
	const struct scar_json *resources = scar_json_get(found, "computeResources");
	const char *state = e->state ? e->state : "ENABLED";
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(8));
	if (check_same(e, resources, err) < 0)
		return -1;
	if (strcmp(text_of(found, "state"), state) == 0 &&
	    !differs(resources, "maxvCpus", e->max_vcpus) &&
	    (is_fargate(e) || !differs(resources, "minvCpus", e->min_vcpus)))
		return 0;
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "computeEnvironment", e->name);
	scar_json_write_string(&w, "state", state);
	scar_json_write_open(&w, "computeResources", '{');
	if (!is_fargate(e))
		scar_json_write_int(&w, "minvCpus", e->min_vcpus);
	scar_json_write_int(&w, "maxvCpus", e->max_vcpus);
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "UpdateComputeEnvironment", &w, NULL, err);
}

int scar_batch_put_environment(struct scar_aws *aws,
			       const struct scar_batch_environment *environment, bool *ret_created,
			       struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *found = NULL;
	bool created;

	if (describe(aws, &environments, environment->name, &answer, &found, err) < 0)
		return -1;
	created = !found;
	if ((created ? create_in_network(aws, environment, err)
		     : update_environment(aws, environment, found, err)) < 0 ||
	    wait_for(aws, &environments, environment->name, false, err) < 0)
		return -1;
	if (ret_created)
		*ret_created = created;
	return 0;
}

/* ---- queues ---- */

static int create_queue(struct scar_aws *aws, const char *name, const char *environment,
			struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(8));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "jobQueueName", name);
	scar_json_write_string(&w, "state", "ENABLED");
	scar_json_write_int(&w, "priority", 1);
	scar_json_write_open(&w, "computeEnvironmentOrder", '[');
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_int(&w, "order", 1);
	scar_json_write_string(&w, "computeEnvironment", environment);
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, ']');
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "CreateJobQueue", &w, NULL, err);
}

int scar_batch_put_queue(struct scar_aws *aws, const char *name, const char *environment,
			 bool *ret_created, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *found = NULL;

	if (describe(aws, &queues, name, &answer, &found, err) < 0 ||
	    (!found && create_queue(aws, name, environment, err) < 0) ||
	    wait_for(aws, &queues, name, false, err) < 0)
		return -1;
	if (ret_created)
		*ret_created = !found;
	return 0;
}

/* ---- away with all of it ---- */

static int tell(struct scar_aws *aws, const char *operation, const char *key, const char *name,
		const char *state, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(4));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, key, name);
	scar_json_write_string(&w, "state", state);
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, operation, &w, NULL, err);
}

/* Disabled, waited for, deleted, waited for. An invalid one may be deleted, too. */
static int drop(struct scar_aws *aws, const struct kind *kind, const char *name, bool *ret_dropped,
		struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	const struct scar_json *found = NULL;
	struct scar_err invalid;

	if (describe(aws, kind, name, &answer, &found, err) < 0)
		return -1;
	if (!found)
		return 0;
	if (strcmp(text_of(found, "status"), "DELETING") != 0) {
		if (strcmp(text_of(found, "state"), "DISABLED") != 0 &&
		    tell(aws, kind->update, kind->name_key, name, "DISABLED", err) < 0)
			return -1;
		if (wait_for(aws, kind, name, false, &invalid) < 0 &&
		    invalid.kind != SCAR_ERR_CONFIG) {
			*err = invalid;
			return -1;
		}
		if (tell(aws, kind->drop, kind->name_key, name, NULL, err) < 0)
			return -1;
	}
	*ret_dropped = true;
	return wait_for(aws, kind, name, true, err);
}

struct revisions {
	struct scar_aws *aws;
	bool *dropped;
};

static int ask_revisions(struct scar_aws *aws, void *ctx, const char *marker,
			 struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(8));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "jobDefinitionName", ctx);
	scar_json_write_string(&w, "status", "ACTIVE");
	scar_json_write_string(&w, "nextToken", marker);
	scar_json_write_close(&w, '}');
	return scar_batch_send(aws, "DescribeJobDefinitions", &w, ret_answer, err);
}

static int drop_revision(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct revisions *revisions = ctx;
	const char *arn = text_of(item, "jobDefinitionArn");

	/* Servers other than AWS give all of them, whatever was asked for. */
	if (strcmp(text_of(item, "status"), "INACTIVE") == 0)
		return 0;
	*revisions->dropped = true;
	return tell(revisions->aws, "DeregisterJobDefinition", "jobDefinition", arn, NULL, err);
}

static int note_revision(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	bool *active = ctx;

	(void)err;
	*active = *active || strcmp(text_of(item, "status"), "INACTIVE") != 0;
	return 0;
}

int scar_batch_find(struct scar_aws *aws, const char *name, struct scar_batch_found *ret_found,
		    struct scar_err *err)
{
	scar_json_auto struct scar_json *environment = NULL, *queue = NULL;
	const struct scar_json *found = NULL;
	struct scar_batch_found all = {.definition = false};

	if (describe(aws, &environments, name, &environment, &found, err) < 0)
		return -1;
	all.environment = found;
	if (describe(aws, &queues, name, &queue, &found, err) < 0)
		return -1;
	all.queue = found;
	if (scar_aws_list(aws, ask_revisions, (void *)(uintptr_t)name, "jobDefinitions",
			  "nextToken", note_revision, &all.definition, err) < 0)
		return -1;
	*ret_found = all;
	return 0;
}

int scar_batch_delete_all(struct scar_aws *aws, const char *name, bool *ret_deleted,
			  struct scar_err *err)
{
	bool deleted = false;
	struct revisions revisions = {aws, &deleted};

	if (drop(aws, &queues, name, &deleted, err) < 0 ||
	    drop(aws, &environments, name, &deleted, err) < 0 ||
	    scar_aws_list(aws, ask_revisions, (void *)(uintptr_t)name, "jobDefinitions",
			  "nextToken", drop_revision, &revisions, err) < 0)
		return -1;
	if (ret_deleted)
		*ret_deleted = deleted;
	return 0;
}
