/* SPDX-License-Identifier: Apache-2.0 */
/* /proc as a program sees it: its own names, never the host's. */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

static void see_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	see("%s -> %s", path, n < 0 ? errno_name(errno) : target);
}

static void links(void)
{
	char name[64];

	see_link("/proc/self/exe");
	see_link("/proc/self/cwd");
	see_link("/proc/self/root");
	snprintf(name, sizeof(name), "/proc/%d/exe", getpid());
	char target[PATH_MAX] = "";
	see("by pid: %s",
	    readlink(name, target, sizeof(target) - 1) < 0 ? errno_name(errno) : target);
	put_file("f", "x");
	int fd = open("f", O_RDONLY);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	see("fd: %s", readlink(name, target, sizeof(target) - 1) < 0 ? errno_name(errno) : "read");
	memset(target, 0, sizeof(target));
	readlink(name, target, sizeof(target) - 1);
	see("fd target %s", target);
	see_file("open again by fd", name);
	unlink("f");
	memset(target, 0, sizeof(target));
	readlink(name, target, sizeof(target) - 1);
	see("fd target deleted %s", target);
	struct stat st;
	see_ok("stat exe", stat("/proc/self/exe", &st));
	see("exe is a file %d", S_ISREG(st.st_mode));
	see_ok("open exe", open("/proc/self/exe", O_RDONLY));
	see_ok("/proc/self/root/conform", stat("/proc/self/root/conform", &st));
	see_ok("/proc/self/cwd/..", stat("/proc/self/cwd/../proc_links", &st));
	char *real = realpath("/proc/self/cwd", NULL);
	see("realpath of cwd %s", real ? real : errno_name(errno));
	real = realpath("/proc/self/exe", NULL);
	see("realpath of exe %s", real ? real : errno_name(errno));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/** Prints protection and name of every file that is mapped, sorted, since addresses differ from run to run. */
static void see_maps(const char *path)
{
	char line[PATH_MAX + 200], *seen[64];
	size_t count = 0;
	FILE *file = fopen(path, "re");
	unsigned long start, end, last = 0;
	int overlaps = 0;

	if (!file) {
		see("%s: %s", path, errno_name(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		char perms[8], *name = strchr(line, '/');
		unsigned long offset;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx %7s %lx", &start, &end, perms, &offset) != 4)
			continue;
		overlaps += start < last || end <= start;
		last = end;
		if (!name || count == 64)
			continue;
		snprintf(line, sizeof(line), "%s at %lx %s, in the guest %d", strdup(perms), offset,
			 strdup(name), access(name, F_OK) == 0);
		seen[count++] = strdup(line);
	}
	fclose(file);
	qsort(seen, count, sizeof(seen[0]), by_text);
	for (size_t i = 0; i < count; i++)
		see("%s", seen[i]);
	see("mappings out of order: %d", overlaps);
}

static void maps(void)
{
	char line[PATH_MAX + 200];
	int found = 0;

	see_maps("/proc/self/maps");
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	see_maps(line);
	snprintf(line, sizeof(line), "/proc/%d/task/%d/maps", pid, pid);
	see_maps(line);
	kill(pid, SIGKILL);
	see_child("the other", pid);
	see_ok("chdir", chdir("/proc/self"));
	see_maps("maps");
	/* The mapping that code looks for, by an address of its own. */
	FILE *file = fopen("/proc/self/maps", "re");
	while (file && fgets(line, sizeof(line), file)) {
		unsigned long start, end;
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 &&
		    (unsigned long)see_maps >= start && (unsigned long)see_maps < end) {
			see("this code: %.4s %s", strchr(line, ' ') + 1,
			    strtok(strchr(line, '/'), "\n"));
			found++;
		}
	}
	see("found %d times", found);
}

static void see_first_words(const char *path, int column)
{
	char line[PATH_MAX + 200];
	int missing = 0, proc = 0, count = 0;
	FILE *file = fopen(path, "re");

	if (!file) {
		see("%s: %s", path, errno_name(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		char *at = strtok(line, " \n");
		for (int i = 1; i < column && at; i++)
			at = strtok(NULL, " \n");
		count++;
		missing += !at || access(at, F_OK) != 0;
		proc += at && strcmp(at, "/proc") == 0;
	}
	fclose(file);
	see("%s: some lines %d, mount points that are not there %d, /proc is %d",
	    strrchr(path, '/') + 1, count > 0, missing, proc);
}

static void mounts(void)
{
	char line[PATH_MAX];

	see_first_words("/proc/self/mountinfo", 5);
	see_first_words("/proc/self/mounts", 2);
	see_first_words("/proc/mounts", 2);
	see_first_words("/proc/self/mountstats", 5);
	snprintf(line, sizeof(line), "/proc/%d/task/%d/mountinfo", getpid(), getpid());
	see_first_words(line, 5);
}

/** Entries of a descriptor listing: all but the directory's own descriptor. */
static void see_listing(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0, odd = 0;

	if (!dir) {
		see("%s: %s", path, errno_name(errno));
		return;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (e->d_name[0] == '.')
			continue;
		count += atoi(e->d_name) != dirfd(dir);
		odd += fcntl(atoi(e->d_name), F_GETFD) < 0;
	}
	closedir(dir);
	see("%s: %d entries, %d of them not open", strrchr(path, 'f'), count, odd);
}

static void listing(void)
{
	char name[64];

	see_listing("/proc/self/fd");
	see_listing("/proc/self/fdinfo");
	see_listing("/dev/fd");
	snprintf(name, sizeof(name), "/proc/%d/fd", getpid());
	see_listing(name);
	see_ok("chdir", chdir("/proc/self"));
	see_listing("fd");
	int entries = 0;
	/* The engine's own lies below 4096. */
	for (int i = 0; i < 5000; i++) {
		struct stat st;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", i);
		entries += lstat(name, &st) == 0;
	}
	see("%d entries by name", entries);
}

static void see_environ(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	see("%s: %s", path[6] == 's' ? "self" : "other", n < 0 ? errno_name(errno) : "read");
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(text + at) + 1)
		see("'%s'", text + at);
	see_result("end", fd < 0 ? -1 : read(fd, text, sizeof(text)));
	close(fd);
}

int conform_environ(void);
int conform_environ(void)
{
	see_environ("/proc/self/environ");
	pid_t pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	char name[64];
	snprintf(name, sizeof(name), "/proc/%d/environ", pid);
	see_environ(name);
	kill(pid, SIGKILL);
	see_child("other", pid);
	return 0;
}

static void environment(void)
{
	see_exec("two entries", conform_self, (char *[]){"x", "@environ", NULL},
		 (char *[]){"A=1", "B=two words", NULL});
	see_exec("none", conform_self, (char *[]){"x", "@environ", NULL}, (char *[]){NULL});
}

/** /proc/PID/exe of processes that run another program than this one. */
static void others(void)
{
	int ends[2];
	char name[64], target[PATH_MAX] = "", byte;
	struct stat a, b;

	pipe(ends);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		execl("/bin/sh", "sh", "-c", "echo started; kill -STOP $$", (char *)NULL);
		_exit(98);
	}
	read(ends[0], &byte, 1);
	snprintf(name, sizeof(name), "/proc/%d/exe", pid);
	ssize_t n = readlink(name, target, sizeof(target) - 1);
	see("exe of a shell: %s", n < 0 ? errno_name(errno) : target);
	see_ok("stat", stat(name, &a));
	see_ok("stat of the shell", stat("/bin/sh", &b));
	see("the same file %d", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	see_exec("execute it", name, (char *[]){"sh", "-c", "exit 7", NULL}, (char *[]){NULL});
	snprintf(name, sizeof(name), "/proc/%d/cwd", pid);
	memset(target, 0, sizeof(target));
	n = readlink(name, target, sizeof(target) - 1);
	see("cwd of a shell: %s", n < 0 ? errno_name(errno) : target);
	snprintf(name, sizeof(name), "/proc/%d/root/bin/sh", pid);
	see_ok("root of a shell", stat(name, &a));
	kill(pid, SIGKILL);
	see_child("shell", pid);
}

static void see_status(void)
{
	static const char *const names[] = {"Name:", "Uid:", "Gid:", "Groups:"};
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				see("status %s", strtok(line, "\n"));
	if (file)
		fclose(file);
}

static void status(void)
{
	char line[256];
	FILE *file = fopen("/proc/self/cmdline", "re");
	size_t n = file ? fread(line, 1, sizeof(line), file) : 0;

	see("cmdline starts with the program's name: %d", n > 0 && strcmp(line, conform_self) == 0);
	if (file)
		fclose(file);
	file = fopen("/proc/self/comm", "re");
	if (file && fgets(line, sizeof(line), file))
		see("comm %s", strtok(line, "\n"));
	if (file)
		fclose(file);
	file = fopen("/proc/self/stat", "re");
	see("stat is readable: %d", file != NULL);
	if (file)
		fclose(file);
	see_status();
	see_ok("uptime", access("/proc/uptime", R_OK));
	see_ok("cpuinfo", access("/proc/cpuinfo", R_OK));
	see_ok("meminfo", access("/proc/meminfo", R_OK));
	see_ok("/proc/self/no-such", access("/proc/self/no-such", R_OK));
	see_ok("/proc/../conform", access("/proc/../conform", R_OK));
	see_ok("/dev/../conform", access("/dev/../conform", R_OK));
}

static void fd_listing(void)
{
	int fd = open("/dev/null", O_RDONLY);
	int highest = 0;

	for (int i = 0; i < 1024; i++) {
		char name[64], target[64];
		snprintf(name, sizeof(name), "/proc/self/fd/%d", i);
		if (readlink(name, target, sizeof(target)) > 0)
			highest = i;
	}
	see("the highest descriptor is the last one opened: %d", highest == fd);
}

CONFORM_GROUP(proc, {"proc_links", links}, {"proc_maps", maps}, {"proc_status", status},
	      {"proc_fd_listing", fd_listing}, {"proc_mounts", mounts},
	      {"proc_fd_entries", listing}, {"proc_environ", environment}, {"proc_others", others});
