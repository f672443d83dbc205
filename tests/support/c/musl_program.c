/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program for an image whose C library is musl, loaded by the image's own dynamic linker. It prints only what it sees, so a real
 * chroot must print the same.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *count_entries(void *arg)
{
	long *ret_count = arg;
	DIR *dir = opendir("/lib");
	if (dir) {
		while (readdir(dir))
			++*ret_count;
		closedir(dir);
	}
	return NULL;
}

static int run_child(const char *self)
{
	char *argv[] = {"child", "from", "parent", NULL};
	pid_t pid;
	int status = 0;
	int error = posix_spawn(&pid, self, NULL, NULL, argv, environ);
	if (error || waitpid(pid, &status, 0) != pid) {
		printf("spawn: %s\n", strerror(error ? error : errno));
		return 1;
	}
	printf("child ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return 0;
}

int main(int argc, char **argv)
{
	char text[256] = "";
	if (argc > 1) {
		printf("I am the child: %s %s %s\n", argv[0], argv[1], argv[2]);
		return 7;
	}
	setvbuf(stdout, NULL, _IONBF, 0);

	FILE *motd = fopen("/etc/motd", "r");
	if (motd && fgets(text, sizeof text, motd))
		printf("motd: %s", text);
	if (motd)
		fclose(motd);

	struct stat st;
	printf("stat of a missing file: %s\n", stat("/nothing", &st) ? strerror(errno) : "there");
	printf("cwd: %s\n", getcwd(text, sizeof text) ? text : strerror(errno));
	ssize_t length = readlink("/etc/link", text, sizeof text - 1);
	printf("link: %.*s\n", length > 0 ? (int)length : 0, text);

	pthread_t threads[8];
	long counts[8] = {0};
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, count_entries, &counts[i]))
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 8; i++)
		printf("thread %d saw %ld entries\n", i, counts[i]);
	return run_child(argv[0]);
}
