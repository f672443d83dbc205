/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tar_index.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "registry/bytes.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "tests/support/tar_builder.h"

/** The builder's bytes as a file. */
static int as_file(struct tar_builder *tar)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, tar->data, tar->len), (ssize_t)tar->len);
	tar_clear(tar);
	return fd;
}

static int read_index(int fd, struct scar_tar_index *index, struct scar_err *err)
{
	scar_bytes_auto struct scar_bytes *bytes = NULL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (scar_bytes_open_file(path, NULL, &bytes, err) < 0)
		return -1;
	return scar_tar_index_read(bytes, index, err);
}

static void assert_content(int fd, const struct scar_tar_index *index, const char *name,
			   const char *want)
{
	const struct scar_tar_member *member = scar_tar_index_find(index, name);
	char have[256] = "";

	if (!member)
		fail_msg("no member %s", name);
	assert_int_equal(member->size_bytes, strlen(want));
	assert_int_equal(pread(fd, have, strlen(want), (off_t)member->first_byte),
			 (ssize_t)strlen(want));
	assert_string_equal(have, want);
}

static void finds_members_under_every_kind_of_name(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_tar_index_auto struct scar_tar_index index = {.count = 0};
	scar_fd_auto int fd = -1;
	char long_name[300], size[] = "4";
	struct scar_err err;

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	tar_file(&tar, "plain", "1");
	tar_dir(&tar, "dir/", 0755);
	tar_file(&tar, "./dir//dotted/../file", "22");
	tar_add(&tar, &(struct tar_member){
			      .name = "tail", .prefix = "pre/fix", .data = "333", .data_len = 3});
	tar_pax(&tar, 'g', "path", "global", 6);
	tar_pax(&tar, 'x', "path", "pax/name", 8);
	tar_file(&tar, "short", "4444");
	tar_long_name(&tar, 'L', long_name);
	tar_file(&tar, "cut", "55555");
	tar_pax(&tar, 'x', "size", size, 1);
	tar_add(&tar,
		&(struct tar_member){.name = "sized", .data = "6666", .data_len = 4, .size = 1});
	tar_file(&tar, "after", "7");
	tar_file(&tar, "plain", "last one wins");
	tar_add(&tar, &(struct tar_member){.name = "old", .type = '7', .data = "8", .data_len = 1});
	tar_end(&tar);
	fd = as_file(&tar);
	if (read_index(fd, &index, &err) < 0)
		fail_msg("%s", err.msg);
	assert_content(fd, &index, "dir/file", "22");
	assert_content(fd, &index, "pre/fix/tail", "333");
	assert_content(fd, &index, "pax/name", "4444");
	assert_content(fd, &index, long_name, "55555");
	assert_content(fd, &index, "sized", "6666");
	assert_content(fd, &index, "after", "7");
	assert_content(fd, &index, "plain", "last one wins");
	assert_content(fd, &index, "old", "8");
	assert_null(scar_tar_index_find(&index, "dir"));
	assert_null(scar_tar_index_find(&index, "short"));
	assert_null(scar_tar_index_find(&index, "global"));
}

static void follows_links_but_not_for_ever(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_tar_index_auto struct scar_tar_index index = {.count = 0};
	scar_fd_auto int fd = -1;
	struct scar_err err;

	(void)state;
	tar_file(&tar, "a/layer.tar", "x");
	tar_symlink(&tar, "b/layer.tar", "../a/layer.tar");
	tar_hard_link(&tar, "c/layer.tar", "a/layer.tar");
	tar_symlink(&tar, "d/layer.tar", "/c/layer.tar");
	tar_symlink(&tar, "out", "../../../../etc/passwd");
	tar_symlink(&tar, "loop1", "loop2");
	tar_symlink(&tar, "loop2", "loop1");
	tar_add(&tar,
		&(struct tar_member){
			.name = "e/layer.tar", .type = '1', .link = "a/layer.tar", .size = 1});
	tar_file(&tar, "f", "y");
	tar_end(&tar);
	fd = as_file(&tar);
	assert_int_equal(read_index(fd, &index, &err), 0);
	assert_content(fd, &index, "b/layer.tar", "x");
	assert_content(fd, &index, "c/layer.tar", "x");
	assert_content(fd, &index, "d/layer.tar", "x");
	assert_content(fd, &index, "e/layer.tar", "x");
	assert_content(fd, &index, "f", "y");
	assert_null(scar_tar_index_find(&index, "out"));
	assert_null(scar_tar_index_find(&index, "loop1"));
}

static void assert_refused(struct tar_builder *tar, enum scar_err_kind kind, const char *says)
{
	struct scar_tar_index index = {.count = 77};
	scar_fd_auto int fd = as_file(tar);
	struct scar_err err;

	assert_int_equal(read_index(fd, &index, &err), -1);
	if (err.kind != kind || !strstr(err.msg, says))
		fail_msg("%s: '%s' does not say '%s'", scar_err_info(err.kind)->name, err.msg,
			 says);
	assert_int_equal(index.count, 77);
}

static void refuses_what_is_no_tar_file(void **state)
{
	char gzip[1024] = "\x1f\x8b\x08\xff", zstd[1024] = "\x28\xb5\x2f\xfd\xff\xff",
	     bzip2[1024] = "BZh9", text[1024] = "hello";
	struct tar_builder tar = {.len = 0};

	(void)state;
	assert_refused(&tar, SCAR_ERR_IMAGE, "not a tar file");
	tar_raw(&tar, text, sizeof(text));
	assert_refused(&tar, SCAR_ERR_IMAGE, "not a tar file");
	tar_raw(&tar, gzip, sizeof(gzip));
	assert_refused(&tar, SCAR_ERR_IMAGE, "gzip data is damaged");
	tar_raw(&tar, zstd, sizeof(zstd));
	assert_refused(&tar, SCAR_ERR_IMAGE, "zstd data is damaged");
	tar_raw(&tar, bzip2, sizeof(bzip2));
	assert_refused(&tar, SCAR_ERR_UNSUPPORTED, "compressed with bzip2");
	tar_end(&tar);
	assert_refused(&tar, SCAR_ERR_IMAGE, "not a tar file");
}

static void refuses_a_damaged_archive(void **state)
{
	struct tar_builder tar = {.len = 0};

	(void)state;
	tar_file(&tar, "a", "x");
	tar_raw(&tar, "\1\2\3", 3);
	tar_raw(&tar, NULL, 1021);
	assert_refused(&tar, SCAR_ERR_IMAGE, "damaged at byte");
	tar_add(&tar, &(struct tar_member){.name = "a", .size = 5000});
	assert_refused(&tar, SCAR_ERR_IMAGE, "cut short");
	tar_add(&tar, &(struct tar_member){.name = "a", .size = UINT64_MAX / 2});
	assert_refused(&tar, SCAR_ERR_IMAGE, "");
	tar_pax(&tar, 'x', "size", "18446744073709551615", 20);
	tar_file(&tar, "a", "x");
	assert_refused(&tar, SCAR_ERR_IMAGE, "");
	tar_add(&tar, &(struct tar_member){
			      .name = "pax", .type = 'x', .data = "99 path=x\n", .data_len = 10});
	assert_refused(&tar, SCAR_ERR_IMAGE, "pax header");
	tar_add(&tar, &(struct tar_member){
			      .name = "pax", .type = 'x', .data = "10 path-x\n", .data_len = 10});
	assert_refused(&tar, SCAR_ERR_IMAGE, "pax header");
}

static void bounds_names_and_members(void **state)
{
	struct tar_builder tar = {.len = 0};
	char *name = malloc(SCAR_LIMIT_PATH_BYTES + 2);
	char *huge = calloc(1, 100000);

	(void)state;
	memset(name, 'n', SCAR_LIMIT_PATH_BYTES + 1);
	name[SCAR_LIMIT_PATH_BYTES + 1] = '\0';
	tar_long_name(&tar, 'L', name);
	tar_file(&tar, "x", "");
	assert_refused(&tar, SCAR_ERR_LIMIT, "");
	tar_add(&tar,
		&(struct tar_member){.name = "p", .type = 'x', .data = huge, .data_len = 100000});
	assert_refused(&tar, SCAR_ERR_LIMIT, "extended header");
	for (int i = 0; i <= 16384; i++)
		tar_file(&tar, "x", "");
	assert_refused(&tar, SCAR_ERR_LIMIT, "members");
	free(name);
	free(huge);
}

static void takes_a_missing_end_for_the_end(void **state)
{
	struct tar_builder tar = {.len = 0};
	scar_tar_index_auto struct scar_tar_index index = {.count = 0};
	scar_fd_auto int fd = -1;
	struct scar_err err;

	(void)state;
	tar_file(&tar, "a", "x");
	fd = as_file(&tar);
	/* Not even the padding of the last member is there. */
	assert_int_equal(ftruncate(fd, 513), 0);
	assert_int_equal(read_index(fd, &index, &err), 0);
	assert_content(fd, &index, "a", "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_members_under_every_kind_of_name),
		cmocka_unit_test(follows_links_but_not_for_ever),
		cmocka_unit_test(refuses_what_is_no_tar_file),
		cmocka_unit_test(refuses_a_damaged_archive),
		cmocka_unit_test(bounds_names_and_members),
		cmocka_unit_test(takes_a_missing_end_for_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
