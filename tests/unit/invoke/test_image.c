/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "extractor/store.h"
#include "invoke/config.h"
#include "registry/manifest.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "tests/support/http_script.h"
#include "tests/support/rootfs_fixture.h"
#include "tests/support/tar_builder.h"

/* An image layout on disk, and a store beside it. */
static char base[64], store_dir[96], layout[96], reference[128];
static struct scar_invoke_config config;
static struct scar_images *images;
static struct scar_image_use use;
static struct scar_err err;

struct blob {
	char digest[SCAR_DIGEST_TEXT_MAX];
	size_t len;
};

static void write_file(const char *name, const void *data, size_t len)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", layout, name);
	if (scar_fs_write_file(AT_FDCWD, path, 0644, data, len, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct blob write_blob(const void *data, size_t len)
{
	struct scar_digest digest;
	struct blob blob = {.len = len};
	char name[SCAR_DIGEST_TEXT_MAX + 32], hex[SCAR_DIGEST_TEXT_MAX];

	assert_int_equal(scar_digest_of(SCAR_DIGEST_SHA256, data, len, &digest, &err), 0);
	scar_digest_format(&digest, blob.digest);
	snprintf(name, sizeof name, "blobs/sha256/%s", scar_digest_hex(&digest, hex));
	write_file(name, data, len);
	return blob;
}

/* One layer with the file `hello`, uncompressed, so that layer and diff ID are one. */
static void write_layout(void)
{
	struct scar_platform host;
	struct tar_builder tar = {0};
	struct blob layer, image_config, manifest;
	char text[1024], dir[128];

	snprintf(dir, sizeof dir, "%s/blobs/sha256", layout);
	assert_int_equal(scar_fs_mkdir_p(AT_FDCWD, dir, 0755, &err), 0);
	tar_file(&tar, "hello", "world");
	tar_end(&tar);
	layer = write_blob(tar.data, tar.len);
	tar_clear(&tar);
	scar_platform_host(&host);
	snprintf(
		text, sizeof text,
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/hello\"]},\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[\"%s\"]}}",
		host.architecture, layer.digest);
	image_config = write_blob(text, strlen(text));
	snprintf(
		text, sizeof text,
		"{\"schemaVersion\":2,\"mediaType\":\"" SCAR_MEDIA_OCI_MANIFEST
		"\",\"config\":{\"mediaType\":\"" SCAR_MEDIA_OCI_CONFIG
		"\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" SCAR_MEDIA_OCI_LAYER
		"\",\"digest\":\"%s\",\"size\":%zu}]}",
		image_config.digest, image_config.len, layer.digest, layer.len);
	manifest = write_blob(text, strlen(text));
	snprintf(
		text, sizeof text,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" SCAR_MEDIA_OCI_MANIFEST
		"\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"one\"}}]}",
		manifest.digest, manifest.len);
	write_file("index.json", text, strlen(text));
	write_file("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
}

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(base, sizeof base);
	snprintf(store_dir, sizeof store_dir, "%s/store", base);
	snprintf(layout, sizeof layout, "%s/layout", base);
	snprintf(reference, sizeof reference, "oci:%s:one", layout);
	write_layout();
	config = (struct scar_invoke_config){.store_dir = store_dir};
	use = (struct scar_image_use){0};
	if (scar_images_open(&config, &images, &err) < 0)
		fail_msg("%s", err.msg);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_image_use_end(&use);
	scar_images_close(images);
	fixture_remove_dir(base);
	return 0;
}

static int get(const char *wanted)
{
	scar_image_use_end(&use);
	return scar_images_get(images, wanted, 0, &use, &err);
}

static void must_get(void)
{
	struct stat st;

	if (get(reference) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(fstatat(use.entry->rootfs_fd, "hello", &st, 0), 0);
	assert_int_equal(st.st_size, 5);
	assert_string_equal(use.image->config.cmd[0], "/hello");
}

static void remove_below(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(scar_fs_remove_tree(AT_FDCWD, path, &err), 0);
}

static void the_first_get_pulls_and_the_next_does_not(void **state)
{
	(void)state;
	must_get();
	assert_false(use.entry->was_cached);
	assert_int_equal(use.entry->unpacked_bytes, 5);
	must_get();
	assert_true(use.entry->was_cached);
}

static void a_warm_get_asks_nobody(void **state)
{
	(void)state;
	must_get();
	remove_below(base, "layout");
	must_get();
	assert_true(use.entry->was_cached);
}

static void an_image_that_left_the_store_is_pulled_again(void **state)
{
	(void)state;
	must_get();
	scar_image_use_end(&use);
	remove_below(store_dir, "rootfs");
	assert_int_equal(scar_fs_mkdir_p(AT_FDCWD, store_dir, 0700, &err), 0);
	scar_images_close(images);
	assert_int_equal(scar_images_open(&config, &images, &err), 0);
	must_get();
	assert_false(use.entry->was_cached);
}

static void a_rootfs_that_was_deleted_is_pulled_again(void **state)
{
	char rootfs[512];

	(void)state;
	must_get();
	snprintf(rootfs, sizeof rootfs, "%s", use.entry->rootfs_path);
	scar_image_use_end(&use);
	assert_int_equal(scar_fs_remove_tree(AT_FDCWD, rootfs, &err), 0);
	must_get();
	assert_false(use.entry->was_cached);
}

static void a_failure_is_forgotten_by_the_next_get(void **state)
{
	char hidden[128];

	(void)state;
	snprintf(hidden, sizeof hidden, "%s.hidden", layout);
	assert_int_equal(rename(layout, hidden), 0);
	assert_int_equal(get(reference), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, layout));
	assert_int_equal(rename(hidden, layout), 0);
	must_get();
}

static void a_wrong_reference_is_an_error_that_shows_it(void **state)
{
	(void)state;
	assert_int_equal(get("library/UPPER"), -1);
	assert_int_equal(err.kind, SCAR_ERR_REFERENCE);
	assert_non_null(strstr(err.msg, "library/UPPER"));
}

/* More references than are remembered at once, all of the same image. */
static void many_references_are_no_leak_and_no_mix_up(void **state)
{
	char other[512];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(other, sizeof other, "oci:%s", base);
		for (int j = 0; j < i; j++)
			strncat(other, "/.", sizeof other - strlen(other) - 1);
		strncat(other, "/layout:one", sizeof other - strlen(other) - 1);
		if (get(other) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(use.image->config.cmd[0], "/hello");
	}
	must_get();
}

/* Answers nothing, as a registry that has hung. */
static void hang(void *ctx, struct scar_http1 *conn, const struct scar_http1_message *request)
{
	char byte;

	(void)ctx;
	(void)request;
	/* Until the client gives up. */
	assert_true(read(conn->fd, &byte, 1) <= 0);
}

static void a_registry_that_hangs_is_given_up_at_the_deadline(void **state)
{
	struct http_script registry;
	int64_t start_ms = scar_clock_epoch_ms();
	char hanging[64];

	(void)state;
	http_script_start(&registry, hang, NULL);
	snprintf(hanging, sizeof hanging, "127.0.0.1:%u/some/image:1", registry.port);
	assert_int_equal(scar_images_get(images, hanging, start_ms + 400, &use, &err), -1);
	http_script_stop(&registry);
	assert_int_equal(err.kind, SCAR_ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, hanging));
	assert_true(scar_clock_epoch_ms() - start_ms < 3000);
	/* The next one is not cancelled by it. */
	must_get();
}

#define IMAGE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(the_first_get_pulls_and_the_next_does_not),
		IMAGE_TEST(a_warm_get_asks_nobody),
		IMAGE_TEST(an_image_that_left_the_store_is_pulled_again),
		IMAGE_TEST(a_rootfs_that_was_deleted_is_pulled_again),
		IMAGE_TEST(a_failure_is_forgotten_by_the_next_get),
		IMAGE_TEST(a_wrong_reference_is_an_error_that_shows_it),
		IMAGE_TEST(many_references_are_no_leak_and_no_mix_up),
		IMAGE_TEST(a_registry_that_hangs_is_given_up_at_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
