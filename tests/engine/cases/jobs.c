/* SPDX-License-Identifier: Apache-2.0 */
/* What others see of a process: stops, continuations, signals with their origin, ends. A tracer must hide nothing of it. */
#define _GNU_SOURCE
#include "conform.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void see_wait(const char *label, pid_t pid, int options)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, options);

	if (got != pid)
		see("%s: %s", label, got < 0 ? errno_name(errno) : "another child");
	else if (WIFSTOPPED(status))
		see("%s: stopped by %d", label, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		see("%s: continued", label);
	else if (WIFSIGNALED(status))
		see("%s: signal %d", label, WTERMSIG(status));
	else
		see("%s: exit %d", label, WEXITSTATUS(status));
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static void group_stops(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, wait_for_ever, NULL);
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	see_wait("itself", pid, WUNTRACED);
	nap();
	see("while it is stopped: %d", (int)waitpid(pid, NULL, WUNTRACED | WCONTINUED | WNOHANG));
	kill(pid, SIGCONT);
	see_wait("continued", pid, WUNTRACED | WCONTINUED);
	kill(pid, SIGTSTP);
	see_wait("by another", pid, WUNTRACED);
	kill(pid, SIGTERM);
	nap();
	see("a signal while stopped: %d", (int)waitpid(pid, NULL, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	see_wait("then", pid, WUNTRACED);

	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(3);
	}
	see_wait("stopped", pid, WUNTRACED);
	kill(pid, SIGKILL);
	see_wait("killed while stopped", pid, WUNTRACED);

	/* An orphaned group is not stopped by the terminal's signals. */
	pid = fork();
	if (pid == 0) {
		setsid();
		raise(SIGTSTP);
		_exit(4);
	}
	see_wait("of an orphaned group", pid, WUNTRACED);
}

static volatile sig_atomic_t stop_code, stop_pid_is_child;
static volatile pid_t child_pid;

static void on_child(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	stop_code = info->si_code;
	stop_pid_is_child = info->si_pid == child_pid;
}

static void child_signals(void)
{
	struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
	sigset_t child, old;
	int codes[] = {SIGSTOP, SIGCONT, SIGKILL};

	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &old);
	child_pid = fork();
	if (child_pid == 0)
		for (;;)
			pause();
	for (int i = 0; i < 3; i++) {
		stop_code = 0;
		kill(child_pid, codes[i]);
		sigsuspend(&old);
		see("SIGCHLD for %d: code %d, of the child: %d", codes[i], (int)stop_code,
		    (int)stop_pid_is_child);
	}
	see_wait("end", child_pid, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile sig_atomic_t got_signal, got_code, got_value;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = sig;
	got_code = info->si_code;
	got_value = info->si_value.sival_int;
}

static void origins(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			sigaction(sig, &action, NULL);
	for (int sig = 1; sig < 32; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		got_signal = 0;
		kill(getpid(), sig);
		see("kill %d: got %d, code %d", sig, (int)got_signal, (int)got_code);
	}
	got_signal = 0;
	sigaction(SIGRTMIN + 3, &action, NULL);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 4711});
	see("sigqueue: real-time %d, code %d, value %d", (int)(got_signal > 31), (int)got_code,
	    (int)got_value);
	got_signal = 0;
	syscall(SYS_tgkill, getpid(), gettid(), SIGTRAP);
	see("tgkill: got %d, code %d", (int)got_signal, (int)got_code);
#ifdef __x86_64__
	got_signal = 0;
	__asm__ volatile("int3");
	see("a breakpoint: got %d, code %d", (int)got_signal, (int)got_code);
#endif
}

static void ends(void)
{
	const int signals[] = {SIGTRAP, SIGSEGV, SIGKILL, SIGTERM, SIGABRT, SIGXCPU, SIGUSR1};
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			kill(getpid(), signals[i]);
			_exit(99);
		}
		see_wait("by a signal", pid, 0);
	}
	for (int status = 0; status < 1000; status += 255) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(status);
		see_wait("by exit", pid, 0);
	}
}

static int leave(void *arg)
{
	see_file("in it", (const char *)arg);
	return 5;
}

static void asks_not_to_be_traced(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	const int flags = CLONE_UNTRACED | SIGCHLD;
	pid_t pid;

	put_file("name", "of the guest");
	pid = clone(leave, stack + sizeof(stack), flags,
		    (void *)"/conform/asks_not_to_be_traced/name");
	see_child("a process", pid);
	pid = clone(leave, stack + sizeof(stack), flags | CLONE_VM,
		    (void *)"/conform/asks_not_to_be_traced/name");
	see_child("in the same memory", pid);
}

/* /proc/self/status without what differs between a chroot and any engine by its nature. */
static void traced(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "TracerPid:", 10) == 0)
			see("%.*s", (int)strcspn(line, "\n"), line);
	if (status)
		fclose(status);
	see("dumpable: %d", prctl(PR_GET_DUMPABLE));
	see("session of its own, or not: %d", getsid(0) == getpgid(0));
}

CONFORM_GROUP(jobs, {"jobs_group_stops", group_stops}, {"jobs_child_signals", child_signals},
	      {"jobs_origins", origins}, {"jobs_ends", ends},
	      {"asks_not_to_be_traced", asks_not_to_be_traced}, {"jobs_traced", traced});
