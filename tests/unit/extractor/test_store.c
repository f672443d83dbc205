/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "tests/support/rootfs_fixture.h"

static char base[64], dir[80];
static struct image_builder image;
static struct scar_store *store;
static struct scar_store_entry *entry;
static struct scar_err err;

static void open_store(void)
{
	const struct scar_store_options options = {.cancel = &image.cancel};

	if (scar_store_open(dir, &options, &store, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(base, sizeof base);
	snprintf(dir, sizeof dir, "%s/scar", base);
	image_init(&image);
	store = NULL;
	entry = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_store_put(entry);
	scar_store_close(store);
	image_clear(&image);
	fixture_remove_dir(base);
	return 0;
}

/* A layer with one file of that much content, which does not compress. */
static void add_layer(struct image_builder *to, const char *name, size_t len)
{
	struct tar_builder tar = {0};
	uint8_t *data = malloc(len + 1);
	uint32_t state = (uint32_t)(uint8_t)name[0];
	size_t i;

	assert_non_null(data);
	for (i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		data[i] = (uint8_t)(state >> 24);
	}
	tar_add(&tar,
		&(struct tar_member){.name = name, .mode = 0644, .data = data, .data_len = len});
	image_add_tar(to, &tar);
	free(data);
}

static int get(struct image_builder *from)
{
	return scar_store_get(store, &from->image, image_fetch, from, &entry, &err);
}

static void must_get(struct image_builder *from)
{
	if (get(from) < 0)
		fail_msg("%s", err.msg);
}

static void put(void)
{
	scar_store_put(entry);
	entry = NULL;
}

static size_t count(const char *part)
{
	char path[128];
	size_t names = 0;
	const struct dirent *name;
	DIR *stream;

	snprintf(path, sizeof path, "%s/%s", dir, part);
	stream = opendir(path);
	assert_non_null(stream);
	while ((name = readdir(stream)))
		names += name->d_name[0] != '.';
	closedir(stream);
	return names;
}

static void an_image_is_pulled_once(void **state)
{
	struct stat st;

	(void)state;
	add_layer(&image, "a", 100000);
	add_layer(&image, "b", 1000);
	open_store();
	must_get(&image);
	assert_false(entry->was_cached);
	assert_int_equal(entry->pulled_bytes, image.image.layers_size_bytes);
	assert_int_equal(entry->unpacked_bytes, 101000);
	assert_true(entry->pull_us > 0);
	assert_int_equal(fstatat(entry->rootfs_fd, "b", &st, 0), 0);
	assert_int_equal(st.st_size, 1000);
	assert_int_equal(access(entry->owners_path, R_OK), 0);
	assert_int_equal(access(entry->rootfs_path, R_OK), 0);
	assert_int_equal(entry->rootfs_path[0], '/');
	put();
	must_get(&image);
	assert_true(entry->was_cached);
	assert_int_equal(entry->pull_us, 0);
	assert_int_equal(entry->unpacked_bytes, 101000);
	assert_int_equal(image.fetches, 2);
	assert_int_equal(count("tmp"), 0);
}

static void the_store_is_private(void **state)
{
	mode_t before = umask(0);
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(dir, 0777), 0);
	open_store();
	umask(before);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	if (geteuid() != 0)
		return;
	scar_store_close(store);
	store = NULL;
	assert_int_equal(chown(dir, 12345, 12345), 0);
	assert_int_equal(scar_store_open(dir, NULL, &store, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	assert_int_equal(chown(dir, 0, 0), 0);
}

static void a_failed_pull_leaves_nothing_and_can_be_tried_again(void **state)
{
	(void)state;
	add_layer(&image, "a", 300000);
	add_layer(&image, "b", 300000);
	image.blobs[1].fail_after = 100000;
	open_store();
	assert_int_equal(get(&image), -1);
	assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(image.cancel, 1);
	assert_int_equal(count("tmp"), 0);
	assert_int_equal(count("rootfs"), 0);
	image.blobs[1].fail_after = SIZE_MAX;
	image.cancel = 0;
	must_get(&image);
}

static void the_first_cause_is_told_and_ends_the_others(void **state)
{
	char digest[SCAR_DIGEST_TEXT_MAX];
	int64_t start;

	(void)state;
	add_layer(&image, "a", 300000);
	add_layer(&image, "b", 300000);
	add_layer(&image, "c", 300000);
	image.blobs[0].block_after = 65536;
	image.blobs[1].block_after = 0;
	image.blobs[2].fail_after = 65536;
	open_store();
	start = scar_clock_monotonic_us();
	assert_int_equal(get(&image), -1);
	assert_true(scar_clock_monotonic_us() - start < 2000000);
	assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	assert_non_null(strstr(err.msg, scar_digest_format(&image.layers[2].digest, digest)));
}

static void being_told_to_stop_ends_a_pull(void **state)
{
	pid_t child;
	int status;

	(void)state;
	add_layer(&image, "a", 300000);
	image.blobs[0].block_after = 65536;
	child = fork();
	if (child == 0) {
		open_store();
		signal(SIGALRM, SIG_DFL);
		alarm(20);
		image.cancel = 1;
		_exit(get(&image) == -1 && err.kind == SCAR_ERR_INTERRUPTED ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A child that pulls and stops in the middle, holding its locks. */
static pid_t start_blocked_pull(void)
{
	pid_t child = fork();
	int i;

	if (child == 0) {
		alarm(60);
		open_store();
		get(&image);
		_exit(entry ? 0 : 1);
	}
	for (i = 0; i < 2000; i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/tmp", dir);
		if (access(path, F_OK) == 0 && count("tmp") == 1)
			break;
		scar_clock_sleep_ms(5);
	}
	/* Long enough to be unpacking. */
	scar_clock_sleep_ms(50);
	return child;
}

static void what_kill_9_leaves_is_never_seen_and_soon_removed(void **state)
{
	pid_t child;
	int status;

	(void)state;
	add_layer(&image, "a", 300000);
	add_layer(&image, "b", 300000);
	image.blobs[1].block_after = 65536;
	child = start_blocked_pull();
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(count("tmp"), 1);
	assert_int_equal(count("rootfs"), 0);
	open_store();
	assert_int_equal(count("tmp"), 0);
	image.blobs[1].block_after = SIZE_MAX;
	must_get(&image);
	assert_false(entry->was_cached);
}

static void what_kill_9_leaves_after_open_is_replaced_by_get(void **state)
{
	pid_t child;
	int status;

	(void)state;
	add_layer(&image, "a", 300000);
	image.blobs[0].block_after = 65536;
	open_store();
	child = start_blocked_pull();
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(count("tmp"), 1);
	image.blobs[0].block_after = SIZE_MAX;
	must_get(&image);
	assert_int_equal(count("tmp"), 0);
}

static void a_living_pull_is_left_alone(void **state)
{
	pid_t child;
	int status;

	(void)state;
	add_layer(&image, "a", 300000);
	image.blobs[0].block_after = 65536;
	child = start_blocked_pull();
	open_store();
	assert_int_equal(count("tmp"), 1);
	image.cancel = 1;
	assert_int_equal(get(&image), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTERRUPTED);
	assert_int_equal(count("tmp"), 1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

static void processes_that_want_one_image_pull_it_once(void **state)
{
	enum { PROCESSES = 8 };
	pid_t children[PROCESSES];
	int pulled = 0, i;

	(void)state;
	add_layer(&image, "a", 3000000);
	add_layer(&image, "b", 3000000);
	image.piece_bytes = 4096;
	for (i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct stat st;

			alarm(60);
			open_store();
			if (get(&image) < 0 || fstatat(entry->rootfs_fd, "b", &st, 0) < 0 ||
			    st.st_size != 3000000)
				_exit(2);
			_exit(entry->was_cached ? 0 : 1);
		}
	}
	for (i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		pulled += WEXITSTATUS(status);
	}
	assert_int_equal(pulled, 1);
	assert_int_equal(count("rootfs"), 1);
	assert_int_equal(count("tmp"), 0);
}

/* Tells that it has the image, and keeps it until the pipe `until` is closed. */
static void hold(int told, int until)
{
	char byte;

	alarm(120);
	open_store();
	if (get(&image) < 0 || write(told, "x", 1) != 1)
		_exit(2);
	_exit(read(until, &byte, 1) == 0 ? 0 : 3);
}

static void those_who_waited_for_a_pull_use_the_image_while_the_puller_does(void **state)
{
	enum { PROCESSES = 4 };
	pid_t children[PROCESSES];
	int told[2], until[2], status;

	(void)state;
	add_layer(&image, "a", 3000000);
	image.piece_bytes = 4096;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	assert_int_equal(pipe2(until, O_CLOEXEC), 0);
	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			close(until[1]);
			hold(told[1], until[0]);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		struct pollfd fd = {.fd = told[0], .events = POLLIN};
		char byte;

		assert_int_equal(poll(&fd, 1, 60000), 1);
		assert_int_equal(read(told[0], &byte, 1), 1);
	}
	close(until[1]);
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	close(until[0]);
	close(told[0]);
	close(told[1]);
}

static void an_entry_of_another_version_is_pulled_again(void **state)
{
	char path[512];
	FILE *file;

	(void)state;
	add_layer(&image, "a", 1000);
	open_store();
	must_get(&image);
	snprintf(path, sizeof path, "%s/../meta", entry->rootfs_path);
	put();
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("scar-rootfs 0\n", file);
	fclose(file);
	must_get(&image);
	assert_false(entry->was_cached);
	assert_int_equal(image.fetches, 2);
	assert_int_equal(count("tmp"), 0);
}

static void an_image_that_cannot_fit_is_refused_before_it_is_pulled(void **state)
{
	(void)state;
	add_layer(&image, "a", 1000);
	image.image.layers_size_bytes = UINT64_C(1) << 60;
	open_store();
	assert_int_equal(get(&image), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOSPACE);
	assert_non_null(strstr(err.msg, "EphemeralStorage"));
	assert_non_null(strstr(err.msg, "--tmp-size"));
	assert_non_null(strstr(err.msg, "1152921504606.8 MB"));
	assert_int_equal(image.fetches, 0);
	assert_int_equal(count("tmp"), 0);
}

/* ---- in a file system of 4 MiB: in a child, in a mount namespace of its own ---- */

static bool mount_small(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("scar-test", base, "tmpfs", 0, "size=4m") == 0;
}

/* 77 stands for "cannot mount here". */
static void in_small_space(void (*test)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (!mount_small())
			_exit(77);
		alarm(60);
		open_store();
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

#define MUST(condition)                                                                      \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, err.msg); \
			_exit(1);                                                            \
		}                                                                            \
	} while (0)

static void fill_up(void)
{
	struct image_builder zeros;
	struct tar_builder tar = {0};
	uint8_t *data = calloc(1, 8000000);

	image_init(&zeros);
	tar_file(&tar, "first", "x");
	tar_add(&tar, &(struct tar_member){
			      .name = "zeros", .mode = 0644, .data = data, .data_len = 8000000});
	image_add_tar(&zeros, &tar);
	MUST(get(&zeros) == -1);
	MUST(err.kind == SCAR_ERR_NOSPACE);
	MUST(strstr(err.msg, "EphemeralStorage"));
	MUST(strstr(err.msg, "entry zeros"));
	MUST(count("tmp") == 0 && count("rootfs") == 0);
	/* All of it was given back. */
	image.cancel = 0;
	add_layer(&image, "a", 1000000);
	MUST(get(&image) == 0);
}

static void running_out_of_space_is_told_and_cleaned_up(void **state)
{
	(void)state;
	in_small_space(fill_up);
}

static void evict_in_order(void)
{
	struct image_builder a, b, c, held;

	image_init(&a);
	image_init(&b);
	image_init(&c);
	image_init(&held);
	add_layer(&held, "held", 400000);
	add_layer(&a, "a", 400000);
	add_layer(&b, "b", 400000);
	/* Three times that is more than is free, until one is gone. */
	add_layer(&c, "c", 1050000);
	MUST(get(&held) == 0); /* not put back */
	MUST(get(&a) == 0);
	put();
	scar_clock_sleep_ms(20);
	MUST(get(&b) == 0);
	put();
	scar_clock_sleep_ms(20);
	MUST(get(&a) == 0 && entry->was_cached); /* b is now the oldest */
	put();
	MUST(get(&c) == 0);
	put();
	MUST(get(&a) == 0 && entry->was_cached);
	put();
	MUST(get(&held) == 0 && entry->was_cached);
	put();
	MUST(count("tmp") == 0);
	MUST(get(&b) == 0 && !entry->was_cached);
}

static void the_least_recently_used_is_evicted_but_never_one_in_use(void **state)
{
	(void)state;
	in_small_space(evict_in_order);
}

/* Compresses so well that only unpacking shows that others must go. */
static void evict_late(void)
{
	struct image_builder zeros;
	struct tar_builder tar = {0};
	uint8_t *data = calloc(1, 3000000);

	add_layer(&image, "a", 1500000);
	MUST(get(&image) == 0);
	put();
	image_init(&zeros);
	tar_add(&tar, &(struct tar_member){
			      .name = "zeros", .mode = 0644, .data = data, .data_len = 3000000});
	image_add_tar(&zeros, &tar);
	MUST(get(&zeros) == 0);
	MUST(count("rootfs") == 1);
}

static void what_was_not_foreseen_evicts_too(void **state)
{
	(void)state;
	in_small_space(evict_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(an_image_is_pulled_once),
		T(the_store_is_private),
		T(a_failed_pull_leaves_nothing_and_can_be_tried_again),
		T(the_first_cause_is_told_and_ends_the_others),
		T(being_told_to_stop_ends_a_pull),
		T(what_kill_9_leaves_is_never_seen_and_soon_removed),
		T(what_kill_9_leaves_after_open_is_replaced_by_get),
		T(a_living_pull_is_left_alone),
		T(processes_that_want_one_image_pull_it_once),
		T(those_who_waited_for_a_pull_use_the_image_while_the_puller_does),
		T(an_entry_of_another_version_is_pulled_again),
		T(an_image_that_cannot_fit_is_refused_before_it_is_pulled),
		T(running_out_of_space_is_told_and_cleaned_up),
		T(the_least_recently_used_is_evicted_but_never_one_in_use),
		T(what_was_not_foreseen_evicts_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
