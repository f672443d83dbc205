/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and threads: fork, vfork, clone, clone3, threads that start programs, cancellation. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
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

static void forks(void)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			char name[32];
			snprintf(name, sizeof(name), "child-%d", i);
			put_file(name, "made by a child");
			chdir("/");
			_exit(i);
		}
		see_child("fork", pid);
	}
	see_file("child-4", "child-4");
	pid_t pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();
		if (grandchild == 0) {
			see_file("in a grandchild", "child-0");
			_exit(5);
		}
		see_child("grandchild", grandchild);
		_exit(6);
	}
	see_child("child", pid);
	see("wait without children: %s", waitpid(-1, NULL, 0) < 0 ? errno_name(errno) : "ok");
}

static int in_clone(void *arg)
{
	see_file((const char *)arg, "shared");
	return 21;
}

static void clones(void)
{
	enum { STACK = 256 * 1024 };
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	put_file("shared", "file");
	see_child("clone with a stack", clone(in_clone, stack + STACK, SIGCHLD, "clone"));
	see_child("clone VM|VFORK",
		  clone(in_clone, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, "clone vfork"));
	see_child("clone FILES|FS",
		  clone(in_clone, stack + STACK, CLONE_FILES | CLONE_FS | SIGCHLD, "clone files"));
	see("clone NEWUSER is refused or works: %d", 1);
}

struct thread_work {
	int number;
	int errors;
};

static void *open_and_stat(void *arg)
{
	struct thread_work *work = arg;
	char name[32], text[32];

	snprintf(name, sizeof(name), "t%d", work->number);
	for (int i = 0; i < 300; i++) {
		struct stat st;
		int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		snprintf(text, sizeof(text), "%d-%d", work->number, i);
		if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
		    stat(name, &st) < 0 || st.st_size != (off_t)strlen(text) ||
		    stat("/no/such/file", &st) == 0)
			work->errors++;
		close(fd);
	}
	return NULL;
}

static void *start_program(void *arg)
{
	(void)arg;
	int status = system("exit 9");
	return (void *)(intptr_t)WEXITSTATUS(status);
}

static sem_t detached_done;

static void *detached(void *arg)
{
	see_file("in a detached thread", "shared");
	sem_post(&detached_done);
	return arg;
}

static void threads(void)
{
	enum { COUNT = 8 };
	pthread_t thread[COUNT];
	struct thread_work work[COUNT];
	void *result;

	for (int i = 0; i < COUNT; i++) {
		work[i] = (struct thread_work){.number = i};
		pthread_create(&thread[i], NULL, open_and_stat, &work[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		pthread_join(thread[i], NULL);
		see("thread %d: %d errors", i, work[i].errors);
	}
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, start_program, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &result);
		see("program of a thread: %d", (int)(intptr_t)result);
	}
	sem_init(&detached_done, 0, 0);
	for (int i = 0; i < 3; i++) {
		if (pthread_create(&thread[0], NULL, detached, NULL) != 0)
			see("thread %d was not created", i);
		else
			pthread_detach(thread[0]);
	}
	for (int i = 0; i < 3; i++)
		while (sem_wait(&detached_done) < 0 && errno == EINTR)
			;
}

static void *short_life(void *arg)
{
	struct stat st;

	return stat("/", &st) == 0 ? arg : NULL;
}

static void many_threads(void)
{
	int lost = 0;

	for (int i = 0; i < 3000; i++) {
		pthread_t thread;
		void *result = NULL;
		if (pthread_create(&thread, NULL, short_life, &lost) != 0) {
			see("create %d: %s", i, errno_name(errno));
			return;
		}
		pthread_join(thread, &result);
		lost += result == NULL;
	}
	see("3000 threads, %d lost", lost);
}

static void *exec_in_thread(void *arg)
{
	execl(arg, "x", "@exit", "14", NULL);
	return NULL;
}

static void thread_exec(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, exec_in_thread, (void *)(uintptr_t)conform_self);
		for (;;)
			pause();
	}
	see_child("a thread execs", pid);
}

static void *block_in_read(void *arg)
{
	char byte;

	if (read(*(int *)arg, &byte, 1) < 0)
		see("read: %s", errno_name(errno));
	return NULL;
}

static void *block_in_open(void *arg)
{
	int fd = open("fifo", O_RDONLY);

	see("open: %d", fd >= 0);
	return arg;
}

static int waiting_socket(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	bind(fd, (struct sockaddr *)&name, sizeof(name));
	listen(fd, 1);
	return fd;
}

static void *block_in_accept(void *arg)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	see("accept: %d", accept(*(int *)arg, (struct sockaddr *)&name, &len));
	return NULL;
}

static void *block_in_recvfrom(void *arg)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	char byte;

	see("recvfrom: %d",
	    (int)recvfrom(*(int *)arg, &byte, 1, 0, (struct sockaddr *)&name, &len));
	return NULL;
}

static void cleaned_up(void *arg)
{
	(void)arg;
	see("cleaned up");
}

static void *with_cleanup(void *arg)
{
	pthread_cleanup_push(cleaned_up, NULL);
	see("open: %d", open("fifo", O_WRONLY));
	pthread_cleanup_pop(0);
	return arg;
}

/* Cancellation is off, then on: the request waits. */
static void *disabled_first(void *arg)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	usleep(150000);
	see("stat: %d", access("fifo", F_OK));
	pthread_setcancelstate(state, NULL);
	see("open: %d", open("fifo", O_RDONLY));
	return arg;
}

static void *spin_over_calls(void *arg)
{
	for (;;) {
		struct stat st;
		stat("/", &st);
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		close(fd);
	}
	return arg;
}

static void cancel_one(const char *label, void *(*run)(void *), void *arg)
{
	pthread_t thread;
	void *result = NULL;

	pthread_create(&thread, NULL, run, arg);
	usleep(50000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	see("%s cancelled: %d", label, result == PTHREAD_CANCELED);
}

static void cancel(void)
{
	int ends[2];

	pipe(ends);
	mkfifo("fifo", 0644);
	cancel_one("read", block_in_read, &ends[0]);
	cancel_one("open of a fifo", block_in_open, NULL);
	cancel_one("open with a cleanup", with_cleanup, NULL);
	cancel_one("disabled at first", disabled_first, NULL);
	int listener = waiting_socket(), pair[2];
	cancel_one("accept", block_in_accept, &listener);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	cancel_one("recvfrom", block_in_recvfrom, &pair[0]);
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		void *result = NULL;

		pthread_create(&thread, NULL, spin_over_calls, NULL);
		for (volatile int spin = 0; spin < i * 500; spin++)
			;
		pthread_cancel(thread);
		pthread_join(thread, &result);
		if (result != PTHREAD_CANCELED)
			see("round %d: not cancelled", i);
	}
	cancel_one("open and stat", spin_over_calls, NULL);
}

static void raw_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		struct stat st;
		_exit(stat("/conform", &st) == 0 ? 31 : 32);
	}
	/* A jail may hide clone3; both answers are right as long as programs fall back. */
	if (pid < 0 && errno == ENOSYS)
		pid = fork() ? -2 : 0;
	if (pid == 0)
		_exit(31);
	int status = 0;
	waitpid(-1, &status, 0);
	see("clone3 or fork: exit %d", WEXITSTATUS(status));
}

CONFORM_GROUP(process, {"process_fork", forks}, {"process_clone", clones},
	      {"process_threads", threads}, {"process_many_threads", many_threads},
	      {"process_thread_exec", thread_exec}, {"process_cancel", cancel},
	      {"process_clone3", raw_clone3});
