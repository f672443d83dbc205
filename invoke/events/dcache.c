/* SPDX-License-Identifier: Apache-2.0 */
/* dCache's server-sent inotify events, as dcache-sse clients hand them on. */
#include <string.h>

#include "invoke/events/family.h"

static bool claims(const struct scar_json *root)
{
	return scar_json_string(scar_json_get(scar_json_get(root, "event"), "name")) &&
	       scar_json_string(scar_json_get(root, "subscription"));
}

static bool is_removal(const struct scar_json *mask)
{
	for (const struct scar_json *flag = scar_json_first(mask); flag;
	     flag = scar_json_next(flag)) {
		const char *text = scar_json_string(flag);

		if (text && (strcmp(text, "IN_DELETE") == 0 || strcmp(text, "IN_MOVED_FROM") == 0))
			return true;
	}
	return false;
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const struct scar_json *event = scar_json_get(root, "event");
	struct scar_event_item *item = NULL;

	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0 ||
	    scar_event_copy(scar_json_get(event, "name"), &item->object.key, err) < 0)
		return -1;
	if (!*item->object.key)
		return scar_event_lacks("dCache", "the file has no name", err);
	item->object.provider = "dcache";
	item->object.gone = is_removal(scar_json_get(event, "mask"));
	return 0;
}

const struct scar_event_family scar_event_dcache = {
	.name = "dcache", .claims = claims, .read = read_all, .is_storage = true};
