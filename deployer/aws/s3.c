/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/aws/s3_private.h"
#include "deployer/aws/xml.h"
#include "runtime/base/base64.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

#define LIST_BODY_MAX SCAR_MIB(16)
#define DELETE_BATCH 1000

int scar_s3_append_key(struct scar_buf *path, const char *key, struct scar_err *err)
{
	if (!key || !*key)
		return scar_err_set(err, SCAR_ERR_CONFIG, "an empty key");
	if (scar_buf_append_char(path, '/', err) < 0)
		return -1;
	return scar_sigv4_encode(path, key, strlen(key), "/", err);
}

uint64_t scar_s3_number(const char *text)
{
	return text && *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : 0;
}

/* ---- listing ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Keys come URL-encoded, since XML cannot carry every character. In place, on a copy. */
static char *decode(const char *text)
{
	char *copy = strdup(text), *to = copy;

	for (; copy && *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low >= 0) {
			*to++ = (char)(high * 16 + low);
			text += 2;
		} else {
			*to++ = *text == '+' ? ' ' : *text;
		}
	}
	if (copy)
		*to = '\0';
	return copy;
}

static int give_object(const struct scar_xml *entry, bool encoded, scar_s3_each each, void *ctx,
		       struct scar_err *err)
{
	const char *key = scar_xml_text_at(entry, "Key");
	const char *time = scar_xml_text_at(entry, "LastModified");
	const char *etag = scar_xml_text_at(entry, "ETag");
	scar_free_auto char *plain = NULL;
	struct scar_s3_object object = {
		.size_bytes = scar_s3_number(scar_xml_text_at(entry, "Size")),
		.last_modified = time ? time : "",
		.etag = etag ? etag : "",
	};

	if (!key)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "s3 ListObjectsV2: an object without a key");
	plain = encoded ? decode(key) : strdup(key);
	if (!plain)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	object.key = plain;
	return each(ctx, &object, err);
}

/* One page; the query for the next one is put into `token`, which is empty after the last. */
static int list_page(struct scar_aws *aws, const char *bucket, const char *prefix,
		     struct scar_buf *token, scar_s3_each each, void *ctx, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf query;
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "ListObjectsV2",
				     .method = "GET",
				     .bucket = bucket,
				     .max_answer_bytes = LIST_BODY_MAX};
	const struct scar_xml *entry;
	const char *more, *next, *encoding;

	scar_aws_answer_init(&answer);
	scar_buf_init(&query, SCAR_KIB(8));
	if (scar_aws_query(&query, "list-type", "2", err) < 0 ||
	    scar_aws_query(&query, "prefix", prefix, err) < 0 ||
	    scar_aws_query(&query, "continuation-token", token->len ? token->data : NULL, err) <
		    0 ||
	    scar_aws_query(&query, "encoding-type", "url", err) < 0)
		return -1;
	call.query = query.data;
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return -1;
	encoding = scar_xml_text_at(answer.xml, "EncodingType");
	for (entry = scar_xml_first(answer.xml, "Contents"); entry;
	     entry = scar_xml_next(entry, "Contents")) {
		if (give_object(entry, encoding && strcmp(encoding, "url") == 0, each, ctx, err) <
		    0)
			return -1;
	}
	more = scar_xml_text_at(answer.xml, "IsTruncated");
	next = scar_xml_text_at(answer.xml, "NextContinuationToken");
	scar_buf_reset(token);
	if (!more || strcmp(more, "true") != 0)
		return 0;
	if (!next || !*next)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "s3 ListObjectsV2: there is more, but no token for it");
	return scar_buf_append_str(token, next, err);
}

int scar_s3_list(struct scar_aws *aws, const char *bucket, const char *prefix, scar_s3_each each,
		 void *ctx, struct scar_err *err)
{
	scar_buf_auto struct scar_buf token;

	scar_buf_init(&token, SCAR_KIB(4));
	do {
		if (list_page(aws, bucket, prefix, &token, each, ctx, err) < 0)
			return -1;
	} while (token.len);
	return 0;
}

/* ---- one object ---- */

int scar_s3_head(struct scar_aws *aws, const char *bucket, const char *key,
		 uint64_t *ret_size_bytes, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf path;
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "HeadObject",
				     .method = "HEAD",
				     .bucket = bucket};
	char size[32];

	scar_aws_answer_init(&answer);
	scar_buf_init(&path, SCAR_LIMIT_URL_BYTES);
	if (scar_s3_append_key(&path, key, err) < 0)
		return -1;
	call.path = path.data;
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return -1;
	if (scar_http_header_get(&answer.http, "Content-Length", 0, size, sizeof size) != 1)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "s3 HeadObject: no size");
	*ret_size_bytes = scar_s3_number(size);
	return 0;
}

int scar_s3_delete(struct scar_aws *aws, const char *bucket, const char *key, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf path;
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "DeleteObject",
				     .method = "DELETE",
				     .bucket = bucket};

	scar_aws_answer_init(&answer);
	scar_buf_init(&path, SCAR_LIMIT_URL_BYTES);
	if (scar_s3_append_key(&path, key, err) < 0)
		return -1;
	call.path = path.data;
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}

/* ---- many objects ---- */

/* S3 wants a check sum besides the signature's with some requests. */
static int checksum(const struct scar_buf *body, struct scar_buf *ret_text, struct scar_err *err)
{
	struct scar_digest digest;

	if (scar_digest_of(SCAR_DIGEST_SHA256, body->data, body->len, &digest, err) < 0)
		return -1;
	return scar_base64_encode(digest.bytes, 32, ret_text, err);
}

struct batch {
	struct scar_aws *aws;
	const char *bucket;
	struct scar_buf body;
	unsigned size;
	uint64_t count;
};

/* What could not be deleted is in the answer, not in its status. */
static int check_deleted(const struct scar_aws_answer *answer, struct scar_err *err)
{
	const struct scar_xml *error = scar_xml_first(answer->xml, "Error");
	const char *key = scar_xml_text_at(error, "Key"), *code = scar_xml_text_at(error, "Code");
	const char *message = scar_xml_text_at(error, "Message");

	if (!error)
		return 0;
	return scar_err_set(err,
			    code && strcmp(code, "AccessDenied") == 0 ? SCAR_ERR_AUTH
								      : SCAR_ERR_UNAVAILABLE,
			    "s3 DeleteObjects: %.500s: %.300s (%.100s)", key ? key : "?",
			    message ? message : "not deleted", code ? code : "?");
}

static int delete_batch(struct batch *batch, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf sum;
	struct scar_http_header header = {"x-amz-checksum-sha256", NULL};
	struct scar_aws_call call = {.service = SCAR_AWS_S3,
				     .operation = "DeleteObjects",
				     .bucket = batch->bucket,
				     .query = "delete=",
				     .headers = &header,
				     .header_count = 1};

	scar_aws_answer_init(&answer);
	scar_buf_init(&sum, 64);
	if (batch->size == 0)
		return 0;
	if (scar_buf_append_str(&batch->body, "</Delete>", err) < 0 ||
	    checksum(&batch->body, &sum, err) < 0)
		return -1;
	header.value = sum.data;
	call.body = batch->body.data;
	call.body_len = batch->body.len;
	if (scar_aws_perform(batch->aws, &call, &answer, err) < 0 ||
	    check_deleted(&answer, err) < 0)
		return -1;
	batch->count += batch->size;
	batch->size = 0;
	scar_buf_reset(&batch->body);
	return 0;
}

static int add_to_batch(void *ctx, const struct scar_s3_object *object, struct scar_err *err)
{
	struct batch *batch = ctx;
	struct scar_err refused;
	size_t begin;

	if (batch->body.len == 0 &&
	    scar_buf_append_str(
		    &batch->body,
		    "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>",
		    err) < 0)
		return -1;
	begin = batch->body.len;
	if (scar_buf_append_str(&batch->body, "<Object>", err) < 0)
		return -1;
	if (scar_xml_append_element(&batch->body, "Key", object->key, &refused) < 0) {
		/* XML cannot carry it; alone it goes in the path. */
		batch->body.len = begin;
		batch->body.data[begin] = '\0';
		batch->count++;
		return scar_s3_delete(batch->aws, batch->bucket, object->key, err);
	}
	if (scar_buf_append_str(&batch->body, "</Object>", err) < 0)
		return -1;
	return ++batch->size == DELETE_BATCH ? delete_batch(batch, err) : 0;
}

int scar_s3_delete_prefix(struct scar_aws *aws, const char *bucket, const char *prefix,
			  uint64_t *ret_count, struct scar_err *err)
{
	struct batch batch = {.aws = aws, .bucket = bucket};
	int failed;

	scar_buf_init(&batch.body, SCAR_MIB(8));
	failed = scar_s3_list(aws, bucket, prefix, add_to_batch, &batch, err);
	if (!failed)
		failed = delete_batch(&batch, err);
	scar_buf_clear(&batch.body);
	if (!failed && ret_count)
		*ret_count = batch.count;
	return failed;
}
