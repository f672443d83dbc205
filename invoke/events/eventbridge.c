/* SPDX-License-Identifier: Apache-2.0 */
/* Events of EventBridge: schedules, events of services (of S3 too, which tell of a file), and those of others. */
#include <string.h>

#include "invoke/events/family.h"

static bool claims(const struct scar_json *root)
{
	const struct scar_json *detail = scar_json_get(root, "detail");

	return scar_json_string(scar_json_get(root, "detail-type")) &&
	       scar_json_string(scar_json_get(root, "source")) && detail &&
	       scar_json_type(detail) == SCAR_JSON_OBJECT;
}

static int read_object(const struct scar_json *root, struct scar_event_object *object,
		       struct scar_err *err)
{
	const char *type = scar_json_string(scar_json_get(root, "detail-type"));
	const struct scar_json *detail = scar_json_get(root, "detail");
	const struct scar_json *told = scar_json_get(detail, "object");
	const struct scar_json *bucket = scar_json_get(scar_json_get(detail, "bucket"), "name");
	int64_t size;

	if (strncmp(type, "Object ", 7) != 0 || !scar_json_string(bucket) ||
	    !scar_json_string(scar_json_get(told, "key")))
		return 0;
	object->provider = "s3";
	object->gone = strcmp(type, "Object Deleted") == 0;
	if (scar_json_int(scar_json_get(told, "size"), &size) == 0 && size >= 0)
		object->size_bytes = size;
	/* Not URL-encoded here, unlike in S3's own notifications. */
	if (scar_event_copy(scar_json_get(told, "key"), &object->key, err) < 0 ||
	    scar_event_copy(scar_json_get(told, "version-id"), &object->version_id, err) < 0)
		return -1;
	return scar_event_copy(bucket, &object->bucket, err);
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const char *source = scar_json_string(scar_json_get(root, "source"));
	struct scar_event_item *item = NULL;

	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "time"), &item->time, err) < 0)
		return -1;
	return strcmp(source, "aws.s3") == 0 ? read_object(root, &item->object, err) : 0;
}

/* In a queue or topic it is a message; only S3's is worth more than its text, and an item made of it is as good. */
const struct scar_event_family scar_event_eventbridge = {
	.name = "eventbridge", .claims = claims, .read = read_all, .is_storage = true};
