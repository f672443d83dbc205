/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/session.h"
#include "runtime/base/bucket.h"
#include "runtime/base/err.h"
#include "runtime/base/sigv4.h"

static const struct scar_aws_service_info services[SCAR_AWS_SERVICES] = {
	[SCAR_AWS_LAMBDA] = {.name = "lambda",
			     .variable = "LAMBDA",
			     .protocol = SCAR_AWS_REST_JSON},
	[SCAR_AWS_S3] = {.name = "s3", .variable = "S3", .protocol = SCAR_AWS_REST_XML},
	[SCAR_AWS_IAM] = {.name = "iam",
			  .variable = "IAM",
			  .version = "2010-05-08",
			  .protocol = SCAR_AWS_QUERY,
			  .is_global = true},
	[SCAR_AWS_STS] = {.name = "sts",
			  .variable = "STS",
			  .version = "2011-06-15",
			  .protocol = SCAR_AWS_QUERY},
	[SCAR_AWS_LOGS] = {.name = "logs",
			   .variable = "CLOUDWATCH_LOGS",
			   .target = "Logs_20140328",
			   .protocol = SCAR_AWS_JSON},
	[SCAR_AWS_APIGATEWAY] = {.name = "apigateway",
				 .variable = "API_GATEWAY",
				 .protocol = SCAR_AWS_REST_JSON},
	[SCAR_AWS_APIGATEWAY2] = {.name = "apigatewayv2",
				  .signing_name = "apigateway",
				  .host = "apigateway",
				  .variable = "APIGATEWAYV2",
				  .protocol = SCAR_AWS_REST_JSON},
	[SCAR_AWS_TAGGING] = {.name = "tagging",
			      .variable = "RESOURCE_GROUPS_TAGGING_API",
			      .target = "ResourceGroupsTaggingAPI_20170126",
			      .protocol = SCAR_AWS_JSON},
	[SCAR_AWS_ECR] = {.name = "ecr",
			  .host = "api.ecr",
			  .variable = "ECR",
			  .target = "AmazonEC2ContainerRegistry_V20150921",
			  .protocol = SCAR_AWS_JSON},
	[SCAR_AWS_BATCH] = {.name = "batch", .variable = "BATCH", .protocol = SCAR_AWS_REST_JSON},
	[SCAR_AWS_EC2] = {.name = "ec2",
			  .variable = "EC2",
			  .version = "2016-11-15",
			  .protocol = SCAR_AWS_EC2_QUERY},
};

const struct scar_aws_service_info *scar_aws_service_info(enum scar_aws_service service)
{
	return &services[service];
}

const char *scar_aws_domain(const char *region)
{
	return region && strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
}

const char *scar_aws_partition(const char *region)
{
	if (region && strncmp(region, "cn-", 3) == 0)
		return "aws-cn";
	return region && strncmp(region, "us-gov-", 7) == 0 ? "aws-us-gov" : "aws";
}

/* ---- regions ---- */

/* IAM has one place for a whole partition, and signatures name the region it is in. */
static const char *global_region(const char *region)
{
	const char *partition = scar_aws_partition(region);

	if (strcmp(partition, "aws-cn") == 0)
		return "cn-north-1";
	return strcmp(partition, "aws-us-gov") == 0 ? "us-gov-west-1" : "us-east-1";
}

static const char *bucket_region(const struct scar_aws *aws, const char *bucket)
{
	for (size_t i = 0; bucket && i < SCAR_AWS_BUCKETS_MAX; i++) {
		if (strcmp(aws->buckets[i].name, bucket) == 0 && aws->buckets[i].region[0])
			return aws->buckets[i].region;
	}
	return aws->region;
}

void scar_aws_note_bucket(struct scar_aws *aws, const char *bucket, const char *region)
{
	struct scar_aws_bucket *entry = NULL;

	if (strlen(bucket) >= sizeof entry->name || strlen(region) >= sizeof entry->region)
		return;
	for (size_t i = 0; !entry && i < SCAR_AWS_BUCKETS_MAX; i++) {
		if (strcmp(aws->buckets[i].name, bucket) == 0)
			entry = &aws->buckets[i];
	}
	if (!entry)
		entry = &aws->buckets[aws->bucket_count++ % SCAR_AWS_BUCKETS_MAX];
	snprintf(entry->name, sizeof entry->name, "%s", bucket);
	snprintf(entry->region, sizeof entry->region, "%s", region);
}

/* The region that a call is for; the token service and IAM answer also whoever has none. */
static const char *call_region(const struct scar_aws *aws, const struct scar_aws_call *call,
			       struct scar_err *err)
{
	const char *region = call->service == SCAR_AWS_S3 ? bucket_region(aws, call->bucket)
							  : aws->region;

	if (services[call->service].is_global)
		return global_region(aws->region);
	if (!*region && call->service == SCAR_AWS_STS)
		return "us-east-1";
	if (*region)
		return region;
	return scar_aws_need_region(aws, &region, err) < 0 ? NULL : region;
}

/* ---- the URL ---- */

static int append_host(const struct scar_aws_service_info *info, const char *region,
		       struct scar_buf *url, struct scar_err *err)
{
	const char *prefix = info->host ? info->host : info->name;
	const char *partition = scar_aws_partition(region);

	if (!info->is_global)
		return scar_buf_printf(url, err, "https://%s.%s.%s", prefix, region,
				       scar_aws_domain(region));
	if (strcmp(partition, "aws-cn") == 0)
		return scar_buf_printf(url, err, "https://%s.%s.amazonaws.com.cn", prefix, region);
	return scar_buf_printf(url, err, "https://%s%s.amazonaws.com", prefix,
			       strcmp(partition, "aws-us-gov") == 0 ? ".us-gov" : "");
}

int scar_aws_url(const struct scar_aws *aws, const struct scar_aws_call *call,
		 struct scar_buf *ret_url, char region[64], bool *ret_custom, struct scar_err *err)
{
	const struct scar_aws_service_info *info = &services[call->service];
	const struct scar_aws_settings *settings = &aws->shared->settings;
	const char *endpoint = scar_aws_settings_endpoint(settings, info->variable);
	const char *found = call_region(aws, call, err), *path = call->path;
	int failed;

	if (!found)
		return -1;
	snprintf(region, 64, "%s", found);
	*ret_custom = endpoint != NULL;
	if (call->bucket)
		failed = scar_bucket_append_url(ret_url, endpoint, region, call->bucket,
						settings->path_style, err);
	else if (endpoint)
		failed = scar_buf_append(ret_url, endpoint,
					 strlen(endpoint) - (endpoint[strlen(endpoint) - 1] == '/'),
					 err);
	else
		failed = append_host(info, region, ret_url, err);
	/* A bucket in the path needs no slash behind it; a host does. */
	if (!path &&
	    !(call->bucket && scar_bucket_is_in_path(endpoint, call->bucket, settings->path_style)))
		path = "/";
	if (!failed && path)
		failed = scar_buf_append_str(ret_url, path, err);
	if (!failed && call->query && *call->query)
		failed = scar_buf_printf(ret_url, err, "?%s", call->query);
	return failed;
}

/* ---- paths, queries and forms ---- */

int scar_aws_path_v(struct scar_buf *path, struct scar_err *err, const char *form, va_list args)
{
	int failed = 0;

	while (!failed && *form) {
		size_t len = strcspn(form, "{");

		failed = scar_buf_append(path, form, len, err);
		form += len;
		if (!failed && *form) {
			const char *label = va_arg(args, const char *);

			/* A path without its label is that of another operation. */
			failed = !label || !*label
					 ? scar_err_set(err, SCAR_ERR_CONFIG,
							"an empty name where AWS needs one")
					 : scar_sigv4_encode(path, label, strlen(label), "", err);
			form += 2;
		}
	}
	return failed;
}

int scar_aws_path(struct scar_buf *path, struct scar_err *err, const char *form, ...)
{
	va_list args;
	int failed;

	va_start(args, form);
	failed = scar_aws_path_v(path, err, form, args);
	va_end(args);
	return failed;
}

int scar_aws_query(struct scar_buf *query, const char *name, const char *value,
		   struct scar_err *err)
{
	if (!value)
		return 0;
	if ((query->len && scar_buf_append_char(query, '&', err) < 0) ||
	    scar_sigv4_encode(query, name, strlen(name), "", err) < 0 ||
	    scar_buf_append_char(query, '=', err) < 0)
		return -1;
	return scar_sigv4_encode(query, value, strlen(value), "", err);
}

int scar_aws_query_tags(struct scar_buf *query, const char *prefix,
			const struct scar_aws_pair *tags, size_t count, struct scar_err *err)
{
	char name[64];

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%.32s%zu.Key", prefix, i + 1);
		if (scar_aws_query(query, name, tags[i].name, err) < 0)
			return -1;
		snprintf(name, sizeof name, "%.32s%zu.Value", prefix, i + 1);
		if (scar_aws_query(query, name, tags[i].value, err) < 0)
			return -1;
	}
	return 0;
}

int scar_aws_query_int(struct scar_buf *query, const char *name, int64_t value,
		       struct scar_err *err)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)value);
	return scar_aws_query(query, name, text, err);
}

int scar_aws_form(struct scar_buf *form, enum scar_aws_service service, const char *operation,
		  struct scar_err *err)
{
	if (scar_aws_query(form, "Action", operation, err) < 0)
		return -1;
	return scar_aws_query(form, "Version", services[service].version, err);
}
