/* SPDX-License-Identifier: Apache-2.0 */
/* /proc as a program sees it: its own names, never the host's. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

/** Prints only names in the last column that are neither the kernel's nor libraries of the guest. */
static void maps(void)
{
	char line[PATH_MAX + 200], seen[16][PATH_MAX];
	size_t count = 0;
	FILE *file = fopen("/proc/self/maps", "re");

	if (!file) {
		see("maps: %s", errno_name(errno));
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		char *name = strchr(line, '/');
		bool known = false;
		if (!name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		for (size_t i = 0; i < count; i++)
			known = known || strcmp(seen[i], name) == 0;
		if (known || count == 16)
			continue;
		strcpy(seen[count++], name);
		see("mapped %s, in the guest %d", name, access(name, F_OK) == 0);
	}
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
	      {"proc_fd_listing", fd_listing});
