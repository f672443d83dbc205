/* SPDX-License-Identifier: Apache-2.0 */
/* Images whose lowest layers are in the store as an image of their own. */
#include "extractor/store.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/baseline.h"
#include "runtime/base/err.h"
#include "runtime/base/owners.h"
#include "tests/support/rootfs_fixture.h"

static char base_dir[64], dir[80];
static struct image_builder lower, upper;
static struct scar_store *store;
static struct scar_store_entry *entry;
static struct scar_err err;

static void open_store_at(const char *path)
{
	const struct scar_store_options options = {.cancel = &upper.cancel};

	if (scar_store_open(path, &options, &store, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(base_dir, sizeof base_dir);
	snprintf(dir, sizeof dir, "%s/scar", base_dir);
	image_init(&lower);
	image_init(&upper);
	store = NULL;
	entry = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_store_put(entry);
	scar_store_close(store);
	image_clear(&lower);
	image_clear(&upper);
	fixture_remove_dir(base_dir);
	return 0;
}

static void get(struct image_builder *from)
{
	if (scar_store_get(store, &from->image, image_fetch, from, &entry, &err) < 0)
		fail_msg("%s", err.msg);
}

static void put(void)
{
	scar_store_put(entry);
	entry = NULL;
}

/* ---- the images: everything that a layer can hold, and everything that one above can do to it ---- */

/* GNU.sparse 1.0: the map is text before the data, padded to a block. One byte at 1 MiB, 4 MiB in all. */
static void add_sparse(struct tar_builder *tar)
{
	static const char records[] = "22 GNU.sparse.major=1\n"
				      "22 GNU.sparse.minor=0\n"
				      "26 GNU.sparse.name=sparse\n"
				      "31 GNU.sparse.realsize=4194304\n";
	char data[1024] = "1\n1048576\n1\n";

	data[512] = 'x';
	tar_add(tar, &(struct tar_member){.name = "pax",
					  .type = 'x',
					  .data = records,
					  .data_len = sizeof records - 1});
	tar_add(tar, &(struct tar_member){.name = "GNUSparseFile.0/sparse",
					  .mode = 0644,
					  .data = data,
					  .data_len = 513});
}

static void add_lower_layers(struct image_builder *to)
{
	struct tar_builder tar = {0};

	tar_add(&tar, &(struct tar_member){.name = "./", .type = '5', .mode = 0755, .mtime = 11});
	tar_add(&tar, &(struct tar_member){
			      .name = "closed", .type = '5', .mode = 0555, .mtime = 12, .uid = 7});
	tar_add(&tar, &(struct tar_member){.name = "closed/setuid",
					   .mode = 04711,
					   .mtime = 13,
					   .gid = 42,
					   .data = "program",
					   .data_len = 7});
	tar_dir(&tar, "deep", 02775);
	tar_dir(&tar, "deep/er", 0);
	tar_dir(&tar, "deep/er/still", 0700);
	tar_file(&tar, "deep/er/still/f", "far down");
	tar_symlink(&tar, "symlink", "deep/er");
	tar_hard_link(&tar, "symlink too", "symlink");
	tar_add(&tar, &(struct tar_member){
			      .name = "fifo", .type = '6', .mode = 0622, .mtime = 14, .uid = 3});
	tar_add(&tar,
		&(struct tar_member){
			.name = "null", .type = '3', .mode = 0666, .dev_major = 1, .dev_minor = 3});
	add_sparse(&tar);
	tar_pax(&tar, 'x', "SCHILY.xattr.user.note", "kept", 4);
	tar_file(&tar, "noted", "x");
	tar_file(&tar, "empty", "");
	image_add_tar(to, &tar);
	tar = (struct tar_builder){0};
	tar_file(&tar, "one", "same inode");
	tar_hard_link(&tar, "deep/two", "one");
	tar_hard_link(&tar, "closed/three", "one");
	tar_file(&tar, "replaced", "old");
	tar_file(&tar, "gone", "x");
	tar_dir(&tar, "opaque", 0755);
	tar_file(&tar, "opaque/hidden", "x");
	image_add_tar(to, &tar);
}

static void add_upper_layers(struct image_builder *to)
{
	struct tar_builder tar = {0};

	tar_file(&tar, "replaced", "new");
	tar_file(&tar, ".wh.gone", "");
	tar_file(&tar, "opaque/.wh..wh..opq", "");
	tar_file(&tar, "opaque/shown", "x");
	tar_file(&tar, "deep/er/still/g", "beside f");
	tar_hard_link(&tar, "four", "deep/two");
	image_add_tar(to, &tar);
	tar = (struct tar_builder){0};
	tar_add(&tar, &(struct tar_member){
			      .name = "deep", .type = '5', .mode = 0711, .mtime = 99, .gid = 5});
	tar_file(&tar, ".wh.fifo", "");
	image_add_tar(to, &tar);
}

/* ---- what a tree is ---- */

#define TREE_MAX 65536

static void run(char *text, size_t size, const char *command)
{
	FILE *out = popen(command, "r");
	size_t len;

	assert_non_null(out);
	len = fread(text, 1, size - 1, out);
	text[len] = '\0';
	assert_int_equal(pclose(out), 0);
}

/* Owner records by name, since inodes differ. */
static void list_owners(const struct scar_store_entry *of, char *text, size_t size)
{
	static char names[TREE_MAX];
	char command[256], *line, *rest;
	int fd = open(of->owners_path, O_RDONLY);
	struct scar_owners owners = {0};
	struct stat st;
	void *data;
	size_t len = 0;

	assert_int_equal(fstat(fd, &st), 0);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	assert_int_equal(scar_owners_check(data, (size_t)st.st_size, &owners), 0);
	snprintf(command, sizeof command, "cd %s && find . -printf '%%i %%p\n' | sort -k2",
		 of->rootfs_path);
	run(names, sizeof names, command);
	for (line = strtok_r(names, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const struct scar_owner *o = scar_owners_find(&owners, strtoull(line, NULL, 10));

		if (o)
			len += (size_t)snprintf(text + len, size - len, "%s %u:%u %o %u:%u\n",
						strchr(line, ' '), o->uid, o->gid, o->mode,
						o->rdev_major, o->rdev_minor);
		assert_true(len < size);
	}
	munmap(data, (size_t)st.st_size);
}

static void describe(const struct scar_store_entry *of, char text[TREE_MAX])
{
	char command[512];
	size_t len;

	snprintf(
		command, sizeof command,
		"cd %s && { find . -type d -printf '%%p %%m %%T@\n'; find . ! -type d -printf '%%p %%y %%m %%T@ %%n %%s %%b %%l\n'; } | sort"
		" && find . -type f | sort | xargs cksum && getfattr -R -d . 2>/dev/null; true",
		of->rootfs_path);
	run(text, TREE_MAX, command);
	len = strlen(text);
	list_owners(of, text + len, TREE_MAX - len);
}

static ino_t inode_of(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(entry->rootfs_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

static void describe_whole(struct image_builder *of, char text[TREE_MAX])
{
	char elsewhere[96];

	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", base_dir);
	open_store_at(elsewhere);
	get(of);
	describe(entry, text);
	put();
	scar_store_close(store);
	store = NULL;
}

/* ---- tests ---- */

static void an_image_on_another_one_is_what_it_is_when_pulled_whole(void **state)
{
	static char whole[TREE_MAX], shared[TREE_MAX], lower_before[TREE_MAX],
		lower_after[TREE_MAX];
	char note[8] = "", path[160];

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	describe_whole(&upper, whole);
	upper.fetches = 0;

	open_store_at(dir);
	get(&lower);
	describe(entry, lower_before);
	put();
	get(&upper);
	assert_int_equal(upper.fetches, 2); /* of four layers */
	assert_int_equal(entry->pulled_bytes,
			 upper.layers[2].size_bytes + upper.layers[3].size_bytes);
	describe(entry, shared);
	assert_string_equal(shared, whole);
	/* What the listings have no word for. */
	assert_int_equal(inode_of("one"), inode_of("deep/two"));
	assert_int_equal(inode_of("one"), inode_of("four"));
	assert_int_equal(inode_of("symlink"), inode_of("symlink too"));
	snprintf(path, sizeof path, "%s/noted", entry->rootfs_path);
	if (getxattr(path, "user.note", note, sizeof note - 1) >= 0)
		assert_string_equal(note, "kept");
	put();

	get(&lower);
	assert_true(entry->was_cached);
	describe(entry, lower_after);
	assert_string_equal(lower_after, lower_before);
}

static void the_highest_image_that_is_there_is_taken(void **state)
{
	struct image_builder middle;

	(void)state;
	image_init(&middle);
	add_lower_layers(&lower);
	add_lower_layers(&middle);
	add_upper_layers(&middle);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	add_upper_layers(&upper);
	open_store_at(dir);
	get(&lower);
	put();
	get(&middle);
	put();
	get(&upper);
	assert_int_equal(middle.fetches, 2);
	assert_int_equal(upper.fetches, 2); /* of six */
	image_clear(&middle);
}

static void what_is_written_to_one_image_does_not_show_in_the_other(void **state)
{
	struct stat st;
	char path[160];
	int fd;

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	open_store_at(dir);
	get(&lower);
	put();
	get(&upper);
	/* As a program does that nothing watches. */
	snprintf(path, sizeof path, "%s/one", entry->rootfs_path);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_int_equal(fchmod(fd, 0777), 0);
	close(fd);
	put();
	get(&lower);
	assert_int_equal(fstatat(entry->rootfs_fd, "one", &st, 0), 0);
	assert_int_equal(st.st_size, 10);
	assert_int_equal(st.st_mode & 07777, 0644);
}

/* As a runtime leaves it that was killed while an unwatched program ran. */
static void leave_dirty(const struct scar_store_entry *of)
{
	const uint32_t state = SCAR_BASELINE_UNTRACKED;
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/%s", of->undo_dir, SCAR_BASELINE_FILE);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(
		pwrite(fd, &state, sizeof state, offsetof(struct scar_baseline_header, state)),
		sizeof state);
	close(fd);
	fd = openat(of->rootfs_fd, "planted", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void what_an_invocation_left_is_put_back_before_it_is_copied(void **state)
{
	static char whole[TREE_MAX], shared[TREE_MAX];
	int child_status;
	pid_t child;

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	describe_whole(&upper, whole);
	child = fork();
	if (child == 0) {
		open_store_at(dir);
		get(&lower);
		leave_dirty(entry);
		_exit(0); /* not put */
	}
	assert_int_equal(waitpid(child, &child_status, 0), child);
	assert_int_equal(child_status, 0);
	upper.fetches = 0;
	open_store_at(dir);
	get(&upper);
	assert_int_equal(upper.fetches, 2);
	describe(entry, shared);
	assert_string_equal(shared, whole);
}

static void an_image_in_use_is_not_copied(void **state)
{
	struct scar_store_entry *held;

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	open_store_at(dir);
	get(&lower);
	held = entry;
	get(&upper);
	assert_int_equal(upper.fetches, 4);
	scar_store_put(held);
}

static void changes_that_are_to_stay_are_not_copied(void **state)
{
	const struct scar_store_options options = {.cancel = &upper.cancel, .keep_changes = true};

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	assert_int_equal(scar_store_open(dir, &options, &store, &err), 0);
	get(&lower);
	put();
	get(&upper);
	assert_int_equal(upper.fetches, 4);
}

static void a_damaged_image_is_not_copied(void **state)
{
	static char whole[TREE_MAX], shared[TREE_MAX];

	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	describe_whole(&upper, whole);
	open_store_at(dir);
	get(&lower);
	assert_int_equal(unlinkat(entry->rootfs_fd, "deep/er/still/f", 0), 0);
	put();
	upper.fetches = 0;
	get(&upper);
	assert_true(upper.fetches >= 4);
	describe(entry, shared);
	assert_string_equal(shared, whole);
}

static void a_layer_that_fails_leaves_nothing(void **state)
{
	(void)state;
	add_lower_layers(&lower);
	add_lower_layers(&upper);
	add_upper_layers(&upper);
	upper.blobs[2].damaged_byte = 30;
	open_store_at(dir);
	get(&lower);
	put();
	assert_int_equal(scar_store_get(store, &upper.image, image_fetch, &upper, &entry, &err),
			 -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
	assert_true(upper.fetches <= 2);
	upper.blobs[2].damaged_byte = SIZE_MAX;
	upper.cancel = 0;
	get(&upper);
	put();
	get(&lower);
	assert_true(entry->was_cached);
}

/* ---- too small for both: in a child, in a mount namespace of its own ---- */

static void add_bulk(struct image_builder *to, const char *name, size_t len)
{
	struct tar_builder tar = {0};
	uint8_t *data = malloc(len);
	uint32_t state = (uint8_t)name[0];

	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = (uint8_t)(state >> 24);
	}
	tar_add(&tar,
		&(struct tar_member){.name = name, .mode = 0644, .data = data, .data_len = len});
	image_add_tar(to, &tar);
	free(data);
}

static int in_small_space(void)
{
	struct stat st;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("scar-test", base_dir, "tmpfs", 0, "size=8m") < 0)
		return 77;
	alarm(60);
	add_bulk(&lower, "a", 4500000);
	add_bulk(&upper, "a", 4500000);
	add_bulk(&upper, "b", 100000);
	open_store_at(dir);
	get(&lower);
	put();
	get(&upper);
	if (upper.fetches != 2 || fstatat(entry->rootfs_fd, "a", &st, 0) < 0 ||
	    st.st_size != 4500000)
		return 1;
	put();
	upper.fetches = 0;
	get(&upper);
	return upper.fetches == 0 ? 0 : 2;
}

static void without_room_for_both_the_one_below_goes(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		_exit(in_small_space());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(an_image_on_another_one_is_what_it_is_when_pulled_whole),
		T(the_highest_image_that_is_there_is_taken),
		T(what_is_written_to_one_image_does_not_show_in_the_other),
		T(what_an_invocation_left_is_put_back_before_it_is_copied),
		T(an_image_in_use_is_not_copied),
		T(changes_that_are_to_stay_are_not_copied),
		T(a_damaged_image_is_not_copied),
		T(a_layer_that_fails_leaves_nothing),
		T(without_room_for_both_the_one_below_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
