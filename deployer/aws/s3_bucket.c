/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/s3_private.h"
#include "deployer/aws/session.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"

/* The first region has no name in this place, and refuses to be named. */
static int write_location(const char *region, struct scar_buf *body, struct scar_err *err)
{
	if (strcmp(region, "us-east-1") == 0)
		return 0;
	return scar_buf_printf(body, err,
			       "<CreateBucketConfiguration xmlns=\"" XMLNS
			       "\"><LocationConstraint>%s"
			       "</LocationConstraint></CreateBucketConfiguration>",
			       region);
}

int scar_s3_create_bucket(struct scar_aws *aws, const char *bucket, bool *ret_created,
			  struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "CreateBucket",
				     .method = "PUT",
				     .bucket = bucket,
				     .raw_answer = true};
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf body;
	char region[64];
	const char *wanted;
	bool created = false;

	scar_aws_answer_init(&answer);
	scar_buf_init(&body, SCAR_KIB(1));
	if (scar_aws_need_region(aws, &wanted, err) < 0)
		return -1;
	/* To create what is there is no error in us-east-1, and the answer does not tell; so look first. */
	if (scar_s3_bucket_region(aws, bucket, region, err) < 0) {
		if (err->kind != SCAR_ERR_NOT_FOUND)
			return -1;
		if (write_location(wanted, &body, err) < 0)
			return -1;
		call.body = body.data;
		call.body_len = body.len;
		created = scar_aws_perform(aws, &call, &answer, err) == 0;
		if (!created && !scar_aws_failed_with(aws, "BucketAlreadyOwnedByYou"))
			return -1;
		scar_aws_note_bucket(aws, bucket, wanted);
	}
	if (ret_created)
		*ret_created = created;
	return 0;
}

int scar_s3_bucket_region(struct scar_aws *aws, const char *bucket, char region[64],
			  struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_S3,
					   .operation = "HeadBucket",
					   .method = "HEAD",
					   .bucket = bucket};
	scar_aws_answer_auto struct scar_aws_answer answer;
	char found[64] = "";

	scar_aws_answer_init(&answer);
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return -1;
	/* Servers that are not AWS have one region, whatever it is called. */
	if (scar_http_header_get(&answer.http, "x-amz-bucket-region", 0, found, sizeof found) != 1)
		snprintf(found, sizeof found, "%s", *aws->region ? aws->region : "us-east-1");
	scar_aws_note_bucket(aws, bucket, found);
	snprintf(region, 64, "%s", found);
	return 0;
}

int scar_s3_delete_bucket(struct scar_aws *aws, const char *bucket, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_S3,
					   .operation = "DeleteBucket",
					   .method = "DELETE",
					   .bucket = bucket};
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

int scar_s3_list_buckets(struct scar_aws *aws,
			 int (*each)(void *ctx, const char *bucket, struct scar_err *err),
			 void *ctx, struct scar_err *err)
{
	scar_buf_auto struct scar_buf query;

	scar_buf_init(&query, SCAR_KIB(4));
	do {
		const struct scar_aws_call call = {.service = SCAR_AWS_S3,
						   .operation = "ListBuckets",
						   .method = "GET",
						   .query = query.len ? query.data : NULL};
		scar_aws_answer_auto struct scar_aws_answer answer;
		const struct scar_xml *bucket;
		const char *next;

		scar_aws_answer_init(&answer);
		if (scar_aws_perform(aws, &call, &answer, err) < 0)
			return -1;
		bucket = scar_xml_first(scar_xml_at(answer.xml, "Buckets"), "Bucket");
		for (; bucket; bucket = scar_xml_next(bucket, "Bucket")) {
			const char *name = scar_xml_text_at(bucket, "Name");

			if (name && each(ctx, name, err) < 0)
				return -1;
		}
		scar_buf_reset(&query);
		next = scar_xml_text_at(answer.xml, "ContinuationToken");
		if (next && *next && scar_aws_query(&query, "continuation-token", next, err) < 0)
			return -1;
	} while (query.len);
	return 0;
}
