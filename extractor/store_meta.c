/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

/* A change of what an entry holds changes the number, and so retires older entries. */
#define FORMAT "scar-rootfs 2\npulled %" PRIu64 "\nunpacked %" PRIu64 "\n"
#define FORMAT_SCAN "scar-rootfs 2\npulled %" SCNu64 "\nunpacked %" SCNu64 "\n%n"

int scar_store_meta_write(int entry_fd, const struct scar_store_meta *meta, struct scar_err *err)
{
	char text[128];
	int len = snprintf(text, sizeof text, FORMAT, meta->pulled_bytes, meta->unpacked_bytes);

	return scar_fs_write_file(entry_fd, SCAR_STORE_META, 0600, text, (size_t)len, err);
}

int scar_store_meta_read(int entry_fd, struct scar_store_meta *ret_meta, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	struct scar_store_meta meta;
	int end = 0;

	scar_buf_init(&text, 256);
	if (scar_fs_read_file(entry_fd, SCAR_STORE_META, &text, err) < 0)
		return -1;
	if (sscanf(text.data, FORMAT_SCAN, &meta.pulled_bytes, &meta.unpacked_bytes, &end) != 2 ||
	    (size_t)end != text.len)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND,
				    "the image was unpacked by another version");
	*ret_meta = meta;
	return 0;
}
