/* SPDX-License-Identifier: Apache-2.0 */
/* What any sender of events may send, through every family. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/events/event.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_item(const struct scar_event *event, const struct scar_event_item *item)
{
	const struct scar_event_object *object = &item->object;
	scar_free_auto char *name = NULL;
	struct scar_err err;

	if (item->has_payload != (item->payload.len > 0) && item->payload.len > 0)
		abort();
	if ((event->reply == SCAR_EVENT_REPLY_ANY_FAILURES ||
	     event->reply == SCAR_EVENT_REPLY_FROM_FAILURE) &&
	    !item->record_id)
		abort();
	if (!object->provider)
		return;
	if (!object->key || scar_event_file_name(object->key, &name, &err) < 0)
		abort();
	if (!*name || strlen(name) > 255 || strchr(name, '/') || strcmp(name, "..") == 0 ||
	    strcmp(name, ".") == 0)
		abort();
}

static void check(const uint8_t *data, size_t size, bool body_is_event)
{
	scar_event_auto struct scar_event event = {0};
	struct scar_err err;

	if (scar_event_read(data, size, body_is_event, &event, &err) < 0) {
		/* Refused for what the event says, and with nothing half done. */
		if ((err.kind != SCAR_ERR_EVENT && err.kind != SCAR_ERR_LIMIT) || event.items)
			abort();
		return;
	}
	if (!event.source || event.is_http != (event.reply == SCAR_EVENT_REPLY_HTTP))
		abort();
	if (event.is_http && !event.http.method)
		abort();
	for (size_t i = 0; i < event.count; i++)
		check_item(&event, &event.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size, false);
	check(data, size, true);
	return 0;
}
