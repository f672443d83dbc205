/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DESC(type, hex, size) \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" hex "\",\"size\":" size "}"
#define CONFIG DESC(SCAR_MEDIA_OCI_CONFIG, HEX_A, "10")
#define LAYER DESC(SCAR_MEDIA_OCI_LAYER "+gzip", HEX_B, "20")
#define ENTRY(hex, platform)                                                                       \
	"{\"mediaType\":\"" SCAR_MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" hex "\",\"size\":5," \
	"\"platform\":{" platform "}}"
#define AMD64 "\"os\":\"linux\",\"architecture\":\"amd64\""
#define ARM64 "\"os\":\"linux\",\"architecture\":\"arm64\""

static int parse(const char *media_type, const char *text, struct scar_manifest *ret_manifest,
		 struct scar_err *err)
{
	return scar_manifest_parse(media_type, text, strlen(text), ret_manifest, err);
}

static void assert_refused(const char *media_type, const char *text, enum scar_err_kind kind,
			   const char *says)
{
	struct scar_manifest manifest;
	struct scar_err err;

	if (parse(media_type, text, &manifest, &err) == 0)
		fail_msg("accepted: %s", text);
	if (err.kind != kind || !strstr(err.msg, says))
		fail_msg("kind %d, '%s' does not say '%s'", (int)err.kind, err.msg, says);
}

static void reads_a_manifest(void **state)
{
	static const char text[] = "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER
				   "," DESC(SCAR_MEDIA_OCI_LAYER "+zstd", HEX_A,
					    "9007199254740991") "]}";
	static const char *const types[] = {SCAR_MEDIA_OCI_MANIFEST,
					    SCAR_MEDIA_OCI_MANIFEST "; charset=utf-8",
					    "application/json", "", NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		scar_manifest_auto struct scar_manifest manifest = {.is_index = true};
		char digest[SCAR_DIGEST_TEXT_MAX];
		struct scar_err err;

		if (parse(types[i], text, &manifest, &err) < 0)
			fail_msg("%s", err.msg);
		assert_false(manifest.is_index);
		assert_string_equal(manifest.media_type, SCAR_MEDIA_OCI_MANIFEST);
		assert_string_equal(scar_digest_format(&manifest.config.digest, digest),
				    "sha256:" HEX_A);
		assert_int_equal(manifest.config.size_bytes, 10);
		assert_int_equal(manifest.layer_count, 2);
		assert_int_equal(manifest.layers[1].size_bytes, 9007199254740991);
		assert_int_equal(scar_descriptor_compression(&manifest.layers[1]),
				 SCAR_COMPRESSION_ZSTD);
	}
}

static void reads_the_docker_forms(void **state)
{
	scar_manifest_auto struct scar_manifest manifest = {.is_index = true};
	scar_manifest_auto struct scar_manifest list = {.is_index = false};
	struct scar_err err;

	(void)state;
	assert_int_equal(parse(NULL,
			       "{\"schemaVersion\":2,\"mediaType\":\"" SCAR_MEDIA_DOCKER_MANIFEST
			       "\",\"config\":" DESC(
				       SCAR_MEDIA_DOCKER_CONFIG, HEX_A,
				       "1") ",\"layers\":[" DESC(SCAR_MEDIA_DOCKER_LAYER ".gzip",
								 HEX_B, "2") "]}",
			       &manifest, &err),
			 0);
	assert_string_equal(manifest.media_type, SCAR_MEDIA_DOCKER_MANIFEST);
	assert_int_equal(scar_descriptor_compression(&manifest.layers[0]), SCAR_COMPRESSION_GZIP);
	assert_int_equal(parse(SCAR_MEDIA_DOCKER_LIST,
			       "{\"schemaVersion\":2,\"mediaType\":\"" SCAR_MEDIA_DOCKER_LIST
			       "\",\"manifests\":[" ENTRY(HEX_A, AMD64 ",\"variant\":\"v2\"") "]}",
			       &list, &err),
			 0);
	assert_true(list.is_index);
	assert_int_equal(list.entry_count, 1);
	assert_string_equal(list.entries[0].platform.variant, "v2");
}

static void refuses_a_document_that_is_two_things(void **state)
{
	(void)state;
	/* CVE-2021-41190 */
	assert_refused(NULL,
		       "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER
		       "],\"manifests\":[" ENTRY(HEX_A, AMD64) "]}",
		       SCAR_ERR_IMAGE, "both an index and a manifest");
	assert_refused(NULL, "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", SCAR_ERR_IMAGE,
		       "both");
	assert_refused(NULL, "{\"schemaVersion\":2,\"manifests\":[],\"fsLayers\":[]}",
		       SCAR_ERR_IMAGE, "both");
	assert_refused(SCAR_MEDIA_OCI_INDEX,
		       "{\"schemaVersion\":2,\"mediaType\":\"" SCAR_MEDIA_OCI_MANIFEST
		       "\",\"manifests\":[]}",
		       SCAR_ERR_IMAGE, "but it came as");
	assert_refused(SCAR_MEDIA_OCI_MANIFEST, "{\"schemaVersion\":2,\"manifests\":[]}",
		       SCAR_ERR_IMAGE, "not of its type");
	assert_refused(SCAR_MEDIA_DOCKER_LIST,
		       "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", SCAR_ERR_IMAGE,
		       "not of its type");
}

static void refuses_what_is_no_image(void **state)
{
	(void)state;
	assert_refused("text/html", "{\"schemaVersion\":2,\"manifests\":[]}", SCAR_ERR_IMAGE,
		       "'text/html' is no type");
	assert_refused(NULL, "<html>", SCAR_ERR_IMAGE, "manifest");
	assert_refused(NULL, "[]", SCAR_ERR_IMAGE, "not a JSON object");
	assert_refused(NULL, "{}", SCAR_ERR_IMAGE, "schemaVersion");
	assert_refused(NULL, "{\"schemaVersion\":3}", SCAR_ERR_IMAGE, "is not 2");
	assert_refused(NULL, "{\"schemaVersion\":1,\"fsLayers\":[]}", SCAR_ERR_UNSUPPORTED,
		       "schema 1");
	assert_refused("application/vnd.docker.distribution.manifest.v1+prettyjws",
		       "{\"schemaVersion\":2}", SCAR_ERR_UNSUPPORTED, "schema 1");
	assert_refused(
		NULL,
		"{\"schemaVersion\":2,\"config\":" DESC("application/vnd.cncf.helm.config.v1+json",
							HEX_A, "1") ",\"layers\":[]}",
		SCAR_ERR_UNSUPPORTED, "not a container image");
	assert_refused(NULL,
		       "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" DESC(
			       SCAR_MEDIA_OCI_LAYER "+gzip+encrypted", HEX_A, "1") "]}",
		       SCAR_ERR_UNSUPPORTED, "encrypted");
	assert_refused(NULL,
		       "{\"schemaVersion\":2,\"config\":" CONFIG
		       ",\"layers\":[" DESC("application/vnd.in-toto+json", HEX_A, "1") "]}",
		       SCAR_ERR_UNSUPPORTED, "no file system layer");
}

static void refuses_malformed_descriptors(void **state)
{
	static const struct {
		const char *config, *says;
	} cases[] = {
		{"null", "mediaType"},
		{"[]", "mediaType"},
		{"{\"digest\":\"sha256:" HEX_A "\",\"size\":1}", "mediaType"},
		{"{\"mediaType\":5,\"digest\":\"sha256:" HEX_A "\",\"size\":1}", "mediaType"},
		{"{\"mediaType\":\"\",\"digest\":\"sha256:" HEX_A "\",\"size\":1}", "mediaType"},
		{"{\"mediaType\":\"a\\nb\",\"digest\":\"sha256:" HEX_A "\",\"size\":1}",
		 "mediaType"},
		{"{\"mediaType\":\"a\",\"size\":1}", "digest"},
		{"{\"mediaType\":\"a\",\"digest\":\"sha256:" HEX_A "\"}", "size"},
		{DESC("a", HEX_A, "-1"), "negative"},
		{DESC("a", HEX_A, "1.5"), "size"},
		{DESC("a", HEX_A, "\"1\""), "size"},
		{DESC("a", HEX_A, "9007199254740993"), "size"},
		{DESC("a", "zz", "1"), "config"},
		{"{\"mediaType\":\"a\",\"digest\":\"../../etc/passwd\",\"size\":1}", "config"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"config\":%s,\"layers\":[]}",
			 cases[i].config);
		assert_refused(NULL, text, SCAR_ERR_IMAGE, cases[i].says);
	}
	assert_refused(NULL, "{\"schemaVersion\":2,\"config\":" CONFIG "}", SCAR_ERR_IMAGE,
		       "layers");
	assert_refused(NULL, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":{}}",
		       SCAR_ERR_IMAGE, "layers");
	assert_refused(NULL, "{\"schemaVersion\":2,\"manifests\":{}}", SCAR_ERR_IMAGE, "manifests");
	assert_refused(NULL, "{\"schemaVersion\":2,\"manifests\":[5]}", SCAR_ERR_IMAGE, "entry");
	assert_refused(NULL,
		       "{\"schemaVersion\":2,\"manifests\":[" ENTRY(
			       HEX_A, "\"os\":\"a\\nb\",\"architecture\":\"amd64\"") "]}",
		       SCAR_ERR_IMAGE, "platform");
}

/** A document with `count` times `item` in the list that `head` opens. */
static void fill_list(struct scar_buf *text, const char *head, const char *item, size_t count)
{
	struct scar_err err;

	scar_buf_init(text, SCAR_LIMIT_MANIFEST_BYTES + 1);
	assert_int_equal(scar_buf_append_str(text, head, &err), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(scar_buf_append_str(text, i ? "," : "", &err), 0);
		assert_int_equal(scar_buf_append_str(text, item, &err), 0);
	}
	assert_int_equal(scar_buf_append_str(text, "]}", &err), 0);
}

static void bounds_layers_and_entries(void **state)
{
	static const char manifest_head[] = "{\"schemaVersion\":2,\"config\":" CONFIG
					    ",\"layers\":[";
	static const char index_head[] = "{\"schemaVersion\":2,\"manifests\":[";
	scar_buf_auto struct scar_buf text;
	scar_manifest_auto struct scar_manifest manifest = {.is_index = false};
	struct scar_err err;

	(void)state;
	fill_list(&text, manifest_head, LAYER, SCAR_LIMIT_LAYERS);
	assert_int_equal(parse(NULL, text.data, &manifest, &err), 0);
	assert_int_equal(manifest.layer_count, SCAR_LIMIT_LAYERS);
	scar_buf_clear(&text);
	fill_list(&text, manifest_head, LAYER, SCAR_LIMIT_LAYERS + 1);
	assert_refused(NULL, text.data, SCAR_ERR_LIMIT, "layers");
	scar_buf_clear(&text);
	fill_list(&text, index_head, ENTRY(HEX_A, AMD64), SCAR_LIMIT_INDEX_ENTRIES + 1);
	assert_refused(NULL, text.data, SCAR_ERR_LIMIT, "entries");
}

static void bounds_the_document(void **state)
{
	scar_free_auto char *text = malloc(SCAR_LIMIT_MANIFEST_BYTES + 1);
	struct scar_manifest manifest;
	struct scar_err err;

	(void)state;
	memset(text, ' ', SCAR_LIMIT_MANIFEST_BYTES + 1);
	assert_int_equal(
		scar_manifest_parse(NULL, text, SCAR_LIMIT_MANIFEST_BYTES + 1, &manifest, &err),
		-1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void tells_the_compression_of_every_layer_type(void **state)
{
	static const struct {
		const char *media_type;
		enum scar_layer_compression want;
	} cases[] = {
		{SCAR_MEDIA_OCI_LAYER, SCAR_COMPRESSION_PLAIN},
		{SCAR_MEDIA_OCI_LAYER "+gzip", SCAR_COMPRESSION_GZIP},
		{SCAR_MEDIA_OCI_LAYER "+zstd", SCAR_COMPRESSION_ZSTD},
		{SCAR_MEDIA_OCI_LAYER "+bzip2", SCAR_COMPRESSION_UNKNOWN},
		{"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		 SCAR_COMPRESSION_GZIP},
		{SCAR_MEDIA_DOCKER_LAYER, SCAR_COMPRESSION_PLAIN},
		{SCAR_MEDIA_DOCKER_LAYER ".gzip", SCAR_COMPRESSION_GZIP},
		{SCAR_MEDIA_DOCKER_LAYER ".zstd", SCAR_COMPRESSION_ZSTD},
		{"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
		 SCAR_COMPRESSION_GZIP},
		{"application/octet-stream", SCAR_COMPRESSION_UNKNOWN},
		{"", SCAR_COMPRESSION_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_descriptor layer = {.size_bytes = 1};

		snprintf(layer.media_type, sizeof(layer.media_type), "%s", cases[i].media_type);
		assert_int_equal(scar_descriptor_compression(&layer), cases[i].want);
	}
}

/** Index of the chosen entry, or -1 with err. */
static int choose(const char *entries, const char *platform, struct scar_err *err)
{
	scar_manifest_auto struct scar_manifest index = {.is_index = false};
	const struct scar_index_entry *entry;
	struct scar_platform want;
	char text[4096];

	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s]}", entries);
	assert_int_equal(parse(NULL, text, &index, err), 0);
	assert_int_equal(scar_platform_parse(platform, &want, err), 0);
	if (scar_manifest_select(&index, &want, &entry, err) < 0)
		return -1;
	return (int)(entry - index.entries);
}

static void chooses_the_platform(void **state)
{
	static const char both[] = ENTRY(HEX_A, ARM64 ",\"variant\":\"v8\"") "," ENTRY(HEX_B,
										       AMD64);
	static const char levels[] = ENTRY(HEX_A, AMD64 ",\"variant\":\"v3\"") "," ENTRY(
		HEX_A, AMD64) "," ENTRY(HEX_A, AMD64 ",\"variant\":\"v2\"");
	struct scar_err err;

	(void)state;
	assert_int_equal(choose(both, "linux/amd64", &err), 1);
	assert_int_equal(choose(both, "linux/amd64/v3", &err), 1);
	assert_int_equal(choose(both, "linux/arm64", &err), 0);
	assert_int_equal(choose(both, "linux/aarch64", &err), 0);
	assert_int_equal(choose(levels, "linux/amd64", &err), 1);
	assert_int_equal(choose(levels, "linux/amd64/v2", &err), 2);
	assert_int_equal(choose(levels, "linux/amd64/v4", &err), 0);
	/* First of equals. */
	assert_int_equal(choose(ENTRY(HEX_A, AMD64) "," ENTRY(HEX_B, AMD64), "linux/amd64", &err),
			 0);
}

static void passes_over_attestations(void **state)
{
	static const char unknown[] = ENTRY(
		HEX_A, "\"os\":\"unknown\",\"architecture\":\"unknown\"") "," ENTRY(HEX_B, AMD64);
	static const char annotated[] =
		"{\"mediaType\":\"" SCAR_MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX_A
		"\",\"size\":1,\"platform\":{" AMD64 "},\"annotations\":{"
		"\"vnd.docker.reference.type\":\"attestation-manifest\"}}," ENTRY(HEX_B, AMD64);
	static const char other_type[] = DESC("application/vnd.example+json", HEX_A,
					      "1") "," DESC(SCAR_MEDIA_OCI_INDEX, HEX_B, "1");
	struct scar_err err;

	(void)state;
	assert_int_equal(choose(unknown, "linux/amd64", &err), 1);
	assert_int_equal(choose(annotated, "linux/amd64", &err), 1);
	assert_int_equal(choose(other_type, "linux/amd64", &err), 1);
}

static void says_what_platforms_there_are(void **state)
{
	static const char others[] = ENTRY(HEX_A, ARM64 ",\"variant\":\"v8\"") "," ENTRY(
		HEX_B,
		"\"os\":\"windows\",\"architecture\":\"amd64\"") "," ENTRY(HEX_A,
									   "\"os\":\"unknown\",\"architecture\":\"unknown\"");
	struct scar_err err;

	(void)state;
	assert_int_equal(choose(others, "linux/amd64", &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_PLATFORM);
	assert_non_null(
		strstr(err.msg, "for linux/arm64/v8, windows/amd64; this needs linux/amd64"));
	assert_int_equal(choose("", "linux/amd64", &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_PLATFORM);
	assert_int_equal(choose(DESC(SCAR_MEDIA_OCI_MANIFEST, HEX_A,
				     "1") "," DESC(SCAR_MEDIA_OCI_MANIFEST, HEX_B, "1"),
				"linux/amd64", &err),
			 -1);
	assert_int_equal(err.kind, SCAR_ERR_PLATFORM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_manifest),
		cmocka_unit_test(reads_the_docker_forms),
		cmocka_unit_test(refuses_a_document_that_is_two_things),
		cmocka_unit_test(refuses_what_is_no_image),
		cmocka_unit_test(refuses_malformed_descriptors),
		cmocka_unit_test(bounds_layers_and_entries),
		cmocka_unit_test(bounds_the_document),
		cmocka_unit_test(tells_the_compression_of_every_layer_type),
		cmocka_unit_test(chooses_the_platform),
		cmocka_unit_test(passes_over_attestations),
		cmocka_unit_test(says_what_platforms_there_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
