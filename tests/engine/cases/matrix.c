/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every system call that takes a path with every kind of path: what it returns and what it leaves behind. Each
 * cell starts from the same files. Among the paths is one that only the host has, which none may reach.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Machines of other kinds are emulated here, and slow: each call meets one path in four there, not the same ones. */
#if defined(__x86_64__)
#define STRIDE 1
#else
#define STRIDE 4
#endif

#define CANARY "/scar-canary-of-the-host"

/* Arguments that stand for something else; no call has them as a value. */
enum { DIR_ = -1000, PATH, OTHER, OUT, HOW, ARGV, ATTRIBUTE, WATCH };
enum shows { NOTHING, STAT, STATX, TEXT, CONTENT };

struct call {
	const char *name;
	long nr;
	long args[6];
	int flags_arg; /* counted from 1; 0: it has none */
	int flag;      /* tried besides 0 and AT_EMPTY_PATH */
	enum shows shows;
};

#define FOLLOW AT_SYMLINK_FOLLOW
#define NOFOLLOW AT_SYMLINK_NOFOLLOW

static const struct call calls[] = {
#if defined(__x86_64__)
	{"open", SYS_open, {PATH, O_RDONLY | O_CLOEXEC}, .shows = CONTENT},
	{"open O_CREAT", SYS_open, {PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0640}, .shows = CONTENT},
	{"open O_EXCL", SYS_open, {PATH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640}},
	{"open O_PATH|O_NOFOLLOW", SYS_open, {PATH, O_PATH | O_NOFOLLOW | O_CLOEXEC}},
	{"open O_DIRECTORY", SYS_open, {PATH, O_DIRECTORY | O_CLOEXEC}},
	{"creat", SYS_creat, {PATH, 0600}},
	{"stat", SYS_stat, {PATH, OUT}, .shows = STAT},
	{"lstat", SYS_lstat, {PATH, OUT}, .shows = STAT},
	{"access", SYS_access, {PATH, R_OK}},
	{"readlink", SYS_readlink, {PATH, OUT, 300}, .shows = TEXT},
	{"chown", SYS_chown, {PATH, 7, 8}},
	{"lchown", SYS_lchown, {PATH, 7, 8}},
	{"rename", SYS_rename, {PATH, OTHER}},
	{"rename to", SYS_rename, {OTHER, PATH}},
	{"mkdir", SYS_mkdir, {PATH, 0750}},
	{"rmdir", SYS_rmdir, {PATH}},
	{"link", SYS_link, {PATH, OTHER}},
	{"link to", SYS_link, {OTHER, PATH}},
	{"unlink", SYS_unlink, {PATH}},
	{"symlink", SYS_symlink, {OTHER, PATH}},
	{"chmod", SYS_chmod, {PATH, 0601}},
	{"utime", SYS_utime, {PATH, 0}},
	{"utimes", SYS_utimes, {PATH, 0}},
	{"mknod", SYS_mknod, {PATH, S_IFIFO | 0640, 0}},
	{"futimesat", SYS_futimesat, {DIR_, PATH, 0}},
#endif
	{"openat", SYS_openat, {DIR_, PATH, O_RDONLY | O_CLOEXEC}, .shows = CONTENT},
	{"openat O_TRUNC", SYS_openat, {DIR_, PATH, O_WRONLY | O_TRUNC | O_CLOEXEC}},
	{"openat O_TMPFILE", SYS_openat, {DIR_, PATH, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600}},
	{"newfstatat", SYS_newfstatat, {DIR_, PATH, OUT}, 4, NOFOLLOW, STAT},
	{"faccessat", SYS_faccessat, {DIR_, PATH, W_OK}},
	{"readlinkat", SYS_readlinkat, {DIR_, PATH, OUT, 300}, .shows = TEXT},
	{"fchownat", SYS_fchownat, {DIR_, PATH, 5, 6}, 5, NOFOLLOW},
	{"mkdirat", SYS_mkdirat, {DIR_, PATH, 0711}},
	{"mknodat", SYS_mknodat, {DIR_, PATH, S_IFREG | 0644, 0}},
	{"unlinkat", SYS_unlinkat, {DIR_, PATH}, 3, AT_REMOVEDIR},
	{"renameat", SYS_renameat, {DIR_, PATH, DIR_, OTHER}},
	{"renameat to", SYS_renameat, {DIR_, OTHER, DIR_, PATH}},
	{"renameat2", SYS_renameat2, {DIR_, PATH, DIR_, OTHER}, 5, 2 /* RENAME_EXCHANGE */},
	{"linkat", SYS_linkat, {DIR_, PATH, DIR_, OTHER}, 5, FOLLOW},
	{"linkat to", SYS_linkat, {DIR_, OTHER, DIR_, PATH}, 5, FOLLOW},
	{"symlinkat", SYS_symlinkat, {OTHER, DIR_, PATH}},
	{"fchmodat", SYS_fchmodat, {DIR_, PATH, 0604}},
	{"utimensat", SYS_utimensat, {DIR_, PATH, 0}, 4, NOFOLLOW},
	{"statfs", SYS_statfs, {PATH, OUT}},
	{"truncate", SYS_truncate, {PATH, 2}},
	{"chdir", SYS_chdir, {PATH}},
	{"setxattr", SYS_setxattr, {PATH, ATTRIBUTE, OUT, 3}},
	{"lsetxattr", SYS_lsetxattr, {PATH, ATTRIBUTE, OUT, 3}},
	{"getxattr", SYS_getxattr, {PATH, ATTRIBUTE, OUT, 30}},
	{"lgetxattr", SYS_lgetxattr, {PATH, ATTRIBUTE, OUT, 30}},
	{"listxattr", SYS_listxattr, {PATH, OUT, 300}},
	{"llistxattr", SYS_llistxattr, {PATH, OUT, 300}},
	{"removexattr", SYS_removexattr, {PATH, ATTRIBUTE}},
	{"lremovexattr", SYS_lremovexattr, {PATH, ATTRIBUTE}},
	{"name_to_handle_at", SYS_name_to_handle_at, {DIR_, PATH, OUT, OUT}, 5, FOLLOW},
	{"execve", SYS_execve, {PATH, ARGV, 0}},
	{"execveat", SYS_execveat, {DIR_, PATH, ARGV, 0}, 5, NOFOLLOW},
};

/* What kernels before 5.10 lack, and what is newer than most. */
static const struct call newer[] = {
	{"openat2", SYS_openat2, {DIR_, PATH, HOW, sizeof(struct open_how)}, .shows = CONTENT},
	{"statx", SYS_statx, {DIR_, PATH, 0, STATX_BASIC_STATS, OUT}, 3, NOFOLLOW, STATX},
	{"faccessat2", SYS_faccessat2, {DIR_, PATH, R_OK}, 4, NOFOLLOW},
	{"fchmodat2", 452, {DIR_, PATH, 0610}, 4, NOFOLLOW},
	{"setxattrat", 463, {DIR_, PATH, 0, ATTRIBUTE, HOW, 16}, 3, NOFOLLOW},
	{"getxattrat", 464, {DIR_, PATH, 0, ATTRIBUTE, HOW, 16}, 3, NOFOLLOW},
	{"listxattrat", 465, {DIR_, PATH, 0, OUT, 300}, 3, NOFOLLOW},
	{"removexattrat", 466, {DIR_, PATH, 0, ATTRIBUTE}, 3, NOFOLLOW},
	{"file_getattr", 468, {DIR_, PATH, OUT, 24}, 5, NOFOLLOW},
	{"file_setattr", 469, {DIR_, PATH, HOW, 24}, 5, NOFOLLOW},
};

/* inotify, which Lambda does not have. */
static const struct call watching[] = {
	{"inotify_add_watch", SYS_inotify_add_watch, {WATCH, PATH, IN_MODIFY}, 0, 0},
	{"inotify_add_watch IN_DONT_FOLLOW",
	 SYS_inotify_add_watch,
	 {WATCH, PATH, IN_MODIFY | IN_DONT_FOLLOW}},
	{"inotify_add_watch IN_ONLYDIR",
	 SYS_inotify_add_watch,
	 {WATCH, PATH, IN_MODIFY | IN_ONLYDIR}},
};

static char here[PATH_MAX], name_255[256], name_256[257], padded[PATH_MAX], too_long[PATH_MAX + 1];
static char absolute[PATH_MAX + 64], up[PATH_MAX + 64], escape[256];

struct form {
	const char *name, *path;
};

static const struct form forms[] = {
	{"absolute", absolute},
	{"relative", "file"},
	{"below", "dir/in"},
	{"dots", "./dir/.././file"},
	{"empty", ""},
	{"link", "l"},
	{"absolute link", "la"},
	{"link to a directory", "ld"},
	{"through it", "ld/in"},
	{"dangling link", "dangling"},
	{"loop", "loop"},
	{"slash behind a file", "file/"},
	{"slash behind a directory", "dir/"},
	{"slash behind a link", "ld/"},
	{"slash behind nothing", "none/"},
	{"dot behind a directory", "dir/."},
	{"dot", "."},
	{"up and back", up},
	{"doubled slashes", "dir///in"},
	{"nothing", "none"},
	{"below nothing", "none/x"},
	{"below a file", "file/x"},
	{"255 bytes", name_255},
	{"256 bytes", name_256},
	{"PATH_MAX", padded},
	{"too long", too_long},
	{"the root", "/"},
	{"above the root", "/.."},
	{"of the host", CANARY},
	{"of the host by ..", escape},
	{"of the host by a link", "lc"},
	{"of the host by /proc", "/proc/self/root" CANARY},
	{"of the host by cwd", "/proc/self/cwd/../../../../../.." CANARY},
};

static void prepare_forms(void)
{
	getcwd(here, sizeof(here));
	snprintf(absolute, sizeof(absolute), "%s/file", here);
	snprintf(up, sizeof(up), "../../../../../../..%s/file", here);
	snprintf(escape, sizeof(escape), "../../../../../../../../..%s", CANARY);
	memset(name_255, 'n', 255);
	memset(name_256, 'm', 256);
	for (size_t i = 0; i + 2 < PATH_MAX - 5; i += 2)
		memcpy(padded + i, "./", 2);
	memset(padded + PATH_MAX - 1 - 5, '/', 1);
	memcpy(padded + PATH_MAX - 5, "file", 5);
	memset(too_long, '/', PATH_MAX);
}

static void empty_directory(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	char name[PATH_MAX];

	while (list && (entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0) {
			empty_directory(name);
			rmdir(name);
		}
	}
	if (list)
		closedir(list);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names, kinds, modes, owners and sizes below `here`, as one line. */
static size_t describe(const char *path, char *out, size_t size)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	char *names[64], name[PATH_MAX];
	size_t count = 0, at = 0;
	struct stat root;

	if (path == here && lstat("/", &root) == 0)
		at += (size_t)snprintf(out, size, " /:%o:%d:%d", root.st_mode, (int)root.st_uid,
				       (int)root.st_gid);

	while (list && (entry = readdir(list)) && count < 64)
		if (entry->d_name[0] != '.')
			names[count++] = strdup(entry->d_name);
	if (list)
		closedir(list);
	qsort(names, count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < count; i++) {
		struct stat st = {0};

		snprintf(name, sizeof(name), "%s/%s", path, names[i]);
		lstat(name, &st);
		at += (size_t)snprintf(out + at, size - at, " %.12s:%o:%d:%d:%lld:%d", names[i],
				       st.st_mode, (int)st.st_uid, (int)st.st_gid,
				       S_ISDIR(st.st_mode) ? 0 : (long long)st.st_size,
				       S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink);
		if (S_ISDIR(st.st_mode))
			at += describe(name, out + at, size - at);
		free(names[i]);
	}
	return at;
}

static void make_files(void)
{
	unlink(CANARY);
	rmdir(CANARY);
	empty_directory(here);
	chdir(here);
	chmod(here, 0777);
	lchown(here, 0, 0);
	chmod("/", 0755);
	lchown("/", 0, 0);
	removexattr("/", "user.scar");
	put_file("file", "text");
	put_file("other", "another");
	put_file(name_255, "long");
	mkdir("dir", 0755);
	put_file("dir/in", "inside");
	symlink("file", "l");
	symlink(absolute, "la");
	symlink("dir", "ld");
	symlink("nowhere", "dangling");
	symlink("loop", "loop");
	symlink(CANARY, "lc");
}

static union {
	struct stat stat;
	struct statx statx;
	char text[4096];
	uint64_t words[8];
} out;

static void show_result(const struct call *c, long result, char *text, size_t size)
{
	text[0] = '\0';
	if (result < 0)
		snprintf(text, size, "%s", errno_name(errno));
	else if (c->shows == STAT)
		snprintf(text, size, "ok %o %lld", out.stat.st_mode,
			 S_ISREG(out.stat.st_mode) ? (long long)out.stat.st_size : 0);
	else if (c->shows == STATX)
		snprintf(text, size, "ok %o %lld", out.statx.stx_mode,
			 S_ISREG(out.statx.stx_mode) ? (long long)out.statx.stx_size : 0);
	else if (c->shows == TEXT)
		snprintf(text, size, "ok %.*s", (int)result, out.text);
	else if (c->shows == CONTENT) {
		char content[32] = "";

		read((int)result, content, sizeof(content) - 1);
		snprintf(text, size, "ok '%s'", content);
	} else
		snprintf(text, size, "ok");
	if (result > 2 && strstr(c->name, "open"))
		close((int)result);
}

static long perform(const struct call *c, const char *path, int dir, int flags)
{
	static struct open_how how;
	static char *argv[] = {"x", NULL};
	long a[6];

	memset(&out, 0, sizeof(out));
	memset(&how, 0, sizeof(how));
	for (int i = 0; i < 6; i++) {
		switch (a[i] = c->args[i]) {
		case DIR_: a[i] = dir; break;
		case PATH: a[i] = (long)path; break;
		case OTHER: a[i] = (long)"other"; break;
		case OUT: a[i] = (long)&out; break;
		case HOW: a[i] = (long)&how; break;
		case ARGV: a[i] = (long)argv; break;
		case ATTRIBUTE: a[i] = (long)"user.scar"; break;
		case WATCH: a[i] = inotify_init1(IN_CLOEXEC); break;
		default: break;
		}
	}
	if (c->flags_arg)
		a[c->flags_arg - 1] |= flags;
	long result = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (c->args[0] == WATCH) {
		int saved = errno;

		close((int)a[0]);
		errno = saved;
	}
	return result;
}

static void see_cell(const struct call *c, const struct form *f, int dir, int flags)
{
	char result[512], files[4096], label[128];

	show_result(c, perform(c, f->path, dir, flags), result, sizeof(result));
	snprintf(label, sizeof(label), "%s%s%s%s", c->name,
		 dir == AT_FDCWD ? "" : " of a directory",
		 flags & AT_EMPTY_PATH ? " AT_EMPTY_PATH" : "",
		 flags & ~AT_EMPTY_PATH ? " with its flag" : "");
	chdir(here);
	describe(here, files, sizeof(files));
	see("%s, %s: %s |%s", label, f->name, result, files);
}

/* Whether anything has changed is what takes the time, so only then all is made again. */
static void see_cells(const struct call *c, int dir, int flags)
{
	static size_t first;
	char before[4096], after[4096];

	make_files();
	describe(here, before, sizeof(before));
	for (size_t i = first++ % STRIDE; i < sizeof(forms) / sizeof(forms[0]); i += STRIDE) {
		/* So that nothing but the descriptor leads there. */
		if (dir != AT_FDCWD)
			chdir("/");
		see_cell(c, &forms[i], dir, flags);
		describe(here, after, sizeof(after));
		if (strcmp(before, after) != 0 || access(CANARY, F_OK) == 0)
			make_files();
	}
}

static bool has(const struct call *c, long what)
{
	for (int i = 0; i < 6; i++)
		if (c->args[i] == what)
			return true;
	return false;
}

static void see_call(const struct call *c)
{
	const int flags[] = {0, AT_EMPTY_PATH, c->flag};

	/* A kernel without it says so whatever it is asked. */
	if (syscall(c->nr, -1, NULL, 0, 0, 0, 0) < 0 && errno == ENOSYS) {
		see("%s: not there", c->name);
		return;
	}
	for (int f = 0; f < (c->flags_arg ? 3 : 1); f++) {
		see_cells(c, AT_FDCWD, flags[f]);
		if (has(c, DIR_)) {
			int dir = open(here, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			see_cells(c, dir, flags[f]);
			close(dir);
		}
	}
}

static void see_calls(const struct call *list, size_t count)
{
	mkdir("m", 0777);
	chdir("m");
	prepare_forms();
	for (size_t i = 0; i < count; i++)
		see_call(&list[i]);
	unlink(CANARY);
	rmdir(CANARY);
}

static void all(void)
{
	see_calls(calls, sizeof(calls) / sizeof(calls[0]));
}

static void all_newer(void)
{
	see_calls(newer, sizeof(newer) / sizeof(newer[0]));
}

static void all_watching(void)
{
	see_calls(watching, sizeof(watching) / sizeof(watching[0]));
}

CONFORM_GROUP(matrix, {"matrix", all}, {"matrix_newer", all_newer},
	      {"matrix_inotify", all_watching});
