/* SPDX-License-Identifier: Apache-2.0 */
/* An archive in S3: an OCI image layout or what `docker save` writes, whichever it turns out to be. */
#include <stdlib.h>
#include <string.h>

#include "registry/source.h"
#include "runtime/base/err.h"

struct archived {
	const struct scar_source_ops *ops;
	void *impl;
	struct scar_ref ref; /* what the other kind of source would have been asked for */
};

static void s3_close(void *impl)
{
	struct archived *archived = impl;

	if (archived->impl)
		archived->ops->close(archived->impl);
	scar_ref_clear(&archived->ref);
	free(archived);
}

static int copy_text(const char *text, char **ret_copy, struct scar_err *err)
{
	*ret_copy = text ? strdup(text) : NULL;
	return !text || *ret_copy ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/* Names in `docker save` archives are references, and compared in their canonical form. */
static int canonical_name(const char *name, char **ret_name, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};

	if (!name)
		return 0;
	if (scar_ref_parse(name, &ref, err) < 0)
		return scar_err_wrap(err, "name after the key");
	*ret_name = scar_ref_format(&ref);
	return *ret_name ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int open_kind(struct archived *archived, const struct scar_ref *ref,
		     struct scar_archive_file *file, struct scar_err *err)
{
	bool layout = scar_tar_index_find(&file->index, "oci-layout") != NULL;
	struct scar_ref *as = &archived->ref;

	as->transport = ref->transport;
	if (copy_text(ref->path, &as->path, err) < 0 ||
	    copy_text(ref->digest, &as->digest, err) < 0 ||
	    (layout ? copy_text(ref->tag, &as->tag, err)
		    : canonical_name(ref->tag, &as->tag, err)) < 0)
		return -1;
	archived->ops = layout ? &scar_source_layout_archive : &scar_source_archive;
	return layout ? scar_source_layout_from(as, file, &archived->impl, err)
		      : scar_source_docker_from(as, file, &archived->impl, err);
}

static int s3_open(const struct scar_ref *ref, const struct scar_source_options *options,
		   void **ret_impl, struct scar_err *err)
{
	scar_archive_file_auto struct scar_archive_file file = {.bytes = NULL};
	struct archived *archived = calloc(1, sizeof(*archived));

	if (!archived)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (scar_bytes_open_s3(ref->path, options, &file.bytes, err) < 0 ||
	    scar_tar_index_read(file.bytes, &file.index, err) < 0 ||
	    open_kind(archived, ref, &file, err) < 0) {
		s3_close(archived);
		return -1;
	}
	*ret_impl = archived;
	return 0;
}

static int s3_root(void *impl, const struct scar_platform *platform, struct scar_buf *text,
		   char ret_media_type[SCAR_MEDIA_TYPE_MAX], struct scar_digest *ret_expected,
		   struct scar_err *err)
{
	const struct archived *archived = impl;

	return archived->ops->root(archived->impl, platform, text, ret_media_type, ret_expected,
				   err);
}

static int s3_manifest(void *impl, const struct scar_descriptor *desc, struct scar_buf *text,
		       struct scar_err *err)
{
	const struct archived *archived = impl;

	return archived->ops->manifest(archived->impl, desc, text, err);
}

static int s3_blob(void *impl, const struct scar_descriptor *desc, scar_http_sink sink, void *ctx,
		   struct scar_err *err)
{
	const struct archived *archived = impl;

	return archived->ops->blob(archived->impl, desc, sink, ctx, err);
}

const struct scar_source_ops scar_source_s3 = {
	.transport = SCAR_TRANSPORT_S3,
	.open = s3_open,
	.close = s3_close,
	.root = s3_root,
	.manifest = s3_manifest,
	.blob = s3_blob,
};
