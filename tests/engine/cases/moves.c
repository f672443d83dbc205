/* SPDX-License-Identifier: Apache-2.0 */
/* Names that lead elsewhere from one moment to the next: directories and links that take each other's place. */
#define _GNU_SOURCE
#include "conform.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a name says, twice: what was found the first time must not matter. */
static void look(const char *label, const char *path)
{
	struct stat st;

	for (int i = 0; i < 2; i++) {
		int found = stat(path, &st);

		see("%s: %s", label,
		    found                 ? errno_name(errno)
		    : S_ISDIR(st.st_mode) ? "directory"
					  : "file");
		see_ok("there", access(path, F_OK));
		see_ok("readable", access(path, R_OK));
	}
	see_file(label, path);
}

static char base[PATH_MAX];

static const char *at(const char *name)
{
	static char path[4][2 * PATH_MAX];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", base, name);
	return p;
}

static void make(const char *dir, const char *text)
{
	char name[PATH_MAX];

	mkdir(at(dir), 0777);
	snprintf(name, sizeof(name), "%s/f", dir);
	put_file(at(name), text);
}

static void links_and_directories(void)
{
	make("one", "one");
	make("two", "two");
	look("one", at("one/f"));
	see_ok("rename away", rename(at("one"), at("gone")));
	look("moved", at("one/f"));
	see_ok("symlink in its place", symlink("two", at("one")));
	look("through a link", at("one/f"));
	see_ok("symlink replaced", unlink(at("one")));
	look("no link", at("one/f"));
	make("one", "a directory again");
	look("a directory", at("one/f"));
	see_ok("link", symlink(at("gone"), at("link")));
	look("absolute link", at("link/f"));
	see_ok("other link", symlink("two", at("other")));
	see_ok("rename over a link", rename(at("other"), at("link")));
	look("renamed link", at("link/f"));
	see_ok("exchange", syscall(SYS_renameat2, AT_FDCWD, at("link"), AT_FDCWD, at("one"), 2));
	look("exchanged link", at("link/f"));
	look("exchanged directory", at("one/f"));
	see_ok("hard link of a link", linkat(AT_FDCWD, at("one"), AT_FDCWD, at("hard"), 0));
	look("hard link", at("hard/f"));
	see_ok("remove file", unlink(at("gone/f")));
	see_ok("remove directory", rmdir(at("gone")));
	look("removed", at("gone/f"));
	put_file(at("gone"), "a file");
	look("a file is no directory", at("gone/f"));
}

static void by_another_process(void)
{
	make("shared", "first");
	make("second", "second");
	look("before", at("shared/f"));
	pid_t pid = fork();
	if (pid == 0) {
		look("child before", at("shared/f"));
		rename(at("shared"), at("old"));
		symlink("second", at("shared"));
		_exit(0);
	}
	see_child("child", pid);
	look("after", at("shared/f"));
	pid = vfork();
	if (pid == 0) {
		unlink(at("shared"));
		_exit(rename(at("old"), at("shared")));
	}
	see_child("vfork child", pid);
	look("back", at("shared/f"));
}

static void working_directory(void)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"cat w/f; echo", NULL};
	pid_t pid;

	make("here", "-");
	make("here/w", "here");
	make("there", "-");
	make("there/w", "there");
	see_ok("chdir", chdir(at("here")));
	look("relative", "w/f");
	look("upwards", "../there/w/f");
	see_ok("chdir", chdir("../there"));
	look("after chdir", "w/f");
	int fd = open(at("here"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	see_ok("fchdir", fchdir(fd));
	look("after fchdir", "w/f");
	close(fd);
	/* The child moves; its parent, whose memory it shares, does not. */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, at("there"));
	int failed = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
	see_child("spawned elsewhere", failed ? -1 : pid);
	look("not moved", "w/f");
	pid = vfork();
	if (pid == 0) {
		struct stat st;

		_exit(chdir(at("there")) || stat("w/f", &st));
	}
	see_child("vfork child moves", pid);
	look("still not moved", "w/f");
	see_ok("rename", rename(at("here"), at("elsewhere")));
	look("moved with its directory", "w/f");
	make("here", "-");
	make("here/w", "an impostor");
	look("not the impostor", "w/f");
	see_ok("remove", rename("w", at("w")));
	look("empty", "w/f");
	see_ok("symlink", symlink(at("there/w"), "w"));
	look("a link out", "w/f");
	unlink("f");
	unlink("w");
	see_ok("rmdir", rmdir(at("elsewhere")));
	make("elsewhere", "-");
	make("elsewhere/w", "made anew");
	look("in a removed directory", "w/f");
}

/* Nothing but rmdir changes here: what was found through the directory holds no longer. */
static void directories_removed(void)
{
	mkdir(at("left"), 0777);
	mkdir(at("left/sub"), 0777);
	put_file(at("left/f"), "beside it");
	look("up from a directory", at("left/sub/../f"));
	see_ok("rmdir", rmdir(at("left/sub")));
	look("up from none", at("left/sub/../f"));
	put_file(at("left/sub"), "a file");
	look("up from a file", at("left/sub/../f"));

	make("cwd", "-");
	mkdir(at("cwd/w"), 0777);
	see_ok("chdir", chdir(at("cwd")));
	look("no file yet", "w/f");
	look("in it", "./f");
	see_ok("unlink", unlink(at("cwd/f")));
	see_ok("rmdir", rmdir(at("cwd/w")));
	see_ok("rmdir where we are", rmdir(at("cwd")));
	make("cwd", "an impostor");
	make("cwd/w", "an impostor");
	look("not the impostor's", "w/f");
	look("nor in it", "./f");
	see_ok("mkdir where nothing is", mkdir("./new", 0777));
	see_ok("chdir", chdir(base));
}

static void *moves_names(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300; i++) {
		rename(at("a"), at("b"));
		symlink("c", at("a"));
		unlink(at("a"));
		rename(at("b"), at("a"));
	}
	return NULL;
}

/* Whatever is in its place, the name never leads to anything but one of the two. */
static void at_the_same_time(void)
{
	pthread_t thread;
	int wrong = 0;

	make("a", "a");
	make("c", "c");
	pthread_create(&thread, NULL, moves_names, NULL);
	for (int i = 0; i < 2000; i++) {
		char path[PATH_MAX + 8], text[4] = "";

		snprintf(path, sizeof(path), "%s/a/f", base);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			wrong += errno != ENOENT;
			continue;
		}
		wrong += read(fd, text, 3) != 1 || (text[0] != 'a' && text[0] != 'c');
		close(fd);
	}
	pthread_join(thread, NULL);
	see("wrong answers: %d", wrong);
	look("in the end", at("a/f"));
}

/* The interpreter that the program at `path` asks for, to be written over; NULL if it has none. */
static char *interpreter_of(char *program, size_t size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(void *)program;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(void *)(program + header->e_phoff);

	for (unsigned i = 0; size > sizeof(*header) && i < header->e_phnum; i++)
		if (p[i].p_type == PT_INTERP)
			return program + p[i].p_offset;
	return NULL;
}

static void run(const char *label, const char *program)
{
	/* Twice: what the first start found must not matter to the second. */
	for (int i = 0; i < 2; i++)
		see_exec(label, program,
			 (char *[]){(char *)"sh", (char *)"-c", (char *)"echo runs", NULL},
			 environ);
}

/* A program whose interpreter is a link that comes, goes, and leads elsewhere. */
static void interpreter_moves(void)
{
	static char program[1 << 20] __attribute__((aligned(16)));
	char real[64], *name;
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	ssize_t size = read(fd, program, sizeof(program));

	close(fd);
	name = size > 0 ? interpreter_of(program, (size_t)size) : NULL;
	if (!name || strlen(name) < strlen("/tmp/ld/i") || strlen(name) >= sizeof(real))
		return;
	strcpy(real, name);
	strcpy(name, "/tmp/ld/i");
	fd = open(at("sh"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	see_ok("program", write(fd, program, (size_t)size) == size ? 0 : -1);
	close(fd);
	mkdir("/tmp", 01777);
	mkdir("/tmp/ld", 0777);
	unlink("/tmp/ld/i");
	run("no interpreter", at("sh"));
	see_ok("link", symlink(real, "/tmp/ld/i"));
	run("interpreter by a link", at("sh"));
	see_ok("away", rename("/tmp/ld/i", "/tmp/ld/j"));
	run("no interpreter again", at("sh"));
	see_ok("directory away", rename("/tmp/ld", "/tmp/ld2"));
	see_ok("link to a directory", symlink("ld2", "/tmp/ld"));
	see_ok("back", rename("/tmp/ld2/j", "/tmp/ld2/i"));
	run("interpreter by two links", at("sh"));
	unlink("/tmp/ld/i");
	put_file("/tmp/ld/i", "not a program");
	run("not a program", at("sh"));
	unlink("/tmp/ld/i");
	unlink("/tmp/ld");
	rmdir("/tmp/ld2");
}

int conform_moves(void);
int conform_moves(void)
{
	if (!getcwd(base, sizeof(base)))
		return 1;
	links_and_directories();
	by_another_process();
	at_the_same_time();
	directories_removed();
	interpreter_moves();
	working_directory();
	return 0;
}

static void in_a_child(void)
{
	conform_moves();
}

/* As the first thing that a program does, in the process that was started for it. */
static void in_a_program(void)
{
	see_exec("program", conform_self, (char *[]){(char *)conform_self, (char *)"@moves", NULL},
		 environ);
}

CONFORM_GROUP(moves_group, {"moves", in_a_child}, {"moves_program", in_a_program});
