/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "registry/document.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* ---- media types ---- */

enum kind { KIND_UNKNOWN, KIND_GENERIC, KIND_INDEX, KIND_MANIFEST, KIND_SCHEMA1 };

static const struct {
	const char *media_type;
	enum kind kind;
} kinds[] = {
	{SCAR_MEDIA_OCI_INDEX, KIND_INDEX},
	{SCAR_MEDIA_DOCKER_LIST, KIND_INDEX},
	{SCAR_MEDIA_OCI_MANIFEST, KIND_MANIFEST},
	{SCAR_MEDIA_DOCKER_MANIFEST, KIND_MANIFEST},
	{"application/vnd.docker.distribution.manifest.v1+json", KIND_SCHEMA1},
	{"application/vnd.docker.distribution.manifest.v1+prettyjws", KIND_SCHEMA1},
	/* What servers say that do not know manifests. */
	{"", KIND_GENERIC},
	{"application/json", KIND_GENERIC},
	{"text/json", KIND_GENERIC},
	{"text/plain", KIND_GENERIC},
	{"application/octet-stream", KIND_GENERIC},
	{"binary/octet-stream", KIND_GENERIC},
};

static enum kind kind_of(const char *media_type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcasecmp(kinds[i].media_type, media_type) == 0)
			return kinds[i].kind;
	}
	return KIND_UNKNOWN;
}

static const char *const layer_bases[] = {
	SCAR_MEDIA_OCI_LAYER,
	SCAR_MEDIA_DOCKER_LAYER,
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.docker.image.rootfs.foreign.diff.tar",
};

enum scar_layer_compression scar_descriptor_compression(const struct scar_descriptor *layer)
{
	for (size_t i = 0; i < sizeof(layer_bases) / sizeof(layer_bases[0]); i++) {
		size_t len = strlen(layer_bases[i]);
		const char *suffix = layer->media_type + len;

		if (strncmp(layer->media_type, layer_bases[i], len) != 0)
			continue;
		if (!*suffix)
			return SCAR_COMPRESSION_PLAIN;
		if (strcmp(suffix, "+gzip") == 0 || strcmp(suffix, ".gzip") == 0)
			return SCAR_COMPRESSION_GZIP;
		if (strcmp(suffix, "+zstd") == 0 || strcmp(suffix, ".zstd") == 0)
			return SCAR_COMPRESSION_ZSTD;
	}
	return SCAR_COMPRESSION_UNKNOWN;
}

/** Copies a Content-Type without its parameters. */
static void copy_media_type(const char *text, char media_type[SCAR_MEDIA_TYPE_MAX])
{
	size_t len = text ? strcspn(text, "; \t") : 0;

	if (len >= SCAR_MEDIA_TYPE_MAX)
		len = SCAR_MEDIA_TYPE_MAX - 1;
	if (len)
		memcpy(media_type, text, len);
	media_type[len] = '\0';
}

/* ---- descriptors ---- */

/** Media types get into messages and logs, so only what RFC 6838 allows in one passes. */
static bool media_type_ok(const char *text)
{
	size_t len = strlen(text);

	if (!len || len >= SCAR_MEDIA_TYPE_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return true;
}

static int parse_descriptor(const struct scar_json *node, const char *what,
			    struct scar_descriptor *ret_desc, struct scar_err *err)
{
	struct scar_descriptor desc = {.media_type = ""};
	const char *media_type, *digest;
	int64_t size;

	if (scar_json_need_string(node, "mediaType", what, &media_type, err) < 0 ||
	    scar_json_need_string(node, "digest", what, &digest, err) < 0 ||
	    scar_json_need_int(node, "size", what, &size, err) < 0)
		return scar_document_err(err);
	if (!media_type_ok(media_type))
		return scar_err_set(err, SCAR_ERR_IMAGE, "%s: 'mediaType' is not a media type",
				    what);
	if (size < 0)
		return scar_err_set(err, SCAR_ERR_IMAGE, "%s: 'size' is negative", what);
	if (scar_digest_parse(digest, &desc.digest, err) < 0)
		return scar_err_wrap(err, "%s", what);
	snprintf(desc.media_type, sizeof(desc.media_type), "%s", media_type);
	desc.size_bytes = (uint64_t)size;
	*ret_desc = desc;
	return 0;
}

/* ---- index ---- */

static int copy_field(const struct scar_json *node, const char *key, char dst[32],
		      struct scar_err *err)
{
	const char *text = scar_json_string(scar_json_get(node, key));

	if (!text)
		return 0;
	if (strlen(text) >= 32)
		return scar_err_set(err, SCAR_ERR_IMAGE, "index: platform '%s' is too long", key);
	for (const char *p = text; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "index: platform '%s' is not a name", key);
	}
	snprintf(dst, 32, "%s", text);
	return 0;
}

static int parse_platform(const struct scar_json *node, struct scar_index_entry *entry,
			  struct scar_err *err)
{
	struct scar_platform *platform = &entry->platform;

	if (scar_json_type(node) != SCAR_JSON_OBJECT)
		return scar_err_set(err, SCAR_ERR_IMAGE, "index: 'platform' is not an object");
	if (copy_field(node, "os", platform->os, err) < 0 ||
	    copy_field(node, "architecture", platform->architecture, err) < 0 ||
	    copy_field(node, "variant", platform->variant, err) < 0)
		return -1;
	entry->has_platform = platform->os[0] || platform->architecture[0];
	return 0;
}

static bool is_attestation(const struct scar_index_entry *entry,
			   const struct scar_json *annotations)
{
	const char *type = scar_json_string(
		scar_json_get(annotations, "vnd.docker.reference.type"));

	if (type && strcmp(type, "attestation-manifest") == 0)
		return true;
	return strcmp(entry->platform.os, "unknown") == 0 &&
	       strcmp(entry->platform.architecture, "unknown") == 0;
}

static int parse_entry(const struct scar_json *node, struct scar_index_entry *entry,
		       struct scar_err *err)
{
	const struct scar_json *platform = scar_json_get(node, "platform");
	const struct scar_json *annotations = scar_json_get(node, "annotations");
	const char *ref_name = scar_json_string(
		scar_json_get(annotations, "org.opencontainers.image.ref.name"));

	if (parse_descriptor(node, "index: entry", &entry->descriptor, err) < 0)
		return -1;
	if (platform && scar_json_type(platform) != SCAR_JSON_NULL &&
	    parse_platform(platform, entry, err) < 0)
		return -1;
	entry->is_attestation = is_attestation(entry, annotations);
	if (ref_name) {
		entry->ref_name = strdup(ref_name);
		if (!entry->ref_name)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	return 0;
}

static int parse_index(const struct scar_json *root, struct scar_manifest *index,
		       struct scar_err *err)
{
	const struct scar_json *entries = scar_json_get(root, "manifests");
	size_t count = scar_json_size(entries);

	if (!entries || scar_json_type(entries) != SCAR_JSON_ARRAY)
		return scar_err_set(err, SCAR_ERR_IMAGE, "index: 'manifests' is not a list");
	if (count > SCAR_LIMIT_INDEX_ENTRIES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "index: %zu entries, at most %d are read",
				    count, SCAR_LIMIT_INDEX_ENTRIES);
	index->is_index = true;
	index->entries = calloc(count ? count : 1, sizeof(*index->entries));
	if (!index->entries)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (const struct scar_json *n = scar_json_first(entries); n; n = scar_json_next(n)) {
		index->entry_count++;
		if (parse_entry(n, &index->entries[index->entry_count - 1], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- manifest ---- */

static int check_config_type(const char *media_type, struct scar_err *err)
{
	static const char *const known[] = {SCAR_MEDIA_OCI_CONFIG, SCAR_MEDIA_DOCKER_CONFIG,
					    /* Docker 1.10 wrote this. */
					    "application/octet-stream"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(media_type, known[i]) == 0)
			return 0;
	}
	return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
			    "this is an artifact (config type %s), not a container image",
			    media_type);
}

static int check_layer_type(const struct scar_descriptor *layer, struct scar_err *err)
{
	size_t len = strlen(layer->media_type);
	static const char encrypted[] = "+encrypted";
	size_t suffix = sizeof(encrypted) - 1;

	if (scar_descriptor_compression(layer) != SCAR_COMPRESSION_UNKNOWN)
		return 0;
	if (len > suffix && strcmp(layer->media_type + len - suffix, encrypted) == 0)
		return scar_err_set(err, SCAR_ERR_UNSUPPORTED, "the image has encrypted layers");
	return scar_err_set(err, SCAR_ERR_UNSUPPORTED, "a layer of type %s is no file system layer",
			    layer->media_type);
}

static int parse_manifest(const struct scar_json *root, struct scar_manifest *manifest,
			  struct scar_err *err)
{
	const struct scar_json *layers = scar_json_get(root, "layers");
	size_t count = scar_json_size(layers);

	if (parse_descriptor(scar_json_get(root, "config"), "manifest: config", &manifest->config,
			     err) < 0 ||
	    check_config_type(manifest->config.media_type, err) < 0)
		return -1;
	if (!layers || scar_json_type(layers) != SCAR_JSON_ARRAY)
		return scar_err_set(err, SCAR_ERR_IMAGE, "manifest: 'layers' is not a list");
	if (count > SCAR_LIMIT_LAYERS)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "manifest: %zu layers, at most %d are read", count,
				    SCAR_LIMIT_LAYERS);
	manifest->layers = calloc(count ? count : 1, sizeof(*manifest->layers));
	if (!manifest->layers)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (const struct scar_json *n = scar_json_first(layers); n; n = scar_json_next(n)) {
		struct scar_descriptor *layer = &manifest->layers[manifest->layer_count++];

		if (parse_descriptor(n, "manifest: layer", layer, err) < 0 ||
		    check_layer_type(layer, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- which of them it is ---- */

static int refuse_schema1(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
			    "the manifest has the old format \"schema 1\", which has no verifiable "
			    "layers: push the image again with a Docker newer than 1.10");
}

/** CVE-2021-41190: the same bytes must not mean one thing here and another elsewhere. */
static int decide_kind(const struct scar_json *root, const char *served, const char *declared,
		       enum kind *ret_kind, struct scar_err *err)
{
	enum kind served_kind = kind_of(served), declared_kind = kind_of(declared);
	bool as_index = scar_json_get(root, "manifests");
	bool as_manifest = scar_json_get(root, "layers") || scar_json_get(root, "config");
	bool as_schema1 = scar_json_get(root, "fsLayers");
	enum kind kind = served_kind == KIND_GENERIC ? declared_kind : served_kind;

	if (served_kind == KIND_UNKNOWN || declared_kind == KIND_UNKNOWN)
		return scar_err_set(err, SCAR_ERR_IMAGE, "'%.100s' is no type of an image manifest",
				    served_kind == KIND_UNKNOWN ? served : declared);
	if (kind == KIND_SCHEMA1 || (as_schema1 && !as_index && !as_manifest))
		return refuse_schema1(err);
	if (served_kind != KIND_GENERIC && declared_kind != KIND_GENERIC &&
	    strcasecmp(served, declared) != 0)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the manifest says its type is %s, but it came as %s", declared,
				    served);
	if (as_index + as_manifest + as_schema1 > 1)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the document is both an index and a manifest");
	if (kind == KIND_GENERIC)
		kind = as_index ? KIND_INDEX : KIND_MANIFEST;
	if ((kind == KIND_INDEX && as_manifest) || (kind == KIND_MANIFEST && as_index))
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the content of the manifest is not of its type");
	*ret_kind = kind;
	return 0;
}

static int check_schema_version(const struct scar_json *root, struct scar_err *err)
{
	int64_t version;

	if (scar_json_need_int(root, "schemaVersion", "manifest", &version, err) < 0)
		return scar_document_err(err);
	if (version == 1)
		return refuse_schema1(err);
	if (version != 2)
		return scar_err_set(err, SCAR_ERR_IMAGE, "manifest: 'schemaVersion' is not 2");
	return 0;
}

int scar_manifest_parse(const char *media_type, const char *text, size_t len,
			struct scar_manifest *ret_manifest, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_manifest_auto struct scar_manifest manifest = {.is_index = false};
	char served[SCAR_MEDIA_TYPE_MAX];
	const char *declared;
	enum kind kind = KIND_GENERIC;

	if (len > SCAR_LIMIT_MANIFEST_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the manifest is larger than %zu bytes",
				    SCAR_LIMIT_MANIFEST_BYTES);
	if (scar_document_parse(text, len, "manifest", &root, err) < 0 ||
	    check_schema_version(root, err) < 0)
		return -1;
	copy_media_type(media_type, served);
	declared = scar_json_string(scar_json_get(root, "mediaType"));
	if (decide_kind(root, served, declared ? declared : "", &kind, err) < 0)
		return -1;
	copy_media_type(kind_of(served) != KIND_GENERIC ? served : declared, manifest.media_type);
	if (kind_of(manifest.media_type) == KIND_GENERIC)
		copy_media_type(kind == KIND_INDEX ? SCAR_MEDIA_OCI_INDEX : SCAR_MEDIA_OCI_MANIFEST,
				manifest.media_type);
	if ((kind == KIND_INDEX ? parse_index : parse_manifest)(root, &manifest, err) < 0)
		return -1;
	*ret_manifest = manifest;
	memset(&manifest, 0, sizeof(manifest));
	return 0;
}

void scar_manifest_clear(struct scar_manifest *manifest)
{
	for (size_t i = 0; i < manifest->entry_count; i++)
		free(manifest->entries[i].ref_name);
	free(manifest->entries);
	free(manifest->layers);
	memset(manifest, 0, sizeof(*manifest));
}

/* ---- choice of an entry ---- */

static bool is_candidate(const struct scar_index_entry *entry)
{
	enum kind kind = kind_of(entry->descriptor.media_type);

	/* image-index.md: entries of unknown types are ignored. */
	return !entry->is_attestation && (kind == KIND_INDEX || kind == KIND_MANIFEST);
}

static int refuse_platform(const struct scar_manifest *index, const struct scar_platform *want,
			   struct scar_err *err)
{
	scar_buf_auto struct scar_buf have;
	char text[SCAR_PLATFORM_TEXT_MAX];
	size_t named = 0;

	scar_buf_init(&have, SCAR_ERR_MSG_MAX / 2);
	for (size_t i = 0; i < index->entry_count; i++) {
		const struct scar_index_entry *entry = &index->entries[i];

		if (!is_candidate(entry) || !entry->has_platform)
			continue;
		/* A list too long for a message is cut. */
		if (scar_buf_printf(&have, err, "%s%s", named ? ", " : "",
				    scar_platform_format(&entry->platform, text)) < 0)
			break;
		named++;
	}
	scar_platform_format(want, text);
	return scar_err_set(err, SCAR_ERR_PLATFORM, "the image is for %s; this needs %s",
			    named ? have.data : "no platform it names", text);
}

int scar_manifest_select(const struct scar_manifest *index, const struct scar_platform *want,
			 const struct scar_index_entry **ret_entry, struct scar_err *err)
{
	const struct scar_index_entry *best = NULL, *unnamed = NULL;
	unsigned best_match = 0;
	size_t unnamed_count = 0;

	for (size_t i = 0; i < index->entry_count; i++) {
		const struct scar_index_entry *entry = &index->entries[i];
		unsigned match;

		if (!is_candidate(entry))
			continue;
		if (!entry->has_platform) {
			unnamed = entry;
			unnamed_count++;
			continue;
		}
		match = scar_platform_match(&entry->platform, want);
		if (match > best_match) {
			best = entry;
			best_match = match;
		}
	}
	if (!best && unnamed_count == 1)
		best = unnamed;
	if (!best)
		return refuse_platform(index, want, err);
	*ret_entry = best;
	return 0;
}
