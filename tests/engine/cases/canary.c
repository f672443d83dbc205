/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file in the host's root, by every way out that a path, a descriptor or a process may be. matrix.c tries
 * it with every call; this tries the ways themselves. Nothing may be seen of it, as in a real chroot.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANARY "scar-canary-of-the-host"
#define UP "../../../../../../../../../../"

enum { DESCRIPTORS = 4200 };

/* 1 if the name leads to it, by any of the calls that look in ways of their own. */
static int is_seen(int dir, const char *path)
{
	struct stat st;
	char byte;
	int fd, seen = fstatat(dir, path, &st, 0) == 0;

	seen |= fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	seen |= faccessat(dir, path, F_OK, 0) == 0;
	seen |= readlinkat(dir, path, &byte, 1) >= 0 || errno == EINVAL;
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return seen || fd >= 0;
}

/* 1 if a directory lists it. */
static int is_listed(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	int found = 0;

	while (list && (entry = readdir(list)))
		found |= strcmp(entry->d_name, CANARY) == 0;
	if (list)
		closedir(list);
	return found;
}

static void see_names(void)
{
	static const char *const names[] = {"/" CANARY,
					    "//" CANARY,
					    "/./../" CANARY,
					    UP CANARY,
					    "/proc/self/root/" CANARY,
					    "/proc/self/root/../" CANARY,
					    "/proc/self/cwd/" UP CANARY,
					    "/proc/thread-self/root/" CANARY,
					    "/proc/self/../self/root/" CANARY,
					    "/proc/self/exe/../" UP CANARY,
					    "/dev/fd/0/" UP CANARY,
					    "/proc/../" CANARY,
					    "/sys/../" CANARY,
					    "/dev/../" CANARY,
					    "/dev/shm/../../" CANARY,
					    "/dev/shm/" UP CANARY,
					    "/proc/1/root/" CANARY,
					    "/proc/1/cwd/" UP CANARY,
					    "/proc/self/task/../root/" CANARY};
	char name[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		see("%s: %d", names[i], is_seen(AT_FDCWD, names[i]));
		snprintf(name, sizeof(name), "link%zu", i);
		symlink(names[i], name);
		see("by a link: %d", is_seen(AT_FDCWD, name));
		snprintf(name, sizeof(name), "chain%zu", i);
		symlink("nowhere", "x");
		snprintf(name, sizeof(name), "/proc/self/cwd/link%zu", i);
		see("by a link of /proc: %d", is_seen(AT_FDCWD, name));
	}
}

/* Whatever number it has: what is the engine's must not lead out. */
static void see_descriptors(void)
{
	int seen = 0, moved = 0, root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[64], cwd[PATH_MAX];
	struct open_how how = {.flags = O_PATH | O_CLOEXEC};

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		/* Most are closed, which one call tells. */
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		seen += is_seen(fd, CANARY) || is_seen(fd, "../" CANARY) || is_seen(fd, UP CANARY);
		how.resolve = 0;
		seen += syscall(SYS_openat2, fd, UP CANARY, &how, sizeof(how)) >= 0;
		how.resolve = RESOLVE_IN_ROOT;
		seen += syscall(SYS_openat2, fd, "/" CANARY, &how, sizeof(how)) >= 0;
		if (fchdir(fd) == 0) {
			moved++;
			seen += is_seen(AT_FDCWD, CANARY) || is_seen(AT_FDCWD, "../" CANARY);
			seen += !getcwd(cwd, sizeof(cwd));
		}
		snprintf(path, sizeof(path), "/proc/self/fd/%d/../" CANARY, fd);
		seen += is_seen(AT_FDCWD, path);
	}
	see("by descriptors: %d, directories among them: %d", seen, moved);
	close(root);
	chdir("/conform/canary_ways");
}

/* Other processes stand elsewhere, and have other files open; of a real chroot none has. */
static void see_processes(void)
{
	static const char *const entries[] = {"root", "cwd", "fd", "task", "map_files"};
	DIR *processes = opendir("/proc");
	struct dirent *process, *entry;
	char path[600], inner[1200];
	int seen = 0;

	while (processes && (process = readdir(processes))) {
		if (!isdigit((unsigned char)process->d_name[0]))
			continue;
		for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
			snprintf(path, sizeof(path), "/proc/%s/%s", process->d_name, entries[i]);
			snprintf(inner, sizeof(inner), "%s/" CANARY, path);
			seen += is_seen(AT_FDCWD, inner) || is_listed(path);
			snprintf(inner, sizeof(inner), "%s/" UP CANARY, path);
			seen += is_seen(AT_FDCWD, inner);
			if (i < 2 && chdir(path) == 0) {
				seen += is_seen(AT_FDCWD, CANARY) ||
					is_seen(AT_FDCWD, "../" CANARY) || is_listed(".");
				seen += !getcwd(inner, sizeof(inner));
				chdir("/conform/canary_ways");
			}
			DIR *list = i < 2 ? NULL : opendir(path);
			while (list && (entry = readdir(list))) {
				if (entry->d_name[0] == '.')
					continue;
				snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
				seen += is_listed(inner);
				snprintf(inner, sizeof(inner), "%s/%s/" UP CANARY, path,
					 entry->d_name);
				seen += is_seen(AT_FDCWD, inner);
				snprintf(inner, sizeof(inner), "%s/%s/root/" CANARY, path,
					 entry->d_name);
				seen += is_seen(AT_FDCWD, inner);
			}
			if (list)
				closedir(list);
		}
	}
	if (processes)
		closedir(processes);
	see("by processes: %d", seen);
}

/* Calls that take a name for something else than a file to read. */
static void see_other_calls(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/" CANARY};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A file that is there would be refused, not missed. */
	see_ok("connect", connect(fd, (struct sockaddr *)&name, sizeof(name)));
	see_ok("sendto", sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&name, sizeof(name)));
	close(fd);
	see_exec("execve", "/" CANARY, (char *[]){"x", NULL}, (char *[]){NULL});
	see_exec("by the root's link", "/proc/self/root/" CANARY, (char *[]){"x", NULL},
		 (char *[]){NULL});
	put_file("script", "#!/" CANARY "\n");
	chmod("script", 0755);
	see_exec("as an interpreter", "./script", (char *[]){"x", NULL}, (char *[]){NULL});
	see_ok("link", link("/" CANARY, "linked"));
	see_ok("rename", rename("/" CANARY, "renamed"));
	see_ok("chdir", chdir("/" CANARY));
	see_ok("truncate", truncate("/" CANARY, 0));
	see_ok("chmod", chmod("/" CANARY, 0777));
	see_ok("unlink", unlink("/" CANARY));
}

/* What a directory descriptor sent by somebody leads to is where the sender got it from. */
static void see_sent(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char byte = 'x';
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	int ends[2], got = -1;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	pid_t pid = fork();
	if (pid == 0) {
		int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &root, sizeof(root));
		_exit(sendmsg(ends[1], &message, 0) == 1 ? 0 : 1);
	}
	see_child("sender", pid);
	if (recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
	see("by a descriptor that was sent: %d %d %d", is_seen(got, CANARY),
	    is_seen(got, "../" CANARY), is_seen(got, "bin/sh"));
	close(got);
}

static void ways(void)
{
	see_names();
	see_descriptors();
	see_processes();
	see_other_calls();
	see_sent();
}

CONFORM_GROUP(canary, {"canary_ways", ways});
