/* SPDX-License-Identifier: Apache-2.0 */
/* How names are resolved: absolute, relative, through links, past the root, at the length limits. */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

/* The runner puts a file of this name into the host's root and nowhere into the guest. */
#define CANARY "/scar-canary-of-the-host"

static void see_stat(const char *label, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		see("stat %s: %s", label, errno_name(errno));
	else
		see("stat %s: type %o size %lld", label, st.st_mode & S_IFMT,
		    S_ISREG(st.st_mode) ? (long long)st.st_size : 0);
	if (lstat(path, &st) < 0)
		see("lstat %s: %s", label, errno_name(errno));
	else
		see("lstat %s: type %o", label, st.st_mode & S_IFMT);
}

static void see_cwd(const char *label)
{
	char cwd[PATH_MAX];

	see("%s: %s", label, getcwd(cwd, sizeof(cwd)) ? cwd : errno_name(errno));
}

static void links(void)
{
	mkdir("d", 0755);
	put_file("d/f", "content");
	symlink("d/f", "relative");
	symlink("/conform/path_links/d/f", "absolute");
	symlink("/conform/path_links/d", "to-dir");
	symlink("../../../../../../../../conform/path_links/d/f", "climbs");
	symlink("nothing", "dangling");
	symlink("loop-b", "loop-a");
	symlink("loop-a", "loop-b");
	symlink("", "empty");
	static const char *const names[] = {
		"relative", "absolute", "to-dir",   "to-dir/",    "to-dir/f",  "to-dir/../d/f",
		"to-dir/.", "climbs",   "dangling", "loop-a",     "d/f/",      "d/f/.",
		"d/",       "d//f",     "./d/./f",  "dangling/x", "relative/x"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		see_stat(names[i], names[i]);
	see_file("open absolute", "absolute");
	see_file("open climbs", "climbs");
	char target[256];
	ssize_t n = readlink("absolute", target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	see("readlink absolute: '%s'", target);
	see_result("readlink short buffer", readlink("absolute", target, 5));
	see_result("readlink file", readlink("d/f", target, sizeof(target)));
	see_ok("open O_NOFOLLOW", open("absolute", O_RDONLY | O_NOFOLLOW));
	see_ok("open O_NOFOLLOW|O_PATH", open("absolute", O_PATH | O_NOFOLLOW));
	see_ok("open O_CREAT through dangling", open("dangling", O_WRONLY | O_CREAT, 0644));
	see_stat("nothing", "nothing");
	see_ok("open O_CREAT|O_EXCL on link", open("relative", O_WRONLY | O_CREAT | O_EXCL, 0644));
	see_ok("open O_DIRECTORY on file", open("relative", O_RDONLY | O_DIRECTORY));
	see_ok("open O_CREAT with slash", open("new/", O_WRONLY | O_CREAT, 0644));
	see_ok("mkdir with slash", mkdir("new-dir/", 0755));
	see_ok("unlink link", unlink("absolute"));
	see_stat("d/f", "d/f");
}

static void deep_links(void)
{
	char name[32], target[32];

	put_file("0", "end of the chain");
	for (int i = 1; i <= 45; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(target, sizeof(target), "%d", i - 1);
		symlink(target, name);
	}
	see_file("39 links", "39");
	see_file("40 links", "40");
	see_file("41 links", "41");
}

static void root_bounds(void)
{
	see_stat("/..", "/..");
	see_stat("/../../..", "/../../..");
	see_stat("host canary", CANARY);
	see_stat("host canary by ..", "../../../../../../../../../../" CANARY);
	see_stat("host canary by /..", "/../../../.." CANARY);
	symlink("../../../../../../../.." CANARY, "climb");
	see_stat("host canary by link", "climb");
	symlink(CANARY, "abs");
	see_stat("host canary by absolute link", "abs");
	see_ok("chdir /", chdir("/"));
	see_ok("chdir ..", chdir(".."));
	see_cwd("cwd after cd / ..");
	see_stat("host canary from /", "../" CANARY);
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	see_ok("openat root fd ..", openat(fd, "..", O_RDONLY | O_DIRECTORY));
	see_ok("openat root fd canary", openat(fd, ".." CANARY, O_RDONLY));
	int up = openat(fd, "../..", O_PATH);
	struct stat a, b;
	if (fstat(up, &a) == 0 && stat("/", &b) == 0)
		see("../.. of / is /: %d", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	see_ok("fchdir", fchdir(up));
	see_cwd("cwd");
	see_ok("canary through /proc/self/root", open("/proc/self/root" CANARY, O_RDONLY));
	see_ok("canary through /proc/self/cwd", open("/proc/self/cwd/.." CANARY, O_RDONLY));
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d/../.." CANARY, fd);
	see_ok("canary through /proc/self/fd", open(name, O_RDONLY));
}

static void lengths(void)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	put_file(name, "long");
	see_file("255 bytes", name);
	char link_name[300];
	memset(link_name, 'l', sizeof(link_name));
	link_name[255] = '\0';
	see_ok("link 255", link(name, link_name));
	see_ok("rename 255", rename(link_name, "short"));
	name[255] = 'n';
	name[256] = '\0';
	see_ok("256 bytes", open(name, O_RDONLY));

	/* A path of PATH_MAX - 1 bytes is the longest that any call takes. */
	static char path[PATH_MAX + 64];
	size_t at = 0;
	while (at + 2 < PATH_MAX - 1 - 6) {
		path[at++] = '.';
		path[at++] = '/';
	}
	strcpy(path + at, "short");
	while (strlen(path) < PATH_MAX - 1)
		memmove(path + 1, path, strlen(path) + 1), path[0] = '.', path[1] = '/';
	path[PATH_MAX - 1] = '\0';
	see("length %zu", strlen(path));
	see_stat("PATH_MAX-1 of ./", path);
	memset(path, '/', PATH_MAX);
	path[PATH_MAX] = '\0';
	see_stat("PATH_MAX slashes", path);
	see_stat("empty", "");

	/* A working directory deeper than PATH_MAX. */
	char part[101];
	memset(part, 'd', 100);
	part[100] = '\0';
	int depth = 0;
	for (; depth < 45; depth++)
		if (mkdir(part, 0755) < 0 || chdir(part) < 0)
			break;
	see("depth %d", depth);
	put_file("deep", "deep file");
	see_file("relative in the deep", "deep");
	char cwd[PATH_MAX];
	see("getcwd in the deep: %s", getcwd(cwd, sizeof(cwd)) ? "ok" : errno_name(errno));
	see_stat("..", "..");
	see_ok("mkdir in the deep", mkdir("x", 0755));
	see_ok("rename in the deep", rename("x", "./y"));
	symlink("../deep-link", "climbing-link");
	see_stat("a link that climbs", "climbing-link");
	symlink("/conform/path_lengths/short", "absolute-link");
	see_file("an absolute link in the deep", "absolute-link");
	put_file("../deep-link", "up");
	see_file("through ..", "../deep-link");
	see_file("through y/..", "y/../deep");
	see_stat("y/../", "y/../");
	see_ok("chmod ../deep-link", chmod("../deep-link", 0600));
	see_ok("truncate ../deep-link", truncate("../deep-link", 1));
	see_file("through .. now", "../deep-link");
	see_ok("unlink ../deep-link", unlink("../deep-link"));
	see_ok("missing", access("../missing", F_OK));
	see_ok("missing/x", access("../missing/x", F_OK));
	see_ok("deep/x", access("../deep/deep", F_OK));
	see_stat("canary from the deep",
		 "../../../../../../../../../../../../../../../../../../../../../../../../../../../"
		 "../../../../../../../../../../../../../../../../../../../../../../../../../../"
		 "../../scar-canary-of-the-host");
	see_stat("the root from the deep",
		 "../../../../../../../../../../../../../../../../../../../../../../../../../../../"
		 "../../../../../../../../../../../../../../../../../../../../../../../../../../"
		 "../../conform/path_lengths");
	see_ok("chdir up", chdir("../../../.."));
	see_stat("still deep", ".");
	see_ok("chdir up to where names fit", chdir("../../../../../../../../../.."));
	see_stat("..", "..");
}

static void long_absolute(void)
{
	/* The longest absolute name whose directories all exist. */
	char path[PATH_MAX + 1] = "/conform/path_long_absolute";
	char part[202];

	part[0] = '/';
	memset(part + 1, 'a', 200);
	part[201] = '\0';
	while (strlen(path) + 201 < PATH_MAX - 210) {
		strcat(path, part);
		if (mkdir(path, 0755) < 0) {
			see("mkdir at %zu: %s", strlen(path), errno_name(errno));
			return;
		}
	}
	size_t left = PATH_MAX - 1 - strlen(path) - 1;
	size_t len = left > 255 ? 255 : left;
	size_t at = strlen(path);
	path[at] = '/';
	memset(path + at + 1, 'z', len);
	path[at + 1 + len] = '\0';
	see("length %zu", strlen(path));
	put_file(path, "at the limit");
	see_file("read", path);
	see_stat("stat", path);
	see_ok("chmod", chmod(path, 0600));
	see_ok("truncate", truncate(path, 2));
	see_ok("utime", utime(path, NULL));
	see_ok("setxattr", setxattr(path, "user.scar", "v", 1, 0));
	see_ok("lgetxattr", lgetxattr(path, "user.scar", NULL, 0));
	see_ok("statfs", statfs(path, &(struct statfs){0}));
	see_ok("rename", rename(path, "/conform/path_long_absolute/moved"));
	see_ok("link", link("/conform/path_long_absolute/moved", path));
	see_ok("unlink", unlink(path));
	see_ok("mkdir", mkdir(path, 0755));
	see_ok("chdir", chdir(path));
	see_ok("rmdir", rmdir(path));
}

static void getcwd_cases(void)
{
	char small[4];

	see_cwd("cwd");
	mkdir("a", 0755);
	mkdir("a/b", 0755);
	symlink("a/b", "link");
	see_ok("chdir link", chdir("link"));
	see_cwd("cwd through a link");
	errno = 0;
	see("getcwd small: %s", getcwd(small, sizeof(small)) ? "ok" : errno_name(errno));
	pid_t pid = fork();
	if (pid == 0) {
		_exit(rename("/conform/path_getcwd/a", "/conform/path_getcwd/renamed") ? 1 : 0);
	}
	see_child("rename by another process", pid);
	see_cwd("cwd after the rename");
	see_file("relative after the rename", "../../renamed/none");
	rmdir("/conform/path_getcwd/renamed/b");
	see_cwd("cwd removed");
	see_ok("create in removed cwd", open("x", O_WRONLY | O_CREAT, 0644));
	see_ok("chdir missing", chdir("/no/such"));
	put_file("/conform/path_getcwd/file", "x");
	see_ok("chdir file", chdir("/conform/path_getcwd/file"));
	see_ok("chdir ''", chdir(""));
	int fd = open("/conform/path_getcwd", O_RDONLY | O_DIRECTORY);
	see_ok("fchdir", fchdir(fd));
	see_cwd("cwd after fchdir");
	see_ok("chdir a dir without x is for root", chdir("renamed"));
}

static void by_dirfd(void)
{
	mkdir("d", 0755);
	put_file("d/f", "by dirfd");
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	int path_fd = open("d", O_PATH);
	int file = open("d/f", O_RDONLY);
	int file_path = open("d/f", O_PATH);
	struct stat st;

	see_ok("openat", openat(fd, "f", O_RDONLY));
	see_ok("openat O_PATH dir", openat(path_fd, "f", O_RDONLY));
	see_ok("openat of a file", openat(file, "f", O_RDONLY));
	see_ok("openat bad fd", openat(777, "f", O_RDONLY));
	see_ok("openat bad fd absolute", openat(777, "/conform", O_RDONLY));
	see_ok("openat empty", openat(fd, "", O_RDONLY));
	see_ok("fstatat empty without flag", fstatat(fd, "", &st, 0));
	see_ok("fstatat empty with AT_EMPTY_PATH", fstatat(file, "", &st, AT_EMPTY_PATH));
	see("size by empty path: %lld", (long long)st.st_size);
	see_ok("fstatat empty on O_PATH", fstatat(file_path, "", &st, AT_EMPTY_PATH));
	see_ok("fstatat AT_FDCWD empty", fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	see("cwd is a directory: %d", S_ISDIR(st.st_mode));
	see_ok("linkat AT_EMPTY_PATH", linkat(file, "", AT_FDCWD, "linked", AT_EMPTY_PATH));
	see_ok("faccessat", faccessat(fd, "f", R_OK, 0));
	see_ok("unlinkat", unlinkat(fd, "f", 0));
	see_ok("unlinkat again", unlinkat(fd, "f", 0));
	see_ok("mkdirat", mkdirat(fd, "sub", 0755));
	see_ok("symlinkat", symlinkat("/conform", fd, "s"));
	see_ok("openat through an absolute link", openat(fd, "s/path_dirfd/d", O_RDONLY));
	see_ok("renameat", renameat(fd, "sub", AT_FDCWD, "moved"));
	see_ok("unlinkat AT_REMOVEDIR", unlinkat(AT_FDCWD, "moved", AT_REMOVEDIR));
	see_ok("stat moved", stat("moved", &st));
	int link_fd = open("d/s", O_PATH | O_NOFOLLOW);
	char target[64];
	ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	see("readlinkat empty path: '%s' %s", target, n < 0 ? errno_name(errno) : "");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void listings(void)
{
	char *names[64];
	size_t count = 0;

	put_file("b", "");
	put_file("a", "");
	mkdir("c", 0755);
	symlink("a", "d");
	DIR *dir = opendir(".");
	for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
		char line[300];
		snprintf(line, sizeof(line), "%s type %d", e->d_name, e->d_type);
		if (count < 64)
			names[count++] = strdup(line);
	}
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++)
		see("%s", names[i]);
	see_ok("opendir file", open("a", O_RDONLY | O_DIRECTORY));
}

static void trailing_slash(void)
{
	put_file("f", "x");
	mkdir("d", 0755);
	symlink("d", "l");
	see_ok("rename f g/", rename("f", "g/"));
	see_ok("rename d e/", rename("d", "e/"));
	see_ok("rmdir e/", rmdir("e/"));
	see_ok("unlink f/", unlink("f/"));
	mkdir("d", 0755);
	see_ok("unlink d", unlink("d"));
	see_ok("rmdir l", rmdir("l"));
	see_ok("rmdir l/", rmdir("l/"));
	see_ok("rmdir .", rmdir("."));
	see_ok("rmdir ..", rmdir(".."));
	see_ok("unlink l/", unlink("l/"));
	see_ok("symlink x y/", symlink("x", "y/"));
	see_ok("link f h/", link("f", "h/"));
	see_ok("rename . x", rename(".", "x"));
	see_ok("mkdir /", mkdir("/", 0755));
	see_ok("rmdir /", rmdir("/"));
	see_ok("mkdir d", mkdir("d", 0755));
	/* Names that are none: each call refuses them in its own way. */
	mkdir("d/e", 0755);
	static const char *const dots[] = {"/",     "///",    "/.",     "/..",
					   "d/e/.", "d/e/..", "d/e/./", "."};
	for (size_t i = 0; i < sizeof(dots) / sizeof(dots[0]); i++) {
		see("'%s'", dots[i]);
		see_ok("rmdir", rmdir(dots[i]));
		see_ok("unlink", unlink(dots[i]));
		see_ok("mkdir", mkdir(dots[i], 0755));
		see_ok("mknod", mknod(dots[i], S_IFREG | 0644, 0));
		see_ok("symlink", symlink("x", dots[i]));
		see_ok("link", link("f", dots[i]));
		see_ok("rename from", rename(dots[i], "renamed"));
		see_ok("rename to", rename("f", dots[i]));
		struct stat st;
		see_ok("lstat", lstat(dots[i], &st));
	}
	see_ok("d/e is still there", access("d/e", F_OK));
	see_ok("lstat ..", lstat("d/..", &(struct stat){0}));
	see_ok("open missing/../f", open("missing/../f", O_RDONLY));
	see_ok("open f/../f", open("f/../f", O_RDONLY));
}

CONFORM_GROUP(paths, {"path_links", links}, {"path_deep_links", deep_links},
	      {"path_root_bounds", root_bounds}, {"path_lengths", lengths},
	      {"path_long_absolute", long_absolute}, {"path_getcwd", getcwd_cases},
	      {"path_dirfd", by_dirfd}, {"path_listings", listings},
	      {"path_trailing_slash", trailing_slash});
