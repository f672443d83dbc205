/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications of a topic: as Lambda brings them, and as they lie in a queue. */
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"

static bool claims_records(const struct scar_json *root)
{
	const char *source = scar_event_records_source(root);

	return source && strcmp(source, "aws:sns") == 0;
}

/* The message: another event, or the payload of an item (whose document is set by the caller). @return 1: an item is to be filled */
static int read_message(const struct scar_event_reader *reader, const struct scar_json *sns,
			struct scar_event_item **ret_item, struct scar_err *err)
{
	const char *message = scar_json_string(scar_json_get(sns, "Message"));
	int got;

	if (!message)
		return scar_event_lacks("SNS", "a notification has no Message", err);
	got = scar_event_read_inner(reader, message, strlen(message), NULL, err);
	if (got != 0)
		return got < 0 ? -1 : 0;
	if (scar_event_add(reader, ret_item, err) < 0 ||
	    scar_event_copy(scar_json_get(sns, "Timestamp"), &(*ret_item)->time, err) < 0 ||
	    scar_event_set_payload(*ret_item, message, strlen(message), err) < 0)
		return -1;
	return 1;
}

static int read_records(const struct scar_event_reader *reader, const struct scar_json *root,
			struct scar_err *err)
{
	const struct scar_json *record = scar_event_first_record(root);

	for (; record; record = scar_json_next(record)) {
		struct scar_event_item *item = NULL;
		int got = read_message(reader, scar_json_get(record, "Sns"), &item, err);

		if (got < 0 || (got && scar_event_keep_record(reader, item, record, err) < 0))
			return -1;
	}
	return 0;
}

static bool claims_notification(const struct scar_json *root)
{
	const char *type = scar_json_string(scar_json_get(root, "Type"));

	return type && strcmp(type, "Notification") == 0 &&
	       scar_json_string(scar_json_get(root, "TopicArn")) &&
	       scar_json_string(scar_json_get(root, "Message"));
}

static int read_notification(const struct scar_event_reader *reader, const struct scar_json *root,
			     struct scar_err *err)
{
	struct scar_event_item *item = NULL;
	int got = read_message(reader, root, &item, err);

	return got <= 0 ? got : scar_event_keep_document(reader, item, err);
}

const struct scar_event_family scar_event_sns = {
	.name = "sns", .claims = claims_records, .read = read_records, .is_wrapper = true};
const struct scar_event_family scar_event_sns_notification = {.name = "sns-notification",
							      .claims = claims_notification,
							      .read = read_notification,
							      .is_wrapper = true};
