/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "registry/client.h"
#include "registry/ref.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

#define LAYER "the only layer"

/** An OCI layout in a directory of its own; descriptors are text. */
struct layout {
	char dir[64];
	int fd;
	char layer[512], config[512], manifest[512], arm_manifest[512];
};

static void put(struct layout *layout, const char *name, const char *text)
{
	scar_fd_auto int fd = openat(layout->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				     0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void put_blob(struct layout *layout, const char *media_type, const char *text,
		     char descriptor[512])
{
	struct scar_digest digest;
	char digest_text[SCAR_DIGEST_TEXT_MAX], name[256];
	struct scar_err err;

	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, text, strlen(text), &digest, &err), 0);
	scar_digest_format(&digest, digest_text);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_text + 7);
	put(layout, name, text);
	snprintf(descriptor, 512, "\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu", media_type,
		 digest_text, strlen(text));
}

static void put_image(struct layout *layout, const char *architecture, char manifest[512])
{
	struct scar_digest digest;
	char text[2048], diff_id[SCAR_DIGEST_TEXT_MAX];
	struct scar_err err;

	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, LAYER, strlen(LAYER), &digest, &err),
			 0);
	snprintf(text, sizeof(text),
		 "{\"os\":\"linux\",\"architecture\":\"%s\",\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"]}}",
		 architecture, scar_digest_format(&digest, diff_id));
	put_blob(layout, SCAR_MEDIA_OCI_CONFIG, text, layout->config);
	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"config\":{%s},\"layers\":[{%s}]}",
		 layout->config, layout->layer);
	put_blob(layout, SCAR_MEDIA_OCI_MANIFEST, text, manifest);
}

/** index.json with one entry: descriptor and what follows in it. */
static void put_index(struct layout *layout, const char *a, const char *more_a, const char *b,
		      const char *more_b)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[{%s%s}%s%s%s%s]}", a,
		 more_a, b ? ",{" : "", b ? b : "", b ? more_b : "", b ? "}" : "");
	put(layout, "index.json", text);
}

static int set_up(void **state)
{
	struct layout *layout = calloc(1, sizeof(*layout));

	snprintf(layout->dir, sizeof(layout->dir), "/tmp/scar-layout-XXXXXX");
	if (!mkdtemp(layout->dir))
		return -1;
	layout->fd = open(layout->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(layout->fd, "blobs", 0755), 0);
	assert_int_equal(mkdirat(layout->fd, "blobs/sha256", 0755), 0);
	put(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	put_blob(layout, SCAR_MEDIA_OCI_LAYER, LAYER, layout->layer);
	put_image(layout, "arm64", layout->arm_manifest);
	put_image(layout, "amd64", layout->manifest);
	*state = layout;
	return 0;
}

static int tear_down(void **state)
{
	struct layout *layout = *state;
	struct scar_err err;
	int result = scar_fs_remove_tree(AT_FDCWD, layout->dir, &err);

	close(layout->fd);
	free(layout);
	return result;
}

static int resolve(struct layout *layout, const char *suffix, struct scar_source **ret_source,
		   struct scar_image **ret_image, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_source_options options = {.platform = "linux/amd64"};
	char text[512];

	snprintf(text, sizeof(text), "oci:%s%s", layout->dir, suffix);
	assert_int_equal(scar_ref_parse(text, &ref, err), 0);
	if (scar_source_open(&ref, &options, ret_source, err) < 0)
		return -1;
	return scar_source_resolve(*ret_source, ret_image, err);
}

static void resolves(struct layout *layout, const char *suffix)
{
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	if (resolve(layout, suffix, &source, &image, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(image->config.architecture, "amd64");
}

static void fails(struct layout *layout, const char *suffix, enum scar_err_kind kind,
		  const char *says)
{
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	assert_int_equal(resolve(layout, suffix, &source, &image, &err), -1);
	if (err.kind != kind || !strstr(err.msg, says))
		fail_msg("%s: '%s' does not say '%s'", scar_err_info(err.kind)->name, err.msg,
			 says);
}

static int append(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

static void reads_the_only_image_and_its_blobs(void **state)
{
	struct layout *layout = *state;
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	scar_buf_auto struct scar_buf have;
	struct scar_err err;

	scar_buf_init(&have, 4096);
	put_index(layout, layout->manifest, "", NULL, NULL);
	if (resolve(layout, "", &source, &image, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(scar_source_blob(source, &image->layers[0], append, &have, &err), 0);
	assert_string_equal(have.data, LAYER);
}

static void chooses_by_name_digest_or_platform(void **state)
{
	struct layout *layout = *state;
	static const char amd64[] = ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}";
	static const char arm64[] = ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}";
	static const char one[] =
		",\"annotations\":{\"org.opencontainers.image.ref.name\":\"one\"}";
	static const char two[] =
		",\"annotations\":{\"org.opencontainers.image.ref.name\":\"two\"}";
	char suffix[256], digest[80];

	put_index(layout, layout->arm_manifest, arm64, layout->manifest, amd64);
	resolves(layout, "");
	/* An attestation is no second image. */
	put_index(layout, layout->arm_manifest,
		  ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}",
		  layout->manifest, one);
	resolves(layout, "");
	put_index(layout, layout->arm_manifest, one, layout->manifest, two);
	resolves(layout, ":two");
	fails(layout, ":one", SCAR_ERR_PLATFORM, "is for linux/arm64");
	fails(layout, ":three", SCAR_ERR_NOT_FOUND, "it has one, two");
	fails(layout, "", SCAR_ERR_REFERENCE, "several images");
	snprintf(digest, sizeof(digest), "%.71s", strstr(layout->manifest, "sha256:"));
	snprintf(suffix, sizeof(suffix), "@%s", digest);
	resolves(layout, suffix);
	suffix[strlen(suffix) - 1] ^= 1;
	if (strchr("0123456789abcdef", suffix[strlen(suffix) - 1]))
		fails(layout, suffix, SCAR_ERR_NOT_FOUND, "no image sha256:");
}

static void says_what_is_wrong_with_a_layout(void **state)
{
	struct layout *layout = *state;
	char name[256];

	fails(layout, "", SCAR_ERR_NOT_FOUND, "index.json");
	fails(layout, "-gone", SCAR_ERR_NOT_FOUND, "no directory");
	put(layout, "index.json", "{\"schemaVersion\":2,\"manifests\":[]}");
	fails(layout, "", SCAR_ERR_NOT_FOUND, "no image");
	put(layout, "index.json", "{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}");
	fails(layout, "", SCAR_ERR_IMAGE, "index.json");
	put_index(layout, layout->manifest, "", NULL, NULL);
	snprintf(name, sizeof(name), "blobs/sha256/%.64s", strstr(layout->config, "sha256:") + 7);
	put(layout, name, "{}");
	fails(layout, "", SCAR_ERR_INTEGRITY, "its descriptor says");
	assert_int_equal(unlinkat(layout->fd, name, 0), 0);
	fails(layout, "", SCAR_ERR_NOT_FOUND, "the layout has no blobs/sha256/");
	assert_int_equal(mkfifoat(layout->fd, name, 0644), 0);
	fails(layout, "", SCAR_ERR_IMAGE, "no regular file");
	put(layout, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	fails(layout, "", SCAR_ERR_UNSUPPORTED, "version 1");
	assert_int_equal(unlinkat(layout->fd, "oci-layout", 0), 0);
	fails(layout, "", SCAR_ERR_NOT_FOUND, "no OCI image layout");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_only_image_and_its_blobs),
		TEST(chooses_by_name_digest_or_platform),
		TEST(says_what_is_wrong_with_a_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
