/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/overflow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "invoke/storage/storage.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

bool scar_overflow_is_possible(const struct scar_overflow *overflow)
{
	const char *id = overflow->request_id;

	return overflow->storage && scar_storage_has_outputs(overflow->storage) && id && *id &&
	       id[strspn(id, NAME_CHARACTERS)] == '\0';
}

int scar_overflow_add(struct scar_overflow *overflow, const void *data, size_t len,
		      struct scar_err *err)
{
	if (!overflow->begun) {
		if (scar_fs_temp_file(overflow->dir_path, &overflow->fd, err) < 0)
			return -1;
		overflow->begun = true;
	}
	if (scar_fs_write_all(overflow->fd, data, len, "the file for a large answer", err) < 0)
		return -1;
	overflow->bytes += len;
	return 0;
}

int scar_overflow_patch(struct scar_overflow *overflow, uint64_t at, const void *data, size_t len,
			struct scar_err *err)
{
	const char *from = data;

	while (len > 0) {
		ssize_t n = pwrite(overflow->fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno,
					      "cannot write the file for a large answer");
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int append_text(struct scar_buf *document, const char *name, const char *value,
		       struct scar_err *err)
{
	if (scar_buf_printf(document, err, "\"%s\":", name) < 0 ||
	    scar_json_append_string(document, value, strlen(value), err) < 0)
		return -1;
	return scar_buf_append_char(document, ',', err);
}

int scar_overflow_deliver(struct scar_overflow *overflow, const char *content_type,
			  struct scar_buf *ret_document, struct scar_err *err)
{
	scar_storage_place_auto struct scar_storage_place place = {0};

	if (scar_storage_deliver_one(overflow->storage, overflow->fd, overflow->request_id,
				     content_type, overflow->deadline_ms, &place, err) < 0)
		return -1;
	scar_info("the answer, %" PRIu64 " bytes, is at %s of %s", overflow->bytes, place.path,
		  place.account);
	if (scar_buf_append_str(ret_document, "{\"output\":{", err) < 0 ||
	    append_text(ret_document, "storage", place.account, err) < 0 ||
	    append_text(ret_document, "path", place.path, err) < 0 ||
	    append_text(ret_document, "contentType", content_type, err) < 0)
		return -1;
	return scar_buf_printf(ret_document, err, "\"bytes\":%" PRIu64 "}}", overflow->bytes);
}

void scar_overflow_clear(struct scar_overflow *overflow)
{
	if (overflow->begun)
		close(overflow->fd);
	overflow->begun = false;
	overflow->bytes = 0;
}
