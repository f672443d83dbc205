/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event.h
 * What an event says: who sent it, and the items in it. An item is what one run of the program works on: one HTTP request, one file
 * in some storage, one message, one record. Nothing is refused: what no family knows is one item that holds the event as it came.
 *
 * An event may carry another (an S3 notification in an SNS message in an SQS message); the innermost that a family knows is what
 * its items are made of, and each item remembers the outermost record that it came in, by which its failure is reported.
 *
 * Everything here comes from outside. Keys and names are text to be checked by whoever makes a path of them;
 * scar_event_file_name() makes one that is safe.
 */
#ifndef SCAR_INVOKE_EVENTS_EVENT_H
#define SCAR_INVOKE_EVENTS_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct scar_err;
struct scar_json;

/** Records of one event; an SQS or Kinesis batch has at most 10,000. */
#define SCAR_EVENT_ITEMS_MAX 10000
/** Events within events. */
#define SCAR_EVENT_DEPTH_MAX 4

/** What the sender wants to hear. */
enum scar_event_reply {
	SCAR_EVENT_REPLY_OUTPUT,       /**< what the program prints */
	SCAR_EVENT_REPLY_HTTP,         /**< a document with status, header fields and body */
	SCAR_EVENT_REPLY_ANY_FAILURES, /**< batchItemFailures: each item that failed (SQS) */
	SCAR_EVENT_REPLY_FROM_FAILURE, /**< batchItemFailures: the first, since the service goes on from there (streams, FIFO queues) */
};

/** A file in some storage. */
struct scar_event_object {
	const char *
		provider; /**< "s3", "minio", "onedata", "dcache" or "rucio"; NULL: the item is no file */
	char *storage_id;   /**< "minio.cluster2" of a delegated event, or NULL */
	char *bucket;       /**< bucket, or scope of Rucio; NULL if the provider has none */
	char *key;          /**< decoded */
	char *version_id;   /**< or NULL */
	int64_t size_bytes; /**< -1: not told */
	bool gone;          /**< the event tells of its removal: there is nothing to fetch */
};

struct scar_event_item {
	struct scar_event_object object;
	char *time;               /**< as told, or NULL */
	char *record_id;          /**< by which a failure is reported, or NULL */
	struct scar_buf document; /**< the event, with this item as its only record */
	bool has_payload;
	struct scar_buf payload; /**< body, message or data; without: the document */
};

/** A header field, query parameter or cookie of an HTTP request. */
struct scar_event_pair {
	char *name, *value;
};

struct scar_event_pairs {
	struct scar_event_pair *list;
	size_t count;
};

enum scar_event_http_form { SCAR_EVENT_HTTP_V1, SCAR_EVENT_HTTP_V2, SCAR_EVENT_HTTP_ALB };

struct scar_event_http {
	enum scar_event_http_form form;
	char *method;
	char *path;  /**< as sent */
	char *query; /**< as sent, or encoded anew where the event has only parameters */
	struct scar_event_pairs
		fields; /**< names in lower case; a field sent twice is there twice, or joined by commas */
	struct scar_event_pairs parameters; /**< decoded; all of a name */
	char *peer_address;                 /**< or NULL */
	char *domain;                       /**< or NULL */
	bool multi_value;                   /**< the answer's fields must be lists (ALB) */
};

struct scar_event {
	const char *
		source; /**< name of the family: "s3", "sqs", "function-url", ..., "json", "text", "empty" */
	enum scar_event_reply reply;
	bool is_http;
	struct scar_event_http http;
	struct scar_event_item *items;
	size_t count; /**< 0: there is nothing to do (S3's test notification) */
};

/**
 * Reads an event. Fails for lack of memory, with SCAR_ERR_LIMIT for more items or depth than above, and with SCAR_ERR_EVENT for an event that
 * a family claims but that lacks what that family needs. body_is_event: the body of an HTTP request is read as an event too, and if a storage
 * family knows it, its items replace the request's.
 */
int scar_event_read(const void *data, size_t len, bool body_is_event, struct scar_event *ret_event,
		    struct scar_err *err);
void scar_event_clear(struct scar_event *event);

/** First value of a name (any case), or NULL. Borrowed. */
const char *scar_event_pairs_get(const struct scar_event_pairs *pairs, const char *name);

/** A safe file name from the last part of a key: never empty, "." or "..", no '/', at most 255 bytes, with its extension kept. */
int scar_event_file_name(const char *key, char **ret_name, struct scar_err *err);

#define scar_event_auto scar_auto(scar_event_clear)

#endif
