/* SPDX-License-Identifier: Apache-2.0 */
/* What an image of well-meant layers looks like on disk. Hostile ones are in test_hostile.c. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/rootfs_fixture.h"

static struct fixture f;
static struct tar_builder t;

static int setup(void **state)
{
	(void)state;
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_true(fixture_untouched(&f));
	tar_clear(&t);
	fixture_clear(&f);
	return 0;
}

static mode_t mode_of(const char *path)
{
	return fixture_stat(&f, path).st_mode & 07777;
}

static void files_directories_and_links_are_made(void **state)
{
	(void)state;
	tar_dir(&t, "./", 0755);
	tar_dir(&t, "./etc/", 0755);
	tar_file(&t, "./etc/passwd", "root\n");
	tar_file(&t, "/absolute", "a");
	tar_symlink(&t, "etc/link", "passwd");
	tar_hard_link(&t, "etc/hard", "etc/passwd");
	tar_file(&t, "empty", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "etc/passwd", "root\n"));
	assert_true(fixture_holds(&f, "absolute", "a"));
	assert_true(fixture_holds(&f, "empty", ""));
	assert_true(fixture_links_to(&f, "etc/link", "passwd"));
	assert_int_equal(fixture_stat(&f, "etc/hard").st_ino,
			 fixture_stat(&f, "etc/passwd").st_ino);
	assert_int_equal(f.result.unpacked_bytes, 6);
	assert_int_equal(f.result.pulled_bytes, f.image.image.layers_size_bytes);
}

static void modes_and_times_are_kept_whatever_umask_says(void **state)
{
	mode_t before = umask(077);
	struct stat st;

	(void)state;
	tar_add(&t,
		&(struct tar_member){.name = "d", .type = '5', .mode = 01777, .mtime = 1000000001});
	tar_add(&t, &(struct tar_member){.name = "d/f", .mode = 0666, .mtime = 1000000002});
	tar_add(&t, &(struct tar_member){.name = "d/suid",
					 .mode = 06755,
					 .data = "x",
					 .data_len = 1,
					 .mtime = 1000000003});
	tar_add(&t,
		&(struct tar_member){.name = "d/l", .type = '2', .link = "f", .mtime = 1000000004});
	tar_add(&t, &(struct tar_member){
			    .name = "d/p", .type = '6', .mode = 0622, .mtime = 1000000005});
	tar_add(&t, &(struct tar_member){.name = "d/old", .mode = 0644, .mtime = -86400});
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	umask(before);
	assert_int_equal(mode_of("d"), 01777);
	assert_int_equal(mode_of("d/f"), 0666);
	assert_int_equal(mode_of("d/suid"), 06755);
	st = fixture_stat(&f, "d/p");
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0622);
	assert_int_equal(fixture_stat(&f, "d").st_mtime, 1000000001);
	assert_int_equal(fixture_stat(&f, "d/f").st_mtime, 1000000002);
	assert_int_equal(fixture_stat(&f, "d/suid").st_mtime, 1000000003);
	assert_int_equal(fixture_stat(&f, "d/l").st_mtime, 1000000004);
	assert_int_equal(fixture_stat(&f, "d/p").st_mtime, 1000000005);
	assert_int_equal(fixture_stat(&f, "d/old").st_mtime, -86400);
	assert_null(fixture_owner(&f, "d/suid"));
}

static void read_only_directories_are_written_into_and_stay_usable(void **state)
{
	(void)state;
	tar_dir(&t, "ro", 0555);
	tar_file(&t, "ro/f", "1");
	tar_dir(&t, "none", 0);
	tar_dir(&t, "none/sub", 0);
	tar_file(&t, "none/sub/f", "2");
	tar_add(&t, &(struct tar_member){
			    .name = "unreadable", .mode = 0111, .data = "3", .data_len = 1});
	fixture_layer(&f, &t);
	tar_file(&t, "ro/later", "4");
	tar_file(&t, "none/sub/.wh.f", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "ro/f", "1"));
	assert_true(fixture_holds(&f, "ro/later", "4"));
	assert_false(fixture_exists(&f, "none/sub/f"));
	assert_true(fixture_holds(&f, "unreadable", "3"));
	assert_int_equal(mode_of("ro"), 0755);
	assert_int_equal(fixture_owner(&f, "ro")->mode, S_IFDIR | 0555);
	assert_int_equal(fixture_owner(&f, "none/sub")->mode, S_IFDIR);
	assert_int_equal(fixture_owner(&f, "unreadable")->mode, S_IFREG | 0111);
	assert_int_equal(mode_of("unreadable"), 0511);
}

static void owners_and_devices_are_remembered(void **state)
{
	const struct scar_owner *owner;

	(void)state;
	tar_add(&t, &(struct tar_member){
			    .name = "home", .type = '5', .mode = 0755, .uid = 1000, .gid = 100});
	tar_add(&t, &(struct tar_member){.name = "home/f", .mode = 0600, .uid = 1000, .gid = 1000});
	tar_add(&t, &(struct tar_member){
			    .name = "home/l", .type = '2', .link = "f", .uid = 7, .gid = 8});
	tar_add(&t, &(struct tar_member){.name = "big", .mode = 0644, .uid = 4000000000});
	tar_add(&t,
		&(struct tar_member){
			.name = "null", .type = '3', .mode = 0666, .dev_major = 1, .dev_minor = 3});
	tar_add(&t, &(struct tar_member){
			    .name = "sda", .type = '4', .mode = 0660, .gid = 6, .dev_major = 8});
	tar_hard_link(&t, "zero", "null");
	tar_file(&t, "plain", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	owner = fixture_owner(&f, "home/f");
	assert_int_equal(owner->uid, 1000);
	assert_int_equal(owner->gid, 1000);
	assert_int_equal(owner->mode, S_IFREG | 0600);
	assert_int_equal(fixture_owner(&f, "home")->gid, 100);
	assert_int_equal(fixture_owner(&f, "home/l")->uid, 7);
	assert_int_equal(fixture_owner(&f, "home/l")->mode, S_IFLNK | 0777);
	assert_int_equal(fixture_owner(&f, "big")->uid, 4000000000);
	owner = fixture_owner(&f, "zero");
	assert_int_equal(owner->mode, S_IFCHR | 0666);
	assert_int_equal(owner->rdev_major, 1);
	assert_int_equal(owner->rdev_minor, 3);
	assert_int_equal(fixture_owner(&f, "sda")->mode, S_IFBLK | 0660);
	assert_true(S_ISREG(fixture_stat(&f, "null").st_mode));
	assert_int_equal(fixture_stat(&f, "null").st_size, 0);
	assert_null(fixture_owner(&f, "plain"));
}

static void an_owner_goes_with_its_file(void **state)
{
	struct scar_owners owners = {0};

	(void)state;
	tar_add(&t, &(struct tar_member){.name = "a/b/c", .mode = 0600, .uid = 5});
	tar_add(&t, &(struct tar_member){.name = "replaced", .mode = 0600, .uid = 5});
	tar_add(&t, &(struct tar_member){.name = "dir", .type = '5', .mode = 0700, .uid = 5});
	tar_add(&t, &(struct tar_member){.name = "two", .mode = 0600, .uid = 9});
	tar_hard_link(&t, "names", "two");
	fixture_layer(&f, &t);
	tar_file(&t, "a/.wh.b", "");
	tar_file(&t, "replaced", "now root's");
	tar_dir(&t, "dir", 0700);
	tar_file(&t, ".wh.two", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_null(fixture_owner(&f, "replaced"));
	assert_null(fixture_owner(&f, "dir"));
	assert_int_equal(fixture_owner(&f, "names")->uid, 9);
	assert_int_equal(scar_owners_check(f.owners_data, f.owners_size, &owners), 0);
	assert_int_equal(owners.count, 1);
}

static void directories_merge_and_take_the_upper_attributes(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){.name = "d", .type = '5', .mode = 0755, .mtime = 100});
	tar_file(&t, "d/low", "low");
	fixture_layer(&f, &t);
	tar_add(&t, &(struct tar_member){.name = "d", .type = '5', .mode = 0700, .mtime = 200});
	tar_file(&t, "d/high", "high");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "d/low", "low"));
	assert_true(fixture_holds(&f, "d/high", "high"));
	assert_int_equal(mode_of("d"), 0700);
	assert_int_equal(fixture_stat(&f, "d").st_mtime, 200);
}

static void anything_else_replaces_wholly(void **state)
{
	(void)state;
	tar_file(&t, "file-to-dir", "x");
	tar_file(&t, "dir-to-file/a/b/c", "x");
	tar_file(&t, "dir-to-link/a", "x");
	tar_symlink(&t, "link-to-dir", "dir-to-file");
	tar_symlink(&t, "link-to-file", "target");
	tar_file(&t, "target", "untouched");
	tar_file(&t, "shared", "old");
	tar_hard_link(&t, "shared-too", "shared");
	fixture_layer(&f, &t);
	tar_dir(&t, "file-to-dir", 0755);
	tar_file(&t, "dir-to-file", "file");
	tar_symlink(&t, "dir-to-link", "nowhere");
	tar_dir(&t, "link-to-dir", 0755);
	tar_file(&t, "link-to-file", "file");
	tar_file(&t, "shared", "new");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(S_ISDIR(fixture_stat(&f, "file-to-dir").st_mode));
	assert_true(fixture_holds(&f, "dir-to-file", "file"));
	assert_true(fixture_links_to(&f, "dir-to-link", "nowhere"));
	assert_true(S_ISDIR(fixture_stat(&f, "link-to-dir").st_mode));
	assert_true(fixture_holds(&f, "link-to-file", "file"));
	assert_true(fixture_holds(&f, "target", "untouched"));
	assert_true(fixture_holds(&f, "shared", "new"));
	assert_true(fixture_holds(&f, "shared-too", "old"));
}

static void of_duplicates_the_last_wins(void **state)
{
	(void)state;
	tar_file(&t, "f", "first");
	tar_file(&t, "f", "second");
	tar_symlink(&t, "f2", "a");
	tar_file(&t, "./f2", "file");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "f", "second"));
	assert_true(fixture_holds(&f, "f2", "file"));
}

static void a_whiteout_removes_what_is_below(void **state)
{
	(void)state;
	tar_file(&t, "a/file", "x");
	tar_file(&t, "a/dir/deep/file", "x");
	tar_symlink(&t, "a/link", "dir");
	tar_file(&t, "a/stays", "x");
	fixture_layer(&f, &t);
	tar_file(&t, "a/.wh.file", "");
	tar_dir(&t, "a/.wh.dir", 0);
	tar_symlink(&t, "a/.wh.link", "any type counts");
	tar_file(&t, "a/.wh.never-was", "");
	tar_file(&t, "no/such/.wh.parent", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "a/file"));
	assert_false(fixture_exists(&f, "a/dir"));
	assert_false(fixture_exists(&f, "a/link"));
	assert_true(fixture_exists(&f, "a/stays"));
	assert_false(fixture_exists(&f, "no"));
}

static void a_whiteout_spares_what_its_own_layer_brought(void **state)
{
	(void)state;
	tar_file(&t, "d/low", "low");
	tar_file(&t, "d/sub/low", "low");
	tar_file(&t, "e/low", "low");
	fixture_layer(&f, &t);
	/* Both orders. */
	tar_file(&t, "d/new", "new");
	tar_file(&t, "d/sub/new", "new");
	tar_file(&t, ".wh.d", "");
	tar_file(&t, ".wh.e", "");
	tar_file(&t, "e/new", "new");
	tar_file(&t, "f", "new");
	tar_file(&t, ".wh.f", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "d/low"));
	assert_false(fixture_exists(&f, "d/sub/low"));
	assert_false(fixture_exists(&f, "e/low"));
	assert_true(fixture_holds(&f, "d/new", "new"));
	assert_true(fixture_holds(&f, "d/sub/new", "new"));
	assert_true(fixture_holds(&f, "e/new", "new"));
	assert_true(fixture_holds(&f, "f", "new"));
}

static void a_link_to_a_lower_file_survives_the_whiteout_of_its_name(void **state)
{
	(void)state;
	tar_file(&t, "old", "content");
	tar_file(&t, "kept", "content");
	fixture_layer(&f, &t);
	tar_hard_link(&t, "new", "old");
	tar_file(&t, ".wh.old", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "old"));
	assert_true(fixture_holds(&f, "new", "content"));
}

static void an_opaque_directory_hides_all_below_in_any_order(void **state)
{
	(void)state;
	tar_file(&t, "d/low", "low");
	tar_file(&t, "d/sub/low", "low");
	tar_file(&t, "d/gone/low", "low");
	tar_file(&t, "beside", "low");
	fixture_layer(&f, &t);
	tar_dir(&t, "d", 0755);
	tar_file(&t, "d/first", "new");
	tar_file(&t, "d/.wh..wh..opq", "");
	tar_dir(&t, "d/sub", 0755);
	tar_file(&t, "d/sub/new", "new");
	fixture_layer(&f, &t);
	tar_file(&t, "d/third", "newer");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "d/low"));
	assert_false(fixture_exists(&f, "d/sub/low"));
	assert_false(fixture_exists(&f, "d/gone"));
	assert_true(fixture_exists(&f, "beside"));
	assert_true(fixture_holds(&f, "d/first", "new"));
	assert_true(fixture_holds(&f, "d/sub/new", "new"));
	assert_true(fixture_holds(&f, "d/third", "newer"));
}

static void an_opaque_root_hides_the_layers_below(void **state)
{
	(void)state;
	tar_file(&t, "low", "low");
	fixture_layer(&f, &t);
	tar_file(&t, "new", "new");
	tar_file(&t, ".wh..wh..opq", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "low"));
	assert_true(fixture_holds(&f, "new", "new"));
}

static void whiteouts_reach_through_links_as_names_do(void **state)
{
	(void)state;
	tar_dir(&t, "usr/lib", 0755);
	tar_symlink(&t, "lib", "usr/lib");
	tar_symlink(&t, "abs", "/usr/lib");
	tar_file(&t, "usr/lib/a", "a");
	tar_file(&t, "usr/lib/b", "b");
	fixture_layer(&f, &t);
	tar_file(&t, "lib/.wh.a", "");
	/* The same file by another name is still what this layer brought. */
	tar_file(&t, "abs/c", "c");
	tar_file(&t, "usr/lib/.wh.c", "");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, "usr/lib/a"));
	assert_true(fixture_exists(&f, "usr/lib/b"));
	assert_true(fixture_holds(&f, "usr/lib/c", "c"));
}

static void bookkeeping_of_aufs_is_skipped(void **state)
{
	(void)state;
	tar_dir(&t, ".wh..wh.aufs", 0700);
	tar_dir(&t, ".wh..wh.plnk", 0700);
	tar_file(&t, ".wh..wh.plnk/12.34", "x");
	tar_file(&t, "f", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_false(fixture_exists(&f, ".wh..wh.aufs"));
	assert_false(fixture_exists(&f, ".wh..wh.plnk"));
	assert_true(fixture_exists(&f, "f"));
}

static void missing_parents_are_made_even_through_dangling_links(void **state)
{
	(void)state;
	tar_file(&t, "a/b/c", "x");
	tar_symlink(&t, "bin", "usr/bin");
	tar_file(&t, "bin/sh", "sh");
	tar_symlink(&t, "x/up", "../y/./z/");
	tar_file(&t, "x/up/f", "f");
	tar_file(&t, "blocked", "file");
	tar_file(&t, "blocked/by/file", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_int_equal(mode_of("a/b"), 0755);
	assert_true(fixture_links_to(&f, "bin", "usr/bin"));
	assert_true(fixture_holds(&f, "usr/bin/sh", "sh"));
	assert_true(fixture_holds(&f, "y/z/f", "f"));
	assert_true(fixture_holds(&f, "blocked/by/file", "x"));
}

static void a_time_is_not_given_to_another_directory_of_that_name(void **state)
{
	(void)state;
	tar_dir(&t, "a", 0755);
	tar_symlink(&t, "l", "a");
	tar_add(&t, &(struct tar_member){.name = "l/d", .type = '5', .mode = 0755, .mtime = 1});
	tar_file(&t, "b/d/f", "x");
	tar_symlink(&t, "l", "b");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_int_not_equal(fixture_stat(&f, "b/d").st_mtime, 1);
}

static void a_set_group_id_parent_is_not_inherited(void **state)
{
	(void)state;
	tar_dir(&t, "g", 02775);
	tar_dir(&t, "g/d", 0755);
	tar_file(&t, "g/implied/f", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_int_equal(mode_of("g"), 02775);
	assert_int_equal(mode_of("g/d"), 0755);
	assert_int_equal(mode_of("g/implied"), 0755);
}

static void hard_links_name_their_target_from_the_root(void **state)
{
	(void)state;
	tar_file(&t, "a/f", "x");
	tar_symlink(&t, "a/l", "nowhere");
	fixture_layer(&f, &t);
	tar_hard_link(&t, "b/one", "/a/f");
	tar_hard_link(&t, "b/two", "./a/../a/f");
	tar_hard_link(&t, "b/link", "a/l");
	tar_hard_link(&t, "a/f", "a/f");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_int_equal(fixture_stat(&f, "a/f").st_nlink, 3);
	assert_true(fixture_links_to(&f, "b/link", "nowhere"));
}

static void long_and_strange_names_are_kept_byte_by_byte(void **state)
{
	char component[201], name[900];

	(void)state;
	memset(component, 'n', 200);
	component[200] = '\0';
	snprintf(name, sizeof name, "%s/%s/%s", component, component, component);
	tar_pax(&t, 'x', "path", name, strlen(name));
	tar_file(&t, "short", "pax");
	tar_long_name(&t, 'L', "gnu/\xff\xfe not UTF-8 \n");
	tar_file(&t, "short", "gnu");
	tar_pax(&t, 'x', "path", "h\xc3\xa9llo/\xe6\x97\xa5", 10);
	tar_file(&t, "short", "utf8");
	tar_add(&t, &(struct tar_member){.prefix = "some/prefix", .name = "name", .mode = 0644});
	tar_pax(&t, 'x', "linkpath", "\xc3\xa9", 2);
	tar_symlink(&t, "l", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, name, "pax"));
	assert_true(fixture_holds(&f, "gnu/\xff\xfe not UTF-8 \n", "gnu"));
	assert_true(fixture_holds(&f, "h\xc3\xa9llo/\xe6\x97\xa5", "utf8"));
	assert_true(fixture_exists(&f, "some/prefix/name"));
	assert_true(fixture_links_to(&f, "l", "\xc3\xa9"));
	assert_false(fixture_exists(&f, "short"));
}

static void pax_overrides_the_header(void **state)
{
	(void)state;
	tar_pax(&t, 'x', "size", "5", 1);
	tar_add(&t,
		&(struct tar_member){
			.name = "f", .mode = 0644, .data = "12345678", .data_len = 8, .size = 2});
	tar_pax(&t, 'x', "mtime", "1234567890.5", 12);
	tar_file(&t, "g", "x");
	tar_pax(&t, 'x', "uid", "3000000000", 10);
	tar_file(&t, "h", "x");
	tar_pax(&t, 'g', "comment", "hello", 5);
	tar_file(&t, "i", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "f", "12345"));
	assert_int_equal(fixture_stat(&f, "g").st_mtim.tv_sec, 1234567890);
	assert_int_equal(fixture_stat(&f, "g").st_mtim.tv_nsec, 500000000);
	assert_int_equal(fixture_owner(&f, "h")->uid, 3000000000);
	assert_true(fixture_exists(&f, "i"));
}

static void old_and_contiguous_types_are_regular_files(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){.name = "contiguous",
					 .type = '7',
					 .mode = 0644,
					 .data = "x",
					 .data_len = 1});
	tar_add(&t, &(struct tar_member){.name = "v7",
					 .type = '0',
					 .mode = 0644,
					 .data = "y",
					 .data_len = 1,
					 .magic = "\0\0\0\0\0\0\0"});
	tar_add(&t,
		&(struct tar_member){.name = "v7dir/", .mode = 0755, .magic = "\0\0\0\0\0\0\0"});
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "contiguous", "x"));
	assert_true(fixture_holds(&f, "v7", "y"));
	assert_true(S_ISDIR(fixture_stat(&f, "v7dir").st_mode));
}

static void holes_stay_holes(void **state)
{
	/* GNU.sparse 1.0: the map is decimal text before the data, padded to a block. 1 byte at 1 MiB, 4 MiB in all. */
	char data[1024] = "1\n1048576\n1\n";
	struct stat st;

	(void)state;
	data[512] = 'x';
	static const char records[] = "22 GNU.sparse.major=1\n"
				      "22 GNU.sparse.minor=0\n"
				      "26 GNU.sparse.name=sparse\n"
				      "31 GNU.sparse.realsize=4194304\n";
	tar_add(&t, &(struct tar_member){.name = "pax",
					 .type = 'x',
					 .data = records,
					 .data_len = sizeof records - 1});
	tar_add(&t, &(struct tar_member){.name = "GNUSparseFile.0/sparse",
					 .mode = 0644,
					 .data = data,
					 .data_len = 513});
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	st = fixture_stat(&f, "sparse");
	assert_int_equal(st.st_size, 4194304);
	assert_true(st.st_blocks * 512 < 1048576);
	assert_int_equal(f.result.unpacked_bytes, 1);
}

static void user_attributes_are_kept_and_others_are_not(void **state)
{
	char value[16];
	char path[128];

	(void)state;
	tar_pax(&t, 'x', "SCHILY.xattr.user.scar", "value", 5);
	tar_file(&t, "f", "x");
	tar_pax(&t, 'x', "SCHILY.xattr.security.capability", "\1\0\0\2", 4);
	tar_file(&t, "ping", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_true(fixture_exists(&f, "ping"));
	snprintf(path, sizeof path, "%s/work/fs/f", f.base);
	if (setxattr(path, "user.probe", "1", 1, 0) < 0)
		return; /* This file system has none. */
	assert_int_equal(getxattr(path, "user.scar", value, sizeof value), 5);
	assert_memory_equal(value, "value", 5);
}

static void layers_of_nothing_are_fine(void **state)
{
	(void)state;
	image_add(&f.image, "", 0, SCAR_COMPRESSION_PLAIN);
	image_add(&f.image, "", 0, SCAR_COMPRESSION_GZIP);
	fixture_layer(&f, &t);
	tar_file(&t, "f", "x");
	fixture_layer(&f, &t);
	image_add(&f.image, "", 0, SCAR_COMPRESSION_ZSTD);
	fixture_must_unpack(&f);
	assert_true(fixture_holds(&f, "f", "x"));
}

static void an_image_without_layers_is_an_empty_root(void **state)
{
	(void)state;
	fixture_must_unpack(&f);
	assert_int_equal(mode_of("."), 0755);
}

static void the_root_takes_attributes(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){
			    .name = "./", .type = '5', .mode = 0700, .uid = 3, .mtime = 12345});
	tar_file(&t, "f", "x");
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	assert_int_equal(mode_of("."), 0700);
	assert_int_equal(fixture_stat(&f, ".").st_mtime, 12345);
	assert_int_equal(fixture_owner(&f, ".")->uid, 3);
}

static void more_directories_than_the_cache_holds(void **state)
{
	char name[64];
	unsigned round, i;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 100; i++) {
			snprintf(name, sizeof name, "d%u/sub/f%u", i, round);
			tar_file(&t, name, name);
		}
	}
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "d%u/sub/f%u", i, i % 3);
		assert_true(fixture_holds(&f, name, name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(files_directories_and_links_are_made),
		T(modes_and_times_are_kept_whatever_umask_says),
		T(read_only_directories_are_written_into_and_stay_usable),
		T(owners_and_devices_are_remembered),
		T(an_owner_goes_with_its_file),
		T(directories_merge_and_take_the_upper_attributes),
		T(anything_else_replaces_wholly),
		T(of_duplicates_the_last_wins),
		T(a_whiteout_removes_what_is_below),
		T(a_whiteout_spares_what_its_own_layer_brought),
		T(a_link_to_a_lower_file_survives_the_whiteout_of_its_name),
		T(an_opaque_directory_hides_all_below_in_any_order),
		T(an_opaque_root_hides_the_layers_below),
		T(whiteouts_reach_through_links_as_names_do),
		T(bookkeeping_of_aufs_is_skipped),
		T(missing_parents_are_made_even_through_dangling_links),
		T(a_time_is_not_given_to_another_directory_of_that_name),
		T(a_set_group_id_parent_is_not_inherited),
		T(hard_links_name_their_target_from_the_root),
		T(long_and_strange_names_are_kept_byte_by_byte),
		T(pax_overrides_the_header),
		T(old_and_contiguous_types_are_regular_files),
		T(holes_stay_holes),
		T(user_attributes_are_kept_and_others_are_not),
		T(layers_of_nothing_are_fine),
		T(an_image_without_layers_is_an_empty_root),
		T(the_root_takes_attributes),
		T(more_directories_than_the_cache_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
