/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define NOBODY 65534

struct fixture {
	char path[64];
	int fd;
};

static struct scar_err err;

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	snprintf(f->path, sizeof f->path, "%s/scar-test-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(f->path) || chmod(f->path, 0777) < 0)
		return -1;
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int status = scar_fs_remove_tree(AT_FDCWD, f->path, &err);

	close(f->fd);
	free(f);
	return status;
}

static void put(struct fixture *f, const char *path, const char *text)
{
	assert_int_equal(scar_fs_write_file(f->fd, path, 0644, text, strlen(text), &err), 0);
}

static void expect_content(int dirfd, const char *path, const char *text)
{
	scar_buf_auto struct scar_buf buf;

	scar_buf_init(&buf, 100);
	assert_int_equal(scar_fs_read_file(dirfd, path, &buf, &err), 0);
	assert_string_equal(buf.data, text);
}

static unsigned count_entries(struct fixture *f)
{
	DIR *dir = opendir(f->path);
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

/* ---- files ---- */

static void a_file_is_written_and_read_back(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	put(f, "a", "one");
	expect_content(f->fd, "a", "one");
	put(f, "a", "two");
	expect_content(f->fd, "a", "two");
	assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(count_entries(f), 1);
}

static void a_failed_write_leaves_nothing_and_keeps_the_old(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->fd, "d", 0755), 0);
	assert_int_equal(mkdirat(f->fd, "d/full", 0755), 0);
	assert_int_equal(scar_fs_write_file(f->fd, "d", 0644, "x", 1, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_IO);
	assert_int_equal(count_entries(f), 1);
	assert_int_equal(scar_fs_write_file(f->fd, "none/file", 0644, "x", 1, &err), -1);
	assert_int_equal(err.errnum, ENOENT);
}

static void a_link_is_replaced_and_not_written_through(void **state)
{
	struct fixture *f = *state;

	put(f, "target", "safe");
	assert_int_equal(symlinkat("target", f->fd, "link"), 0);
	put(f, "link", "new");
	expect_content(f->fd, "target", "safe");
	expect_content(f->fd, "link", "new");
}

static void a_missing_file_is_not_found(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf buf;

	scar_buf_init(&buf, 100);
	assert_int_equal(scar_fs_read_file(f->fd, "none", &buf, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOT_FOUND);
	assert_int_equal(scar_fs_read_file(f->fd, ".", &buf, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_IO);
	assert_int_equal(err.errnum, EISDIR);
}

static void reading_is_bounded_by_the_buffer(void **state)
{
	struct fixture *f = *state;
	scar_buf_auto struct scar_buf buf;

	put(f, "a", "12345");
	scar_buf_init(&buf, 5);
	assert_int_equal(scar_fs_read_file(f->fd, "a", &buf, &err), 0);
	assert_string_equal(buf.data, "12345");
	scar_buf_clear(&buf);
	scar_buf_init(&buf, 4);
	assert_int_equal(scar_fs_read_file(f->fd, "a", &buf, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void files_of_proc_are_read_though_they_say_they_are_empty(void **state)
{
	scar_buf_auto struct scar_buf buf;

	(void)state;
	scar_buf_init(&buf, 1000000);
	assert_int_equal(scar_fs_read_file(AT_FDCWD, "/proc/self/maps", &buf, &err), 0);
	assert_true(buf.len > 1000);
	assert_int_equal(buf.len, strlen(buf.data));
}

static void a_full_device_is_no_space(void **state)
{
	scar_fd_auto int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(scar_fs_write_all(fd, "x", 1, "that file", &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_NOSPACE);
	assert_non_null(strstr(err.msg, "that file"));
}

static void a_temporary_file_has_no_name(void **state)
{
	struct fixture *f = *state;
	scar_fd_auto int fd = -1;
	struct stat st;

	assert_int_equal(scar_fs_temp_file(f->path, &fd, &err), 0);
	assert_int_equal(count_entries(f), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(scar_fs_temp_file("/nowhere", &(int){0}, &err), -1);
}

static void space_is_told_for_a_path_descriptor(void **state)
{
	struct fixture *f = *state;
	scar_fd_auto int fd = -1;
	uint64_t free_bytes = 0, total_bytes = 0;

	assert_int_equal(scar_fs_open_dir(AT_FDCWD, f->path, false, &fd, &err), 0);
	assert_int_equal(scar_fs_space(fd, &free_bytes, &total_bytes, &err), 0);
	assert_true(total_bytes > 0 && free_bytes <= total_bytes);
}

/* ---- directories ---- */

static void missing_parents_are_made_and_existing_ones_are_fine(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(scar_fs_mkdir_p(f->fd, "a//b/./c/", 0755, &err), 0);
		assert_int_equal(fstatat(f->fd, "a/b/c", &st, 0), 0);
		assert_true(S_ISDIR(st.st_mode));
	}
	assert_int_equal(scar_fs_mkdir_p(AT_FDCWD, f->path, 0755, &err), 0);
	assert_int_equal(scar_fs_mkdir_p(AT_FDCWD, "/proc/self", 0755, &err), 0);
	assert_int_equal(scar_fs_mkdir_p(AT_FDCWD, "/", 0755, &err), 0);
}

static void a_file_in_the_way_is_no_directory(void **state)
{
	struct fixture *f = *state;

	put(f, "a", "x");
	assert_int_equal(scar_fs_mkdir_p(f->fd, "a", 0755, &err), -1);
	assert_int_equal(err.errnum, ENOTDIR);
	assert_int_equal(scar_fs_mkdir_p(f->fd, "a/b", 0755, &err), -1);
	assert_int_equal(err.errnum, ENOTDIR);
	assert_int_equal(scar_fs_mkdir_p(f->fd, "", 0755, &err), -1);
}

static void a_tree_is_removed_but_not_what_its_links_lead_to(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(scar_fs_mkdir_p(f->fd, "outside/keep", 0755, &err), 0);
	put(f, "outside/keep/file", "kept");
	assert_int_equal(scar_fs_mkdir_p(f->fd, "tree/a/b", 0755, &err), 0);
	put(f, "tree/a/b/file", "x");
	assert_int_equal(symlinkat("../../outside", f->fd, "tree/a/dir-link"), 0);
	assert_int_equal(symlinkat("nowhere", f->fd, "tree/dangling"), 0);
	assert_int_equal(mkfifoat(f->fd, "tree/fifo", 0600), 0);
	assert_int_equal(scar_fs_remove_tree(f->fd, "tree", &err), 0);
	assert_int_equal(faccessat(f->fd, "tree", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	expect_content(f->fd, "outside/keep/file", "kept");
	/* A link, a file, nothing. */
	assert_int_equal(symlinkat("outside", f->fd, "link"), 0);
	assert_int_equal(scar_fs_remove_tree(f->fd, "link", &err), 0);
	expect_content(f->fd, "outside/keep/file", "kept");
	assert_int_equal(scar_fs_remove_tree(f->fd, "outside/keep/file", &err), 0);
	assert_int_equal(scar_fs_remove_tree(f->fd, "none", &err), 0);
}

static void many_files_are_removed(void **state)
{
	struct fixture *f = *state;
	char path[64];

	assert_int_equal(mkdirat(f->fd, "tree", 0755), 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(path, sizeof path, "tree/a-rather-long-file-name-%d", i);
		assert_int_equal(mknodat(f->fd, path, S_IFREG | 0644, 0), 0);
	}
	assert_int_equal(scar_fs_remove_tree(f->fd, "tree", &err), 0);
	assert_int_equal(count_entries(f), 0);
}

/* Runs `body` in a child as an ordinary user. @return its exit status */
static int as_nobody(struct fixture *f, int (*body)(struct fixture *f))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
				       setresuid(NOBODY, NOBODY, NOBODY) < 0))
			_exit(99);
		_exit(body(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_read_only_tree(struct fixture *f)
{
	static const char *const dirs[] = {"ro/a/b", "ro/a", "ro"};

	if (scar_fs_mkdir_p(f->fd, "ro/a/b", 0755, &err) < 0 ||
	    scar_fs_write_file(f->fd, "ro/a/b/file", 0444, "x", 1, &err) < 0 ||
	    scar_fs_write_file(f->fd, "ro/a/file", 0000, "x", 1, &err) < 0)
		return 1;
	for (size_t i = 0; i < 3; i++) {
		if (fchmodat(f->fd, dirs[i], i == 1 ? 0000 : 0555, 0) < 0)
			return 2;
	}
	if (scar_fs_remove_tree(f->fd, "ro", &err) < 0)
		return 3;
	return faccessat(f->fd, "ro", F_OK, 0) == 0 ? 4 : 0;
}

static void read_only_directories_of_ours_are_removed(void **state)
{
	assert_int_equal(as_nobody(*state, remove_read_only_tree), 0);
}

static int remove_foreign_tree(struct fixture *f)
{
	return scar_fs_remove_tree(f->fd, "foreign", &err) == -1 && err.kind == SCAR_ERR_IO ? 0 : 1;
}

static void what_may_not_be_removed_is_an_error(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(scar_fs_mkdir_p(f->fd, "foreign/a", 0755, &err), 0);
	put(f, "foreign/a/file", "x");
	assert_int_equal(as_nobody(f, remove_foreign_tree), 0);
	expect_content(f->fd, "foreign/a/file", "x");
}

#define DEEP 3000

static int remove_deep_tree(struct fixture *f)
{
	struct rlimit few = {64, 64};
	int fd = dup(f->fd);

	/* Far deeper than PATH_MAX and than there are descriptors. */
	for (int i = 0; i < DEEP; i++) {
		int next;

		if (mkdirat(fd, "deeper", 0755) < 0 ||
		    (next = openat(fd, "deeper", O_PATH | O_CLOEXEC)) < 0)
			return 1;
		close(fd);
		fd = next;
	}
	close(fd);
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return 2;
	return scar_fs_remove_tree(f->fd, "deeper", &err) == 0 ? 0 : 3;
}

static void a_tree_deeper_than_there_are_descriptors_is_removed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(as_nobody(f, remove_deep_tree), 0);
	assert_int_equal(count_entries(f), 0);
}

/* ---- below a root ---- */

/* Reads what path leads to below "root"; "" if it cannot be opened, with errno. */
static const char *content(struct fixture *f, const char *path, int flags)
{
	static char text[16];
	scar_fd_auto int root = openat(f->fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	scar_fd_auto int fd = scar_fs_open_in_root(root, path, flags, 0600);
	ssize_t n;

	if (fd < 0)
		return strerror(errno);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	n = read(fd, text, sizeof text - 1);
	if (n < 0)
		return errno == EISDIR ? "dir" : strerror(errno);
	text[n] = '\0';
	return text;
}

static void make_root(struct fixture *f)
{
	static const char *const links[][2] = {
		{"/dir/file", "absolute"},
		{"../../../../secret", "escape"},
		{"/../../secret", "escape2"},
		{"dir", "dirlink"},
		{"/dirlink/../dirlink/file", "far"},
		{"loop2", "loop1"},
		{"loop1", "loop2"},
		{"missing", "dangling"},
		{"/", "top"},
		{"dir/sub/", "slashed"},
		{"..", "dir/up"},
		{"dir/file/", "notdir"},
		{"/dir/made", "todo"},
	};

	assert_int_equal(scar_fs_mkdir_p(f->fd, "root/dir/sub", 0755, &err), 0);
	put(f, "secret", "SECRET");
	put(f, "root/dir/file", "inside");
	put(f, "root/top-file", "top");
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		char path[64];

		snprintf(path, sizeof path, "root/%s", links[i][1]);
		assert_int_equal(symlinkat(links[i][0], f->fd, path), 0);
	}
}

static void check_paths(struct fixture *f)
{
	static const struct {
		const char *path;
		int flags;
		const char *content;
		int errnum;
	} cases[] = {
		{"dir/file", O_RDONLY, "inside", 0},
		{"/dir/file", O_RDONLY, "inside", 0},
		{"//dir/./sub/../file", O_RDONLY, "inside", 0},
		{"../../dir/file", O_RDONLY, "inside", 0},
		{"absolute", O_RDONLY, "inside", 0},
		{"far", O_RDONLY, "inside", 0},
		{"dirlink/file", O_RDONLY, "inside", 0},
		{"dir/up/top-file", O_RDONLY, "top", 0},
		{"dir/up/../../../top-file", O_RDONLY, "top", 0},
		{"top/top/dir/file", O_RDONLY, "inside", 0},
		{"slashed/../file", O_RDONLY, "inside", 0},
		{"dir", O_RDONLY, "dir", 0},
		{"dirlink/", O_RDONLY, "dir", 0},
		{"dirlink/", O_RDONLY | O_NOFOLLOW, "dir", 0},
		{"/", O_RDONLY, "dir", 0},
		{"..", O_RDONLY, "dir", 0},
		{"top", O_RDONLY | O_DIRECTORY, "dir", 0},
		{"slashed", O_RDONLY | O_DIRECTORY, "dir", 0},
		{"escape", O_RDONLY, NULL, ENOENT},
		{"escape2", O_RDONLY, NULL, ENOENT},
		{"../secret", O_RDONLY, NULL, ENOENT},
		{"loop1", O_RDONLY, NULL, ELOOP},
		{"dangling", O_RDONLY, NULL, ENOENT},
		{"none/file", O_RDONLY, NULL, ENOENT},
		{"dir/file/", O_RDONLY, NULL, ENOTDIR},
		{"dir/file/x", O_RDONLY, NULL, ENOTDIR},
		{"dir/file/..", O_RDONLY, NULL, ENOTDIR},
		{"notdir", O_RDONLY, NULL, ENOTDIR},
		{"dir/file", O_RDONLY | O_DIRECTORY, NULL, ENOTDIR},
		{"absolute", O_RDONLY | O_NOFOLLOW, NULL, ELOOP},
		{"absolute", O_PATH | O_NOFOLLOW, NULL, EBADF},
		{"dir/file", O_RDWR | O_CREAT | O_EXCL, NULL, EEXIST},
		{"absolute", O_RDWR | O_CREAT | O_EXCL, NULL, EEXIST},
		{"", O_RDONLY, NULL, ENOENT},
		{"none/", O_RDWR | O_CREAT, NULL, EISDIR},
		{"dir//", O_RDWR | O_CREAT, NULL, EISDIR},
		{"slashed", O_RDWR | O_CREAT, NULL, EISDIR},
		{"none/none/", O_RDWR | O_CREAT, NULL, ENOENT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *expected = cases[i].content ? cases[i].content
							: strerror(cases[i].errnum);
		const char *found = content(f, cases[i].path, cases[i].flags);

		if (strcmp(found, expected) != 0)
			fail_msg("'%s' (flags %o): %s, not %s", cases[i].path,
				 (unsigned)cases[i].flags, found, expected);
	}
	/* Through a dangling link a file is made inside. */
	assert_string_equal(content(f, "todo", O_RDWR | O_CREAT), "");
	assert_int_equal(faccessat(f->fd, "root/dir/made", F_OK, 0), 0);
	expect_content(f->fd, "secret", "SECRET");
}

static void paths_stay_below_the_root(void **state)
{
	make_root(*state);
	check_paths(*state);
}

static void the_walk_without_openat2_gives_the_same(void **state)
{
	make_root(*state);
	assert_int_equal(setenv("SCAR_NO_OPENAT2", "1", 1), 0);
	check_paths(*state);
	unsetenv("SCAR_NO_OPENAT2");
}

static void magic_links_are_refused_either_way(void **state)
{
	(void)state;
	for (int walk = 0; walk < 2; walk++) {
		scar_fd_auto int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		scar_fd_auto int file = -1;

		assert_int_equal(setenv("SCAR_NO_OPENAT2", walk ? "1" : "0", 1), 0);
		assert_int_equal(scar_fs_open_in_root(proc, "self/fd/0", O_RDONLY, 0), -1);
		assert_int_equal(errno, ELOOP);
		assert_int_equal(scar_fs_open_in_root(proc, "self/exe", O_RDONLY, 0), -1);
		assert_int_equal(errno, ELOOP);
		assert_int_equal(scar_fs_open_in_root(proc, "self/root/etc", O_RDONLY, 0), -1);
		assert_int_equal(errno, ELOOP);
		file = scar_fs_open_in_root(proc, "mounts", O_RDONLY, 0);
		assert_true(file >= 0);
	}
	unsetenv("SCAR_NO_OPENAT2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_written_and_read_back),
		TEST(a_failed_write_leaves_nothing_and_keeps_the_old),
		TEST(a_link_is_replaced_and_not_written_through),
		TEST(a_missing_file_is_not_found),
		TEST(reading_is_bounded_by_the_buffer),
		TEST(files_of_proc_are_read_though_they_say_they_are_empty),
		TEST(a_full_device_is_no_space),
		TEST(a_temporary_file_has_no_name),
		TEST(space_is_told_for_a_path_descriptor),
		TEST(missing_parents_are_made_and_existing_ones_are_fine),
		TEST(a_file_in_the_way_is_no_directory),
		TEST(a_tree_is_removed_but_not_what_its_links_lead_to),
		TEST(many_files_are_removed),
		TEST(read_only_directories_of_ours_are_removed),
		TEST(what_may_not_be_removed_is_an_error),
		TEST(a_tree_deeper_than_there_are_descriptors_is_removed),
		TEST(paths_stay_below_the_root),
		TEST(the_walk_without_openat2_gives_the_same),
		TEST(magic_links_are_refused_either_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
