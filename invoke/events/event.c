/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/events/event.h"

#include <stdlib.h>
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* In this order: the first that claims an event has it. */
static const struct scar_event_family *const families[] = {
	&scar_event_function_url,
	&scar_event_http_api,
	&scar_event_alb,
	&scar_event_api_gateway,
	&scar_event_s3,
	&scar_event_minio,
	&scar_event_onedata,
	&scar_event_sqs,
	&scar_event_sns,
	&scar_event_kinesis,
	&scar_event_dynamodb,
	&scar_event_eventbridge,
	&scar_event_dcache,
	&scar_event_rucio,
	&scar_event_delegated,
	&scar_event_s3_test,
	&scar_event_sns_notification,
};

static bool may_be_json(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n'))
		i++;
	return i < len && (text[i] == '{' || text[i] == '"');
}

/* @return 1, 0 if the text is no JSON object or string, -1 without memory */
static int parse(const char *text, size_t len, struct scar_json **ret_root, struct scar_err *err)
{
	if (!may_be_json(text, len))
		return 0;
	if (scar_json_parse(text, len, "event", ret_root, err) < 0)
		return err->kind == SCAR_ERR_NOMEM ? -1 : 0;
	return 1;
}

static const struct scar_event_family *family_of(const struct scar_json *root, bool inner)
{
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		if ((!inner || families[i]->is_storage || families[i]->is_wrapper) &&
		    families[i]->claims(root))
			return families[i];
	}
	return NULL;
}

int scar_event_read_inner(const struct scar_event_reader *reader, const char *text, size_t len,
			  const char *record_id, struct scar_err *err)
{
	const struct scar_event_reader inner = {
		.event = reader->event,
		.text = text,
		.len = len,
		.record_id = reader->record_id ? reader->record_id : record_id,
		.storage_id = reader->storage_id,
		.depth = reader->depth + 1,
	};
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_event_family *family;
	int parsed = parse(text, len, &root, err);

	if (parsed <= 0)
		return parsed;
	family = family_of(root, true);
	if (!family)
		return 0;
	if (inner.depth > SCAR_EVENT_DEPTH_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "event: more than %d events within it",
				    SCAR_EVENT_DEPTH_MAX);
	return family->read(&inner, root, err) < 0 ? -1 : 1;
}

/* What no family knows is the event itself; of a JSON string, its text. */
static int read_plain(const struct scar_event_reader *reader, const struct scar_json *root,
		      struct scar_err *err)
{
	const char *text = scar_json_string(root);
	struct scar_event_item *item = NULL;

	reader->event->source = reader->len == 0 ? "empty" : root && !text ? "json" : "text";
	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0)
		return -1;
	return text ? scar_event_set_payload(item, text, strlen(text), err) : 0;
}

/* A storage event in the body of a request stands for the request. */
static int read_body(const struct scar_event_reader *reader, struct scar_err *err)
{
	struct scar_event *event = reader->event;
	struct scar_buf body = event->items[0].payload;
	int got;

	/* Items are added behind the request's, which then goes; its bytes must not move meanwhile. */
	scar_buf_init(&event->items[0].payload, SCAR_LIMIT_EVENT_BYTES);
	got = scar_event_read_inner(reader, body.data, body.len, NULL, err);
	if (got <= 0) {
		event->items[0].payload = body;
		return got;
	}
	scar_buf_clear(&body);
	event->count--;
	scar_buf_clear(&event->items[0].document);
	memmove(event->items, event->items + 1, event->count * sizeof *event->items);
	return 0;
}

static int read_all(const struct scar_event_reader *reader, bool body_is_event,
		    struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	const struct scar_event_family *family;

	if (parse(reader->text, reader->len, &root, err) < 0)
		return -1;
	family = root ? family_of(root, false) : NULL;
	if (!family)
		return read_plain(reader, root, err);
	reader->event->source = family->name;
	if (family->read(reader, root, err) < 0)
		return -1;
	return reader->event->is_http && body_is_event ? read_body(reader, err) : 0;
}

int scar_event_read(const void *data, size_t len, bool body_is_event, struct scar_event *ret_event,
		    struct scar_err *err)
{
	struct scar_event event = {.reply = SCAR_EVENT_REPLY_OUTPUT};
	const struct scar_event_reader reader = {.event = &event, .text = data, .len = len};

	if (read_all(&reader, body_is_event, err) < 0) {
		scar_event_clear(&event);
		return -1;
	}
	*ret_event = event;
	return 0;
}

/* ---- what the families build with ---- */

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an event");
}

/* Room for one more; arrays of a power of two elements are full. */
static void *grow(void *list, size_t count, size_t size)
{
	return (count & (count - 1)) == 0 ? reallocarray(list, count ? count * 2 : 1, size) : list;
}

int scar_event_add(const struct scar_event_reader *reader, struct scar_event_item **ret_item,
		   struct scar_err *err)
{
	struct scar_event *event = reader->event;
	struct scar_event_item *items, *item;

	if (event->count == SCAR_EVENT_ITEMS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "event: more than %d records",
				    SCAR_EVENT_ITEMS_MAX);
	items = grow(event->items, event->count, sizeof *items);
	if (!items)
		return no_memory(err);
	event->items = items;
	item = &items[event->count];
	*item = (struct scar_event_item){.object.size_bytes = -1};
	scar_buf_init(&item->document, SCAR_LIMIT_JSON_BYTES);
	scar_buf_init(&item->payload, SCAR_LIMIT_EVENT_BYTES);
	event->count++;
	if (reader->record_id && !(item->record_id = strdup(reader->record_id)))
		return no_memory(err);
	if (reader->storage_id && !(item->object.storage_id = strdup(reader->storage_id)))
		return no_memory(err);
	*ret_item = item;
	return 0;
}

int scar_event_keep_document(const struct scar_event_reader *reader, struct scar_event_item *item,
			     struct scar_err *err)
{
	return scar_buf_append(&item->document, reader->text, reader->len, err);
}

int scar_event_keep_record(const struct scar_event_reader *reader, struct scar_event_item *item,
			   const struct scar_json *record, struct scar_err *err)
{
	/* An only record keeps the bytes that its sender wrote, its numbers and order among them. */
	if (!scar_json_next(record) && item == &reader->event->items[0])
		return scar_event_keep_document(reader, item, err);
	if (scar_buf_append_str(&item->document, "{\"Records\":[", err) < 0 ||
	    scar_json_print(record, &item->document, err) < 0)
		return -1;
	return scar_buf_append_str(&item->document, "]}", err);
}

int scar_event_set_payload(struct scar_event_item *item, const void *data, size_t len,
			   struct scar_err *err)
{
	item->has_payload = true;
	return scar_buf_append(&item->payload, data, len, err);
}

int scar_event_copy(const struct scar_json *node, char **ret_text, struct scar_err *err)
{
	const char *text = scar_json_string(node);
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return no_memory(err);
	if (text)
		*ret_text = copy;
	return 0;
}

int scar_event_pairs_add(struct scar_event_pairs *pairs, const char *name, const char *value,
			 struct scar_err *err)
{
	struct scar_event_pair *list = grow(pairs->list, pairs->count, sizeof *list);
	struct scar_event_pair pair = {strdup(name), strdup(value)};

	if (list)
		pairs->list = list;
	if (!list || !pair.name || !pair.value) {
		free(pair.name);
		free(pair.value);
		return no_memory(err);
	}
	list[pairs->count++] = pair;
	return 0;
}

const struct scar_json *scar_event_first_record(const struct scar_json *root)
{
	const struct scar_json *records = scar_json_get(root, "Records");

	return records && scar_json_type(records) == SCAR_JSON_ARRAY ? scar_json_first(records)
								     : NULL;
}

const char *scar_event_records_source(const struct scar_json *root)
{
	const struct scar_json *record = scar_event_first_record(root);
	const char *source = scar_json_string(scar_json_get(record, "eventSource"));

	return source ? source : scar_json_string(scar_json_get(record, "EventSource"));
}

int scar_event_lacks(const char *family, const char *what, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_EVENT, "%s event: %s", family, what);
}

/* ---- clearing ---- */

void scar_event_pairs_clear(struct scar_event_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		free(pairs->list[i].name);
		free(pairs->list[i].value);
	}
	free(pairs->list);
	*pairs = (struct scar_event_pairs){0};
}

static void clear_item(struct scar_event_item *item)
{
	free(item->object.storage_id);
	free(item->object.bucket);
	free(item->object.key);
	free(item->object.version_id);
	free(item->time);
	free(item->record_id);
	scar_buf_clear(&item->document);
	scar_buf_clear(&item->payload);
}

void scar_event_clear(struct scar_event *event)
{
	for (size_t i = 0; i < event->count; i++)
		clear_item(&event->items[i]);
	free(event->items);
	free(event->http.method);
	free(event->http.path);
	free(event->http.query);
	free(event->http.peer_address);
	free(event->http.domain);
	scar_event_pairs_clear(&event->http.fields);
	scar_event_pairs_clear(&event->http.parameters);
	*event = (struct scar_event){0};
}
