/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "tests/support/rootfs_fixture.h"

static char store[64];
static struct scar_err err;

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(store, sizeof store);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove_dir(store);
	return 0;
}

static struct scar_workspace created(const char *request_id)
{
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;

	if (scar_workspace_create(store, request_id, &workspace, &err) < 0)
		fail_msg("%s", err.msg);
	return workspace;
}

static void must_remove(struct scar_workspace *workspace)
{
	if (scar_workspace_remove(workspace, &err) < 0)
		fail_msg("%s", err.msg);
}

static size_t left(void)
{
	scar_dir_auto DIR *dir = NULL;
	struct dirent *entry;
	char path[96];
	size_t count = 0;

	snprintf(path, sizeof path, "%s/run", store);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	return count;
}

static mode_t mode_of(const struct scar_workspace *workspace, const char *path)
{
	struct stat st;

	if (fstatat(workspace->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s is missing", path);
	return st.st_mode;
}

static void it_has_what_the_program_needs_with_the_modes_of_any_system(void **state)
{
	mode_t before = umask(077);
	struct scar_workspace workspace = created("id-1");

	(void)state;
	umask(before);
	assert_int_equal(mode_of(&workspace, "."), S_IFDIR | 0700);
	assert_int_equal(mode_of(&workspace, "tmp"), S_IFDIR | 01777);
	assert_int_equal(mode_of(&workspace, "shm"), S_IFDIR | 01777);
	assert_int_equal(mode_of(&workspace, "tmp/scar/input"), S_IFDIR | 0755);
	assert_int_equal(mode_of(&workspace, "tmp/scar/output"), S_IFDIR | 0777);
	assert_int_equal(scar_workspace_put_event(&workspace, "ev\0nt", 5, &err), 0);
	assert_int_equal(scar_workspace_put_script(&workspace, "#!", 2, &err), 0);
	assert_int_equal(mode_of(&workspace, "tmp/scar/input/event"), S_IFREG | 0644);
	assert_int_equal(mode_of(&workspace, "tmp/scar/script"), S_IFREG | 0755);
	must_remove(&workspace);
}

static void nothing_is_left_of_it_whatever_the_program_did(void **state)
{
	struct scar_workspace workspace = created("id-1");

	(void)state;
	assert_int_equal(mkdirat(workspace.fd, "tmp/locked", 0700), 0);
	assert_int_equal(mkdirat(workspace.fd, "tmp/locked/inner", 0700), 0);
	assert_int_equal(symlinkat("/etc", workspace.fd, "tmp/locked/link"), 0);
	assert_int_equal(fchmodat(workspace.fd, "tmp/locked", 0, 0), 0);
	must_remove(&workspace);
	assert_int_equal(left(), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	assert_null(workspace.path);
}

static void a_request_id_cannot_lead_out_of_the_store(void **state)
{
	static const char *const ids[] = {"../../x", "/etc", "..", ".", "", "a/b\n", "\xff\xfe"};

	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct scar_workspace workspace = created(ids[i]);
		char parent[96];

		snprintf(parent, sizeof parent, "%s/run/", store);
		assert_memory_equal(workspace.path, parent, strlen(parent));
		assert_null(strchr(workspace.path + strlen(parent), '/'));
		assert_true(workspace.path[strlen(parent)] != '.');
		assert_int_equal(left(), 1);
		must_remove(&workspace);
	}
}

static void a_long_request_id_is_cut(void **state)
{
	char id[5000];
	struct scar_workspace workspace;

	(void)state;
	memset(id, 'x', sizeof id - 1);
	id[sizeof id - 1] = '\0';
	workspace = created(id);
	must_remove(&workspace);
}

static void two_of_the_same_id_do_not_meet(void **state)
{
	struct scar_workspace first = created("same"), second = created("same");

	(void)state;
	assert_string_not_equal(first.path, second.path);
	must_remove(&first);
	assert_int_equal(left(), 1);
	must_remove(&second);
}

static void a_sweep_leaves_what_is_in_use(void **state)
{
	struct scar_workspace workspace = created("alive");

	(void)state;
	assert_int_equal(scar_workspace_sweep(store, &err), 0);
	assert_int_equal(left(), 1);
	assert_int_equal(mode_of(&workspace, "tmp"), S_IFDIR | 01777);
	must_remove(&workspace);
}

static void a_sweep_removes_what_a_killed_process_left(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct scar_workspace workspace = SCAR_WORKSPACE_NONE;

		_exit(scar_workspace_create(store, "dead", &workspace, &err) < 0 ||
		      scar_workspace_put_event(&workspace, "x", 1, &err) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(left(), 1);
	assert_int_equal(scar_workspace_sweep(store, &err), 0);
	assert_int_equal(left(), 0);
}

static void a_sweep_of_a_fresh_store_finds_nothing(void **state)
{
	(void)state;
	assert_int_equal(scar_workspace_sweep(store, &err), 0);
	assert_int_equal(left(), 0);
}

static void a_place_that_cannot_be_written_is_an_error(void **state)
{
	struct scar_workspace workspace = SCAR_WORKSPACE_NONE;

	(void)state;
	assert_int_equal(scar_workspace_create("/proc/nothing", "id", &workspace, &err), -1);
	assert_int_equal(workspace.fd, -1);
	assert_true(err.msg[0] != '\0');
}

#define WORKSPACE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKSPACE_TEST(it_has_what_the_program_needs_with_the_modes_of_any_system),
		WORKSPACE_TEST(nothing_is_left_of_it_whatever_the_program_did),
		WORKSPACE_TEST(a_request_id_cannot_lead_out_of_the_store),
		WORKSPACE_TEST(a_long_request_id_is_cut),
		WORKSPACE_TEST(two_of_the_same_id_do_not_meet),
		WORKSPACE_TEST(a_sweep_leaves_what_is_in_use),
		WORKSPACE_TEST(a_sweep_removes_what_a_killed_process_left),
		WORKSPACE_TEST(a_sweep_of_a_fresh_store_finds_nothing),
		WORKSPACE_TEST(a_place_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
