/* SPDX-License-Identifier: Apache-2.0 */
/* Rucio's messages of its hermes daemon: a data identifier is a scope and a name. */
#include "invoke/events/family.h"

static bool claims(const struct scar_json *root)
{
	const struct scar_json *payload = scar_json_get(root, "payload");

	return scar_json_string(scar_json_get(root, "event_type")) &&
	       scar_json_string(scar_json_get(payload, "scope"));
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const struct scar_json *payload = scar_json_get(root, "payload");
	const char *name = scar_json_string(scar_json_get(payload, "name"));
	struct scar_event_item *item = NULL;

	if (!name || !*name)
		return scar_event_lacks("Rucio", "payload.name is missing", err);
	if (scar_event_add(reader, &item, err) < 0 ||
	    scar_event_keep_document(reader, item, err) < 0 ||
	    scar_event_copy(scar_json_get(payload, "scope"), &item->object.bucket, err) < 0 ||
	    scar_event_copy(scar_json_get(payload, "name"), &item->object.key, err) < 0 ||
	    scar_event_copy(scar_json_get(root, "created_at"), &item->time, err) < 0)
		return -1;
	item->object.provider = "rucio";
	return 0;
}

const struct scar_event_family scar_event_rucio = {
	.name = "rucio", .claims = claims, .read = read_all, .is_storage = true};
