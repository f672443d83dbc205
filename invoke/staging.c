/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "invoke/events/event.h"
#include "invoke/outputs.h"
#include "invoke/storage/storage.h"
#include "invoke/text.h"
#include "invoke/workspace.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/log.h"

/* Below the directory that the program sees as its /tmp. */
#define INPUT_BELOW_TMP (&SCAR_GUEST_INPUT[sizeof SCAR_GUEST_TMP])
#define PAYLOAD_NAME (&SCAR_GUEST_EVENT[sizeof SCAR_GUEST_INPUT])

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int name_of(const char *key, char **ret_name, struct scar_err *err)
{
	scar_free_auto char *name = NULL;

	if (scar_event_file_name(key, &name, err) < 0)
		return -1;
	/* Only when it is the same name is it changed. */
	if (strcmp(name, PAYLOAD_NAME) == 0)
		return asprintf(ret_name, "%s.input", name) < 0 ? no_memory(err) : 0;
	*ret_name = scar_steal(name);
	return 0;
}

static bool is_fetchable(const struct scar_event_object *object)
{
	return object->provider && object->key && *object->key && !object->gone &&
	       object->key[strlen(object->key) - 1] != '/';
}

static int fetch_to(const struct scar_storage *storage, const struct scar_event_object *from,
		    const struct scar_workspace *workspace, const char *name, int64_t deadline_ms,
		    struct scar_err *err)
{
	const struct scar_storage_object object = {
		.provider = from->provider,
		.account = from->storage_id,
		.bucket = from->bucket,
		.key = from->key,
		.version_id = from->version_id,
	};
	int64_t begin_us = scar_clock_monotonic_us();
	scar_free_auto char *dir = NULL;
	scar_fd_auto int dir_fd = -1;
	uint64_t bytes = 0;

	if (asprintf(&dir, "%s/%s", workspace->tmp_path, INPUT_BELOW_TMP) < 0) {
		dir = NULL;
		return no_memory(err);
	}
	if (scar_fs_open_dir(AT_FDCWD, dir, true, &dir_fd, err) < 0 ||
	    scar_storage_fetch(storage, &object, dir_fd, name, deadline_ms, &bytes, err) < 0)
		return -1;
	scar_info("fetched %llu bytes of input in %lld ms", (unsigned long long)bytes,
		  (long long)((scar_clock_monotonic_us() - begin_us) / 1000));
	return 0;
}

int scar_staging_fetch(const struct scar_storage *storage, const struct scar_event_item *item,
		       const struct scar_workspace *workspace, int64_t deadline_ms, char **ret_path,
		       struct scar_err *err)
{
	scar_free_auto char *name = NULL, *path = NULL;

	if (!is_fetchable(&item->object))
		return 0;
	if (name_of(item->object.key, &name, err) < 0)
		return -1;
	if (asprintf(&path, SCAR_GUEST_INPUT "/%s", name) < 0) {
		path = NULL;
		return no_memory(err);
	}
	if (fetch_to(storage, &item->object, workspace, name, deadline_ms, err) < 0)
		return -1;
	*ret_path = scar_steal(path);
	return 0;
}

int scar_staging_deliver(const struct scar_storage *storage, const struct scar_workspace *workspace,
			 int64_t deadline_ms, struct scar_err *err)
{
	int64_t begin_us = scar_clock_monotonic_us();
	struct scar_storage_delivery delivery = {0};
	scar_strings_auto char **paths = NULL;
	scar_fd_auto int output_fd = -1;
	size_t count = 0;

	if (!scar_storage_has_outputs(storage))
		return 0;
	if (scar_workspace_open_output(workspace, &output_fd, err) < 0 ||
	    scar_outputs_list(output_fd, &paths, &count, err) < 0 ||
	    scar_storage_deliver(storage, output_fd, paths, deadline_ms, &delivery, err) < 0)
		return -1;
	scar_info("delivered %zu files of %zu, %llu bytes, in %lld ms", delivery.files, count,
		  (unsigned long long)delivery.bytes,
		  (long long)((scar_clock_monotonic_us() - begin_us) / 1000));
	return 0;
}
