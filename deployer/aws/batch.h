/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file batch.h
 * AWS Batch: what runs a function's job when Lambda is too small. One compute environment, one queue and one job definition,
 * each named as the function. A change of Batch takes its time: each step waits until it holds.
 */
#ifndef SCAR_DEPLOYER_AWS_BATCH_H
#define SCAR_DEPLOYER_AWS_BATCH_H

#include "deployer/aws/aws.h"

struct scar_batch_environment {
	const char *name;
	const char *type;                        /**< EC2, SPOT, FARGATE or FARGATE_SPOT */
	int min_vcpus, max_vcpus, desired_vcpus; /**< EC2, SPOT: all; Fargate: max only */
	const char *const *instance_types;       /**< EC2, SPOT; NULL-terminated */
	const char *instance_role;               /**< ARN of an instance profile; EC2, SPOT */
	const char *launch_template;             /**< a name; EC2, SPOT; or NULL */
	const char *service_role;                /**< ARN; NULL: the service-linked one */
	const char *state;                       /**< NULL: ENABLED */
	const char *const *subnets,
		*const *security_groups; /**< NULL-terminated; NULL: those of the default VPC */
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

struct scar_batch_definition {
	const char *name;
	const char *image;
	const char *const *command; /**< NULL-terminated; or NULL */
	const struct scar_aws_pair *environment;
	size_t environment_count;
	const char *vcpus; /**< "1", "0.25" (Fargate) */
	int memory_mb;
	int gpus;
	bool fargate;
	int storage_gb;             /**< Fargate: 21 to 200; 0: the default of 20 */
	const char *architecture;   /**< Fargate: "X86_64" or "ARM64"; or NULL */
	const char *job_role;       /**< ARN; or NULL */
	const char *execution_role; /**< ARN; Fargate needs one */
	const char *credentials;    /**< ARN of the secret for a private registry; or NULL */
	/** A directory of the host mounted at a path of the container, read-only; both NULL: none (EC2). */
	const char *host_path, *container_path;
	int nodes, main_node; /**< more than one node: multi-node parallel (EC2 only) */
	int timeout_s;        /**< 0: none */
	int attempts;         /**< 0: 1 */
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

struct scar_batch_job {
	const char *name, *queue, *definition;
	const struct scar_aws_pair *environment;
	size_t environment_count;
	const char *const *command; /**< or NULL */
	int array_size;             /**< 2..10000; 0: a single job */
};

/** What there is under a name. */
struct scar_batch_found {
	bool environment, queue, definition;
};

int scar_batch_find(struct scar_aws *aws, const char *name, struct scar_batch_found *ret_found,
		    struct scar_err *err);
/**
 * Creates or updates the compute environment and waits until it is VALID. State and numbers of processors can be updated: SCAR_ERR_CONFIG if anything else that
 * is said differs from what is there. *ret_created may be NULL.
 */
int scar_batch_put_environment(struct scar_aws *aws,
			       const struct scar_batch_environment *environment, bool *ret_created,
			       struct scar_err *err);
/** Creates the queue of that name before the compute environment, or leaves the one that is there; waits until it is VALID. */
int scar_batch_put_queue(struct scar_aws *aws, const char *name, const char *environment,
			 bool *ret_created, struct scar_err *err);
/** RegisterJobDefinition: a new revision. {jobDefinitionArn, revision, ...}. */
int scar_batch_register(struct scar_aws *aws, const struct scar_batch_definition *definition,
			struct scar_json **ret_answer, struct scar_err *err);
struct scar_buf;
/** The same with a body that was written before. */
int scar_batch_register_body(struct scar_aws *aws, const struct scar_buf *body,
			     struct scar_json **ret_answer, struct scar_err *err);
/** Writes RegisterJobDefinition's body, whose limit is 24 KiB: SCAR_ERR_LIMIT. */
int scar_batch_write_definition(const struct scar_batch_definition *definition,
				struct scar_buf *ret_body, struct scar_err *err);
/** SubmitJob: the job's id, owned by the caller. */
int scar_batch_submit(struct scar_aws *aws, const struct scar_batch_job *job, char **ret_id,
		      struct scar_err *err);
/** DescribeJobs of one: {jobId, status, container: {logStreamName, exitCode, ...}, ...}. SCAR_ERR_NOT_FOUND. */
int scar_batch_get_job(struct scar_aws *aws, const char *id, struct scar_json **ret_job,
		       struct scar_err *err);
/** ListJobs of a queue with that status. */
int scar_batch_list_jobs(struct scar_aws *aws, const char *queue, const char *status,
			 scar_aws_each each, void *ctx, struct scar_err *err);
/** TerminateJob. */
int scar_batch_end_job(struct scar_aws *aws, const char *id, const char *reason,
		       struct scar_err *err);
/**
 * Removes queue, compute environment and every revision of the job definition of that name, each disabled and waited for; what is not there is
 * success.
 */
int scar_batch_delete_all(struct scar_aws *aws, const char *name, bool *ret_deleted,
			  struct scar_err *err);

#endif
