/* SPDX-License-Identifier: Apache-2.0 */
/* OneTrigger: files in Onedata. "Key" is the path in the space of the (first) file, "objectKey" of each record its last part. */
#include <stdio.h>
#include <string.h>

#include "invoke/events/family.h"
#include "runtime/base/err.h"

static bool claims(const struct scar_json *root)
{
	const char *source = scar_event_records_source(root);

	return source && strcmp(source, "OneTrigger") == 0;
}

/* The path of a record: that of the event, with the record's own name at its end. */
static int make_key(const char *path, const char *name, char **ret_key, struct scar_err *err)
{
	const char *slash = strrchr(path, '/');
	int dir_len = slash ? (int)(slash - path) + 1 : 0;
	char *key = NULL;

	if (asprintf(&key, "%.*s%s", dir_len, path, name) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for an event");
	*ret_key = key;
	return 0;
}

static int read_all(const struct scar_event_reader *reader, const struct scar_json *root,
		    struct scar_err *err)
{
	const char *path = scar_json_string(scar_json_get(root, "Key"));
	const struct scar_json *record = scar_event_first_record(root);

	for (; record; record = scar_json_next(record)) {
		const char *name = scar_json_string(scar_json_get(record, "objectKey"));
		struct scar_event_item *item = NULL;

		if (!name || !*name)
			return scar_event_lacks("OneTrigger", "a record has no objectKey", err);
		if (scar_event_add(reader, &item, err) < 0 ||
		    scar_event_keep_record(reader, item, record, err) < 0 ||
		    make_key(path ? path : "", name, &item->object.key, err) < 0 ||
		    scar_event_copy(scar_json_get(record, "eventTime"), &item->time, err) < 0)
			return -1;
		item->object.provider = "onedata";
	}
	return 0;
}

const struct scar_event_family scar_event_onedata = {
	.name = "onedata", .claims = claims, .read = read_all, .is_storage = true};
