/* SPDX-License-Identifier: Apache-2.0 */
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
#include <unistd.h>

#include <cmocka.h>

#include "invoke/engine/guest/path.h"

static char base[] = "/tmp/scar-path-XXXXXX";
static char root[64], shared[64];
static struct scar_guest guest;
static struct scar_path_context ctx;
static struct scar_where where;

static void in_root(void (*make)(const char *, const char *), const char *path, const char *text)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	make(full, text);
}

static void dir(const char *path, const char *unused)
{
	(void)unused;
	assert_int_equal(mkdir(path, 0755), 0);
}

static void file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void link_to(const char *path, const char *target)
{
	assert_int_equal(symlink(target, path), 0);
}

static int make_tree(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(root, sizeof(root), "%s/root", base);
	snprintf(shared, sizeof(shared), "%s/shared", base);
	dir(root, NULL);
	dir(shared, NULL);
	in_root(dir, "/usr", NULL);
	in_root(dir, "/usr/lib", NULL);
	in_root(file, "/usr/lib/so", "x");
	in_root(link_to, "/lib", "/usr/lib");
	in_root(link_to, "/out", "/../../../../etc");
	in_root(link_to, "/loop", "loop");
	in_root(link_to, "/dangling", "/nowhere/file");
	in_root(link_to, "/exe", "/proc/self/exe");
	guest = (struct scar_guest){.root = root, .root_len = strlen(root), .state_dir = base};
	guest.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(scar_guest_bind_add(&guest, "/proc", "/proc", SCAR_BIND_PROC), 0);
	assert_int_equal(scar_guest_bind_add(&guest, shared, "/mnt/shared", SCAR_BIND_READ_ONLY),
			 0);
	ctx = (struct scar_path_context){.guest = &guest, .exe = "/usr/lib/so"};
	return 0;
}

static int remove_tree(void **state)
{
	char command[128];

	(void)state;
	close(guest.root_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

static int resolve(const char *path, enum scar_path_follow follow)
{
	return scar_path_resolve(&ctx, AT_FDCWD, path, follow, &where);
}

static void absolute_links_stay_inside_the_root(void **state)
{
	(void)state;
	assert_int_equal(resolve("/lib/so", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr/lib/so");
	assert_int_equal(where.dir_fd, guest.root_fd);
	assert_int_equal(resolve("/out/passwd", SCAR_PATH_FOLLOW), -ENOENT);
	assert_int_equal(resolve("/out", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "etc");
}

static void dotdot_never_leaves_the_root(void **state)
{
	(void)state;
	assert_int_equal(resolve("/../../usr/../../usr/lib/../lib/so", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr/lib/so");
	assert_int_equal(resolve("/usr/lib/so/..", SCAR_PATH_FOLLOW), -ENOTDIR);
}

static void the_last_link_is_followed_only_if_asked(void **state)
{
	(void)state;
	assert_int_equal(resolve("/lib", SCAR_PATH_NOFOLLOW), 0);
	assert_string_equal(where.path, "lib");
	assert_int_equal(resolve("/lib/", SCAR_PATH_NOFOLLOW), 0);
	assert_string_equal(where.path, "usr/lib/");
	assert_int_equal(resolve("/lib/", SCAR_PATH_PARENT), 0);
	assert_string_equal(where.path, "lib/");
	assert_int_equal(resolve("/loop", SCAR_PATH_FOLLOW), -ELOOP);
	assert_int_equal(resolve("/dangling", SCAR_PATH_FOLLOW), -ENOENT);
}

static void a_missing_last_name_is_no_error(void **state)
{
	char name[300];

	(void)state;
	assert_int_equal(resolve("/usr/new", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr/new");
	assert_int_equal(resolve("/usr/no/new", SCAR_PATH_FOLLOW), -ENOENT);
	assert_int_equal(resolve("", SCAR_PATH_FOLLOW), -ENOENT);
	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[256] = '\0';
	assert_int_equal(resolve(name, SCAR_PATH_FOLLOW), 0);
	name[256] = 'n';
	name[257] = '\0';
	assert_int_equal(resolve(name, SCAR_PATH_FOLLOW), -ENAMETOOLONG);
}

static void binds_are_crossed_both_ways(void **state)
{
	char expected[128];

	(void)state;
	/* The mount point need not exist in the rootfs only if its parent does not either: */
	in_root(dir, "/mnt", NULL);
	assert_int_equal(resolve("/mnt/shared/f", SCAR_PATH_FOLLOW), 0);
	snprintf(expected, sizeof(expected), "%s/f", shared);
	assert_string_equal(where.path, expected);
	assert_true(where.read_only);
	assert_int_equal(resolve("/mnt/shared/../../usr", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr");
	assert_false(where.read_only);
}

static void procfs_shows_the_guests_program(void **state)
{
	static char self[4096];

	(void)state;
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	ctx.exe_host = self;
	assert_int_equal(resolve("/proc/self/exe", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr/lib/so");
	assert_int_equal(resolve("/exe", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr/lib/so");
	assert_int_equal(resolve("/proc/self/root/usr", SCAR_PATH_FOLLOW), 0);
	assert_string_equal(where.path, "usr");
}

static void host_paths_are_shown_as_the_guests(void **state)
{
	char buf[SCAR_GUEST_PATH_MAX];

	(void)state;
	snprintf(buf, sizeof(buf), "%s/usr/lib", root);
	assert_int_equal(scar_path_to_guest(&guest, buf, sizeof(buf)), 8);
	assert_string_equal(buf, "/usr/lib");
	snprintf(buf, sizeof(buf), "%s", root);
	assert_int_equal(scar_path_to_guest(&guest, buf, sizeof(buf)), 1);
	assert_string_equal(buf, "/");
	snprintf(buf, sizeof(buf), "%s/x", shared);
	assert_int_equal(scar_path_to_guest(&guest, buf, sizeof(buf)), 13);
	assert_string_equal(buf, "/mnt/shared/x");
	snprintf(buf, sizeof(buf), "%s-else", root);
	assert_int_equal(scar_path_to_guest(&guest, buf, sizeof(buf)), -ENOENT);
}

static void plain_paths_cross_no_bind(void **state)
{
	(void)state;
	assert_true(scar_path_is_plain(&guest, "/usr/lib/so"));
	assert_false(scar_path_is_plain(&guest, "usr/../x"));
	assert_false(scar_path_is_plain(&guest, "shared"));
	assert_false(scar_path_is_plain(&guest, "a/proc/b"));
	assert_true(scar_path_is_plain(&guest, "a/procs/b..c/.../x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute_links_stay_inside_the_root),
		cmocka_unit_test(dotdot_never_leaves_the_root),
		cmocka_unit_test(the_last_link_is_followed_only_if_asked),
		cmocka_unit_test(a_missing_last_name_is_no_error),
		cmocka_unit_test(binds_are_crossed_both_ways),
		cmocka_unit_test(procfs_shows_the_guests_program),
		cmocka_unit_test(host_paths_are_shown_as_the_guests),
		cmocka_unit_test(plain_paths_cross_no_bind),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
