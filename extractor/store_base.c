/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "extractor/unpack.h"
#include "registry/manifest.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

/* @return 1 if that finished image is ours alone now, and clean, 0 if not, -1 */
static int claim_clean(const struct scar_store *store, const char *name,
		       struct scar_store_base *ret_base, struct scar_err *err)
{
	scar_fd_auto int fd = -1;
	struct scar_store_meta meta;
	struct scar_err why;
	int got = scar_store_claim(store->rootfs_fd, name, &fd, err);

	if (got <= 0)
		return got;
	/* One of another version, or spoiled: whoever wants that image sees to it. */
	if (scar_store_meta_read(fd, &meta, &why) < 0 || scar_store_clean(store, fd, &why) < 0) {
		scar_debug("image %s is of no use for others: %s", name, why.msg);
		return 0;
	}
	ret_base->fd = scar_steal_fd(&fd);
	ret_base->bytes = meta.unpacked_bytes;
	return 1;
}

/* The chain IDs of the lowest one, two, ... layers, in hex. */
static int list_names(const struct scar_image *image, size_t count,
		      char (*ret_names)[SCAR_DIGEST_TEXT_MAX], struct scar_err *err)
{
	const struct scar_digest *diff_ids = image->config.diff_ids;
	struct scar_digest chain_id;

	for (size_t i = 0; i < count; i++) {
		if (scar_unpack_chain_next(i ? &chain_id : NULL, &diff_ids[i], &chain_id, err) < 0)
			return -1;
		scar_digest_hex(&chain_id, ret_names[i]);
	}
	return 0;
}

int scar_store_claim_base(const struct scar_store *store, const struct scar_image *image,
			  struct scar_store_base *ret_base, struct scar_err *err)
{
	scar_free_auto char(*names)[SCAR_DIGEST_TEXT_MAX] = NULL;
	size_t count = image->config.diff_id_count;
	int got = 0;

	/* The image itself is not there, or it would not be pulled. */
	if (count < 2 || count > SCAR_LIMIT_LAYERS)
		return 0;
	names = malloc((count - 1) * sizeof *names);
	if (!names)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for the names of layers");
	if (list_names(image, count - 1, names, err) < 0)
		return -1;
	for (size_t layers = count - 1; layers > 0 && got == 0; layers--) {
		got = claim_clean(store, names[layers - 1], ret_base, err);
		if (got == 1) {
			ret_base->layers = layers;
			scar_debug("%zu of %zu layers are at hand in image %s", layers, count,
				   names[layers - 1]);
		}
	}
	return got;
}
