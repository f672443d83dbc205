/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of S3 (event message structure 2.x), and of MinIO, which writes them alike. */
#include <stdlib.h>
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"

static bool is_removal(const char *name)
{
	/* "ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete" */
	return name && (strstr(name, "ObjectRemoved:") || strstr(name, "LifecycleExpiration:"));
}

static int read_object(const struct scar_json *s3, const char *family,
		       struct scar_event_object *object, struct scar_err *err)
{
	const struct scar_json *told = scar_json_get(s3, "object");
	const char *key = scar_json_string(scar_json_get(told, "key"));
	const struct scar_json *bucket = scar_json_get(scar_json_get(s3, "bucket"), "name");
	int64_t size;

	if (!key || !*key)
		return scar_event_lacks(family, "a record has no s3.object.key", err);
	if (!scar_json_string(bucket))
		return scar_event_lacks(family, "a record has no s3.bucket.name", err);
	if (scar_event_copy(bucket, &object->bucket, err) < 0 ||
	    scar_event_copy(scar_json_get(told, "versionId"), &object->version_id, err) < 0)
		return -1;
	if (scar_json_int(scar_json_get(told, "size"), &size) == 0 && size >= 0)
		object->size_bytes = size;
	/* Keys are URL-encoded in notifications. */
	return scar_event_unquote(key, &object->key, err);
}

static int read_records(const struct scar_event_reader *reader, const struct scar_json *root,
			const char *provider, struct scar_err *err)
{
	const struct scar_json *record = scar_event_first_record(root);

	for (; record; record = scar_json_next(record)) {
		const char *what = scar_json_string(scar_json_get(record, "eventName"));
		struct scar_event_item *item = NULL;

		if (scar_event_add(reader, &item, err) < 0 ||
		    scar_event_keep_record(reader, item, record, err) < 0 ||
		    read_object(scar_json_get(record, "s3"), provider, &item->object, err) < 0 ||
		    scar_event_copy(scar_json_get(record, "eventTime"), &item->time, err) < 0)
			return -1;
		if (!what)
			what = scar_json_string(scar_json_get(root, "EventName"));
		item->object.provider = provider;
		item->object.gone = is_removal(what);
	}
	return 0;
}

static bool is_source(const struct scar_json *root, const char *wanted)
{
	const char *source = scar_event_records_source(root);

	return source && strcmp(source, wanted) == 0;
}

static bool claims_s3(const struct scar_json *root)
{
	return is_source(root, "aws:s3");
}

static int read_s3(const struct scar_event_reader *reader, const struct scar_json *root,
		   struct scar_err *err)
{
	return read_records(reader, root, "s3", err);
}

static bool claims_minio(const struct scar_json *root)
{
	return is_source(root, "minio:s3");
}

static int read_minio(const struct scar_event_reader *reader, const struct scar_json *root,
		      struct scar_err *err)
{
	return read_records(reader, root, "minio", err);
}

/* What S3 sends to a topic or queue when notifications are set up. There is nothing to do. */
static bool claims_test(const struct scar_json *root)
{
	const char *service = scar_json_string(scar_json_get(root, "Service"));
	const char *event = scar_json_string(scar_json_get(root, "Event"));

	return service && event && strcmp(service, "Amazon S3") == 0 &&
	       strcmp(event, "s3:TestEvent") == 0;
}

static int read_test(const struct scar_event_reader *reader, const struct scar_json *root,
		     struct scar_err *err)
{
	(void)reader;
	(void)root;
	(void)err;
	return 0;
}

const struct scar_event_family scar_event_s3 = {
	.name = "s3", .claims = claims_s3, .read = read_s3, .is_storage = true};
const struct scar_event_family scar_event_minio = {
	.name = "minio", .claims = claims_minio, .read = read_minio, .is_storage = true};
const struct scar_event_family scar_event_s3_test = {
	.name = "s3-test", .claims = claims_test, .read = read_test, .is_storage = true};
