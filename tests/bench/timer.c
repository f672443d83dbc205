/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs inside the guest and times work there, so that no engine's own start counts:
 *
 *   timer calls NAME COUNT [PATH]   seconds for COUNT system calls: getpid, syscall (the same by syscall(3)), read, stat,
 *                                   lstat, open, access, missing
 *   timer run PROGRAM [ARG...]      seconds until the program has ended; its output goes to /dev/null
 *
 * Prints one number. A program that fails makes it exit with 1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int call_once(const char *name, int zero, const char *path)
{
	struct stat st;
	char byte;
	int fd;

	if (strcmp(name, "getpid") == 0)
		return getpid() > 0 ? 0 : -1;
	if (strcmp(name, "syscall") == 0)
		return syscall(SYS_getpid) > 0 ? 0 : -1;
	if (strcmp(name, "read") == 0)
		return read(zero, &byte, 1) == 1 ? 0 : -1;
	if (strcmp(name, "stat") == 0)
		return stat(path, &st);
	if (strcmp(name, "lstat") == 0)
		return lstat(path, &st);
	if (strcmp(name, "access") == 0)
		return access(path, R_OK);
	if (strcmp(name, "missing") == 0)
		return stat(path, &st) ? 0 : -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}

static int calls(const char *name, long count, const char *path)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	double start = now();

	for (long i = 0; i < count; i++) {
		if (call_once(name, zero, path)) {
			perror(name);
			return 1;
		}
	}
	printf("%.9f\n", now() - start);
	return 0;
}

static int run(char **argv)
{
	double start = now();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "%s: status %d\n", argv[0], status);
		return 1;
	}
	printf("%.9f\n", now() - start);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "calls") == 0)
		return calls(argv[2], atol(argv[3]), argc > 4 ? argv[4] : "");
	if (argc >= 3 && strcmp(argv[1], "run") == 0)
		return run(argv + 2);
	fputs("usage: timer calls NAME COUNT [PATH] | timer run PROGRAM [ARG...]\n", stderr);
	return 2;
}
