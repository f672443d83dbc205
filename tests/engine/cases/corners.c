/* SPDX-License-Identifier: Apache-2.0 */
/* What programs rarely do: queues of messages, set-user-ID bits, files that run while they are written, programs of every make. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void queues(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32};
	char name[64], text[33] = "";

	/* Queues are the kernel's, not a rootfs's: two runs beside each other must not share one. */
	snprintf(name, sizeof(name), "/scar-conform-%d-%ld", (int)getpid(), (long)time(NULL));
	mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	see_ok("mq_open", queue);
	see_ok("again", mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	pid_t pid = fork();
	if (pid == 0)
		_exit(mq_send(queue, "from a child", 13, 1) < 0);
	see_child("sender", pid);
	see_result("mq_receive", mq_receive(queue, text, 32, NULL));
	see("text '%s'", text);
	see_ok("mq_unlink", mq_unlink(name));
	see_ok("no name", mq_open("/no-such-queue-of-scar", O_RDWR));
	see_ok("a path is no name", mq_open("/conform/x", O_RDWR | O_CREAT, 0600, &attr));
}

static void copy_self(const char *to, mode_t mode)
{
	int from = open(conform_self, O_RDONLY | O_CLOEXEC);
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	char block[65536];

	for (ssize_t n; (n = read(from, block, sizeof(block))) > 0;)
		if (write(fd, block, (size_t)n) != n)
			see("copy failed");
	close(fd);
	close(from);
}

/* Root's own files: to run one changes nobody, and the bits are seen and kept. */
static void set_id_bits(void)
{
	struct stat st;

	copy_self("program", 0755);
	for (mode_t bits = 02755; bits <= 06755; bits += 02000) {
		see_ok("chmod", chmod("program", bits));
		see_ok("stat", stat("program", &st));
		see("mode %o", st.st_mode);
		see_exec("run", "./program", (char *[]){"x", "@exit", "7", NULL}, (char *[]){NULL});
	}
	chown("program", 0, 0);
	see_ok("stat", stat("program", &st));
	see("mode after chown %o", st.st_mode);
}

/* A program that runs cannot be written, and is replaced instead. */
static void running_program(void)
{
	int ends[2], status;
	char byte, number[16];

	copy_self("program", 0755);
	copy_self("next", 0755);
	if (pipe2(ends, 0) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		snprintf(number, sizeof(number), "%d", ends[1]);
		close(ends[0]);
		execl("./program", "x", "@wait", number, NULL);
		_exit(9);
	}
	close(ends[1]);
	read(ends[0], &byte, 1);
	see_ok("open for writing", open("program", O_WRONLY | O_CLOEXEC));
	see_ok("open with O_TRUNC", open("program", O_RDWR | O_TRUNC | O_CLOEXEC));
	see_ok("truncate", truncate("program", 0));
	see_ok("open for reading", open("program", O_RDONLY | O_CLOEXEC));
	see_ok("rename over it", rename("next", "program"));
	see_exec("the new one", "./program", (char *[]){"x", "@exit", "3", NULL}, (char *[]){NULL});
	see_ok("unlink", unlink("program"));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	see("the old one ran to its end: %d", WIFSIGNALED(status));
}

/* Built beside this program, each in another way (conformance.py). */
static void kinds_of_programs(void)
{
	static const char *const kinds[] = {"/bin/kind-pie", "/bin/kind-no-pie", "/bin/kind-static",
					    "/bin/kind-static-pie", "/bin/kind-dlopen"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		see_exec(kinds[i], kinds[i], (char *[]){"kind", "a", NULL},
			 (char *[]){"K=v", NULL});
}

/* Descriptors that name nothing pass as they are. */
static void events(void)
{
	struct epoll_event event = {.events = EPOLLIN}, got;
	struct signalfd_siginfo info;
	sigset_t set;
	uint64_t value = 3;
	int poll = epoll_create1(EPOLL_CLOEXEC), counter = eventfd(0, EFD_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct itimerspec soon = {.it_value = {0, 1000000}};

	see_ok("epoll_ctl", epoll_ctl(poll, EPOLL_CTL_ADD, counter, &event));
	see_ok("write", write(counter, &value, sizeof(value)));
	see_result("epoll_wait", epoll_wait(poll, &got, 1, 2000));
	see_ok("timerfd_settime", timerfd_settime(timer, 0, &soon, NULL));
	see_result("read of a timer", read(timer, &value, sizeof(value)));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int signals = signalfd(-1, &set, SFD_CLOEXEC);
	raise(SIGUSR1);
	see("read of signals: %d", read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
					   info.ssi_signo == SIGUSR1);
	int child = fork();
	if (child == 0)
		_exit(5);
	int process = (int)syscall(SYS_pidfd_open, child, 0);
	see_ok("pidfd_open", process);
	see_ok("waitid", waitid(3 /* P_PIDFD */, (id_t)process, &(siginfo_t){0}, WEXITED));
}

/* Another process's memory by number, which debuggers and MPI use. */
static void memory_of_a_child(void)
{
	static char text[16] = "of the parent";
	char copy[16] = "";
	struct iovec local = {copy, sizeof(copy)}, remote = {text, sizeof(text)};
	int ends[2];
	char byte;

	pipe2(ends, O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		strcpy(text, "of the child");
		write(ends[1], "x", 1);
		pause();
	}
	read(ends[0], &byte, 1);
	see_result("process_vm_readv", process_vm_readv(pid, &local, 1, &remote, 1, 0));
	see("text '%s'", copy);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

CONFORM_GROUP(corners, {"corner_message_queues", queues}, {"corner_set_id_bits", set_id_bits},
	      {"corner_running_program", running_program},
	      {"corner_kinds_of_programs", kinds_of_programs}, {"corner_events", events},
	      {"corner_memory_of_a_child", memory_of_a_child});
