/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random sequences of calls on a few names, by two processes that each have a working directory of their
 * own: what an engine remembers of names must be forgotten when any of them changes. A seed gives the
 * same sequence wherever it runs; "@random FIRST COUNT" runs others than the suite's.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 400, SLOTS = 6, SUITE_SEEDS = 30, LISTED_MAX = 32 };

static uint64_t state;
static char base[64];
static int slots[SLOTS];
/* After the first child that shares the directory little is remembered, so not every seed makes one. */
static bool has_sharers;

static unsigned pick(unsigned count)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % count;
}

/* A few names, so that they meet again and again in other roles. */
static void add_name(char *path)
{
	static const char *const names[] = {"a", "b",  "c", "d", "l", "m",   "a",
					    "b", "..", ".", "c", "l", "none"};

	strcat(path, names[pick(sizeof(names) / sizeof(names[0]))]);
}

static const char *make_path(char path[256])
{
	static const char *const starts[] = {"/proc/self/cwd/", "/", "/proc/self/root"};
	const unsigned start = pick(16);

	path[0] = '\0';
	if (start < 5)
		sprintf(path, "%s/", base);
	else if (start == 5)
		strcpy(path, starts[0]);
	else if (start == 6)
		sprintf(path, "%s%s/", starts[2], base);
	else if (start == 7) {
		const int slot = slots[pick(SLOTS)];
		struct stat st;

		/* By that name an engine does not find what is above a directory that was removed. */
		sprintf(path, "/proc/self/fd/%d/",
			fstat(slot, &st) == 0 && st.st_nlink ? slot : -1);
	}
	add_name(path);
	for (unsigned more = pick(4); more; more--) {
		strcat(path, pick(12) ? "/" : "//");
		add_name(path);
	}
	if (!pick(10))
		strcat(path, "/");
	return path;
}

static int directory(void)
{
	return pick(3) ? AT_FDCWD : slots[pick(SLOTS)];
}

/* Numbers of descriptors in the two processes are the same in each run, but the text says more without. */
static const char *shown_path(const char *path)
{
	return strncmp(path, "/proc/self/fd/", 14) == 0 ? path + 14 : path;
}

static void see_status(const char *label, const char *path, long result, const struct stat *st)
{
	int same = -1;

	if (result < 0) {
		see("%s %s: %s", label, path, errno_name(errno));
		return;
	}
	for (int i = 0; i < SLOTS; i++) {
		struct stat other;

		if (slots[i] >= 0 && fstat(slots[i], &other) == 0 && other.st_ino == st->st_ino &&
		    other.st_dev == st->st_dev)
			same = i;
	}
	see("%s %s: mode %o owner %d:%d links %d size %d, that of slot %d", label, path,
	    st->st_mode, (int)st->st_uid, (int)st->st_gid,
	    S_ISDIR(st->st_mode) ? 0 : (int)st->st_nlink,
	    S_ISREG(st->st_mode) ? (int)st->st_size : 0, same);
}

static void see_list(const char *path)
{
	char *names[LISTED_MAX], text[1024] = "";
	size_t count = 0;
	DIR *list = opendir(path);
	struct dirent *entry;

	if (!list) {
		see("list %s: %s", path, errno_name(errno));
		return;
	}
	while ((entry = readdir(list)) && count < LISTED_MAX)
		names[count++] = strdup(entry->d_name);
	closedir(list);
	if (count == LISTED_MAX) {
		see("list %s: many", path);
		return;
	}
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j && strcmp(names[j - 1], names[j]) > 0; j--) {
			char *swap = names[j];
			names[j] = names[j - 1];
			names[j - 1] = swap;
		}
	for (size_t i = 0; i < count; i++) {
		strcat(strcat(text, " "), names[i]);
		free(names[i]);
	}
	see("list %s:%s", path, text);
}

static void see_link(const char *label, const char *shown, long got, char *text)
{
	if (got < 0) {
		see("%s %s: %s", label, shown, errno_name(errno));
		return;
	}
	text[got] = '\0';
	see("%s %s: '%s'", label, shown, text);
}

static void open_one(void)
{
	static const int flags[] = {O_RDONLY,
				    O_RDONLY | O_DIRECTORY,
				    O_PATH,
				    O_PATH | O_NOFOLLOW,
				    O_RDWR | O_CREAT,
				    O_WRONLY | O_CREAT | O_EXCL,
				    O_RDONLY | O_NOFOLLOW,
				    O_WRONLY | O_TRUNC,
				    O_RDWR | O_APPEND,
				    O_RDWR | O_CREAT | O_NOFOLLOW,
				    O_DIRECTORY | O_PATH};
	const unsigned which = pick(sizeof(flags) / sizeof(flags[0]));
	const int at = directory(), slot = (int)pick(SLOTS);
	char path[256], label[64], link[64], text[512] = "";
	long n = 0;
	int fd;

	make_path(path);
	snprintf(label, sizeof(label), "open %u at %d", which, at);
	fd = openat(at, path, flags[which] | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd < 0) {
		see("%s %s: %s", label, shown_path(path), errno_name(errno));
		return;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, text, sizeof(text) - 1);
	see_link(label, shown_path(path), n, text);
	if ((flags[which] & O_ACCMODE) == O_RDWR && write(fd, "0123456789", pick(10)) < 0)
		see("write: %s", errno_name(errno));
	if (slots[slot] >= 0)
		close(slots[slot]);
	slots[slot] = fd;
}

static void look(void)
{
	const int at = directory(), flags = pick(2) ? AT_SYMLINK_NOFOLLOW : 0;
	char path[256], text[512], label[64];
	struct stat st;

	make_path(path);
	switch (pick(6)) {
	case 0:
		snprintf(label, sizeof(label), "stat %d at %d", flags, at);
		see_status(label, shown_path(path), fstatat(at, path, &st, flags), &st);
		return;
	case 1: see_status("stat", shown_path(path), stat(path, &st), &st); return;
	case 2: see_status("lstat", shown_path(path), lstat(path, &st), &st); return;
	case 3:
		see_link("readlink", shown_path(path), readlinkat(at, path, text, 511), text);
		return;
	case 4:
		snprintf(label, sizeof(label), "access at %d %s", at, shown_path(path));
		see_ok(label, faccessat(at, path, F_OK, 0));
		return;
	default: see_list(path); return;
	}
}

static void change(void)
{
	const int at = directory(), other_at = directory();
	char path[256], other[256], label[600];
	const char *name = "";
	long result = 0;

	make_path(path);
	make_path(other);
	switch (pick(14)) {
	case 0:
	case 1: name = "mkdir", result = mkdirat(at, path, 0755); break;
	case 2: name = "rmdir", result = unlinkat(at, path, AT_REMOVEDIR); break;
	case 3: name = "unlink", result = unlinkat(at, path, 0); break;
	case 4:
	case 5: name = "rename", result = renameat(at, path, other_at, other); break;
	case 6:
		name = "exchange";
		result = syscall(SYS_renameat2, at, path, other_at, other, 2 /* RENAME_EXCHANGE */);
		break;
	case 7:
		name = "rename anew";
		result = syscall(SYS_renameat2, at, path, other_at, other, 1 /* _NOREPLACE */);
		break;
	case 8: name = "link", result = linkat(at, path, other_at, other, 0); break;
	case 9:
		name = "link of", result = linkat(at, path, other_at, other, AT_SYMLINK_FOLLOW);
		break;
	case 10:
	case 11:
		/* Of a link to "x/" the kernel says EISDIR to O_CREAT before it looks at x. */
		while (other[1] && strchr("/.", other[strlen(other) - 1]))
			other[strlen(other) - 1] = '\0';
		name = "symlink", result = symlinkat(other, at, path);
		break;
	case 12: name = "chown", result = fchownat(at, path, 3, 4, AT_SYMLINK_NOFOLLOW); break;
	default: name = "truncate", result = truncate(path, 3); break;
	}
	snprintf(label, sizeof(label), "%s at %d %s, at %d %s", name, at, shown_path(path),
		 other_at, shown_path(other));
	/* Where neither name leads anywhere, which of the two is told is not worth a comparison. */
	if (result < 0 && strchr("lre", name[0]) && strcmp(name, "rmdir") != 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EBADF))
		see("%s: not found", label);
	else
		see_ok(label, result);
}

static int change_directory(void *path)
{
	_exit(chdir(path) < 0 ? errno : 0);
}

/* A child that shares the working directory but not the memory. */
static void move_by_child(const char *path)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		change_directory((void *)path);
	see_child("chdir in a child that shares it", pid);
}

static void move(void)
{
	char path[256], cwd[PATH_MAX], label[300];

	make_path(path);
	switch (pick(8)) {
	case 0: see_ok("chdir back", chdir(base)); break;
	case 1:
	case 2: see_ok("fchdir", fchdir(slots[pick(SLOTS)])); break;
	case 3:
		if (has_sharers)
			move_by_child(path);
		break;
	default:
		snprintf(label, sizeof(label), "chdir %s", shown_path(path));
		see_ok(label, chdir(path));
		break;
	}
	see("now in %s", getcwd(cwd, sizeof(cwd)) ? cwd : errno_name(errno));
}

static void socket_name(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(name);
	char path[256];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_path(path);
	strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
	see("bind %s: %s", shown_path(path),
	    bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ? errno_name(errno) : "ok");
	memset(&name, 0, sizeof(name));
	getsockname(fd, (struct sockaddr *)&name, &len);
	see("called '%s'", shown_path(name.sun_path));
	close(fd);
}

/* What is left of a directory that somebody removed: the way up. */
static void leave_removed(void)
{
	char path[256] = "../", cwd[PATH_MAX];
	struct stat st;

	add_name(path);
	see_status("from a removed directory, stat", path, stat(path, &st), &st);
	if (pick(2))
		see_ok("chdir up", chdir(".."));
	else
		see_ok("chdir back", chdir(base));
	see("now in %s", getcwd(cwd, sizeof(cwd)) ? cwd : errno_name(errno));
}

static void step(void)
{
	char cwd[PATH_MAX];

	if (!getcwd(cwd, sizeof(cwd))) {
		leave_removed();
		return;
	}
	switch (pick(20)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4: open_one(); break;
	case 5:
	case 6:
	case 7:
	case 8:
	case 9: look(); break;
	case 10: socket_name(); break;
	case 11:
	case 12: move(); break;
	default: change(); break;
	}
}

/* The other process makes each of its steps between two of ours. */
static void follow(int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1) {
		step();
		write(out, &byte, 1);
	}
	_exit(0);
}

static void remove_all(const char *path)
{
	char name[PATH_MAX];
	struct dirent *entry;
	DIR *list;

	if (unlink(path) == 0 || errno == ENOENT)
		return;
	list = opendir(path);
	while (list && (entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		remove_all(name);
	}
	if (list)
		closedir(list);
	rmdir(path);
}

/* ".." leads out of a seed's directory; the next one shall not find what was made there. */
static void clean_up(void)
{
	static const char *const names[] = {"/a", "/b", "/c", "/d", "/l", "/m", "/none", "/r"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove_all(names[i]);
}

static void run_seed(unsigned seed, unsigned steps)
{
	int to[2], from[2];
	char byte = 0;

	has_sharers = seed % 4 == 0;
	mkdir("/r", 0777);
	snprintf(base, sizeof(base), "/r/%u", seed);
	if (mkdir(base, 0755) < 0 || chdir(base) < 0) {
		see("%s: %s", base, errno_name(errno));
		return;
	}
	memset(slots, -1, sizeof(slots));
	state = 0x9e3779b97f4a7c15ull * (seed + 1);
	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
		see("pipe: %s", errno_name(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(to[1]);
		state ^= 0x5bd1e995;
		follow(to[0], from[1]);
	}
	close(from[1]);
	for (unsigned i = 0; i < steps; i++) {
		if (pick(3)) {
			step();
		} else if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1) {
			see("the other process is gone");
			break;
		}
	}
	close(to[1]);
	close(to[0]);
	close(from[0]);
	see_child("the other process", pid);
	for (int i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			close(slots[i]);
}

/* In a program of its own: what was forked remembers less. */
static void run_program(unsigned seed, unsigned steps)
{
	char number[16], count[16];

	snprintf(number, sizeof(number), "%u", seed);
	snprintf(count, sizeof(count), "%u", steps);
	see_exec("seed", conform_self,
		 (char *[]){(char *)conform_self, "@seed", number, count, NULL}, (char *[]){NULL});
	clean_up();
}

/** "@random FIRST COUNT", "@seed NUMBER STEPS" or "@moved". */
int conform_random_seeds(int argc, char **argv);

static void see_moved(void);

int conform_random_seeds(int argc, char **argv)
{
	const unsigned first = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	const unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 1;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(argv[1], "@moved") == 0) {
		see_moved();
	} else if (strcmp(argv[1], "@seed") == 0) {
		alarm(60);
		run_seed(first, count);
	} else {
		conform_self = argv[0];
		for (unsigned seed = first; seed < first + count; seed++) {
			/* A case of its own for the runner. */
			see("== random_%u", seed);
			run_program(seed, STEPS);
		}
	}
	return 0;
}

static void of_the_suite(void)
{
	for (unsigned seed = 1; seed <= SUITE_SEEDS; seed++)
		run_program(seed, STEPS / 2);
}

/* What is remembered of a relative name is worth nothing once somebody else has moved us. */
static void see_moved(void)
{
	char cwd[PATH_MAX];
	struct stat st;

	mkdir("one", 0755);
	mkdir("one/x", 0755);
	mkdir("two", 0755);
	put_file("one/x/file", "of one");
	chdir("one");
	for (int i = 0; i < 3; i++)
		see_ok("stat", stat("x/file", &st));
	move_by_child("../two");
	see_ok("stat after it", stat("x/file", &st));
	see_ok("open after it", open("x/file", O_RDONLY | O_CLOEXEC));
	see("now in %s", getcwd(cwd, sizeof(cwd)) ? cwd : errno_name(errno));
}

static void moved_by_others(void)
{
	see_exec("moved", conform_self, (char *[]){"x", "@moved", NULL}, (char *[]){NULL});
}

/* An open link is no directory, even if what it names is one. */
static void below_an_open_link(void)
{
	char path[64];
	struct stat st;
	int fd;

	symlink("/", "l");
	fd = open("l", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	see_ok("open a link itself", fd);
	see_ok("stat below it", fstatat(fd, "bin", &st, 0));
	see_ok("stat far below it", fstatat(fd, "bin/sh", &st, 0));
	see_ok("open below it", openat(fd, "bin/sh", O_RDONLY | O_CLOEXEC));
	see_ok("mkdir below it", mkdirat(fd, "made", 0755));
	see_ok("up from it", fstatat(fd, "../x", &st, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/bin/sh", fd);
	see_ok("by its number", stat(path, &st));
	see_ok("chdir to it", fchdir(fd));
}

static void owner_of_the_renamed(void)
{
	struct stat st;

	mkdir("d", 0755);
	chown("d", 3, 4);
	see_ok("to itself", rename("d", "./d"));
	see_status("then", "d", stat("d", &st), &st);
	mkdir("e", 0755);
	chown("e", 5, 6);
	see_ok("over another", rename("d", "e"));
	see_status("then", "e", stat("e", &st), &st);
}

CONFORM_GROUP(random, {"random_names", of_the_suite}, {"moved_by_others", moved_by_others},
	      {"below_an_open_link", below_an_open_link},
	      {"rename_keeps_the_owner", owner_of_the_renamed});
