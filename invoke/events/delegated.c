/* SPDX-License-Identifier: Apache-2.0 */
/* SCAR's delegation: an event of a storage elsewhere, as JSON text or as an object, with the id of the provider that knows it. */
#include "invoke/events/family.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static bool claims(const struct scar_json *root)
{
	const struct scar_json *event = scar_json_get(root, "event");

	return scar_json_string(scar_json_get(root, "storage_provider")) && event &&
	       (scar_json_string(event) || scar_json_type(event) == SCAR_JSON_OBJECT);
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const struct scar_json *event = scar_json_get(root, "event");
	const char *text = scar_json_string(event);
	struct scar_event_reader named = *reader;
	scar_buf_auto struct scar_buf printed;
	struct scar_event_item *item = NULL;
	int got;

	scar_buf_init(&printed, SCAR_LIMIT_JSON_BYTES);
	if (text ? scar_buf_append_str(&printed, text, err) < 0
		 : scar_json_print(event, &printed, err) < 0)
		return -1;
	named.storage_id = scar_json_string(scar_json_get(root, "storage_provider"));
	got = scar_event_read_inner(&named, printed.data, printed.len, NULL, err);
	if (got != 0)
		return got < 0 ? -1 : 0;
	/* Of no storage that is known: its text is the input. */
	if (scar_event_add(&named, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0)
		return -1;
	return scar_event_set_payload(item, printed.data, printed.len, err);
}

const struct scar_event_family scar_event_delegated = {
	.name = "delegated", .claims = claims, .read = read_all, .is_wrapper = true};
