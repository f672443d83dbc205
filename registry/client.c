/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/client.h"

#include <errno.h>
#include <string.h>

#include "registry/ref.h"
#include "registry/source.h"
#include "registry/verify.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static const struct scar_source_ops *const kinds[] = {
	&scar_source_remote,  &scar_source_layout, &scar_source_layout_archive,
	&scar_source_archive, &scar_source_s3,
};

struct scar_source {
	const struct scar_source_ops *ops;
	void *impl;
	struct scar_ref ref;
	char *name;
	struct scar_platform platform;
};

static const struct scar_source_ops *ops_of(enum scar_transport transport)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i]->transport == transport)
			return kinds[i];
	}
	return NULL;
}

static int open_source(struct scar_source *source, const struct scar_ref *ref,
		       const struct scar_source_options *options, struct scar_err *err)
{
	source->name = scar_ref_format(ref);
	if (!source->name)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	/* A copy of its own, by way of the text; the implementations borrow it. */
	if (scar_ref_parse(source->name, &source->ref, err) < 0)
		return -1;
	scar_platform_host(&source->platform);
	if (options->platform && scar_platform_parse(options->platform, &source->platform, err) < 0)
		return -1;
	source->ops = ops_of(source->ref.transport);
	if (!source->ops)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "no source for this reference");
	return source->ops->open(&source->ref, options, &source->impl, err);
}

int scar_source_open(const struct scar_ref *ref, const struct scar_source_options *options,
		     struct scar_source **ret_source, struct scar_err *err)
{
	scar_source_auto struct scar_source *source = calloc(1, sizeof(*source));

	if (!source)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (open_source(source, ref, options, err) < 0)
		return scar_err_wrap(err, "image %s", source->name ? source->name : "?");
	*ret_source = scar_steal(source);
	return 0;
}

void scar_source_close(struct scar_source *source)
{
	if (!source)
		return;
	if (source->impl)
		source->ops->close(source->impl);
	scar_ref_clear(&source->ref);
	free(source->name);
	free(source);
}

void scar_source_stats(const struct scar_source *source, struct scar_source_stats *ret_stats)
{
	memset(ret_stats, 0, sizeof(*ret_stats));
	if (source->ops->stats)
		source->ops->stats(source->impl, ret_stats);
}

int scar_source_copy_file(int fd, const char *what, uint64_t first, uint64_t size_bytes,
			  const volatile int *cancel, scar_http_sink sink, void *ctx,
			  struct scar_err *err)
{
	char piece[SCAR_KIB(64)];

	while (size_bytes) {
		size_t want = size_bytes < sizeof(piece) ? (size_t)size_bytes : sizeof(piece);
		ssize_t n = pread(fd, piece, want, (off_t)first);

		if (cancel && *cancel)
			return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "read %s", what);
		if (!n)
			return scar_err_set(err, SCAR_ERR_INTEGRITY, "%s is shorter than it was",
					    what);
		if (sink(ctx, piece, (size_t)n, err) < 0)
			return -1;
		first += (uint64_t)n;
		size_bytes -= (uint64_t)n;
	}
	return 0;
}

/* ---- blobs ---- */

static int get_blob(struct scar_source *source, const struct scar_descriptor *blob,
		    scar_http_sink sink, void *ctx, struct scar_err *err)
{
	scar_verify_auto struct scar_verify verify;

	if (scar_verify_init(&verify, blob, sink, ctx, err) < 0 ||
	    source->ops->blob(source->impl, blob, scar_verify_sink, &verify, err) < 0)
		return -1;
	return scar_verify_finish(&verify, err);
}

int scar_source_blob(struct scar_source *source, const struct scar_descriptor *blob,
		     scar_http_sink sink, void *ctx, struct scar_err *err)
{
	if (get_blob(source, blob, sink, ctx, err) < 0)
		return scar_err_wrap(err, "image %s", source->name);
	return 0;
}

/* ---- from the reference to the image ---- */

/** A manifest as it came, with the descriptor that is right for it. */
struct fetched {
	struct scar_buf text;
	struct scar_descriptor desc;
	struct scar_manifest manifest;
};

static void fetched_init(struct fetched *fetched)
{
	memset(fetched, 0, sizeof(*fetched));
	scar_buf_init(&fetched->text, SCAR_LIMIT_MANIFEST_BYTES);
}

static void fetched_clear(struct fetched *fetched)
{
	scar_buf_clear(&fetched->text);
	scar_manifest_clear(&fetched->manifest);
}

static int fetch_root(struct scar_source *source, struct fetched *fetched, struct scar_err *err)
{
	struct scar_digest expected = {.bytes = {0}};
	struct scar_descriptor *desc = &fetched->desc;

	if (source->ops->root(source->impl, &source->platform, &fetched->text, desc->media_type,
			      &expected, err) < 0)
		return -1;
	desc->size_bytes = fetched->text.len;
	desc->digest = expected;
	if (expected.alg)
		return scar_verify_document(fetched->text.data, fetched->text.len, desc, err);
	return scar_digest_of(SCAR_DIGEST_SHA256, fetched->text.data, fetched->text.len,
			      &desc->digest, err);
}

static int fetch_child(struct scar_source *source, const struct scar_descriptor *desc,
		       struct fetched *fetched, struct scar_err *err)
{
	scar_buf_reset(&fetched->text);
	if (desc->size_bytes > SCAR_LIMIT_MANIFEST_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "a manifest is larger than %zu bytes",
				    SCAR_LIMIT_MANIFEST_BYTES);
	if (source->ops->manifest(source->impl, desc, &fetched->text, err) < 0)
		return -1;
	fetched->desc = *desc;
	return scar_verify_document(fetched->text.data, fetched->text.len, desc, err);
}

static int parse_fetched(struct fetched *fetched, struct scar_err *err)
{
	scar_manifest_clear(&fetched->manifest);
	if (scar_manifest_parse(fetched->desc.media_type, fetched->text.data, fetched->text.len,
				&fetched->manifest, err) < 0)
		return -1;
	memcpy(fetched->desc.media_type, fetched->manifest.media_type,
	       sizeof(fetched->desc.media_type));
	return 0;
}

/**
 * Goes through indexes to a manifest. Each step is verified by its digest, so there is no way round in a circle; the bound is
 * for chains. *ret_by_platform: an index said that the manifest is for our platform.
 */
static int fetch_manifest(struct scar_source *source, struct fetched *fetched,
			  bool *ret_by_platform, struct scar_err *err)
{
	bool by_platform = false;

	if (fetch_root(source, fetched, err) < 0 || parse_fetched(fetched, err) < 0)
		return -1;
	for (unsigned depth = 0; fetched->manifest.is_index; depth++) {
		const struct scar_index_entry *entry;
		struct scar_descriptor next;

		if (depth == SCAR_LIMIT_INDEX_DEPTH)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "indexes are nested deeper than %d",
					    SCAR_LIMIT_INDEX_DEPTH);
		if (scar_manifest_select(&fetched->manifest, &source->platform, &entry, err) < 0)
			return -1;
		by_platform = by_platform || entry->has_platform;
		next = entry->descriptor;
		if (fetch_child(source, &next, fetched, err) < 0 || parse_fetched(fetched, err) < 0)
			return -1;
	}
	*ret_by_platform = by_platform;
	return 0;
}

static int buffer_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

static int fetch_config(struct scar_source *source, const struct scar_descriptor *desc,
			struct scar_image_config *ret_config, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_CONFIG_BYTES);
	if (desc->size_bytes > SCAR_LIMIT_CONFIG_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "the image config is larger than %zu bytes",
				    SCAR_LIMIT_CONFIG_BYTES);
	if (get_blob(source, desc, buffer_sink, &text, err) < 0)
		return -1;
	return scar_config_parse(text.data, text.len, ret_config, err);
}

static void copy_part(char part[32], const char *text)
{
	if (text && strlen(text) < 32)
		memcpy(part, text, strlen(text) + 1);
}

/** A manifest that no index chose tells only in its config what it is for; some configs do not say. */
static int check_platform(const struct scar_source *source, const struct scar_image_config *config,
			  struct scar_err *err)
{
	struct scar_platform have = {.os = ""};
	char have_text[SCAR_PLATFORM_TEXT_MAX], want_text[SCAR_PLATFORM_TEXT_MAX];

	if (!config->os || !config->architecture)
		return 0;
	copy_part(have.os, config->os);
	copy_part(have.architecture, config->architecture);
	copy_part(have.variant, config->variant);
	if (scar_platform_match(&have, &source->platform))
		return 0;
	return scar_err_set(err, SCAR_ERR_PLATFORM, "the image is for %s; this needs %s",
			    scar_platform_format(&have, have_text),
			    scar_platform_format(&source->platform, want_text));
}

static int sum_layers(struct scar_image *image, struct scar_err *err)
{
	for (size_t i = 0; i < image->layer_count; i++) {
		if (__builtin_add_overflow(image->layers_size_bytes, image->layers[i].size_bytes,
					   &image->layers_size_bytes))
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "the sizes of the layers have no sum");
	}
	return 0;
}

static int build_image(struct scar_source *source, struct fetched *fetched, bool by_platform,
		       struct scar_image **ret_image, struct scar_err *err)
{
	scar_image_auto struct scar_image *image = calloc(1, sizeof(*image));

	if (!image)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	image->manifest = fetched->desc;
	image->config_desc = fetched->manifest.config;
	image->layers = scar_steal(fetched->manifest.layers);
	image->layer_count = fetched->manifest.layer_count;
	if (fetch_config(source, &image->config_desc, &image->config, err) < 0)
		return -1;
	if (!by_platform && check_platform(source, &image->config, err) < 0)
		return -1;
	if (image->layer_count != image->config.diff_id_count)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the manifest has %zu layers, the config %zu diff IDs",
				    image->layer_count, image->config.diff_id_count);
	if (sum_layers(image, err) < 0)
		return -1;
	*ret_image = scar_steal(image);
	return 0;
}

int scar_source_resolve(struct scar_source *source, struct scar_image **ret_image,
			struct scar_err *err)
{
	scar_auto(fetched_clear) struct fetched fetched;
	bool by_platform = false;

	fetched_init(&fetched);
	if (fetch_manifest(source, &fetched, &by_platform, err) < 0 ||
	    build_image(source, &fetched, by_platform, ret_image, err) < 0)
		return scar_err_wrap(err, "image %s", source->name);
	return 0;
}
