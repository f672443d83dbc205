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
#include <unistd.h>
#include <cmocka.h>

#include "invoke/storage/provider.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/yaml.h"

static const struct scar_storage_environment role = {.access_key = "ROLE",
						     .secret_key = "secret",
						     .session_token = "token",
						     .region = "eu-west-1"};

static int open_text(const char *text, struct scar_storage **ret_storage, struct scar_err *err)
{
	scar_yaml_auto struct scar_yaml *root = NULL;

	if (scar_yaml_parse(text, strlen(text), "f", &root, err) < 0)
		fail_msg("%s", err->msg);
	return scar_storage_open(root, &role, ret_storage, err);
}

static struct scar_storage *opened(const char *text)
{
	struct scar_storage *storage = NULL;
	struct scar_err err;

	if (open_text(text, &storage, &err) < 0)
		fail_msg("%s", err.msg);
	return storage;
}

static void assert_refused(const char *text, const char *message)
{
	struct scar_storage *storage = NULL;
	struct scar_err err;

	assert_int_equal(open_text(text, &storage, &err), -1);
	assert_null(storage);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
}

static const struct scar_storage_account *chosen(const struct scar_storage *storage,
						 const char *provider, const char *account)
{
	const struct scar_storage_object object = {.provider = provider, .account = account};
	const struct scar_storage_account *found = NULL;
	struct scar_err err;

	return scar_storage_choose(storage, &object, &found, &err) < 0 ? NULL : found;
}

static void the_role_is_the_default_account_of_s3(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened("{}");
	const struct scar_storage_account *account = chosen(storage, "s3", NULL);

	(void)state;
	assert_string_equal(account->name, "s3.default");
	assert_string_equal(account->access_key, "ROLE");
	assert_string_equal(account->session_token, "token");
	assert_string_equal(account->region, "eu-west-1");
	assert_null(account->endpoint);
	assert_false(scar_storage_has_outputs(storage));
}

/* A session token belongs to the role's keys alone. */
static void own_keys_are_not_mixed_with_the_roles(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened(
		"storage_providers: {s3: {mine: {access_key: A, secret_key: B, region: us-west-2}}}");
	const struct scar_storage_account *account = chosen(storage, "s3", "s3.mine");

	(void)state;
	assert_string_equal(account->access_key, "A");
	assert_null(account->session_token);
	assert_string_equal(account->region, "us-west-2");
}

static void an_event_finds_its_account(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened(
		"input: [{storage_provider: minio.b, path: x}]\n"
		"storage_providers:\n"
		"  minio:\n"
		"    a: {access_key: A, secret_key: S}\n"
		"    b: {access_key: B, secret_key: S, endpoint: 'https://m:9000//'}\n"
		"  webdav: {only: {hostname: d.example, login: l, password: p}}\n");

	(void)state;
	assert_string_equal(chosen(storage, "minio", NULL)->name, "minio.b");
	assert_string_equal(chosen(storage, "minio", NULL)->endpoint, "https://m:9000");
	assert_string_equal(chosen(storage, "minio", "minio.a")->endpoint,
			    "http://minio-service.minio:9000");
	assert_string_equal(chosen(storage, "dcache", NULL)->endpoint, "https://d.example");
	assert_string_equal(chosen(storage, "dcache", "dcache.only")->name, "webdav.only");
	assert_null(chosen(storage, "minio", "minio.c"));
	assert_null(chosen(storage, "onedata", NULL));
	assert_null(chosen(storage, "rucio", NULL));
}

static void one_of_several_is_not_guessed(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened(
		"storage_providers: {minio: {a: {access_key: A, secret_key: S}, "
		"b: {access_key: A, secret_key: S}}}");

	(void)state;
	assert_null(chosen(storage, "minio", NULL));
}

static void outputs_take_what_has_their_prefix_and_suffix(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened(
		"output:\n"
		"- {path: /b/out/}\n"
		"- {storage_provider: s3, path: b, prefix: [x/, y], suffix: [.jpg, png]}\n"
		"- {storage_provider: local, path: /mnt/efs/, suffix: txt}\n");

	(void)state;
	assert_int_equal(storage->output_count, 3);
	assert_string_equal(storage->outputs[0].path, "b/out");
	assert_string_equal(storage->outputs[2].path, "/mnt/efs");
	assert_true(scar_storage_takes(&storage->outputs[0], "anything"));
	assert_true(scar_storage_takes(&storage->outputs[1], "x/a.jpg"));
	assert_true(scar_storage_takes(&storage->outputs[1], "y.png"));
	assert_false(scar_storage_takes(&storage->outputs[1], "x/a.gif"));
	assert_false(scar_storage_takes(&storage->outputs[1], "a.jpg"));
	assert_false(scar_storage_takes(&storage->outputs[2], "xt"));
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
	(void)state;
	assert_refused("storage_providers:\n  ceph: {a: {host: x}}",
		       "line 2: ceph: is no storage provider that is known here");
	assert_refused("storage_providers:\n  rucio: {a: {host: x, account: y}}",
		       "line 2: rucio.a: either access_token or refresh_token must be there");
	assert_refused("storage_providers:\n  rucio: {a: {host: x, account: y, refresh_token: z}}",
		       "line 2: rucio.a: refresh_token needs token_endpoint");
	assert_refused("storage_providers:\n  minio:\n    a: {access_key: A}",
		       "line 3: minio.a: key \"secret_key\" is missing");
	assert_refused("storage_providers:\n  s3:\n    a:\n      acess_key: A",
		       "line 4: acess_key: is no setting of this provider");
	assert_refused("storage_providers: {s3: {a: {access_key: A}}}",
		       "line 1: s3.a: access_key without secret_key");
	assert_refused(
		"storage_providers: {minio: {a: {access_key: A, secret_key: S, verify: no}}}",
		"line 1: verify: certificates are always verified: name their authority in "
		"SCAR_CA_BUNDLE");
	assert_refused("storage_providers: {onedata: {a: {oneprovider_host: \"x\\r\\ny\"}}}",
		       "line 1: oneprovider_host: holds a control character");
	assert_refused("output:\n- path: ///", "line 2: path: names nothing");
	assert_refused("output:\n- storage_provider: s3", "line 2: path: is missing");
	assert_refused("output:\n- {storage_provider: local, path: x}",
		       "line 2: path: of local storage must be absolute");
	assert_refused("output:\n- {storage_provider: ftp, path: x}",
		       "line 2: storage_provider: \"ftp\" is no storage provider");
	assert_refused("input: {path: x}", "line 1: input: is not a list");
}

static void content_types_come_from_the_end_of_the_name(void **state)
{
	(void)state;
	assert_string_equal(scar_storage_content_type("a/b.JPG"), "image/jpeg");
	assert_string_equal(scar_storage_content_type("b.tar.gz"), "application/gzip");
	assert_string_equal(scar_storage_content_type("a.b/c"), "application/octet-stream");
	assert_string_equal(scar_storage_content_type(""), "application/octet-stream");
}

/* ---- delivery to a directory ---- */

static char folder[64];

static int make_folder(void **state)
{
	struct scar_err err;
	char path[128];

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/scar-storage-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/out/sub", folder);
	if (scar_fs_mkdir_p(AT_FDCWD, path, 0755, &err) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/out/sub/a.txt", folder);
	if (scar_fs_write_file(AT_FDCWD, path, 0644, "hello", 5, &err) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/out/link.txt", folder);
	return symlink("/etc/passwd", path);
}

static int remove_folder(void **state)
{
	struct scar_err err;

	(void)state;
	return scar_fs_remove_tree(AT_FDCWD, folder, &err);
}

static int deliver(char *const *paths, struct scar_storage_delivery *delivery, struct scar_err *err)
{
	scar_storage_auto struct scar_storage *storage = NULL;
	scar_fd_auto int fd = -1;
	char text[256];

	snprintf(text, sizeof text, "output: [{storage_provider: local, path: %s/to}]", folder);
	storage = opened(text);
	snprintf(text, sizeof text, "%s/out", folder);
	assert_int_equal(scar_fs_open_dir(AT_FDCWD, text, true, &fd, err), 0);
	return scar_storage_deliver(storage, fd, paths, 0, delivery, err);
}

static void files_are_delivered_to_a_directory(void **state)
{
	char *const paths[] = {"sub/a.txt", NULL};
	struct scar_storage_delivery delivery = {0};
	scar_buf_auto struct scar_buf text;
	struct scar_err err;
	char path[128];

	(void)state;
	scar_buf_init(&text, 100);
	for (int i = 0; i < 2; i++)
		assert_int_equal(deliver(paths, &delivery, &err), 0);
	assert_int_equal(delivery.files, 1);
	assert_int_equal(delivery.bytes, 5);
	snprintf(path, sizeof path, "%s/to/sub/a.txt", folder);
	assert_int_equal(scar_fs_read_file(AT_FDCWD, path, &text, &err), 0);
	assert_string_equal(text.data, "hello");
}

static void symbolic_links_are_not_followed(void **state)
{
	char *const paths[] = {"link.txt", NULL};
	struct scar_storage_delivery delivery = {0};
	struct scar_err err;
	char path[128];

	(void)state;
	assert_int_equal(deliver(paths, &delivery, &err), -1);
	snprintf(path, sizeof path, "%s/to/link.txt", folder);
	assert_int_equal(access(path, F_OK), -1);
}

static void an_event_may_not_name_a_local_file(void **state)
{
	scar_storage_auto struct scar_storage *storage = opened("{}");
	const struct scar_storage_object object = {.provider = "local", .key = "/etc/passwd"};
	uint64_t bytes = 0;
	struct scar_err err;
	char path[128];
	scar_fd_auto int fd = -1;

	(void)state;
	assert_int_equal(scar_fs_open_dir(AT_FDCWD, folder, true, &fd, &err), 0);
	assert_int_equal(scar_storage_fetch(storage, &object, fd, "in", 0, &bytes, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_UNSUPPORTED);
	snprintf(path, sizeof path, "%s/in", folder);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_role_is_the_default_account_of_s3),
		cmocka_unit_test(own_keys_are_not_mixed_with_the_roles),
		cmocka_unit_test(an_event_finds_its_account),
		cmocka_unit_test(one_of_several_is_not_guessed),
		cmocka_unit_test(outputs_take_what_has_their_prefix_and_suffix),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(content_types_come_from_the_end_of_the_name),
		cmocka_unit_test_setup_teardown(files_are_delivered_to_a_directory, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(symbolic_links_are_not_followed, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(an_event_may_not_name_a_local_file, make_folder,
						remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
