/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "extractor/baseline.h"
#include "invoke/engine/guest/undo.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "tests/support/rootfs_fixture.h"

static char base[64], before[80000], after[80000];
static int entry_fd, fs_fd;
static struct scar_undo undo;
static struct scar_err err;
static struct scar_restore_result result;

static void put(const char *path, const char *content)
{
	int fd = openat(fs_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
}

/* Names, inodes, modes, times, content: what find(1) and cksum(1) tell. */
static void list(char *text, size_t size)
{
	char command[256];
	size_t len;
	FILE *out;

	snprintf(
		command, sizeof command,
		"cd %s/fs && find . -printf '%%p %%i %%m %%y %%T@ %%l\\n' | sort && find . -type f | sort | xargs -r cksum",
		base);
	out = popen(command, "r");
	assert_non_null(out);
	len = fread(text, 1, size - 1, out);
	text[len] = '\0';
	assert_int_equal(pclose(out), 0);
}

static void restore(void)
{
	if (scar_restore(entry_fd, "fs", &result, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_restored(void)
{
	restore();
	list(after, sizeof after);
	assert_string_equal(after, before);
	/* Nothing is left to do, and nothing of ours. */
	assert_int_equal(undo.header->state, 0);
	assert_int_equal(unlinkat(entry_fd, "keep", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(entry_fd, "keep", 0700), 0);
}

static int setup(void **state)
{
	(void)state;
	fixture_make_dir(base, sizeof base);
	entry_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(entry_fd, "fs", 0755), 0);
	assert_int_equal(mkdirat(entry_fd, "keep", 0700), 0);
	fs_fd = openat(entry_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fs_fd, "etc", 0755), 0);
	assert_int_equal(mkdirat(fs_fd, "etc/sub", 0750), 0);
	assert_int_equal(mkdirat(fs_fd, "etc/empty", 0755), 0);
	assert_int_equal(mkdirat(fs_fd, "var", 0755), 0);
	put("etc/passwd", "root:x:0:0\n");
	put("etc/group", "root\n");
	put("etc/sub/deep", "deep\n");
	put("var/log", "");
	assert_int_equal(linkat(fs_fd, "etc/group", fs_fd, "var/group", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", fs_fd, "var/link"), 0);
	if (scar_baseline_write(fs_fd, entry_fd, "baseline", &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(scar_undo_open(&undo, base), 0);
	list(before, sizeof before);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_undo_close(&undo);
	close(fs_fd);
	close(entry_fd);
	fixture_remove_dir(base);
	return 0;
}

static void without_a_change_nothing_is_looked_at(void **state)
{
	(void)state;
	assert_restored();
	assert_int_equal(result.directories, 0);
}

static void a_file_opened_for_writing_becomes_a_copy(void **state)
{
	struct stat old, new;

	(void)state;
	assert_int_equal(fstatat(fs_fd, "etc/passwd", &old, 0), 0);
	assert_int_equal(scar_undo_content(&undo, fs_fd, "etc/passwd", true), 0);
	assert_int_equal(fstatat(fs_fd, "etc/passwd", &new, 0), 0);
	assert_true(old.st_ino != new.st_ino);
	assert_int_equal(new.st_size, old.st_size);
	assert_int_equal(new.st_mode, old.st_mode);
	assert_int_equal(new.st_mtim.tv_nsec, old.st_mtim.tv_nsec);
	/* Once is enough. */
	assert_int_equal(scar_undo_content(&undo, fs_fd, "etc/passwd", true), 0);
	assert_int_equal(fstatat(fs_fd, "etc/passwd", &old, 0), 0);
	assert_int_equal(old.st_ino, new.st_ino);
	put("etc/passwd", "changed");
	assert_restored();
}

static void a_file_that_is_emptied_is_not_copied(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(scar_undo_content(&undo, fs_fd, "etc/passwd", false), 0);
	assert_int_equal(fstatat(fs_fd, "etc/passwd", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	assert_restored();
}

static void removed_renamed_and_new_names_are_undone(void **state)
{
	(void)state;
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/passwd"), 0);
	assert_int_equal(unlinkat(fs_fd, "etc/passwd", 0), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/link"), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/other"), 0);
	assert_int_equal(renameat(fs_fd, "var/link", fs_fd, "etc/other"), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/group"), 0);
	assert_int_equal(unlinkat(fs_fd, "var/group", 0), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/new"), 0);
	assert_int_equal(mkdirat(fs_fd, "var/new", 0000), 0);
	assert_restored();
	assert_int_equal(result.returned, 3);
}

static void modes_and_times_are_undone(void **state)
{
	const struct timespec old[2] = {{1, 0}, {1, 0}};

	(void)state;
	scar_undo_attributes(&undo, fs_fd, "etc/sub", 0);
	assert_int_equal(fchmodat(fs_fd, "etc/sub", 0000, 0), 0);
	scar_undo_attributes(&undo, fs_fd, "var/group", 0);
	assert_int_equal(fchmodat(fs_fd, "var/group", 0777, 0), 0);
	scar_undo_attributes(&undo, fs_fd, "var/link", AT_SYMLINK_NOFOLLOW);
	assert_int_equal(utimensat(fs_fd, "var/link", old, AT_SYMLINK_NOFOLLOW), 0);
	scar_undo_attributes(&undo, fs_fd, ".", 0);
	assert_int_equal(utimensat(fs_fd, ".", old, 0), 0);
	assert_restored();
}

static void a_directory_keeps_its_inode_through_removal(void **state)
{
	(void)state;
	assert_int_equal(scar_undo_directory(&undo, fs_fd, "etc/sub"), -ENOTEMPTY);
	assert_int_equal(scar_undo_directory(&undo, fs_fd, "etc/empty"), 1);
	assert_int_equal(faccessat(fs_fd, "etc/empty", F_OK, 0), -1);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/empty"), 0);
	put("etc/empty", "now a file");
	assert_restored();
}

/* /etc/sub into /var/made, /etc into that, and so on: no directory is where it was. */
static void directories_moved_into_each_other_come_back(void **state)
{
	(void)state;
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/made"), 0);
	assert_int_equal(mkdirat(fs_fd, "var/made", 0755), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/sub"), 0);
	assert_int_equal(renameat(fs_fd, "etc/sub", fs_fd, "var/made/s"), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/made/s/etc"), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc"), 0);
	assert_int_equal(renameat(fs_fd, "etc", fs_fd, "var/made/s/etc"), 0);
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/made/s/etc/x"), 0);
	put("var/made/s/etc/x", "x");
	assert_int_equal(scar_undo_name(&undo, fs_fd, "var/made/s/etc/passwd"), 0);
	assert_int_equal(unlinkat(fs_fd, "var/made/s/etc/passwd", 0), 0);
	assert_restored();
}

static void a_deep_tree_of_the_guest_goes(void **state)
{
	int fd, next, i;

	(void)state;
	assert_int_equal(scar_undo_name(&undo, fs_fd, "deep"), 0);
	assert_int_equal(mkdirat(fs_fd, "deep", 0755), 0);
	fd = openat(fs_fd, "deep", O_RDONLY | O_CLOEXEC);
	for (i = 0; i < 1200; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_restored();
}

static void what_cannot_be_undone_is_an_integrity_error(void **state)
{
	(void)state;
	scar_undo_spoil(&undo, fs_fd, "etc", 0);
	assert_int_equal(scar_restore(entry_fd, "fs", &result, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
}

static void an_unwatched_change_is_found(void **state)
{
	(void)state;
	scar_undo_untracked(&undo);
	put("etc/new", "goes");
	assert_restored();
	scar_undo_untracked(&undo);
	/* Of the same size, with the time set back: the inode's own time tells. */
	put("etc/passwd", "root:y:0:0\n");
	assert_int_equal(scar_restore(entry_fd, "fs", &result, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
}

static void a_lost_file_is_an_integrity_error(void **state)
{
	(void)state;
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/new"), 0);
	assert_int_equal(unlinkat(fs_fd, "etc/passwd", 0), 0);
	assert_int_equal(scar_restore(entry_fd, "fs", &result, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
	assert_non_null(strstr(err.msg, "passwd"));
}

static void a_damaged_list_is_an_integrity_error(void **state)
{
	int fd = openat(entry_fd, "baseline", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/new"), 0);
	assert_int_equal(ftruncate(fd, 5000), 0);
	close(fd);
	assert_int_equal(scar_restore(entry_fd, "fs", &result, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_INTEGRITY);
	/* Its pages are gone; nothing may look at them. */
	undo.header = NULL;
}

/* Killed at any point, it does the rest when it is run again. */
static void a_restore_may_be_killed(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 25; round++) {
		int status;
		pid_t pid;

		directories_moved_into_each_other_come_back(NULL);
		assert_int_equal(scar_undo_name(&undo, fs_fd, "etc/passwd"), 0);
		assert_int_equal(unlinkat(fs_fd, "etc/passwd", 0), 0);
		assert_int_equal(scar_undo_name(&undo, fs_fd, "var/etc"), 0);
		assert_int_equal(scar_undo_name(&undo, fs_fd, "etc"), 0);
		assert_int_equal(renameat(fs_fd, "etc", fs_fd, "var/etc"), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			scar_restore(entry_fd, "fs", &result, &err);
			_exit(0);
		}
		usleep((useconds_t)round * 15);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_restored();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_change_nothing_is_looked_at, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_opened_for_writing_becomes_a_copy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_emptied_is_not_copied, setup,
						teardown),
		cmocka_unit_test_setup_teardown(removed_renamed_and_new_names_are_undone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(modes_and_times_are_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_keeps_its_inode_through_removal, setup,
						teardown),
		cmocka_unit_test_setup_teardown(directories_moved_into_each_other_come_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_deep_tree_of_the_guest_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_undone_is_an_integrity_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_unwatched_change_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_file_is_an_integrity_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_list_is_an_integrity_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_restore_may_be_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
