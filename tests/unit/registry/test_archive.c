/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/client.h"
#include "registry/ref.h"
#include "runtime/base/err.h"
#include "tests/support/tar_builder.h"

#define LAYER_A "layer one, uncompressed"
#define LAYER_B "\x1f\x8b layer two, said to be gzip"

/** Written to; a test gives it a path of its own. */
static char path[64];

static int set_up(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/scar-archive-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void save(struct tar_builder *tar)
{
	scar_fd_auto int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	tar_end(tar);
	assert_int_equal(write(fd, tar->data, tar->len), (ssize_t)tar->len);
	tar_clear(tar);
}

static const char *digest_text(const void *data, size_t len, char text[SCAR_DIGEST_TEXT_MAX])
{
	struct scar_digest digest;
	struct scar_err err;

	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, data, len, &digest, &err), 0);
	return scar_digest_format(&digest, text);
}

/** A config whose diff IDs are those of two texts. */
static void add_config(struct tar_builder *tar, const char *name, const char *diff_a,
		       const char *diff_b)
{
	char a[SCAR_DIGEST_TEXT_MAX], b[SCAR_DIGEST_TEXT_MAX], text[1024];

	snprintf(text, sizeof(text),
		 "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"/x\"]},"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\"]}}",
		 digest_text(diff_a, strlen(diff_a), a), digest_text(diff_b, strlen(diff_b), b));
	tar_file(tar, name, text);
}

static int open_suffix(const char *suffix, struct scar_source **ret_source, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_source_options options = {.platform = "linux/amd64"};
	char text[256];

	snprintf(text, sizeof(text), "docker-archive:%s%s", path, suffix);
	assert_int_equal(scar_ref_parse(text, &ref, err), 0);
	return scar_source_open(&ref, &options, ret_source, err);
}

static int resolve(const char *suffix, struct scar_source **ret_source,
		   struct scar_image **ret_image, struct scar_err *err)
{
	if (open_suffix(suffix, ret_source, err) < 0)
		return -1;
	return scar_source_resolve(*ret_source, ret_image, err);
}

static int append(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

static void assert_blob(struct scar_source *source, const struct scar_descriptor *desc,
			const char *want)
{
	scar_buf_auto struct scar_buf have;
	struct scar_err err;

	scar_buf_init(&have, 4096);
	if (scar_source_blob(source, desc, append, &have, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(have.data, want);
}

static void reads_the_legacy_layout_with_links(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	(void)state;
	tar_file(&tar, "aaa/layer.tar", LAYER_A);
	tar_symlink(&tar, "bbb/layer.tar", "../aaa/layer.tar");
	add_config(&tar, "config.json", LAYER_A, LAYER_A);
	/* Where docker writes it: at the end. */
	tar_file(&tar, "manifest.json",
		 "[{\"Config\":\"config.json\",\"RepoTags\":[\"busybox:1\"],"
		 "\"Layers\":[\"aaa/layer.tar\",\"bbb/layer.tar\"]}]");
	save(&tar);
	if (resolve("", &source, &image, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(image->layer_count, 2);
	assert_int_equal(scar_descriptor_compression(&image->layers[0]), SCAR_COMPRESSION_PLAIN);
	assert_true(scar_digest_equal(&image->layers[1].digest, &image->config.diff_ids[1]));
	assert_string_equal(image->config.cmd[0], "/x");
	assert_blob(source, &image->layers[0], LAYER_A);
	assert_blob(source, &image->layers[1], LAYER_A);
}

static void reads_layers_named_by_digest_and_compressed_ones(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	char digest[SCAR_DIGEST_TEXT_MAX], name[256], manifest[1024];
	struct scar_err err;

	(void)state;
	digest_text(LAYER_B, strlen(LAYER_B), digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
	tar_file(&tar, name, LAYER_B);
	tar_file(&tar, "other.tar.gz", LAYER_B);
	add_config(&tar, "blobs/sha256/c", LAYER_A, LAYER_A);
	snprintf(
		manifest, sizeof(manifest),
		"[{\"Config\":\"blobs/sha256/c\",\"RepoTags\":null,\"Layers\":[\"%s\",\"other.tar.gz\"]}]",
		name);
	tar_file(&tar, "manifest.json", manifest);
	save(&tar);
	if (resolve("", &source, &image, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < 2; i++) {
		char have[SCAR_DIGEST_TEXT_MAX];

		assert_int_equal(scar_descriptor_compression(&image->layers[i]),
				 SCAR_COMPRESSION_GZIP);
		assert_string_equal(scar_digest_format(&image->layers[i].digest, have), digest);
		assert_blob(source, &image->layers[i], LAYER_B);
	}
}

static void refuses_a_layer_that_is_not_its_diff_id(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	scar_buf_auto struct scar_buf have;
	struct scar_err err;

	(void)state;
	scar_buf_init(&have, 4096);
	tar_file(&tar, "a.tar", LAYER_A);
	tar_file(&tar, "b.tar", "something else");
	add_config(&tar, "c.json", LAYER_A, LAYER_B);
	tar_file(&tar, "manifest.json",
		 "[{\"Config\":\"c.json\",\"Layers\":[\"a.tar\",\"b.tar\"]}]");
	save(&tar);
	assert_int_equal(resolve("", &source, &image, &err), 0);
	assert_int_equal(scar_source_blob(source, &image->layers[1], append, &have, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
}

static void chooses_the_image_by_name(void **state)
{
	static const struct {
		const char *suffix;
		enum scar_err_kind kind;
		const char *says;
	} cases[] = {
		{":two:1", SCAR_ERR_NONE, NULL},
		{":docker.io/library/two:1", SCAR_ERR_NONE, NULL},
		{":reg.example/three:x", SCAR_ERR_NONE, NULL},
		{":two:2", SCAR_ERR_NOT_FOUND, "it has one:1, two:1, reg.example/three:x"},
		{"", SCAR_ERR_REFERENCE, "several images"},
	};
	struct tar_builder tar = {.len = 0};

	(void)state;
	tar_file(&tar, "a.tar", LAYER_A);
	add_config(&tar, "c.json", LAYER_A, LAYER_A);
	tar_file(&tar, "manifest.json",
		 "[{\"Config\":\"gone.json\",\"RepoTags\":[\"one:1\"],\"Layers\":[]},"
		 "{\"Config\":\"c.json\",\"RepoTags\":[\"two:1\",\"reg.example/three:x\"],"
		 "\"Layers\":[\"a.tar\",\"./a.tar\"]}]");
	save(&tar);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_source_auto struct scar_source *source = NULL;
		scar_image_auto struct scar_image *image = NULL;
		struct scar_err err = {.kind = SCAR_ERR_NONE};
		int result = resolve(cases[i].suffix, &source, &image, &err);

		if (result < 0 && cases[i].kind == SCAR_ERR_NONE)
			fail_msg("%s: %s", cases[i].suffix, err.msg);
		assert_int_equal(err.kind, cases[i].kind);
		if (cases[i].says && !strstr(err.msg, cases[i].says))
			fail_msg("'%s' does not say '%s'", err.msg, cases[i].says);
	}
}

static void says_what_is_wrong_with_an_archive(void **state)
{
	static const struct {
		const char *manifest, *says;
	} cases[] = {
		{NULL, "no manifest.json"},
		{"nope", "manifest.json"},
		{"{}", "lists no image"},
		{"[]", "lists no image"},
		{"[{}]", "names no config"},
		{"[{\"Config\":\"gone.json\",\"Layers\":[]}]", "no member 'gone.json'"},
		{"[{\"Config\":\"c.json\",\"Layers\":[]}]", "0 layers, the config 2 diff IDs"},
		{"[{\"Config\":\"c.json\",\"Layers\":[\"a.tar\",\"gone.tar\"]}]",
		 "no member 'gone.tar'"},
		{"[{\"Config\":\"c.json\",\"Layers\":[\"a.tar\",5]}]", "not a string"},
		{"[{\"Config\":\"c.json\",\"Layers\":[\"a.tar\",\"../../etc/passwd\"]}]",
		 "no member"},
		{"[{\"Config\":\"a.tar\",\"Layers\":[]}]", "config"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tar_builder tar = {.len = 0};
		scar_source_auto struct scar_source *source = NULL;
		scar_image_auto struct scar_image *image = NULL;
		struct scar_err err;

		tar_file(&tar, "a.tar", LAYER_A);
		add_config(&tar, "c.json", LAYER_A, LAYER_A);
		if (cases[i].manifest)
			tar_file(&tar, "manifest.json", cases[i].manifest);
		save(&tar);
		assert_int_equal(resolve("", &source, &image, &err), -1);
		assert_int_equal(err.kind, SCAR_ERR_IMAGE);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' does not say '%s'", err.msg, cases[i].says);
	}
}

static void refuses_what_is_no_file(void **state)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_source_options options = {.platform = NULL};
	struct scar_source *source = NULL;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_ref_parse("docker-archive:/nonexistent.tar", &ref, &err), 0);
	assert_int_equal(scar_source_open(&ref, &options, &source, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOT_FOUND);
	scar_ref_clear(&ref);
	assert_int_equal(scar_ref_parse("docker-archive:/tmp", &ref, &err), 0);
	assert_int_equal(scar_source_open(&ref, &options, &source, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_UNSUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_legacy_layout_with_links),
		TEST(reads_layers_named_by_digest_and_compressed_ones),
		TEST(refuses_a_layer_that_is_not_its_diff_id),
		TEST(chooses_the_image_by_name),
		TEST(says_what_is_wrong_with_an_archive),
		TEST(refuses_what_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
