/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that close or overwrite every descriptor there is, as daemons and shells do: names still work. */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CANARY "/scar-canary-of-the-host"

enum { LAST = 1023 };

static void see_names(const char *label)
{
	struct stat st;
	int fd = open("/conform/./../conform", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	see("%s: open %s, stat %s, link %s, the host's %s", label,
	    fd < 0 ? errno_name(errno) : "ok", stat("/bin/sh", &st) < 0 ? errno_name(errno) : "ok",
	    access("/proc/self/root/bin/sh", F_OK) < 0 ? errno_name(errno) : "ok",
	    access(CANARY, F_OK) < 0 ? errno_name(errno) : "seen");
	if (fd >= 0)
		close(fd);
	see_exec(label, "/bin/sh", (char *[]){"sh", "-c", "exit 5", NULL}, (char *[]){NULL});
}

static void closed_one_by_one(void)
{
	for (int round = 0; round < 3; round++) {
		for (int fd = 3; fd <= 4096; fd++)
			close(fd);
		see_names("closed one by one");
	}
	for (int fd = 4096; fd > 2; fd--)
		close(fd);
	mkdir("d", 0755);
	see_ok("chdir", chdir("/conform/descriptor_close/d"));
	see_names("closed from above");
}

static void closed_in_a_range(void)
{
	/* A kernel may lack it, and a C library then closes one by one. */
	for (int round = 0; round < 3; round++) {
		if (syscall(SYS_close_range, 3, ~0u, 0) < 0)
			for (int fd = 3; fd <= LAST; fd++)
				close(fd);
		see_names("closed in a range");
	}
	syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */);
	see_names("all close with exec, if there is a way");
}

static void overwritten(void)
{
	int lost = 0;

	put_file("target", "of all");
	int fd = open("target", O_RDONLY | O_CLOEXEC);
	struct stat want, st;
	fstat(fd, &want);
	for (int to = 3; to < LAST - 8; to++)
		if (to != fd && dup2(fd, to) != to)
			lost++;
	for (int to = 3; to < LAST - 8; to++)
		lost += fstat(to, &st) < 0 || st.st_ino != want.st_ino;
	see("%d lost", lost);
	see_names("overwritten");
	see_file("target", "/conform/descriptor_overwrite/target");
	/* Each of the last ones in turn. */
	for (int to = LAST - 8; to <= LAST; to++) {
		lost += dup3(fd, to, O_CLOEXEC) != to || fstat(to, &st) < 0 ||
			st.st_ino != want.st_ino;
		if (access("/bin/sh", F_OK) < 0)
			see("names are lost at %d", to);
		close(to);
	}
	see("%d lost", lost);
	see_names("overwritten one by one");
}

static void few_allowed(void)
{
	struct rlimit limit = {32, 32};

	see_ok("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	for (int fd = 3; fd <= LAST; fd++)
		close(fd);
	see_names("few allowed");
	for (int fd = 3; fd <= LAST; fd++)
		close(fd);
	see_names("and closed again");
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What is listed is what the guest has opened, whichever way it looks. */
static void listed(void)
{
	static const char *const places[] = {"/proc/self/fd", "/dev/fd", "/proc/thread-self/fd",
					     "/proc/self/fdinfo"};
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), numbers[64];
	char name[64], text[256];

	see("the next descriptor is %d", fd);
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		DIR *list = opendir(places[p]);
		struct dirent *entry;
		size_t count = 0;

		while (list && (entry = readdir(list)) && count < 64)
			if (entry->d_name[0] != '.')
				numbers[count++] = atoi(entry->d_name);
		if (list)
			closedir(list);
		qsort(numbers, count, sizeof(numbers[0]), by_number);
		for (size_t i = 0; i < count; i++)
			see("%s: %d", places[p], numbers[i]);
	}
	int found = 0;
	for (int i = 3; i <= 4096; i++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", i);
		found += readlink(name, text, sizeof(text)) >= 0;
		found += access(name, F_OK) == 0;
	}
	see("found by name: %d", found);
}

CONFORM_GROUP(descriptors, {"descriptor_close", closed_one_by_one},
	      {"descriptor_close_range", closed_in_a_range}, {"descriptor_overwrite", overwritten},
	      {"descriptor_limit", few_allowed}, {"descriptor_list", listed});
