/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in a tar file, compressed or not, as `docker save` writes it. Its manifest.json names config and layers of each image. Two layouts:
 * "<id>/layer.tar" (uncompressed, no digest given) and "blobs/sha256/<hex>" (named by digest, may be compressed). A manifest
 * as registries have it is made up from that, so that all that follows is the same for all sources.
 */
#include <string.h>

#include "registry/source.h"
#include "registry/tar_index.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/** A member of the archive that the manifest made up by us names. */
struct archived_blob {
	struct scar_descriptor desc;
	const struct scar_tar_member *member; /* borrowed from the index */
};

struct archive {
	const struct scar_ref *ref;
	struct scar_archive_file file;
	struct archived_blob *blobs; /* the config, then the layers */
	size_t blob_count;
};

static void archive_close(void *impl)
{
	struct archive *archive = impl;

	scar_archive_file_clear(&archive->file);
	free(archive->blobs);
	free(archive);
}

int scar_source_docker_from(const struct scar_ref *ref, struct scar_archive_file *file,
			    void **ret_impl, struct scar_err *err)
{
	struct archive *archive = calloc(1, sizeof(*archive));

	if (!archive)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	archive->ref = ref;
	archive->file = *file;
	*file = (struct scar_archive_file){.bytes = NULL};
	*ret_impl = archive;
	return 0;
}

static int archive_open(const struct scar_ref *ref, const struct scar_source_options *options,
			void **ret_impl, struct scar_err *err)
{
	scar_archive_file_auto struct scar_archive_file file = {.bytes = NULL};

	if (scar_bytes_open_file(ref->path, options->cancel, &file.bytes, err) < 0 ||
	    scar_tar_index_read(file.bytes, &file.index, err) < 0)
		return -1;
	return scar_source_docker_from(ref, &file, ret_impl, err);
}

/* ---- members ---- */

static int find_member(const struct archive *archive, const char *name,
		       const struct scar_tar_member **ret_member, struct scar_err *err)
{
	*ret_member = scar_tar_index_find(&archive->file.index, name);
	if (*ret_member)
		return 0;
	return scar_err_set(err, SCAR_ERR_IMAGE, "the archive has no member '%s'", name);
}

static int copy_member(const struct archive *archive, const struct scar_tar_member *member,
		       scar_http_sink sink, void *ctx, struct scar_err *err)
{
	return scar_bytes_copy(archive->file.bytes, member->name, member->first_byte,
			       member->size_bytes, sink, ctx, err);
}

static int append_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

static int hash_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_hasher_update(ctx, data, len, err);
}

static int digest_member(const struct archive *archive, const struct scar_tar_member *member,
			 struct scar_digest *ret_digest, struct scar_err *err)
{
	scar_hasher_auto struct scar_hasher *hasher = scar_hasher_create(SCAR_DIGEST_SHA256, err);

	if (!hasher || copy_member(archive, member, hash_sink, hasher, err) < 0)
		return -1;
	return scar_hasher_finish(hasher, ret_digest, err);
}

/** The digest in a member's name "blobs/<algorithm>/<hex>". @return whether it is such a name */
static bool digest_of_name(const char *name, struct scar_digest *ret_digest)
{
	char text[SCAR_DIGEST_TEXT_MAX];
	struct scar_err ignored;
	size_t len = strlen(name);

	if (strncmp(name, "blobs/", 6) != 0 || len - 6 >= sizeof(text))
		return false;
	memcpy(text, name + 6, len - 6 + 1);
	if (!strchr(text, '/'))
		return false;
	*strchr(text, '/') = ':';
	return scar_digest_parse(text, ret_digest, &ignored) == 0;
}

/** manifest.json does not say how a layer is compressed; its first bytes do. */
static int layer_media_type(const struct archive *archive, const struct scar_tar_member *member,
			    const char **ret_media_type, struct scar_err *err)
{
	scar_buf_auto struct scar_buf magic;

	scar_buf_init(&magic, 4);
	if (member->size_bytes >= 4 &&
	    scar_bytes_copy(archive->file.bytes, member->name, member->first_byte, 4, append_sink,
			    &magic, err) < 0)
		return -1;
	*ret_media_type = SCAR_MEDIA_OCI_LAYER;
	if (magic.len == 4 && memcmp(magic.data, "\x1f\x8b", 2) == 0)
		*ret_media_type = SCAR_MEDIA_OCI_LAYER "+gzip";
	else if (magic.len == 4 && memcmp(magic.data, "\x28\xb5\x2f\xfd", 4) == 0)
		*ret_media_type = SCAR_MEDIA_OCI_LAYER "+zstd";
	return 0;
}

/* ---- manifest.json ---- */

/** Whether an image of the archive goes by the asked-for name; names are compared in canonical form. */
static bool has_name(const struct scar_json *image, const char *name)
{
	const struct scar_json *tags = scar_json_get(image, "RepoTags");

	for (const struct scar_json *n = scar_json_first(tags); n; n = scar_json_next(n)) {
		scar_ref_auto struct scar_ref ref = {.path = NULL};
		scar_free_auto char *text = NULL;
		struct scar_err ignored;

		if (!scar_json_string(n) || scar_ref_parse(scar_json_string(n), &ref, &ignored) < 0)
			continue;
		text = scar_ref_format(&ref);
		if (text && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static int refuse_names(const struct scar_json *images, const char *name, const char *prefix,
			struct scar_err *err)
{
	scar_buf_auto struct scar_buf names;
	bool full = false;

	scar_buf_init(&names, SCAR_ERR_MSG_MAX / 2);
	for (const struct scar_json *i = scar_json_first(images); i && !full;
	     i = scar_json_next(i)) {
		const struct scar_json *tags = scar_json_get(i, "RepoTags");

		for (const struct scar_json *n = scar_json_first(tags); n && !full;
		     n = scar_json_next(n)) {
			const char *tag = scar_json_string(n);

			full = tag &&
			       scar_buf_printf(&names, err, "%s%s", names.len ? ", " : "", tag) < 0;
		}
	}
	if (name)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the archive has no image %s%s%s",
				    name, names.len ? "; it has " : "", names.data);
	return scar_err_set(err, SCAR_ERR_REFERENCE,
			    "the archive has several images, name one (%sFILE:NAME): %s", prefix,
			    names.data);
}

static int choose_image(const struct scar_json *images, const char *name, const char *prefix,
			const struct scar_json **ret_image, struct scar_err *err)
{
	if (scar_json_type(images) != SCAR_JSON_ARRAY || !scar_json_size(images))
		return scar_err_set(err, SCAR_ERR_IMAGE, "manifest.json lists no image");
	if (!name) {
		if (scar_json_size(images) > 1)
			return refuse_names(images, NULL, prefix, err);
		*ret_image = scar_json_first(images);
		return 0;
	}
	for (const struct scar_json *i = scar_json_first(images); i; i = scar_json_next(i)) {
		if (has_name(i, name)) {
			*ret_image = i;
			return 0;
		}
	}
	return refuse_names(images, name, prefix, err);
}

static int read_list(const struct archive *archive, struct scar_json **ret_root,
		     struct scar_err *err)
{
	const struct scar_tar_member *member = scar_tar_index_find(&archive->file.index,
								   "manifest.json");
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_MANIFEST_BYTES);
	if (!member)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "it has no manifest.json, so it is not from `docker save`");
	if (copy_member(archive, member, append_sink, &text, err) < 0)
		return -1;
	if (scar_json_parse(text.data, text.len, "manifest.json", ret_root, err) < 0) {
		if (err->kind == SCAR_ERR_PROTOCOL)
			err->kind = SCAR_ERR_IMAGE;
		return -1;
	}
	return 0;
}

/* ---- the manifest made up from it ---- */

static int add_config(struct archive *archive, const char *name, struct scar_err *err)
{
	struct archived_blob *blob = &archive->blobs[archive->blob_count];

	if (find_member(archive, name, &blob->member, err) < 0)
		return -1;
	if (blob->member->size_bytes > SCAR_LIMIT_CONFIG_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the image config is larger than %zu bytes",
				    SCAR_LIMIT_CONFIG_BYTES);
	memcpy(blob->desc.media_type, SCAR_MEDIA_OCI_CONFIG, sizeof(SCAR_MEDIA_OCI_CONFIG));
	blob->desc.size_bytes = blob->member->size_bytes;
	archive->blob_count++;
	return digest_member(archive, blob->member, &blob->desc.digest, err);
}

/**
 * A plain layer's digest is its diff ID, which is what it will be held against anyway; for one that is compressed and not
 * named by its digest there is none, so it is computed.
 */
static int add_layer(struct archive *archive, const char *name, const struct scar_digest *diff_id,
		     struct scar_err *err)
{
	struct archived_blob *blob = &archive->blobs[archive->blob_count];
	const char *media_type = NULL;

	if (find_member(archive, name, &blob->member, err) < 0 ||
	    layer_media_type(archive, blob->member, &media_type, err) < 0)
		return -1;
	memcpy(blob->desc.media_type, media_type, strlen(media_type) + 1);
	blob->desc.size_bytes = blob->member->size_bytes;
	archive->blob_count++;
	if (strcmp(media_type, SCAR_MEDIA_OCI_LAYER) == 0)
		blob->desc.digest = *diff_id;
	else if (!digest_of_name(name, &blob->desc.digest))
		return digest_member(archive, blob->member, &blob->desc.digest, err);
	return 0;
}

static int add_layers(struct archive *archive, const struct scar_json *layers, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	scar_config_auto struct scar_image_config config = {.env = NULL};
	size_t i = 0;

	scar_buf_init(&text, SCAR_LIMIT_CONFIG_BYTES);
	if (copy_member(archive, archive->blobs[0].member, append_sink, &text, err) < 0 ||
	    scar_config_parse(text.data, text.len, &config, err) < 0)
		return -1;
	if (config.diff_id_count != scar_json_size(layers))
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "manifest.json has %zu layers, the config %zu diff IDs",
				    scar_json_size(layers), config.diff_id_count);
	for (const struct scar_json *n = scar_json_first(layers); n; n = scar_json_next(n)) {
		const char *name = scar_json_string(n);

		if (!name)
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "manifest.json: a layer is not a string");
		if (add_layer(archive, name, &config.diff_ids[i++], err) < 0)
			return -1;
	}
	return 0;
}

static int collect_blobs(struct archive *archive, const struct scar_json *image,
			 struct scar_err *err)
{
	const char *config = scar_json_string(scar_json_get(image, "Config"));
	const struct scar_json *layers = scar_json_get(image, "Layers");
	size_t count = scar_json_size(layers);

	if (!config)
		return scar_err_set(err, SCAR_ERR_IMAGE, "manifest.json names no config");
	if (count > SCAR_LIMIT_LAYERS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%zu layers, at most %d are read", count,
				    SCAR_LIMIT_LAYERS);
	free(archive->blobs);
	archive->blob_count = 0;
	archive->blobs = calloc(count + 1, sizeof(*archive->blobs));
	if (!archive->blobs)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (add_config(archive, config, err) < 0)
		return -1;
	return add_layers(archive, layers, err);
}

static int append_descriptor(struct scar_buf *text, const struct scar_descriptor *desc,
			     struct scar_err *err)
{
	char digest[SCAR_DIGEST_TEXT_MAX];

	return scar_buf_printf(text, err, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}",
			       desc->media_type, scar_digest_format(&desc->digest, digest),
			       (unsigned long long)desc->size_bytes);
}

static int write_manifest(const struct archive *archive, struct scar_buf *text,
			  struct scar_err *err)
{
	if (scar_buf_printf(text, err, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":",
			    SCAR_MEDIA_OCI_MANIFEST) < 0 ||
	    append_descriptor(text, &archive->blobs[0].desc, err) < 0 ||
	    scar_buf_append_str(text, ",\"layers\":[", err) < 0)
		return -1;
	for (size_t i = 1; i < archive->blob_count; i++) {
		if ((i > 1 && scar_buf_append_char(text, ',', err) < 0) ||
		    append_descriptor(text, &archive->blobs[i].desc, err) < 0)
			return -1;
	}
	return scar_buf_append_str(text, "]}", err);
}

static int archive_root(void *impl, const struct scar_platform *platform, struct scar_buf *text,
			char ret_media_type[SCAR_MEDIA_TYPE_MAX], struct scar_digest *ret_expected,
			struct scar_err *err)
{
	struct archive *archive = impl;
	scar_json_auto struct scar_json *images = NULL;
	const struct scar_json *image = NULL;

	(void)platform; /* an archive has one platform; it is checked against the config */
	if (read_list(archive, &images, err) < 0 ||
	    choose_image(images, archive->ref->tag, scar_ref_prefix(archive->ref->transport),
			 &image, err) < 0 ||
	    collect_blobs(archive, image, err) < 0 || write_manifest(archive, text, err) < 0)
		return -1;
	memcpy(ret_media_type, SCAR_MEDIA_OCI_MANIFEST, sizeof(SCAR_MEDIA_OCI_MANIFEST));
	memset(ret_expected, 0, sizeof(*ret_expected));
	return 0;
}

static int archive_manifest(void *impl, const struct scar_descriptor *desc, struct scar_buf *text,
			    struct scar_err *err)
{
	(void)impl;
	(void)desc;
	(void)text;
	return scar_err_set(err, SCAR_ERR_INTERNAL, "an archive has no index");
}

static int archive_blob(void *impl, const struct scar_descriptor *desc, scar_http_sink sink,
			void *ctx, struct scar_err *err)
{
	const struct archive *archive = impl;
	char digest[SCAR_DIGEST_TEXT_MAX];

	for (size_t i = 0; i < archive->blob_count; i++) {
		if (scar_digest_equal(&archive->blobs[i].desc.digest, &desc->digest))
			return copy_member(archive, archive->blobs[i].member, sink, ctx, err);
	}
	return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the archive has no %s",
			    scar_digest_format(&desc->digest, digest));
}

const struct scar_source_ops scar_source_archive = {
	.transport = SCAR_TRANSPORT_DOCKER_ARCHIVE,
	.open = archive_open,
	.close = archive_close,
	.root = archive_root,
	.manifest = archive_manifest,
	.blob = archive_blob,
};
