/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rootfs_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/fs.h"

#define SECRET "nobody may touch this"

void fixture_make_dir(char *path, size_t size)
{
	const char *where = getenv("TMPDIR");

	if (!where)
		where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, size, "%s/scar-test-XXXXXX", where);
	assert_non_null(mkdtemp(path));
}

void fixture_remove_dir(const char *path)
{
	struct scar_err err;

	if (scar_fs_remove_tree(AT_FDCWD, path, &err) < 0)
		fail_msg("%s", err.msg);
}

static void make_secret(const char *base, const char *name)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", base, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(SECRET, file);
	fclose(file);
	assert_int_equal(chmod(path, 0640), 0);
}

void fixture_init(struct fixture *fixture)
{
	char path[128];

	memset(fixture, 0, sizeof *fixture);
	fixture->root_fd = -1;
	image_init(&fixture->image);
	fixture_make_dir(fixture->base, sizeof fixture->base);
	make_secret(fixture->base, "secret");
	snprintf(path, sizeof path, "%s/outside", fixture->base);
	assert_int_equal(mkdir(path, 0750), 0);
	make_secret(fixture->base, "outside/secret");
	snprintf(path, sizeof path, "%s/work", fixture->base);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture->work_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->work_fd >= 0);
}

void fixture_clear(struct fixture *fixture)
{
	if (fixture->root_fd >= 0)
		close(fixture->root_fd);
	close(fixture->work_fd);
	free(fixture->owners_data);
	image_clear(&fixture->image);
	fixture_remove_dir(fixture->base);
}

void fixture_layer(struct fixture *fixture, struct tar_builder *tar)
{
	image_add_tar(&fixture->image, tar);
}

int fixture_unpack(struct fixture *fixture)
{
	const struct scar_unpack_options options = {
		.fetch = image_fetch,
		.fetch_ctx = &fixture->image,
		.cancel = &fixture->image.cancel,
		.in_flight = 3,
	};
	int result;

	scar_err_clear(&fixture->err);
	result = scar_unpack_image(&fixture->image.image, &options, fixture->work_fd, "fs",
				   "owners", &fixture->result, &fixture->err);
	fixture->root_fd = openat(fixture->work_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return result;
}

void fixture_must_unpack(struct fixture *fixture)
{
	if (fixture_unpack(fixture) < 0)
		fail_msg("%s", fixture->err.msg);
}

bool fixture_exists(const struct fixture *fixture, const char *path)
{
	return faccessat(fixture->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct stat fixture_stat(const struct fixture *fixture, const char *path)
{
	struct stat st;

	if (fstatat(fixture->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static bool file_holds(int dirfd, const char *path, const char *content)
{
	char text[4096];
	ssize_t n;
	int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text);
	close(fd);
	return n >= 0 && (size_t)n == strlen(content) && memcmp(text, content, (size_t)n) == 0;
}

bool fixture_holds(const struct fixture *fixture, const char *path, const char *content)
{
	return file_holds(fixture->root_fd, path, content);
}

bool fixture_links_to(const struct fixture *fixture, const char *path, const char *target)
{
	char text[4096];
	ssize_t n = readlinkat(fixture->root_fd, path, text, sizeof text);

	return n >= 0 && (size_t)n == strlen(target) && memcmp(text, target, (size_t)n) == 0;
}

static void read_owners(struct fixture *fixture)
{
	struct stat st;
	int fd = openat(fixture->work_fd, "owners", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	fixture->owners_size = (size_t)st.st_size;
	fixture->owners_data = malloc(fixture->owners_size);
	assert_non_null(fixture->owners_data);
	assert_int_equal(read(fd, fixture->owners_data, fixture->owners_size), st.st_size);
	close(fd);
}

const struct scar_owner *fixture_owner(struct fixture *fixture, const char *path)
{
	struct scar_owners owners = {0};

	if (!fixture->owners_data)
		read_owners(fixture);
	assert_int_equal(scar_owners_check(fixture->owners_data, fixture->owners_size, &owners), 0);
	return scar_owners_find(&owners, fixture_stat(fixture, path).st_ino);
}

/* One directory's names, "." and ".." included. */
static size_t count_names(const char *base, const char *name)
{
	char path[128];
	size_t count = 0;
	DIR *stream;

	snprintf(path, sizeof path, "%s/%s", base, name);
	stream = opendir(path);
	assert_non_null(stream);
	while (readdir(stream))
		count++;
	closedir(stream);
	return count;
}

static bool is_secret(const char *base, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", base, name);
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640 &&
	       st.st_nlink == 1 && file_holds(AT_FDCWD, path, SECRET);
}

bool fixture_untouched(const struct fixture *fixture)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/outside", fixture->base);
	return is_secret(fixture->base, "secret") && is_secret(fixture->base, "outside/secret") &&
	       lstat(path, &st) == 0 && (st.st_mode & 07777) == 0750 &&
	       count_names(fixture->base, "") == 5 && count_names(fixture->base, "outside") == 3 &&
	       count_names(fixture->base, "work") <= 4;
}
