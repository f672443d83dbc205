/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/user.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"

static struct scar_err err;

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment\n"
			     "\n"
			     "broken:x:notanumber:0::/broken:\n"
			     "worker:x:1000:1001:A Worker:/home/worker:/bin/sh\n"
			     "1002:x:50:50::/named/as/number:\n"
			     "homeless:x:60:60:::\n"
			     "short:x:70";
static const char group[] = "root:x:0:\n"
			    "audio:x:29:someone,worker\n"
			    "video:x:44:workers,xworker\n"
			    "disk:x:6:worker,someone\n"
			    "staff:x:50:\n";

static struct scar_user found(const char *spec)
{
	struct scar_user user = {0};

	if (scar_user_find(passwd, group, spec, &user, &err) < 0)
		fail_msg("%s: %s", spec, err.msg);
	return user;
}

static void is(const char *spec, uint32_t uid, uint32_t gid, const char *home)
{
	scar_user_auto struct scar_user user = found(spec);

	if (user.uid != uid || user.gid != gid || strcmp(user.home, home) != 0)
		fail_msg("%s: %u:%u %s", spec ? spec : "NULL", user.uid, user.gid, user.home);
}

static void no_user_is_root(void **state)
{
	(void)state;
	is(NULL, 0, 0, "/root");
	is("", 0, 0, "/root");
	is(":", 0, 0, "/root");
}

static void names_and_numbers_are_looked_up(void **state)
{
	(void)state;
	is("worker", 1000, 1001, "/home/worker");
	is("1000", 1000, 1001, "/home/worker");
	is("homeless", 60, 60, "/");
	is("short", 70, 0, "/");
}

static void a_name_of_digits_is_a_name_where_it_comes_first(void **state)
{
	(void)state;
	is("1002", 50, 50, "/named/as/number");
}

static void an_unknown_number_is_itself(void **state)
{
	(void)state;
	is("4711", 4711, 0, "/");
	is("4711:4712", 4711, 4712, "/");
	is("4294967294", 4294967294U, 0, "/");
}

static void a_user_has_the_groups_that_list_it(void **state)
{
	scar_user_auto struct scar_user user = found("worker");

	(void)state;
	assert_int_equal(user.group_count, 2);
	assert_int_equal(user.groups[0], 29);
	assert_int_equal(user.groups[1], 6);
}

static void a_group_that_is_given_is_the_only_one(void **state)
{
	scar_user_auto struct scar_user user = found("worker:staff");

	(void)state;
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 50);
	assert_int_equal(user.group_count, 0);
	is(":audio", 0, 29, "/root");
}

static void an_unknown_name_is_an_error_that_names_it(void **state)
{
	static const char *const specs[] = {
		"nobody", "broken", "worker:nogroup", "4294967295", "99999999999999999999",
		"-1",     "worker "};
	struct scar_user user = {0};

	(void)state;
	for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
		if (scar_user_find(passwd, group, specs[i], &user, &err) == 0)
			fail_msg("%s is %u", specs[i], user.uid);
		assert_int_equal(err.kind, SCAR_ERR_IMAGE);
		assert_non_null(strstr(err.msg, "USER"));
	}
}

static void groups_are_bounded(void **state)
{
	scar_free_auto char *many = malloc(SCAR_USER_GROUPS_MAX * 64);
	scar_user_auto struct scar_user user = {0};
	size_t len = 0;

	(void)state;
	assert_non_null(many);
	for (int i = 0; i < SCAR_USER_GROUPS_MAX + 10; i++)
		len += (size_t)snprintf(many + len, 64, "g%d:x:%d:worker\n", i, i);
	assert_int_equal(scar_user_find(passwd, many, "worker", &user, &err), 0);
	assert_int_equal(user.group_count, SCAR_USER_GROUPS_MAX);
}

/* ---- in a rootfs ---- */

static char dir[64];
static int root_fd;

static int make_rootfs(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/scar-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : mkdirat(root_fd, "etc", 0755);
}

static int remove_rootfs(void **state)
{
	(void)state;
	close(root_fd);
	return scar_fs_remove_tree(AT_FDCWD, dir, &err);
}

static void an_image_without_etc_has_numbers_only(void **state)
{
	scar_user_auto struct scar_user user = {0};
	struct scar_user none = {0};

	(void)state;
	assert_int_equal(scar_user_resolve(root_fd, "12:34", &user, &err), 0);
	assert_int_equal(user.uid, 12);
	assert_int_equal(user.gid, 34);
	assert_int_equal(scar_user_resolve(root_fd, "worker", &none, &err), -1);
}

static void the_file_is_the_image_s_also_behind_an_absolute_link(void **state)
{
	scar_user_auto struct scar_user user = {0};

	(void)state;
	assert_int_equal(
		scar_fs_write_file(root_fd, "users", 0644, passwd, sizeof passwd - 1, &err), 0);
	assert_int_equal(symlinkat("/users", root_fd, "etc/passwd"), 0);
	assert_int_equal(scar_user_resolve(root_fd, "worker", &user, &err), 0);
	assert_string_equal(user.home, "/home/worker");
}

static void a_link_does_not_lead_to_the_users_of_this_machine(void **state)
{
	struct scar_user user = {0};

	(void)state;
	assert_int_equal(symlinkat("../../../../../../etc/passwd", root_fd, "etc/passwd"), 0);
	assert_int_equal(scar_user_resolve(root_fd, "daemon", &user, &err), -1);
}

static void a_fifo_is_refused_and_not_waited_for(void **state)
{
	struct scar_user user = {0};

	(void)state;
	assert_int_equal(mkfifoat(root_fd, "etc/passwd", 0644), 0);
	assert_int_equal(scar_user_resolve(root_fd, "root", &user, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_IMAGE);
}

#define IN_ROOTFS(test) cmocka_unit_test_setup_teardown(test, make_rootfs, remove_rootfs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_user_is_root),
		cmocka_unit_test(names_and_numbers_are_looked_up),
		cmocka_unit_test(a_name_of_digits_is_a_name_where_it_comes_first),
		cmocka_unit_test(an_unknown_number_is_itself),
		cmocka_unit_test(a_user_has_the_groups_that_list_it),
		cmocka_unit_test(a_group_that_is_given_is_the_only_one),
		cmocka_unit_test(an_unknown_name_is_an_error_that_names_it),
		cmocka_unit_test(groups_are_bounded),
		IN_ROOTFS(an_image_without_etc_has_numbers_only),
		IN_ROOTFS(the_file_is_the_image_s_also_behind_an_absolute_link),
		IN_ROOTFS(a_link_does_not_lead_to_the_users_of_this_machine),
		IN_ROOTFS(a_fifo_is_refused_and_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
