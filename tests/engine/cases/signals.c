/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that arrive anywhere, also in the middle of a path call, and signals the guest uses itself. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t hits, handler_errors;
static sigjmp_buf back;

/** One signal, in so many microseconds: a timer that repeats would leave a slow machine no time between two of them. */
static void signal_soon(int delay_us)
{
	struct itimerval once = {{0, 0}, {0, delay_us}};

	setitimer(ITIMER_REAL, &once, NULL);
}

static void count(int sig)
{
	struct stat st;
	int saved = errno;

	(void)sig;
	hits++;
	/* A handler may make path calls of its own. */
	if (stat("/conform", &st) < 0 || access("/no/such", F_OK) == 0)
		handler_errors++;
	signal_soon(500);
	errno = saved;
}

static void storm_setup(int flags)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = flags};

	hits = handler_errors = 0;
	sigaction(SIGALRM, &action, NULL);
	signal_soon(500);
}

static void storm_stop(void)
{
	struct itimerval none = {{0, 0}, {0, 0}};

	/* First, or the handler of a last signal would wind the timer up again. */
	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &none, NULL);
	signal(SIGALRM, SIG_DFL);
}

static int path_calls(int rounds)
{
	int errors = 0;

	for (int i = 0; i < rounds; i++) {
		struct stat st;
		char name[32], cwd[256];
		snprintf(name, sizeof(name), "f%d", i % 10);
		int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
		if (fd < 0 || stat(name, &st) < 0 || fstat(fd, &st) < 0 ||
		    !getcwd(cwd, sizeof(cwd)) || strncmp(cwd, "/conform/", 9) != 0)
			errors++;
		close(fd);
		if (stat("/no/such/name", &st) == 0 || errno != ENOENT)
			errors++;
	}
	return errors;
}

/** Path calls until enough signals have come; a fast machine makes many calls between two of them. */
static int path_calls_in_storm(void)
{
	int errors = 0;

	for (int i = 0; i < 200 && (i < 3 || hits < 100); i++)
		errors += path_calls(300);
	return errors;
}

static void storm(void)
{
	storm_setup(SA_RESTART);
	int errors = path_calls_in_storm();
	storm_stop();
	see("calls under a storm of signals: %d errors, %d in handlers, signals came %d", errors,
	    (int)handler_errors, hits > 10);
}

static void alternate_stack(void)
{
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	see_ok("sigaltstack", sigaltstack(&stack, NULL));
	storm_setup(SA_RESTART | SA_ONSTACK);
	int errors = path_calls_in_storm();
	storm_stop();
	see("on an alternate stack: %d errors, %d in handlers, signals came %d", errors,
	    (int)handler_errors, hits > 10);
}

static void jump(int sig)
{
	(void)sig;
	hits++;
	siglongjmp(back, 1);
}

static void jump_out(void)
{
	struct sigaction action = {.sa_handler = jump};

	sigaction(SIGUSR1, &action, NULL);
	hits = 0;
	for (int i = 0; i < 300; i++)
		if (sigsetjmp(back, 1) == 0) {
			raise(SIGUSR1);
			see("not reached");
		}
	see("jumped %d times", (int)hits);
	struct sigaction alarm_action = {.sa_handler = jump, .sa_flags = SA_NODEFER};
	sigaction(SIGALRM, &alarm_action, NULL);
	for (int i = 0; i < 200; i++) {
		if (sigsetjmp(back, 1) == 0) {
			signal_soon(200 + i);
			for (;;)
				path_calls(1);
		}
	}
	storm_stop();
	see("jumped out of path calls, %d in all", (int)hits);
	see("paths still work: %d errors", path_calls(10));
}

/* Each time out of a call that waits, with none in between that ends by itself. */
static void jump_often(void)
{
	struct sigaction action = {.sa_handler = jump, .sa_flags = SA_NODEFER};

	hits = 0;
	mkfifo("fifo", 0644);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < 40; i++) {
		if (sigsetjmp(back, 1) == 0) {
			signal_soon(3000);
			open("fifo", O_RDONLY | O_CLOEXEC);
			see("not reached");
		}
	}
	storm_stop();
	see("jumped out of a call that waits, %d in all", (int)hits);
	see("paths still work: %d errors", path_calls(10));
}

enum { DEEPEST = 9 };
static volatile sig_atomic_t depth, interrupted_calls;

static void wait_in_handler(int sig)
{
	(void)sig;
	if (depth == DEEPEST)
		return;
	depth++;
	if (open("fifo", O_RDONLY | O_CLOEXEC) < 0 && errno == EINTR)
		interrupted_calls++;
}

/* Handlers that wait in a call, and are interrupted there by the next: signals come until all have ended. */
static void nested(void)
{
	struct sigaction action = {.sa_handler = wait_in_handler, .sa_flags = SA_NODEFER};
	struct itimerval timer = {{0, 5000}, {0, 5000}};

	mkfifo("fifo", 0644);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	wait_in_handler(0);
	storm_stop();
	see("handlers %d deep, %d calls interrupted", (int)depth, (int)interrupted_calls);
	see("paths still work: %d errors", path_calls(10));
}

static void ignore(int sig)
{
	(void)sig;
	hits++;
}

/* Until the call has ended: the first may come before the call waits. */
static void again(int sig)
{
	(void)sig;
	signal_soon(30000);
}

static const char *ended(long result)
{
	struct itimerval none = {{0, 0}, {0, 0}};
	int errnum = errno;

	setitimer(ITIMER_REAL, &none, NULL);
	return result < 0 ? errno_name(errnum) : "ok";
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = again};
	char byte;
	int ends[2];

	pipe(ends);
	sigaction(SIGALRM, &action, NULL);
	signal_soon(30000);
	see("read: %s", ended(read(ends[0], &byte, 1)));
	signal_soon(30000);
	see("poll: %s", ended(poll(NULL, 0, -1)));
	signal_soon(30000);
	see("nanosleep: %s", ended(nanosleep(&(struct timespec){50, 0}, NULL)));
	mkfifo("fifo", 0644);
	signal_soon(30000);
	see("open of a fifo: %s", ended(open("fifo", O_RDONLY)));
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	signal_soon(30000);
	see("sigsuspend: %s", ended(sigsuspend(&all)));
	signal_soon(30000);
	see("pselect: %s", ended(pselect(0, NULL, NULL, NULL, NULL, &all)));
	signal_soon(30000);
	see("waitpid: %s", ended(waitpid(-1, NULL, 0)));
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	signal_soon(30000);
	pid_t pid = fork();
	if (pid == 0) {
		usleep(100000);
		write(ends[1], "r", 1);
		_exit(0);
	}
	see("read with SA_RESTART: %s", ended(read(ends[0], &byte, 1)));
	see_child("writer", pid);
	storm_stop();
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)uc;
	hits++;
	if (hits < 3)
		see("signal %d code %d at null %d", sig, info->si_code, info->si_addr == NULL);
	siglongjmp(back, sig);
}

static void faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER},
			 old;

	hits = 0;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	see_ok("read back", sigaction(SIGILL, NULL, &old));
	see("the handler of SIGILL is ours: %d, flags %d", old.sa_sigaction == on_fault,
	    (old.sa_flags & SA_SIGINFO) != 0);
	int sig = sigsetjmp(back, 1);
	if (sig == 0)
		*(volatile int *)NULL = 1;
	see("caught %d", sig);
	sig = sigsetjmp(back, 1);
	if (sig == 0)
#if defined(__x86_64__)
		__asm__ volatile("ud2");
#else
		__builtin_trap();
#endif
	see("caught %d", sig);
	struct stat st;
	see_result("stat of a bad pointer", stat((const char *)8, &st));
	see_result("open of a bad pointer", open((const char *)-4096, O_RDONLY));
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGILL, SIG_DFL);
		__asm__ volatile(".byte 0x0f, 0x0b");
		_exit(1);
	}
	see_child("SIGILL by default", pid);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile int *)NULL = 1;
		_exit(1);
	}
	see_child("SIGSEGV by default", pid);
	pid = fork();
	if (pid == 0)
		abort();
	see_child("abort", pid);
}

static void masks(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGILL);
	see_ok("block", sigprocmask(SIG_BLOCK, &set, NULL));
	sigprocmask(SIG_BLOCK, NULL, &old);
	see("blocked: USR1 %d ILL %d", sigismember(&old, SIGUSR1), sigismember(&old, SIGILL));
	struct sigaction action = {.sa_handler = ignore};
	hits = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	see("while blocked: %d", (int)hits);
	sigpending(&old);
	see("pending %d", sigismember(&old, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	see("after: %d", (int)hits);
	signal(SIGUSR2, SIG_IGN);
	see_exec("ignored signals stay over exec", "/bin/sh",
		 (char *[]){"sh", "-c", "kill -USR2 $$; exit 4", NULL}, (char *[]){NULL});
}

#if defined(__GLIBC__)
static ucontext_t contexts[3];
static int current, finished, switch_errors;

static void switch_over(int sig)
{
	const int from = current;

	(void)sig;
	hits++;
	current = (current + 1) % 3;
	swapcontext(&contexts[from], &contexts[current]);
}

static void in_context(void)
{
	/* At another place of the calls each time. */
	while (hits < 600) {
		signal_soon(20 + hits * 7 % 300);
		switch_errors += path_calls(20);
	}
	finished++;
	/* The others see it too, when their turn comes. */
	while (finished < 3) {
		signal_soon(1000);
		usleep(2000);
	}
}

/* Threads of the program's own making, switched in a handler, also while they are inside a call. */
static void switching(void)
{
	enum { STACK = 256 * 1024 };
	struct sigaction action = {.sa_handler = switch_over};
	static ucontext_t start;

	hits = finished = switch_errors = current = 0;
	for (int i = 0; i < 3; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = malloc(STACK);
		contexts[i].uc_stack.ss_size = STACK;
		contexts[i].uc_link = &start;
		makecontext(&contexts[i], in_context, 0);
	}
	sigaction(SIGALRM, &action, NULL);
	swapcontext(&start, &contexts[0]);
	storm_stop();
	see("switched between calls: %d errors, finished %d", switch_errors, finished);
}
#else
static void switching(void)
{
	see("no contexts in this C library");
}
#endif

CONFORM_GROUP(signals, {"signal_storm", storm}, {"signal_altstack", alternate_stack},
	      {"signal_longjmp", jump_out}, {"signal_longjmp_often", jump_often},
	      {"signal_nested", nested}, {"signal_contexts", switching},
	      {"signal_interrupted", interrupted}, {"signal_faults", faults},
	      {"signal_masks", masks});
