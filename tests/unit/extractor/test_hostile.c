/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers that try to get out, to get at what is not theirs, or to wear us out. After each test the files beside the
 * rootfs must be as they were (teardown). Names of CVEs are those that the case caused in another unpacker.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/fs.h"
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

static void must_fail(enum scar_err_kind kind, const char *what)
{
	fixture_layer(&f, &t);
	assert_int_equal(fixture_unpack(&f), -1);
	if (f.err.kind != kind || !strstr(f.err.msg, what))
		fail_msg("kind %d: %s (expected: %s)", f.err.kind, f.err.msg, what);
	assert_non_null(strstr(f.err.msg, "layer sha256:"));
}

static void must_unpack(void)
{
	fixture_layer(&f, &t);
	fixture_must_unpack(&f);
}

/* ---- names ---- */

static void dots_stay_below_the_root(void **state)
{
	(void)state;
	tar_file(&t, "../secret", "evil");
	tar_file(&t, "../../../../../../tmp/evil", "evil");
	tar_file(&t, "a/../../outside/secret", "evil");
	tar_file(&t, "/../../outside/new", "evil");
	tar_file(&t, "..", "a file that is the root");
	must_fail(SCAR_ERR_IMAGE, "the root must be a directory");
	assert_true(fixture_holds(&f, "secret", "evil"));
	assert_true(fixture_holds(&f, "tmp/evil", "evil"));
	assert_true(fixture_holds(&f, "outside/secret", "evil"));
	assert_true(fixture_holds(&f, "outside/new", "evil"));
}

static void the_root_cannot_become_a_link(void **state) /* CVE-2021-29136 */
{
	(void)state;
	tar_symlink(&t, "/.", "/outside");
	must_fail(SCAR_ERR_IMAGE, "the root must be a directory");
}

static void the_root_cannot_become_a_hard_link(void **state)
{
	(void)state;
	tar_file(&t, "f", "x");
	tar_hard_link(&t, "./", "f");
	must_fail(SCAR_ERR_IMAGE, "the root must be a directory");
}

static void an_empty_name_is_the_root(void **state)
{
	(void)state;
	tar_dir(&t, "", 0755);
	tar_dir(&t, "////", 0711);
	must_unpack();
	assert_int_equal(fixture_stat(&f, ".").st_mode & 07777, 0711);
}

static void names_too_long_are_refused(void **state)
{
	char name[5000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof name - 1; i++)
		name[i] = i % 100 == 99 ? '/' : 'n';
	name[sizeof name - 1] = '\0';
	tar_long_name(&t, 'L', name);
	tar_file(&t, "x", "x");
	must_fail(SCAR_ERR_LIMIT, "longer than 4095");
}

static void components_too_long_are_refused(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', 256);
	name[256] = '\0';
	tar_long_name(&t, 'L', name);
	tar_file(&t, "x", "x");
	must_fail(SCAR_ERR_LIMIT, "longer than 255");
}

/* ---- symbolic links as parents ---- */

static void writing_through_a_link_stays_in_the_root(void **state)
{
	char absolute[128];

	(void)state;
	snprintf(absolute, sizeof absolute, "%s/outside", f.base);
	tar_symlink(&t, "up", "../../outside");
	tar_file(&t, "up/secret", "evil");
	tar_symlink(&t, "abs", absolute);
	tar_file(&t, "abs/new", "evil");
	tar_symlink(&t, "root", "/");
	tar_file(&t, "root/root/root/f", "f");
	tar_symlink(&t, "a/b/c/d", "../../../../../../../../outside");
	tar_file(&t, "a/b/c/d/deep", "evil");
	must_unpack();
	assert_true(fixture_holds(&f, "outside/secret", "evil"));
	strncat(absolute, "/new", sizeof absolute - strlen(absolute) - 1);
	assert_true(fixture_holds(&f, absolute + 1, "evil"));
	assert_true(fixture_holds(&f, "f", "f"));
	assert_true(fixture_holds(&f, "outside/deep", "evil"));
}

static void a_link_planted_by_a_lower_layer_is_no_way_out(void **state) /* CVE-2025-45582 */
{
	(void)state;
	tar_symlink(&t, "x", "../../outside");
	fixture_layer(&f, &t);
	tar_file(&t, "x/secret", "evil");
	tar_file(&t, "x/.wh.secret", "");
	tar_file(&t, "x/.wh..wh..opq", "");
	must_unpack();
	assert_true(fixture_holds(&f, "outside/secret", "evil"));
}

static void the_last_component_is_never_followed(void **state) /* CVE-2018-15664, CVE-2021-32760 */
{
	(void)state;
	tar_symlink(&t, "l", "../../secret");
	tar_add(&t, &(struct tar_member){.name = "l", .mode = 0777, .data = "evil", .data_len = 4});
	tar_symlink(&t, "d", "../../outside");
	tar_add(&t, &(struct tar_member){.name = "d", .type = '5', .mode = 0777, .mtime = 1});
	tar_symlink(&t, "p", "../../secret");
	tar_add(&t, &(struct tar_member){.name = "p", .type = '6', .mode = 0777});
	tar_symlink(&t, "c", "../../secret");
	tar_add(&t, &(struct tar_member){.name = "c", .type = '3', .mode = 0777, .dev_major = 1});
	must_unpack();
	assert_true(fixture_holds(&f, "l", "evil"));
	assert_true(S_ISDIR(fixture_stat(&f, "d").st_mode));
}

static void times_of_a_directory_do_not_follow_a_link(void **state) /* CVE-2021-31566 */
{
	struct stat before, after;
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/outside", f.base);
	assert_int_equal(stat(path, &before), 0);
	tar_add(&t, &(struct tar_member){.name = "d", .type = '5', .mode = 0777, .mtime = 1});
	tar_symlink(&t, "d", "../../outside");
	must_unpack();
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mtime, after.st_mtime);
	assert_true(fixture_links_to(&f, "d", "../../outside"));
}

static void a_cached_directory_is_forgotten_when_it_is_replaced(void **state)
{
	(void)state;
	tar_file(&t, "d/a", "a");
	tar_symlink(&t, "d", "/elsewhere");
	tar_file(&t, "d/b", "b");
	tar_file(&t, "l/a", "a");
	tar_file(&t, "elsewhere/c", "c");
	must_unpack();
	assert_true(fixture_links_to(&f, "d", "/elsewhere"));
	assert_true(fixture_holds(&f, "elsewhere/b", "b"));
	assert_true(fixture_holds(&f, "elsewhere/c", "c"));
}

static void loops_of_links_are_refused(void **state)
{
	(void)state;
	tar_symlink(&t, "a", "b");
	tar_symlink(&t, "b", "a");
	tar_file(&t, "a/f", "x");
	must_fail(SCAR_ERR_IMAGE, "too many symbolic links");
}

static void links_that_grow_are_refused(void **state)
{
	char target[100];
	size_t i;

	(void)state;
	/* Each step of the way doubles what is to go. */
	for (i = 0; i + 2 < sizeof target; i += 2)
		memcpy(target + i, "l/", 3);
	tar_symlink(&t, "l", target);
	tar_file(&t, "l/f", "x");
	must_fail(SCAR_ERR_IMAGE, "too many symbolic links");
}

static void a_magic_link_of_proc_is_no_way_out(void **state)
{
	(void)state;
	tar_symlink(&t, "p", "/proc/self/root");
	tar_file(&t, "p/evil", "evil");
	must_unpack();
	assert_true(fixture_holds(&f, "proc/self/root/evil", "evil"));
}

static void a_link_to_nothing_is_refused(void **state)
{
	(void)state;
	tar_symlink(&t, "l", "");
	must_fail(SCAR_ERR_IMAGE, "symbolic link to nothing");
}

/* ---- hard links ---- */

static void hard_links_reach_nothing_outside(
	void **state) /* CVE-2014-6407, CVE-2014-9356, CVE-2026-17106 */
{
	(void)state;
	tar_hard_link(&t, "stolen", "../../secret");
	must_fail(SCAR_ERR_IMAGE, "which is not there");
}

static void hard_links_through_links_reach_nothing_outside(void **state)
{
	(void)state;
	tar_symlink(&t, "out", "../..");
	tar_hard_link(&t, "stolen", "out/secret");
	must_fail(SCAR_ERR_IMAGE, "which is not there");
}

static void a_hard_link_to_a_link_is_not_followed(void **state)
{
	(void)state;
	tar_symlink(&t, "l", "../../secret");
	tar_hard_link(&t, "stolen", "l");
	tar_file(&t, "stolen", "evil");
	must_unpack();
	assert_true(fixture_holds(&f, "stolen", "evil"));
	assert_true(fixture_links_to(&f, "l", "../../secret"));
}

static void data_of_a_hard_link_is_ignored(void **state) /* CVE-2016-5418 */
{
	(void)state;
	/* Only the pax format allows such data. */
	tar_pax(&t, 'g', "comment", "x", 1);
	tar_file(&t, "f", "original");
	tar_add(&t, &(struct tar_member){
			    .name = "h", .type = '1', .link = "f", .data = "evil", .data_len = 4});
	tar_file(&t, "after", "x");
	must_unpack();
	assert_true(fixture_holds(&f, "f", "original"));
	assert_true(fixture_holds(&f, "h", "original"));
	assert_true(fixture_holds(&f, "after", "x"));
}

static void a_pax_header_that_makes_no_sense_is_refused(void **state)
{
	(void)state;
	tar_add(&t,
		&(struct tar_member){
			.name = "pax", .type = 'x', .data = "99 path=elsewhere\n", .data_len = 18});
	tar_file(&t, "here", "x");
	must_fail(SCAR_ERR_IMAGE, "pax");
}

/* CVE-2025-62518: what the ustar header alone would make of the data is another file. */
static void a_pax_size_hides_the_headers_in_its_data(void **state)
{
	struct tar_builder inner = {.len = 0};

	(void)state;
	tar_file(&inner, "smuggled", "x");
	tar_pax(&t, 'x', "size", "1024", 4);
	tar_add(&t, &(struct tar_member){.name = "outer", .mode = 0644});
	tar_raw(&t, inner.data, inner.len);
	tar_file(&t, "after", "x");
	must_unpack();
	assert_false(fixture_exists(&f, "smuggled"));
	assert_int_equal(fixture_stat(&f, "outer").st_size, 1024);
	assert_true(fixture_holds(&f, "after", "x"));
	tar_clear(&inner);
}

/* The other way round: the header's size would hide what the pax size shows. */
static void a_pax_size_of_nothing_hides_nothing(void **state)
{
	(void)state;
	tar_pax(&t, 'x', "size", "0", 1);
	tar_add(&t, &(struct tar_member){.name = "outer", .mode = 0644, .size = 1024});
	tar_file(&t, "shown", "x");
	must_unpack();
	assert_int_equal(fixture_stat(&f, "outer").st_size, 0);
	assert_true(fixture_holds(&f, "shown", "x"));
}

static void a_pax_size_that_is_no_size_is_refused(void **state)
{
	static const char *const sizes[] = {"-1",
					    "-9223372036854775808",
					    "9223372036854775807",
					    "18446744073709551616",
					    "99999999999999999999999",
					    "0x10",
					    ""};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		tar_pax(&t, 'x', "size", sizes[i], strlen(sizes[i]));
		tar_file(&t, "f", "x");
		tar_file(&t, "after", "x");
		must_fail(SCAR_ERR_IMAGE, "not a valid tar");
		teardown(state);
		setup(state);
	}
}

static void a_pax_size_beyond_the_end_is_refused(void **state)
{
	(void)state;
	tar_pax(&t, 'x', "size", "1099511627776", 13);
	tar_file(&t, "f", "x");
	must_fail(SCAR_ERR_IMAGE, "f");
}

/* What follows would be data here and the next header to others. */
static void a_pax_size_of_what_has_no_data_is_refused(void **state)
{
	for (const char *type = "23456"; *type; type++) {
		tar_pax(&t, 'x', "size", "1024", 4);
		tar_add(&t, &(struct tar_member){
				    .name = "entry", .type = *type, .mode = 0755, .link = "x"});
		tar_file(&t, "hidden", "x");
		must_fail(SCAR_ERR_IMAGE, "entry is no file and has a size");
		teardown(state);
		setup(state);
	}
}

/* In the header itself such a size has never meant anything. */
static void a_size_of_what_has_no_data_hides_nothing(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){.name = "d", .type = '5', .mode = 0755, .size = 1024});
	tar_file(&t, "d/shown", "x");
	must_unpack();
	assert_true(fixture_holds(&f, "d/shown", "x"));
}

static void a_global_pax_size_counts_for_nothing(void **state)
{
	(void)state;
	tar_pax(&t, 'g', "size", "1024", 4);
	tar_file(&t, "f", "x");
	tar_file(&t, "g", "x");
	must_unpack();
	assert_true(fixture_holds(&f, "f", "x"));
	assert_true(fixture_holds(&f, "g", "x"));
}

static void pax_names_are_cleaned_as_others_are(void **state)
{
	static const char target[] = "../../secret";

	(void)state;
	tar_pax(&t, 'x', "path", target, sizeof target - 1);
	tar_file(&t, "innocent", "evil");
	tar_pax(&t, 'x', "linkpath", "/../../outside", 14);
	tar_symlink(&t, "out", "innocent");
	tar_file(&t, "out/secret", "evil");
	must_unpack();
	assert_true(fixture_holds(&f, "secret", "evil"));
	assert_true(fixture_links_to(&f, "out", "/../../outside"));
	assert_false(fixture_exists(&f, "innocent"));
}

static void too_many_headers_of_headers_are_refused(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++)
		tar_long_name(&t, 'L', "name");
	tar_file(&t, "here", "x");
	must_fail(SCAR_ERR_IMAGE, "not a valid tar");
}

static void a_hard_link_to_a_directory_is_refused(void **state)
{
	(void)state;
	tar_dir(&t, "d", 0755);
	tar_hard_link(&t, "h", "d");
	must_fail(SCAR_ERR_IMAGE, "to the directory d");
}

static void a_hard_link_over_its_own_parent_of_target_fails_cleanly(void **state)
{
	(void)state;
	tar_file(&t, "d/f", "x");
	tar_hard_link(&t, "d", "d/f");
	must_fail(SCAR_ERR_IMAGE, "which is not there");
}

/* ---- whiteouts ---- */

static void a_whiteout_of_nothing_is_refused(void **state)
{
	(void)state;
	tar_file(&t, "d/.wh.", "");
	must_fail(SCAR_ERR_IMAGE, "whiteout that names no file");
}

static void a_whiteout_of_dots_is_refused(void **state)
{
	(void)state;
	tar_dir(&t, "d", 0755);
	fixture_layer(&f, &t);
	tar_file(&t, "d/.wh...", "");
	must_fail(SCAR_ERR_IMAGE, "whiteout that names no file");
}

static void a_whiteout_of_the_directory_itself_is_refused(void **state)
{
	(void)state;
	tar_file(&t, "d/.wh..", "");
	must_fail(SCAR_ERR_IMAGE, "whiteout that names no file");
}

static void whiteouts_through_links_stay_in_the_root(void **state)
{
	(void)state;
	tar_symlink(&t, "up", "../..");
	tar_symlink(&t, "out", "../../outside");
	tar_file(&t, "outside/secret", "ours");
	fixture_layer(&f, &t);
	tar_file(&t, "up/.wh.secret", "");
	tar_file(&t, "out/.wh.secret", "");
	tar_file(&t, "../.wh.secret", "");
	must_unpack();
	assert_false(fixture_exists(&f, "outside/secret"));
}

static void a_whiteout_of_a_link_removes_the_link_alone(void **state)
{
	(void)state;
	tar_symlink(&t, "out", "../../outside");
	tar_symlink(&t, "d/out", "../../../outside");
	tar_symlink(&t, "e/out", "../../../outside");
	fixture_layer(&f, &t);
	tar_file(&t, ".wh.out", "");
	tar_file(&t, ".wh.d", "");
	tar_file(&t, "e/.wh..wh..opq", "");
	must_unpack();
	assert_false(fixture_exists(&f, "out"));
	assert_false(fixture_exists(&f, "d"));
	assert_false(fixture_exists(&f, "e/out"));
}

/* Deeper than there are descriptors or bytes in a path: l1 -> l0/d/d/..., l2 -> l1/d/d/..., and so on. */
static void a_tree_of_any_depth_is_removed(void **state)
{
	enum { LEVELS = 45, LINKS = 30 };
	char path[128], name[16];
	unsigned i, level;

	(void)state;
	tar_dir(&t, "deep", 0755);
	tar_symlink(&t, "l0", "deep");
	for (i = 0; i < LINKS; i++) {
		size_t len = (size_t)snprintf(path, sizeof path, "l%u", i);

		for (level = 0; level < LEVELS; level++)
			len += (size_t)snprintf(path + len, sizeof path - len, "/d");
		tar_dir(&t, path, 0755);
		snprintf(name, sizeof name, "l%u", i + 1);
		tar_symlink(&t, name, path);
	}
	snprintf(path, sizeof path, "l%d/bottom", LINKS);
	tar_file(&t, path, "x");
	fixture_layer(&f, &t);
	tar_file(&t, ".wh.deep", "");
	must_unpack();
	assert_false(fixture_exists(&f, "deep"));
}

/* ---- archives that lie, end early, or are none ---- */

static void a_tar_cut_short_is_refused(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){
			    .name = "f", .mode = 0644, .data = "x", .data_len = 1, .size = 100000});
	must_fail(SCAR_ERR_IMAGE, "f");
}

static void what_is_no_tar_is_refused(void **state)
{
	char noise[2048];

	(void)state;
	memset(noise, 'x', sizeof noise);
	tar_raw(&t, noise, sizeof noise);
	must_fail(SCAR_ERR_IMAGE, "not a valid tar");
}

static void a_wrong_header_checksum_is_refused(void **state)
{
	(void)state;
	tar_file(&t, "good", "x");
	tar_file(&t, "bad", "x");
	t.data[1024 + 150] ^= 1;
	must_fail(SCAR_ERR_IMAGE, "not a valid tar");
}

static void negative_sizes_are_refused(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){.name = "f", .mode = 0644, .size = UINT64_MAX - 511});
	must_fail(SCAR_ERR_IMAGE, "not a valid tar");
}

static void a_huge_hole_takes_no_space(void **state)
{
	static const char records[] = "22 GNU.sparse.major=1\n"
				      "22 GNU.sparse.minor=0\n"
				      "26 GNU.sparse.name=sparse\n"
				      "37 GNU.sparse.realsize=1099511627776\n";

	(void)state;
	tar_add(&t, &(struct tar_member){.name = "pax",
					 .type = 'x',
					 .data = records,
					 .data_len = sizeof records - 1});
	tar_add(&t, &(struct tar_member){.name = "GNUSparseFile.0/sparse",
					 .mode = 0644,
					 .data = "0\n",
					 .data_len = 2});
	fixture_layer(&f, &t);
	/* A file system may refuse the size: an error then, but never a terabyte. */
	if (fixture_unpack(&f) == 0)
		assert_true(fixture_stat(&f, "sparse").st_blocks < 16);
}

static void times_out_of_range_do_no_harm(void **state)
{
	(void)state;
	tar_add(&t, &(struct tar_member){.name = "future", .mode = 0644, .mtime = INT64_MAX});
	tar_add(&t, &(struct tar_member){.name = "past", .mode = 0644, .mtime = INT64_MIN});
	tar_add(&t,
		&(struct tar_member){.name = "dir", .type = '5', .mode = 0755, .mtime = INT64_MAX});
	must_unpack();
	assert_true(fixture_exists(&f, "future"));
	assert_true(fixture_exists(&f, "past"));
}

/* ---- content that is not what the image says ---- */

static void another_diff_id_is_an_integrity_error(void **state)
{
	(void)state;
	tar_file(&t, "f", "x");
	fixture_layer(&f, &t);
	f.image.diff_ids[0].bytes[0] ^= 1;
	assert_int_equal(fixture_unpack(&f), -1);
	assert_int_equal(f.err.kind, SCAR_ERR_INTEGRITY);
	assert_non_null(strstr(f.err.msg, "diff ID"));
}

static void a_damaged_blob_is_an_integrity_error_whatever_it_does(void **state)
{
	size_t at;

	(void)state;
	tar_file(&t, "f", "some content that takes a few bytes");
	tar_end(&t);
	image_add(&f.image, t.data, t.len, SCAR_COMPRESSION_PLAIN);
	/* In a header: the tar makes no sense. In the content: it does. */
	for (at = 10; at < 1024; at += 600) {
		f.image.blobs[0].damaged_byte = at;
		f.image.cancel = 0;
		assert_int_equal(fixture_unpack(&f), -1);
		assert_int_equal(f.err.kind, SCAR_ERR_INTEGRITY);
		close(f.root_fd);
		f.root_fd = -1;
		assert_int_equal(scar_fs_remove_tree(f.work_fd, "fs", &f.err), 0);
	}
}

static void more_diff_ids_than_layers_are_refused(void **state)
{
	(void)state;
	tar_file(&t, "f", "x");
	fixture_layer(&f, &t);
	f.image.image.config.diff_id_count = 2;
	assert_int_equal(fixture_unpack(&f), -1);
	assert_int_equal(f.err.kind, SCAR_ERR_IMAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(dots_stay_below_the_root),
		T(the_root_cannot_become_a_link),
		T(the_root_cannot_become_a_hard_link),
		T(an_empty_name_is_the_root),
		T(names_too_long_are_refused),
		T(components_too_long_are_refused),
		T(writing_through_a_link_stays_in_the_root),
		T(a_link_planted_by_a_lower_layer_is_no_way_out),
		T(the_last_component_is_never_followed),
		T(times_of_a_directory_do_not_follow_a_link),
		T(a_cached_directory_is_forgotten_when_it_is_replaced),
		T(loops_of_links_are_refused),
		T(links_that_grow_are_refused),
		T(a_magic_link_of_proc_is_no_way_out),
		T(a_link_to_nothing_is_refused),
		T(hard_links_reach_nothing_outside),
		T(hard_links_through_links_reach_nothing_outside),
		T(a_hard_link_to_a_link_is_not_followed),
		T(data_of_a_hard_link_is_ignored),
		T(a_pax_header_that_makes_no_sense_is_refused),
		T(a_pax_size_hides_the_headers_in_its_data),
		T(a_pax_size_of_nothing_hides_nothing),
		T(a_pax_size_that_is_no_size_is_refused),
		T(a_pax_size_beyond_the_end_is_refused),
		T(a_pax_size_of_what_has_no_data_is_refused),
		T(a_size_of_what_has_no_data_hides_nothing),
		T(a_global_pax_size_counts_for_nothing),
		T(pax_names_are_cleaned_as_others_are),
		T(too_many_headers_of_headers_are_refused),
		T(a_hard_link_to_a_directory_is_refused),
		T(a_hard_link_over_its_own_parent_of_target_fails_cleanly),
		T(a_whiteout_of_nothing_is_refused),
		T(a_whiteout_of_dots_is_refused),
		T(a_whiteout_of_the_directory_itself_is_refused),
		T(whiteouts_through_links_stay_in_the_root),
		T(a_whiteout_of_a_link_removes_the_link_alone),
		T(a_tree_of_any_depth_is_removed),
		T(a_tar_cut_short_is_refused),
		T(what_is_no_tar_is_refused),
		T(a_wrong_header_checksum_is_refused),
		T(negative_sizes_are_refused),
		T(a_huge_hole_takes_no_space),
		T(times_out_of_range_do_no_harm),
		T(another_diff_id_is_an_integrity_error),
		T(a_damaged_blob_is_an_integrity_error_whatever_it_does),
		T(more_diff_ids_than_layers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
