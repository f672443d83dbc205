/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file family.h
 * Between event.c and the files that know one family of events each. A new family is one file and one line in the table of
 * event.c.
 */
#ifndef SCAR_INVOKE_EVENTS_FAMILY_H
#define SCAR_INVOKE_EVENTS_FAMILY_H

#include "invoke/events/event.h"
#include "runtime/base/json.h"

/** Where reading stands: one document, in others or not. */
struct scar_event_reader {
	struct scar_event *event;
	const char *text; /**< of the document */
	size_t len;
	const char *record_id;  /**< of the outermost record around it, or NULL */
	const char *storage_id; /**< of the delegation around it, or NULL */
	unsigned depth;         /**< documents around it */
};

struct scar_event_family {
	const char *name;
	/** True if the document is of this family. It must not claim what merely has one key in common. */
	bool (*claims)(const struct scar_json *root);
	/** Adds items to reader->event. */
	int (*read)(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err);
	bool is_storage; /**< its items are files, so that it is looked for inside others */
	bool is_wrapper; /**< it may carry such a one */
};

extern const struct scar_event_family scar_event_api_gateway, scar_event_http_api,
	scar_event_function_url, scar_event_alb, scar_event_s3, scar_event_minio,
	scar_event_onedata, scar_event_dcache, scar_event_rucio, scar_event_delegated,
	scar_event_sqs, scar_event_sns, scar_event_sns_notification, scar_event_eventbridge,
	scar_event_kinesis, scar_event_dynamodb, scar_event_s3_test;

/** A new item that carries reader's record id. Borrowed from the event, until the next is added. */
int scar_event_add(const struct scar_event_reader *reader, struct scar_event_item **ret_item,
		   struct scar_err *err);
/** The item's document is the reader's, byte for byte. */
int scar_event_keep_document(const struct scar_event_reader *reader, struct scar_event_item *item,
			     struct scar_err *err);
/** The item's document is {"Records": [record]}; the reader's own bytes if `record` is its only one. */
int scar_event_keep_record(const struct scar_event_reader *reader, struct scar_event_item *item,
			   const struct scar_json *record, struct scar_err *err);
int scar_event_set_payload(struct scar_event_item *item, const void *data, size_t len,
			   struct scar_err *err);
int scar_event_set_payload_base64(struct scar_event_item *item, const char *text,
				  struct scar_err *err);
/** Copies a string node; what is no string leaves *ret_text alone. */
int scar_event_copy(const struct scar_json *node, char **ret_text, struct scar_err *err);
/** Adds a copy of both. */
int scar_event_pairs_add(struct scar_event_pairs *pairs, const char *name, const char *value,
			 struct scar_err *err);
void scar_event_pairs_clear(struct scar_event_pairs *pairs);

/**
 * Reads a document inside this one, if a storage family or a wrapper of one knows it.
 * @return 1 if items came of it (or it is known to hold none), 0 if it is nobody's, -1
 */
int scar_event_read_inner(const struct scar_event_reader *reader, const char *text, size_t len,
			  const char *record_id, struct scar_err *err);

/** eventSource (or EventSource) of the first of Records, or NULL. */
const char *scar_event_records_source(const struct scar_json *root);
/** Elements of Records. */
const struct scar_json *scar_event_first_record(const struct scar_json *root);
/** Decodes %XX and, as S3 does it, '+' for a space; a wrong escape stays as it is. Owned by the caller. SCAR_ERR_EVENT for %00. */
int scar_event_unquote(const char *text, char **ret_text, struct scar_err *err);
/** SCAR_ERR_EVENT: "<family> event: <what>". */
int scar_event_lacks(const char *family, const char *what, struct scar_err *err);

#endif
