/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a queue. A message that failed is named in the answer, and comes again; the others are done. */
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"

static bool claims(const struct scar_json *root)
{
	const char *source = scar_event_records_source(root);

	return source && strcmp(source, "aws:sqs") == 0;
}

static bool is_fifo(const struct scar_json *record)
{
	const char *arn = scar_json_string(scar_json_get(record, "eventSourceARN"));
	size_t len = arn ? strlen(arn) : 0;

	return len > 5 && strcmp(arn + len - 5, ".fifo") == 0;
}

static int read_message(const struct scar_event_reader *reader, const struct scar_json *record,
			struct scar_err *err)
{
	const char *id = scar_json_string(scar_json_get(record, "messageId"));
	const char *body = scar_json_string(scar_json_get(record, "body"));
	struct scar_event_item *item = NULL;
	int got;

	if (!id || !body)
		return scar_event_lacks("SQS", "a record has no messageId or body", err);
	got = scar_event_read_inner(reader, body, strlen(body), id, err);
	if (got != 0)
		return got < 0 ? -1 : 0;
	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_record(reader, item, record, err) < 0 ||
	    scar_event_copy(scar_json_get(record, "messageId"), &item->record_id, err) < 0 ||
	    scar_event_copy(scar_json_get(scar_json_get(record, "attributes"), "SentTimestamp"),
			    &item->time, err) < 0)
		return -1;
	return scar_event_set_payload(item, body, strlen(body), err);
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const struct scar_json *record = scar_event_first_record(root);

	/* Later messages of a FIFO queue must not overtake one that failed. */
	reader->event->reply = is_fifo(record) ? SCAR_EVENT_REPLY_FROM_FAILURE
					       : SCAR_EVENT_REPLY_ANY_FAILURES;
	for (; record; record = scar_json_next(record)) {
		if (read_message(reader, record, err) < 0)
			return -1;
	}
	return 0;
}

const struct scar_event_family scar_event_sqs = {.name = "sqs", .claims = claims, .read = read_all};
