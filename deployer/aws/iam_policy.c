/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a function's role: each statement names the function's own things, and only where AWS knows no name for them is it "*". */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/iam.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json_writer.h"

#define ARN_MAX 1600

static const char *const log_actions[] = {"logs:CreateLogStream", "logs:PutLogEvents", NULL};
static const char *const group_actions[] = {"logs:CreateLogGroup", NULL};
static const char *const read_actions[] = {"s3:GetObject", "s3:GetObjectVersion", NULL};
static const char *const write_actions[] = {"s3:PutObject", "s3:AbortMultipartUpload", NULL};
static const char *const list_actions[] = {"s3:ListBucket", NULL};
static const char *const network_actions[] = {
	"ec2:CreateNetworkInterface",   "ec2:DescribeNetworkInterfaces",
	"ec2:DescribeSubnets",          "ec2:DeleteNetworkInterface",
	"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	"ec2:DescribeSecurityGroups",   "ec2:DescribeVpcs",
	"ec2:GetSecurityGroupsForVpc",  NULL};
static const char *const file_actions[] = {"elasticfilesystem:ClientMount",
					   "elasticfilesystem:ClientWrite", NULL};
static const char *const s3_file_actions[] = {"s3files:ClientMount", "s3files:ClientWrite", NULL};
static const char *const submit_actions[] = {"batch:SubmitJob", NULL};
static const char *const describe_actions[] = {"batch:DescribeJobs", NULL};
static const char *const pull_actions[] = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer",
					   "ecr:BatchCheckLayerAvailability", NULL};
static const char *const token_actions[] = {"ecr:GetAuthorizationToken", NULL};
static const char *const secret_actions[] = {"secretsmanager:GetSecretValue", "ssm:GetParameter",
					     NULL};

static void open_statement(struct scar_json_writer *w, const char *id, const char *const *actions)
{
	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "Sid", id);
	scar_json_write_string(w, "Effect", "Allow");
	scar_json_write_strings(w, "Action", actions);
	scar_json_write_open(w, "Resource", '[');
}

static void close_statement(struct scar_json_writer *w)
{
	scar_json_write_close(w, ']');
	scar_json_write_close(w, '}');
}

static void write_any(struct scar_json_writer *w, const char *id, const char *const *actions)
{
	open_statement(w, id, actions);
	scar_json_write_string(w, NULL, "*");
	close_statement(w);
}

static void write_logs(struct scar_json_writer *w, const struct scar_iam_needs *needs)
{
	char arn[ARN_MAX];

	snprintf(arn, sizeof arn, "arn:%s:logs:%s:%s:log-group:/aws/lambda/%s", needs->partition,
		 needs->region, needs->account, needs->function);
	open_statement(w, "OwnLogGroup", group_actions);
	scar_json_write_string(w, NULL, arn);
	close_statement(w);
	snprintf(arn, sizeof arn, "arn:%s:logs:%s:%s:log-group:/aws/lambda/%s:*", needs->partition,
		 needs->region, needs->account, needs->function);
	open_statement(w, "OwnLogs", log_actions);
	scar_json_write_string(w, NULL, arn);
	close_statement(w);
}

/* "bucket/prefix" gives the objects below the prefix, "bucket" all of them. */
static void write_objects(struct scar_json_writer *w, const struct scar_iam_needs *needs,
			  const char *id, const char *const *actions, const char *const *places)
{
	char arn[ARN_MAX];

	if (!places || !*places)
		return;
	open_statement(w, id, actions);
	for (; *places; places++) {
		size_t len = strlen(*places);

		while (len > 0 && (*places)[len - 1] == '/')
			len--;
		snprintf(arn, sizeof arn, "arn:%s:s3:::%.*s/*", needs->partition, (int)len,
			 *places);
		scar_json_write_string(w, NULL, arn);
	}
	close_statement(w);
}

/* So that an object that is not there is told from one that may not be read. */
static void write_buckets(struct scar_json_writer *w, const struct scar_iam_needs *needs)
{
	const char *const *place = needs->read;
	char arn[ARN_MAX];

	if (!place || !*place)
		return;
	open_statement(w, "ListInputs", list_actions);
	for (; *place; place++) {
		snprintf(arn, sizeof arn, "arn:%s:s3:::%.*s", needs->partition,
			 (int)strcspn(*place, "/"), *place);
		scar_json_write_string(w, NULL, arn);
	}
	close_statement(w);
}

static void write_batch(struct scar_json_writer *w, const struct scar_iam_needs *needs)
{
	static const char *const kinds[] = {"job-queue/", "job-definition/", NULL};
	char arn[ARN_MAX];

	open_statement(w, "OwnJobs", submit_actions);
	for (const char *const *kind = kinds; *kind; kind++) {
		snprintf(arn, sizeof arn, "arn:%s:batch:%s:%s:%s%s", needs->partition,
			 needs->region, needs->account, *kind, needs->function);
		scar_json_write_string(w, NULL, arn);
	}
	/* Revisions of the definition. */
	snprintf(arn, sizeof arn, "arn:%s:batch:%s:%s:job-definition/%s:*", needs->partition,
		 needs->region, needs->account, needs->function);
	scar_json_write_string(w, NULL, arn);
	close_statement(w);
	write_any(w, "DescribeJobs", describe_actions);
}

static void write_list(struct scar_json_writer *w, const char *id, const char *const *actions,
		       const char *const *arns)
{
	if (!arns || !*arns)
		return;
	open_statement(w, id, actions);
	for (; *arns; arns++)
		scar_json_write_string(w, NULL, *arns);
	close_statement(w);
}

int scar_iam_write_policy(const struct scar_iam_needs *needs, struct scar_buf *ret_policy,
			  struct scar_err *err)
{
	struct scar_json_writer w;

	scar_json_writer_init(&w, ret_policy, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "Version", "2012-10-17");
	scar_json_write_open(&w, "Statement", '[');
	write_logs(&w, needs);
	write_objects(&w, needs, "ReadInputs", read_actions, needs->read);
	write_buckets(&w, needs);
	write_objects(&w, needs, "WriteOutputs", write_actions, needs->write);
	if (needs->vpc)
		write_any(&w, "Network", network_actions);
	if (needs->files)
		write_any(&w, "Files", file_actions);
	write_list(&w, "S3Files", s3_file_actions, needs->s3_files);
	if (needs->batch)
		write_batch(&w, needs);
	write_list(&w, "PullImages", pull_actions, needs->repositories);
	if (needs->repositories && *needs->repositories)
		write_any(&w, "RegistryPassword", token_actions);
	write_list(&w, "Secrets", secret_actions, needs->secrets);
	scar_json_write_close(&w, ']');
	scar_json_write_close(&w, '}');
	return scar_json_writer_end(&w);
}
