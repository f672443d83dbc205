/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3 and what speaks its protocol. Every request is signed together with the digest of its body, so that the server refuses
 * what was altered on its way. Large files go in parts, which the server joins only when all are there.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "invoke/storage/exchange.h"
#include "runtime/base/bucket.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

#define SINGLE_MAX ((uint64_t)64 << 20)
#define PART_BYTES ((uint64_t)32 << 20)
#define PARTS_MAX 10000
/* <Part> elements of that many. */
#define PARTS_BYTES_MAX SCAR_MIB(3)
#define MINIO_DEFAULT "http://minio-service.minio:9000"
#define REGION_DEFAULT "us-east-1"
/* Kept by S3 with the object, for whoever fetches it. */
#define CHECKSUM "x-amz-checksum-sha256"

#define AT(member) offsetof(struct scar_storage_account, member)

static const struct scar_storage_key s3_keys[] = {
	{"access_key", AT(access_key), false},
	{"secret_key", AT(secret_key), false},
	{"region", AT(region), false},
	{"endpoint", AT(endpoint), false},
	{NULL, 0, false},
};
static const struct scar_storage_key minio_keys[] = {
	{"access_key", AT(access_key), true},
	{"secret_key", AT(secret_key), true},
	{"region", AT(region), false},
	{"endpoint", AT(endpoint), false},
	{NULL, 0, false},
};

static int set_default(char **member, const char *value, struct scar_err *err)
{
	if (*member || !value)
		return 0;
	*member = strdup(value);
	return *member ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int check_keys(const struct scar_storage_account *account, struct scar_err *err)
{
	if (!account->access_key == !account->secret_key)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG, "%s without %s",
			    account->access_key ? "access_key" : "secret_key",
			    account->access_key ? "secret_key" : "access_key");
}

/* Without keys of its own an account of type s3 has those of the function's role. */
static int check_s3(struct scar_storage_account *account,
		    const struct scar_storage_environment *environment, struct scar_err *err)
{
	if (check_keys(account, err) < 0)
		return -1;
	if (!account->access_key &&
	    (set_default(&account->access_key, environment->access_key, err) < 0 ||
	     set_default(&account->secret_key, environment->secret_key, err) < 0 ||
	     set_default(&account->session_token, environment->session_token, err) < 0))
		return -1;
	if (set_default(&account->endpoint, environment->endpoint, err) < 0)
		return -1;
	return set_default(&account->region,
			   environment->region ? environment->region : REGION_DEFAULT, err);
}

static int check_minio(struct scar_storage_account *account,
		       const struct scar_storage_environment *environment, struct scar_err *err)
{
	(void)environment;
	if (set_default(&account->endpoint, MINIO_DEFAULT, err) < 0)
		return -1;
	return set_default(&account->region, REGION_DEFAULT, err);
}

/* ---- requests ---- */

static int sign(const struct scar_exchange *exchange, struct scar_http_request *request,
		struct scar_buf *scratch, struct scar_err *err)
{
	const struct scar_storage_account *account = exchange->transfer->account;
	const struct scar_sigv4 sig = {
		.credentials = {account->access_key, account->secret_key, account->session_token},
		.region = account->region,
		.service = "s3",
		.time_s = time(NULL),
	};
	scar_sigv4_headers_auto struct scar_sigv4_headers headers;

	if (!account->access_key || !account->secret_key)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "no keys: neither the account nor the function has any");
	if (scar_sigv4_sign(&sig, request, exchange->payload, &headers, err) < 0)
		return -1;
	/* The signature's memory ends here; what is sent lives in the scratch, which must not move once it is pointed to. */
	if (scar_buf_reserve(scratch, SCAR_KIB(12), err) < 0)
		return -1;
	for (size_t i = 0; i < headers.count; i++) {
		size_t at = scratch->len;

		if (scar_buf_append(scratch, headers.list[i].value,
				    strlen(headers.list[i].value) + 1, err) < 0)
			return -1;
		if (scratch->len > SCAR_KIB(12))
			return scar_err_set(err, SCAR_ERR_LIMIT, "the session token is too long");
		scar_exchange_add(request, headers.list[i].name, scratch->data + at);
	}
	return 0;
}

static int make_url(const struct scar_storage_account *account, const char *bucket, const char *key,
		    struct scar_buf *url, struct scar_err *err)
{
	if (!key || !*key)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: no key in bucket %.100s",
				    account->name, bucket ? bucket : "");
	if (scar_bucket_append_url(url, account->endpoint, account->region, bucket ? bucket : "",
				   false, err) < 0)
		return scar_err_wrap(err, "%s", account->name);
	return scar_exchange_append_path(url, key, err);
}

/* SHA-256 of nothing. */
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int fetch(const struct scar_storage_transfer *transfer,
		 const struct scar_storage_object *object, int fd, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = object->key,
		.method = "GET",
		.authorize = sign,
		.payload = NOTHING,
		.has_sink_fd = true,
		.sink_fd = fd,
	};

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (make_url(transfer->account, object->bucket, object->key, &url, err) < 0)
		return -1;
	if (object->version_id &&
	    (scar_buf_append_str(&url, "?versionId=", err) < 0 ||
	     scar_sigv4_encode(&url, object->version_id, strlen(object->version_id), "", err) < 0))
		return -1;
	exchange.url = url.data;
	return scar_exchange_perform(&exchange, err);
}

static int put_whole(const struct scar_storage_transfer *transfer,
		     const struct scar_storage_file *file, const char *url, struct scar_err *err)
{
	struct scar_exchange_hash hash;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer, .url = url, .authorize = sign, .payload = hash.hex};

	if (scar_exchange_hash(file->fd, 0, file->size_bytes, &hash, err) < 0)
		return -1;
	scar_exchange_header(&exchange, CHECKSUM, hash.base64);
	return scar_exchange_put(&exchange, file, err);
}

/* ---- in parts ---- */

struct upload {
	const struct scar_storage_transfer *transfer;
	const struct scar_storage_file *file;
	const char *url;
	char id[1024];         /* as in a query */
	struct scar_buf parts; /* <Part> elements */
};

static int begin_parts(struct upload *upload, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url, id;
	char text[512];
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = upload->transfer,
		.what = upload->file->path,
		.method = "POST",
		.authorize = sign,
		.payload = NOTHING,
	};

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	scar_buf_init(&id, sizeof upload->id - 1);
	scar_exchange_header(&exchange, "Content-Type", upload->file->content_type);
	scar_exchange_header(&exchange, "x-amz-checksum-algorithm", "SHA256");
	if (scar_buf_printf(&url, err, "%s?uploads=", upload->url) < 0)
		return -1;
	exchange.url = url.data;
	if (scar_exchange_perform(&exchange, err) < 0)
		return -1;
	if (!scar_exchange_element(&exchange, "UploadId", text, sizeof text))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: %s: the answer has no UploadId",
				    upload->transfer->account->name, upload->file->path);
	if (scar_sigv4_encode(&id, text, strlen(text), "", err) < 0)
		return -1;
	snprintf(upload->id, sizeof upload->id, "%s", id.data);
	return 0;
}

/* It goes back to the server inside XML. */
static bool is_plain_tag(const char *tag)
{
	return *tag && !strpbrk(tag, "<>&");
}

static int put_part(struct upload *upload, unsigned number, uint64_t offset, uint64_t len,
		    struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;
	struct scar_exchange_hash hash;
	char tag[256];
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = upload->transfer,
		.what = upload->file->path,
		.method = "PUT",
		.authorize = sign,
		.payload = hash.hex,
		.has_body_fd = true,
		.body_fd = upload->file->fd,
		.body_offset = offset,
		.body_len = len,
	};

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (scar_buf_printf(&url, err, "%s?partNumber=%u&uploadId=%s", upload->url, number,
			    upload->id) < 0 ||
	    scar_exchange_hash(upload->file->fd, offset, len, &hash, err) < 0)
		return -1;
	scar_exchange_header(&exchange, CHECKSUM, hash.base64);
	exchange.url = url.data;
	if (scar_exchange_perform(&exchange, err) < 0)
		return -1;
	if (scar_http_header_get(&exchange.response, "ETag", 0, tag, sizeof tag) != 1 ||
	    !is_plain_tag(tag))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: %s: a part has no ETag",
				    upload->transfer->account->name, upload->file->path);
	return scar_buf_printf(&upload->parts, err,
			       "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag>"
			       "<ChecksumSHA256>%s</ChecksumSHA256></Part>",
			       number, tag, hash.base64);
}

static int put_parts(struct upload *upload, struct scar_err *err)
{
	uint64_t size = upload->file->size_bytes, part = PART_BYTES;
	unsigned number = 1;

	if (part < size / PARTS_MAX + 1)
		part = size / PARTS_MAX + 1;
	if (scar_buf_append_str(&upload->parts, "<CompleteMultipartUpload>", err) < 0)
		return -1;
	for (uint64_t offset = 0; offset < size; offset += part, number++) {
		uint64_t left = size - offset;

		if (put_part(upload, number, offset, left < part ? left : part, err) < 0)
			return -1;
	}
	return scar_buf_append_str(&upload->parts, "</CompleteMultipartUpload>", err);
}

static int end_parts(struct upload *upload, bool complete, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;
	char payload[65];
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = upload->transfer,
		.what = upload->file->path,
		.method = complete ? "POST" : "DELETE",
		.authorize = sign,
		.payload = complete ? payload : NOTHING,
		.body = complete ? upload->parts.data : NULL,
		.body_len = complete ? upload->parts.len : 0,
	};

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (complete) {
		scar_exchange_header(&exchange, "Content-Type", "application/xml");
		if (scar_sigv4_payload(upload->parts.data, upload->parts.len, payload, err) < 0)
			return -1;
	}
	if (scar_buf_printf(&url, err, "%s?uploadId=%s", upload->url, upload->id) < 0)
		return -1;
	exchange.url = url.data;
	return scar_exchange_perform(&exchange, err);
}

static int put_in_parts(const struct scar_storage_transfer *transfer,
			const struct scar_storage_file *file, const char *url, struct scar_err *err)
{
	/* What was given up is tidied up even when the others were told to stop. */
	struct scar_storage_transfer last = *transfer;
	struct upload upload = {.transfer = transfer, .file = file, .url = url};
	struct scar_err other;
	int failed;

	scar_buf_init(&upload.parts, PARTS_BYTES_MAX);
	if (begin_parts(&upload, err) < 0)
		return -1;
	failed = put_parts(&upload, err) < 0 || end_parts(&upload, true, err) < 0;
	scar_buf_clear(&upload.parts);
	if (!failed)
		return 0;
	last.cancel = NULL;
	upload.transfer = &last;
	if (end_parts(&upload, false, &other) < 0)
		return scar_err_wrap(err, "parts of it may stay behind (%.200s)", other.msg);
	return -1;
}

static int deliver(const struct scar_storage_transfer *transfer,
		   const struct scar_storage_file *file, struct scar_err *err)
{
	const char *slash = strchr(file->path, '/');
	scar_free_auto char *bucket = slash ? strndup(file->path, (size_t)(slash - file->path))
					    : NULL;
	scar_buf_auto struct scar_buf url;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (!bucket)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: no bucket in the output's path",
				    transfer->account->name);
	if (make_url(transfer->account, bucket, slash + 1, &url, err) < 0)
		return -1;
	return file->size_bytes > SINGLE_MAX ? put_in_parts(transfer, file, url.data, err)
					     : put_whole(transfer, file, url.data, err);
}

const struct scar_storage_ops scar_storage_s3 = {
	.type = "s3", .keys = s3_keys, .check = check_s3, .fetch = fetch, .deliver = deliver};
const struct scar_storage_ops scar_storage_minio = {.type = "minio",
						    .keys = minio_keys,
						    .check = check_minio,
						    .fetch = fetch,
						    .deliver = deliver};
