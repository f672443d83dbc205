/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manifest.h
 * Documents of the OCI image specification (descriptor.md, image-index.md, manifest.md, config.md)
 * and their Docker twins (manifest list, image manifest version 2 schema 2), parsed from bytes.
 *
 * Nothing here does input or output. All counts and sizes are bounded by limits.h. A document that is
 * ambiguous about its own type (CVE-2021-41190: both "layers" and "manifests", or a mediaType that
 * contradicts the one it was served with) is refused. Docker schema 1 is refused by name.
 */
#ifndef SCAR_REGISTRY_MANIFEST_H
#define SCAR_REGISTRY_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/digest.h"

struct scar_err;

#define SCAR_MEDIA_TYPE_MAX 128
#define SCAR_PLATFORM_TEXT_MAX 112

#define SCAR_MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define SCAR_MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define SCAR_MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define SCAR_MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define SCAR_MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define SCAR_MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define SCAR_MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define SCAR_MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"

/** Names content: its type, its digest and its exact size. */
struct scar_descriptor {
	char media_type[SCAR_MEDIA_TYPE_MAX];
	struct scar_digest digest;
	uint64_t size_bytes;
};

enum scar_layer_compression {
	SCAR_COMPRESSION_PLAIN,
	SCAR_COMPRESSION_GZIP,
	SCAR_COMPRESSION_ZSTD,
	SCAR_COMPRESSION_UNKNOWN
};

/** What the media type claims; media types lie, so whoever unpacks looks at the magic bytes too. */
enum scar_layer_compression scar_descriptor_compression(const struct scar_descriptor *layer);

/* ---- platforms ---- */

/** Go's names, as the specification asks: "linux", "amd64", "v8"; "" where not said. */
struct scar_platform {
	char os[32];
	char architecture[32];
	char variant[32];
};

/** The platform of this machine; its variant is the highest that the processor runs. */
void scar_platform_host(struct scar_platform *ret_platform);
/** Parses "os/architecture[/variant]"; else SCAR_ERR_CONFIG. */
int scar_platform_parse(const char *text, struct scar_platform *ret_platform, struct scar_err *err);
/** "linux/arm64/v8". @return text */
const char *scar_platform_format(const struct scar_platform *platform,
				 char text[SCAR_PLATFORM_TEXT_MAX]);
/**
 * How well an image built for `have` runs on `want`: 0 not at all, else the greater the better (an
 * image for amd64/v2 runs on v3 and is preferred to one for v1).
 */
unsigned scar_platform_match(const struct scar_platform *have, const struct scar_platform *want);

/* ---- index and manifest ---- */

struct scar_index_entry {
	struct scar_descriptor descriptor;
	struct scar_platform platform; /**< all "" if the index does not say */
	bool has_platform;
	bool is_attestation; /**< provenance, not an image: platform unknown/unknown or so annotated */
	char *ref_name;      /**< annotation org.opencontainers.image.ref.name, or NULL; owned */
};

/** An index or an image manifest. Exactly one half is used. */
struct scar_manifest {
	bool is_index;
	char media_type[SCAR_MEDIA_TYPE_MAX];
	struct scar_index_entry *entries;
	size_t entry_count;
	struct scar_descriptor config;
	struct scar_descriptor *layers;
	size_t layer_count;
};

/**
 * Parses an index or manifest. media_type: that of the descriptor or Content-Type it came with (parameters
 * are ignored), NULL or a generic one ("application/json", ...) if unknown. Fails with SCAR_ERR_IMAGE,
 * _LIMIT, or _UNSUPPORTED (schema 1, encrypted layers, artifacts that are no images).
 */
int scar_manifest_parse(const char *media_type, const char *text, size_t len,
			struct scar_manifest *ret_manifest, struct scar_err *err);
void scar_manifest_clear(struct scar_manifest *manifest);
/**
 * The entry of an index to use on `want`: best match, first of equals. An entry without platform is
 * taken only if nothing else matches and it is the only one. Fails with SCAR_ERR_PLATFORM, naming
 * what there is. The result is borrowed from the index.
 */
int scar_manifest_select(const struct scar_manifest *index, const struct scar_platform *want,
			 const struct scar_index_entry **ret_entry, struct scar_err *err);

/* ---- config ---- */

/** What the image says about running it. Lists are NULL-terminated and owned; NULL where absent. */
struct scar_image_config {
	char **env; /**< "NAME=value" */
	char **entrypoint;
	char **cmd;
	char *user; /**< "name", "uid", "user:group" ..., or NULL */
	char *working_dir;
	char *stop_signal;
	char *architecture;
	char *os;
	char *variant;
	struct scar_digest *diff_ids;
	size_t diff_id_count;
};

/** Parses an image config document; fails with SCAR_ERR_IMAGE or SCAR_ERR_LIMIT. */
int scar_config_parse(const char *text, size_t len, struct scar_image_config *ret_config,
		      struct scar_err *err);
void scar_config_clear(struct scar_image_config *config);

/* ---- image ---- */

/** An image of one platform, ready to be unpacked: layer i has diff ID i; lowest layer first. */
struct scar_image {
	struct scar_descriptor manifest;
	struct scar_descriptor config_desc;
	struct scar_descriptor *layers;
	size_t layer_count;
	struct scar_image_config config;
	uint64_t layers_size_bytes; /**< sum of the layers' sizes as transferred */
};

/** NULL is fine. */
void scar_image_free(struct scar_image *image);

static inline void scar_cleanup_image(struct scar_image **image)
{
	scar_image_free(*image);
}
#define scar_image_auto scar_auto(scar_cleanup_image)
#define scar_manifest_auto scar_auto(scar_manifest_clear)
#define scar_config_auto scar_auto(scar_config_clear)

#endif
