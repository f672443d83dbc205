/* SPDX-License-Identifier: Apache-2.0 */
/* Records of streams: Kinesis (data in base64) and DynamoDB. The service goes on from the first sequence number that is told to have failed. */
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"

static bool is_source(const struct scar_json *root, const char *wanted)
{
	const char *source = scar_event_records_source(root);

	return source && strcmp(source, wanted) == 0;
}

static bool claims_kinesis(const struct scar_json *root)
{
	return is_source(root, "aws:kinesis");
}

static bool claims_dynamodb(const struct scar_json *root)
{
	return is_source(root, "aws:dynamodb");
}

static int read_record(const struct scar_event_reader *reader, const struct scar_json *record,
		       const char *part, const char *number, struct scar_event_item **ret_item,
		       struct scar_err *err)
{
	const struct scar_json *id = scar_json_get(scar_json_get(record, part), number);

	if (!scar_json_string(id))
		return scar_event_lacks(part, "a record has no sequence number", err);
	if (scar_event_add(reader, ret_item, err) < 0 ||
	    scar_event_keep_record(reader, *ret_item, record, err) < 0)
		return -1;
	return scar_event_copy(id, &(*ret_item)->record_id, err);
}

static int read_kinesis(const struct scar_event_reader *reader, const struct scar_json *root,
			struct scar_err *err)
{
	const struct scar_json *record = scar_event_first_record(root);

	reader->event->reply = SCAR_EVENT_REPLY_FROM_FAILURE;
	for (; record; record = scar_json_next(record)) {
		const char *data = scar_json_string(
			scar_json_get(scar_json_get(record, "kinesis"), "data"));
		struct scar_event_item *item = NULL;

		if (!data)
			return scar_event_lacks("kinesis", "a record has no data", err);
		if (read_record(reader, record, "kinesis", "sequenceNumber", &item, err) < 0 ||
		    scar_event_set_payload_base64(item, data, err) < 0)
			return -1;
	}
	return 0;
}

static int read_dynamodb(const struct scar_event_reader *reader, const struct scar_json *root,
			 struct scar_err *err)
{
	const struct scar_json *record = scar_event_first_record(root);

	reader->event->reply = SCAR_EVENT_REPLY_FROM_FAILURE;
	for (; record; record = scar_json_next(record)) {
		struct scar_event_item *item = NULL;

		if (read_record(reader, record, "dynamodb", "SequenceNumber", &item, err) < 0)
			return -1;
	}
	return 0;
}

const struct scar_event_family scar_event_kinesis = {
	.name = "kinesis", .claims = claims_kinesis, .read = read_kinesis};
const struct scar_event_family scar_event_dynamodb = {
	.name = "dynamodb", .claims = claims_dynamodb, .read = read_dynamodb};
