/* SPDX-License-Identifier: Apache-2.0 */
/* Index, manifest and config: the first byte says which, and with what media type it came. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/manifest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const char *media_type, const char *text, size_t len)
{
	scar_manifest_auto struct scar_manifest manifest = {.is_index = false};
	struct scar_platform want;
	const struct scar_index_entry *entry;
	struct scar_err err;

	if (scar_manifest_parse(media_type, text, len, &manifest, &err) < 0)
		return;
	if (manifest.layer_count > SCAR_LIMIT_LAYERS ||
	    manifest.entry_count > SCAR_LIMIT_INDEX_ENTRIES)
		abort();
	for (size_t i = 0; i < manifest.layer_count; i++) {
		if (scar_descriptor_compression(&manifest.layers[i]) == SCAR_COMPRESSION_UNKNOWN)
			abort();
	}
	scar_platform_host(&want);
	if (manifest.is_index && scar_manifest_select(&manifest, &want, &entry, &err) == 0 &&
	    (entry < manifest.entries || entry >= manifest.entries + manifest.entry_count))
		abort();
}

static void check_config(const char *text, size_t len)
{
	scar_config_auto struct scar_image_config config = {.env = NULL};
	struct scar_err err;

	if (scar_config_parse(text, len, &config, &err) == 0 &&
	    config.diff_id_count > SCAR_LIMIT_LAYERS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {NULL, SCAR_MEDIA_OCI_INDEX, SCAR_MEDIA_DOCKER_LIST,
					    SCAR_MEDIA_OCI_MANIFEST, SCAR_MEDIA_DOCKER_MANIFEST};
	const char *text;
	size_t which;

	if (!size)
		return 0;
	/* Digits, so that a corpus can be written by hand; 5 and above are configs. */
	which = (size_t)(data[0] - (uint8_t)'0') % 6;
	text = (const char *)data + 1;
	if (which < 5)
		check_manifest(types[which], text, size - 1);
	else
		check_config(text, size - 1);
	return 0;
}
