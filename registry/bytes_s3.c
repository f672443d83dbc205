/* SPDX-License-Identifier: Apache-2.0 */
/* An object of S3, read by ranges; signed with the credentials of the function's role. All that is read is of one and the same object (If-Match). */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/bytes.h"
#include "runtime/base/bucket.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

/* Headers of tar members are far from each other in most archives, and a request costs as much as some hundred KiB. */
#define AHEAD SCAR_KIB(256)
#define REGION_DEFAULT "us-east-1"
#define TRY_DELAY_MS 200

struct object {
	char *place; /* "bucket/key", for messages; owned, as the next three */
	char *endpoint;
	char *ca_bundle;
	char *url;
	char region[64];
	char tag[256]; /* ETag; "" before the first answer */
	bool allow_plain;
	int64_t deadline_ms;
	const volatile int *cancel;
	pthread_mutex_t mutex;
	struct scar_http *idle; /* under the mutex: keeps the connection for the next */
};

static void object_close(void *impl)
{
	struct object *object = impl;

	free(object->place);
	free(object->endpoint);
	free(object->ca_bundle);
	free(object->url);
	scar_http_free(object->idle);
	pthread_mutex_destroy(&object->mutex);
	free(object);
}

static void cleanup_object(struct object **object)
{
	if (*object)
		object_close(*object);
}

/* ---- one request ---- */

static struct scar_http *take_http(struct object *object, struct scar_err *err)
{
	const struct scar_http_options options = {.ca_bundle = object->ca_bundle};
	struct scar_http *http;

	pthread_mutex_lock(&object->mutex);
	http = object->idle;
	object->idle = NULL;
	pthread_mutex_unlock(&object->mutex);
	return http ? http : scar_http_create(&options, err);
}

static void give_back(struct object *object, struct scar_http *http)
{
	pthread_mutex_lock(&object->mutex);
	if (!object->idle) {
		object->idle = http;
		http = NULL;
	}
	pthread_mutex_unlock(&object->mutex);
	scar_http_free(http);
}

static int send_signed(const struct object *object, struct scar_http *http, const char *range,
		       scar_http_sink sink, void *ctx, struct scar_http_response *response,
		       struct scar_err *err)
{
	const struct scar_http_header headers[] = {{"Range", range}, {"If-Match", object->tag}};
	struct scar_http_request request = {.url = object->url,
					    .headers = headers,
					    .header_count = object->tag[0] ? 2 : 1,
					    .sink = sink,
					    .sink_ctx = ctx,
					    .allow_plain = object->allow_plain,
					    .cancel = object->cancel};

	if (object->deadline_ms)
		request.total_timeout_ms = scar_clock_left_ms(object->deadline_ms) + 1;
	return scar_sigv4_perform(http, object->region, "s3", &request, response, err);
}

static int judge(const struct object *object, const struct scar_http_response *response,
		 struct scar_err *err)
{
	int status = response->status;

	if (status == 206)
		return 0;
	if (status == 404)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there is no object s3://%s",
				    object->place);
	if (status == 401 || status == 403)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "S3 denies s3://%s (HTTP %d): the function's role needs "
				    "s3:GetObject, and s3:ListBucket to tell what is not there",
				    object->place, status);
	if (status == 412)
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "s3://%s was replaced while it was read", object->place);
	if (status == 416)
		return scar_err_set(err, SCAR_ERR_IMAGE, "s3://%s is empty or became shorter",
				    object->place);
	if (status == 429 || status >= 500)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "S3 answers %d for s3://%s", status,
				    object->place);
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "S3 answers %d for a range of s3://%s", status,
			    object->place);
}

/* After a failure: whether it may pass, and there is time to see. Sleeps then. */
static bool try_again(const struct object *object, int tries, const struct scar_err *err)
{
	int64_t delay_ms = (int64_t)TRY_DELAY_MS << tries;

	if ((err->kind != SCAR_ERR_NETWORK && err->kind != SCAR_ERR_UNAVAILABLE) ||
	    tries == SCAR_LIMIT_RETRIES || (object->cancel && *object->cancel) ||
	    (object->deadline_ms && scar_clock_left_ms(object->deadline_ms) <= delay_ms))
		return false;
	scar_clock_sleep_ms(delay_ms);
	return true;
}

/* ---- ranges ---- */

struct range {
	scar_http_sink sink;
	void *ctx;
	uint64_t given; /* bytes that the sink has, over all tries */
	uint64_t size;
	bool sink_failed;
};

static int range_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct range *range = ctx;

	if (len > range->size - range->given)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "S3 sends more than the range");
	range->given += len;
	range->sink_failed = range->sink(range->ctx, data, len, err) < 0;
	return range->sink_failed ? -1 : 0;
}

static int try_range(struct object *object, uint64_t first, struct range *range,
		     struct scar_err *err)
{
	scar_http_response_auto struct scar_http_response response;
	struct scar_http *http = take_http(object, err);
	char text[64];
	int failed;

	scar_http_response_init(&response);
	if (!http)
		return -1;
	snprintf(text, sizeof text, "bytes=%" PRIu64 "-%" PRIu64, first + range->given,
		 first + range->size - 1);
	failed = send_signed(object, http, text, range_sink, range, &response, err);
	if (!failed)
		failed = judge(object, &response, err);
	give_back(object, http);
	if (!failed && range->given < range->size)
		return scar_err_set(err, SCAR_ERR_NETWORK, "S3 sends less than the range");
	return failed;
}

static int object_copy(void *impl, uint64_t first, uint64_t size_bytes, const volatile int *cancel,
		       scar_http_sink sink, void *ctx, struct scar_err *err)
{
	struct object *object = impl;
	struct range range = {.sink = sink, .ctx = ctx, .size = size_bytes};

	(void)cancel; /* it is the object's own */
	for (int tries = 0;; tries++) {
		if (try_range(object, first, &range, err) == 0)
			return 0;
		if (range.sink_failed || !try_again(object, tries, err))
			return -1;
	}
}

static const struct scar_bytes_ops object_ops = {
	.copy = object_copy, .close = object_close, .ahead = AHEAD};

/* ---- open ---- */

static int make_url(struct object *object, struct scar_err *err)
{
	scar_free_auto char *bucket = strdup(object->place);
	char *slash = bucket ? strchr(bucket, '/') : NULL;
	scar_buf_auto struct scar_buf url;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (!bucket)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (!slash || !slash[1])
		return scar_err_set(err, SCAR_ERR_REFERENCE, "s3://%s names no object",
				    object->place);
	*slash = '\0';
	if (scar_bucket_append_url(&url, object->endpoint, object->region, bucket, false, err) <
		    0 ||
	    scar_buf_append_char(&url, '/', err) < 0 ||
	    scar_sigv4_encode(&url, slash + 1, strlen(slash + 1), "/", err) < 0)
		return -1;
	free(object->url);
	object->url = scar_buf_steal(&url);
	return object->url ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* S3 tells where a bucket is that was looked for in another region. @return whether that is news */
static bool take_region(struct object *object, const struct scar_http_response *response)
{
	char region[sizeof object->region];

	if (response->status != 301 && response->status != 307 && response->status != 400)
		return false;
	if (scar_http_header_get(response, "x-amz-bucket-region", 0, region, sizeof region) != 1 ||
	    strcmp(region, object->region) == 0)
		return false;
	memcpy(object->region, region, sizeof region);
	return true;
}

static int ignore_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	(void)ctx, (void)data, (void)len, (void)err;
	return 0;
}

/* "bytes 0-0/SIZE" */
static int take_size(struct object *object, const struct scar_http_response *response,
		     uint64_t *ret_size, struct scar_err *err)
{
	char text[96], *slash, *end = NULL;

	if (scar_http_header_get(response, "Content-Range", 0, text, sizeof text) == 1 &&
	    (slash = strchr(text, '/')) && slash[1] >= '0' && slash[1] <= '9') {
		*ret_size = strtoull(slash + 1, &end, 10);
		if (*end == '\0' && *ret_size < SCAR_BYTES_UNKNOWN)
			return 0;
	}
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "S3 does not tell the size of s3://%s",
			    object->place);
}

static int look(struct object *object, struct scar_http *http, uint64_t *ret_size,
		struct scar_err *err)
{
	bool moved = false;

	for (int tries = 0;; tries++) {
		scar_http_response_auto struct scar_http_response response;
		int failed;

		scar_http_response_init(&response);
		failed = send_signed(object, http, "bytes=0-0", ignore_sink, NULL, &response, err);
		if (!failed && !moved && take_region(object, &response)) {
			moved = true;
			if (make_url(object, err) < 0)
				return -1;
			continue;
		}
		if (!failed)
			failed = judge(object, &response, err);
		if (!failed) {
			if (scar_http_header_get(&response, "ETag", 0, object->tag,
						 sizeof object->tag) != 1)
				object->tag[0] = '\0';
			return take_size(object, &response, ret_size, err);
		}
		if (!try_again(object, tries, err))
			return -1;
	}
}

static int set_up(struct object *object, const char *place,
		  const struct scar_source_options *options, struct scar_err *err)
{
	const char *endpoint = options->s3_endpoint ? options->s3_endpoint : options->aws_endpoint;

	pthread_mutex_init(&object->mutex, NULL);
	object->place = strdup(place);
	object->endpoint = endpoint ? strdup(endpoint) : NULL;
	object->ca_bundle = options->ca_bundle ? strdup(options->ca_bundle) : NULL;
	if (!object->place || (endpoint && !object->endpoint) ||
	    (options->ca_bundle && !object->ca_bundle))
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	snprintf(object->region, sizeof object->region, "%s",
		 options->region ? options->region : REGION_DEFAULT);
	/* Whoever gives an endpoint with http:// wants it. */
	object->allow_plain = options->allow_plain || endpoint;
	object->deadline_ms = options->deadline_ms;
	object->cancel = options->cancel;
	return make_url(object, err);
}

int scar_bytes_open_s3(const char *place, const struct scar_source_options *options,
		       struct scar_bytes **ret_bytes, struct scar_err *err)
{
	scar_auto(cleanup_object) struct object *object = calloc(1, sizeof *object);
	uint64_t size = 0;

	if (!object)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (set_up(object, place, options, err) < 0)
		return -1;
	object->idle = take_http(object, err);
	if (!object->idle || look(object, object->idle, &size, err) < 0)
		return -1;
	return scar_bytes_make(&object_ops, scar_steal(object), size, options->cancel, ret_bytes,
			       err);
}
