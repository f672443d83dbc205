/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as streams: up whole or in parts, down with what broke off resumed. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deployer/aws/s3_private.h"
#include "deployer/aws/session.h"
#include "deployer/aws/xml.h"
#include "runtime/base/base64.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define OWNER_HEADER "x-amz-expected-bucket-owner"
#define SINGLE_MAX ((uint64_t)64 << 20)
#define PART_BYTES ((uint64_t)32 << 20)
#define PARTS_MAX 10000
/* <Part> elements of that many. */
#define PARTS_BYTES_MAX SCAR_MIB(4)
/* Kept by S3 with the object, for whoever fetches it. */
#define CHECKSUM "x-amz-checksum-sha256"
/* How often a download that broke off goes on. */
#define RESUMES_MAX 5

/* ---- up, whole ---- */

/* The digest of a body: for the signature, and for S3 to keep with the object. */
struct sum {
	char hex[SCAR_DIGEST_TEXT_MAX];
	struct scar_buf base64;
	struct scar_http_header header;
};

static void sum_clear(struct sum *sum)
{
	scar_buf_clear(&sum->base64);
}

static int sum_up(const struct scar_s3_put *put, uint64_t offset, uint64_t len, struct sum *ret_sum,
		  struct scar_err *err)
{
	struct scar_digest digest;

	if ((put->fd >= 0
		     ? scar_digest_of_file(SCAR_DIGEST_SHA256, put->fd, offset, len, &digest, err)
		     : scar_digest_of(SCAR_DIGEST_SHA256, (const char *)put->data + offset,
				      (size_t)len, &digest, err)) < 0 ||
	    scar_base64_encode(digest.bytes, 32, &ret_sum->base64, err) < 0)
		return -1;
	scar_digest_hex(&digest, ret_sum->hex);
	ret_sum->header = (struct scar_http_header){CHECKSUM, ret_sum->base64.data};
	return 0;
}

static void set_sum(const struct sum *sum, struct scar_aws_call *call)
{
	call->payload = sum->hex;
	call->headers = &sum->header;
	call->header_count = 1;
}

static void set_body(const struct scar_s3_put *put, uint64_t offset, uint64_t len,
		     struct scar_aws_call *call)
{
	call->has_body_fd = put->fd >= 0;
	call->body_fd = put->fd;
	call->body_offset = offset;
	call->body = put->fd >= 0 ? NULL : (const char *)put->data + offset;
	call->body_len = (size_t)len;
	call->progress = put->progress;
	call->progress_ctx = put->progress_ctx;
	call->progress_base = offset;
	call->progress_total = put->size_bytes;
}

static int put_whole(struct scar_aws *aws, const struct scar_s3_put *put, const char *path,
		     struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_auto(sum_clear) struct sum sum = {.hex = ""};
	struct scar_http_header headers[2] = {[1] = {OWNER_HEADER, put->owner}};
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "PutObject",
				     .method = "PUT",
				     .bucket = put->bucket,
				     .path = path,
				     .content_type = put->content_type ? put->content_type
								       : "binary/octet-stream"};

	scar_aws_answer_init(&answer);
	scar_buf_init(&sum.base64, 64);
	if (sum_up(put, 0, put->size_bytes, &sum, err) < 0)
		return -1;
	set_body(put, 0, put->size_bytes, &call);
	set_sum(&sum, &call);
	headers[0] = sum.header;
	call.headers = headers;
	call.header_count = put->owner ? 2 : 1;
	return scar_aws_perform(aws, &call, &answer, err);
}

/* ---- up, in parts ---- */

struct upload {
	struct scar_aws *aws;
	const struct scar_s3_put *put;
	const char *path;
	struct scar_buf id;    /* "uploadId=...", encoded */
	struct scar_buf parts; /* the document that completes it */
};

static int begin_upload(struct upload *u, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	const struct scar_http_header headers[] = {{"x-amz-checksum-algorithm", "SHA256"},
						   {OWNER_HEADER, u->put->owner}};
	const struct scar_aws_call call = {.service = SCAR_AWS_S3,
					   .operation = "CreateMultipartUpload",
					   .bucket = u->put->bucket,
					   .path = u->path,
					   .query = "uploads=",
					   .content_type = u->put->content_type,
					   .headers = headers,
					   .header_count = u->put->owner ? 2 : 1};
	const char *id;

	scar_aws_answer_init(&answer);
	if (scar_aws_perform(u->aws, &call, &answer, err) < 0)
		return -1;
	id = scar_xml_text_at(answer.xml, "UploadId");
	if (!id || !*id)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "s3 CreateMultipartUpload: the answer has no UploadId");
	return scar_aws_query(&u->id, "uploadId", id, err);
}

static int put_part(struct upload *u, unsigned number, uint64_t offset, uint64_t len,
		    struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_auto(sum_clear) struct sum sum = {.hex = ""};
	scar_buf_auto struct scar_buf query;
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "UploadPart",
				     .method = "PUT",
				     .bucket = u->put->bucket,
				     .path = u->path,
				     .content_type = "binary/octet-stream"};
	char tag[256];

	scar_aws_answer_init(&answer);
	scar_buf_init(&query, SCAR_KIB(4));
	scar_buf_init(&sum.base64, 64);
	if (sum_up(u->put, offset, len, &sum, err) < 0)
		return -1;
	set_body(u->put, offset, len, &call);
	set_sum(&sum, &call);
	if (scar_buf_printf(&query, err, "partNumber=%u&%s", number, u->id.data) < 0)
		return -1;
	call.query = query.data;
	if (scar_aws_perform(u->aws, &call, &answer, err) < 0)
		return -1;
	if (scar_http_header_get(&answer.http, "ETag", 0, tag, sizeof tag) != 1)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "s3 UploadPart: no ETag");
	if (scar_buf_printf(&u->parts, err, "<Part><PartNumber>%u</PartNumber>", number) < 0 ||
	    scar_xml_append_element(&u->parts, "ETag", tag, err) < 0 ||
	    scar_xml_append_element(&u->parts, "ChecksumSHA256", sum.base64.data, err) < 0)
		return -1;
	return scar_buf_append_str(&u->parts, "</Part>", err);
}

static int put_parts(struct upload *u, struct scar_err *err)
{
	uint64_t size = u->put->size_bytes, part = PART_BYTES;
	unsigned number = 1;

	if (part < size / PARTS_MAX + 1)
		part = size / PARTS_MAX + 1;
	if (scar_buf_append_str(&u->parts,
				"<CompleteMultipartUpload "
				"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
				err) < 0)
		return -1;
	for (uint64_t offset = 0; offset < size; offset += part, number++) {
		uint64_t left = size - offset;

		if (put_part(u, number, offset, left < part ? left : part, err) < 0)
			return -1;
	}
	return scar_buf_append_str(&u->parts, "</CompleteMultipartUpload>", err);
}

static int end_upload(struct upload *u, bool complete, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	const struct scar_aws_call call = {
		.service = SCAR_AWS_S3,
		.operation = complete ? "CompleteMultipartUpload" : "AbortMultipartUpload",
		.method = complete ? "POST" : "DELETE",
		.bucket = u->put->bucket,
		.path = u->path,
		.query = u->id.data,
		.body = complete ? u->parts.data : NULL,
		.body_len = complete ? u->parts.len : 0,
	};

	scar_aws_answer_init(&answer);
	return scar_aws_perform(u->aws, &call, &answer, err);
}

/* What was given up is tidied up even when the session was told to stop. */
static int give_up(struct upload *u, struct scar_err *err)
{
	struct scar_aws_failure why = u->aws->failure;
	struct scar_err other;
	int failed;

	u->aws->finishing = true;
	failed = end_upload(u, false, &other);
	u->aws->finishing = false;
	u->aws->failure = why;
	if (failed && other.kind != SCAR_ERR_NOT_FOUND)
		return scar_err_wrap(err, "parts of it may stay behind (%.300s)", other.msg);
	return -1;
}

static int put_in_parts(struct scar_aws *aws, const struct scar_s3_put *put, const char *path,
			struct scar_err *err)
{
	struct upload u = {.aws = aws, .put = put, .path = path};
	int failed;

	scar_buf_init(&u.id, SCAR_KIB(4));
	scar_buf_init(&u.parts, PARTS_BYTES_MAX);
	failed = begin_upload(&u, err);
	if (!failed && (put_parts(&u, err) < 0 || end_upload(&u, true, err) < 0))
		failed = give_up(&u, err);
	scar_buf_clear(&u.id);
	scar_buf_clear(&u.parts);
	return failed;
}

int scar_s3_put(struct scar_aws *aws, const struct scar_s3_put *put, struct scar_err *err)
{
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, SCAR_LIMIT_URL_BYTES);
	if (scar_s3_append_key(&path, put->key, err) < 0)
		return scar_err_wrap(err, "s3://%s", put->bucket);
	return put->size_bytes > SINGLE_MAX ? put_in_parts(aws, put, path.data, err)
					    : put_whole(aws, put, path.data, err);
}

/* ---- down ---- */

struct download {
	const struct scar_s3_get *get;
	struct scar_aws_answer answer; /* of the request under way */
	uint64_t got, total;
	char tag[256]; /* of the object that came first; "": not known yet */
};

static int take(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct download *d = ctx;
	const struct scar_http_response *http = &d->answer.http;
	char text[32];

	if (!d->tag[0]) {
		if (scar_http_header_get(http, "ETag", 0, d->tag, sizeof d->tag) != 1)
			d->tag[0] = '\0';
		if (scar_http_header_get(http, "Content-Length", 0, text, sizeof text) == 1)
			d->total = scar_s3_number(text);
	}
	/* All of it again, where only the rest was asked for. */
	if (d->got > 0 && http->status == 200 && http->body_bytes == len)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "s3 GetObject: the server does not resume");
	if ((d->get->fd >= 0 ? scar_fs_write_all(d->get->fd, data, len, d->get->key, err)
			     : d->get->sink(d->get->sink_ctx, data, len, err)) < 0)
		return -1;
	d->got += len;
	if (d->get->progress)
		d->get->progress(d->get->progress_ctx, d->got, d->total);
	return 0;
}

static int get_once(struct scar_aws *aws, struct download *d, const char *path,
		    struct scar_err *err)
{
	struct scar_http_header list[2];
	char range[64];
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "GetObject",
				     .method = "GET",
				     .bucket = d->get->bucket,
				     .path = path,
				     .headers = list,
				     .sink = take,
				     .sink_ctx = d};

	if (d->got > 0) {
		snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)d->got);
		list[call.header_count++] = (struct scar_http_header){"Range", range};
		list[call.header_count++] = (struct scar_http_header){"If-Match", d->tag};
	}
	return scar_aws_perform(aws, &call, &d->answer, err);
}

static int get_all(struct scar_aws *aws, struct download *d, const char *path, struct scar_err *err)
{
	for (unsigned resumes = 0;; resumes++) {
		uint64_t before = d->got;

		if (get_once(aws, d, path, err) == 0)
			return 0;
		/* Only what broke off on its way, and only the same object, goes on where it ended. */
		if (err->kind != SCAR_ERR_NETWORK || d->got == before || !d->tag[0] ||
		    resumes == RESUMES_MAX)
			return -1;
		if (d->total && d->got == d->total)
			return 0;
	}
}

int scar_s3_get(struct scar_aws *aws, const struct scar_s3_get *get, struct scar_err *err)
{
	struct download d = {.get = get};
	scar_buf_auto struct scar_buf path;
	int failed;

	scar_buf_init(&path, SCAR_LIMIT_URL_BYTES);
	if (scar_s3_append_key(&path, get->key, err) < 0)
		return scar_err_wrap(err, "s3://%s", get->bucket);
	scar_aws_answer_init(&d.answer);
	failed = get_all(aws, &d, path.data, err);
	scar_aws_answer_clear(&d.answer);
	return failed;
}
