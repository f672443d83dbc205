/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers on an alternate stack that make path calls, and signals that arrive inside those. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

enum { STACK_BYTES = 256 * 1024, PATTERN_BYTES = 4096, ENOUGH = 60 };

/* What one thread's handlers tell. */
struct told {
	char *low; /* its alternate stack */
	volatile int inner, outside, above, spoilt, failed;
	char *volatile outer; /* a local of the outer handler, while that runs */
};

static __thread struct told *told;
static sigjmp_buf back;

static int is_on(const struct told *t, const void *local)
{
	return (const char *)local >= t->low && (const char *)local < t->low + STACK_BYTES;
}

static void soon(int delay_us)
{
	struct itimerval once = {{0, 0}, {0, delay_us}};

	setitimer(ITIMER_REAL, &once, NULL);
}

static int some_calls(void)
{
	struct stat st;
	int fd = open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	int errors = fd < 0 || stat("f", &st) < 0 || stat("/no/such", &st) == 0;

	close(fd);
	return errors;
}

/* The second signal, anywhere in the first one's handler. */
static void inner(int sig)
{
	struct told *t = told;
	volatile char local = 0;
	int saved = errno;

	t->inner++;
	/* Or elsewhere: an engine may have had a stack of its own in use. */
	t->above += is_on(t, (const void *)&local) && t->outer && (const char *)&local >= t->outer;
	t->failed += some_calls();
	if (sig == SIGALRM)
		soon(20 + t->inner * 7 % 200);
	errno = saved;
}

static void outer(int sig)
{
	struct told *t = told;
	volatile unsigned char pattern[PATTERN_BYTES];

	(void)sig;
	for (int i = 0; i < PATTERN_BYTES; i++)
		pattern[i] = (unsigned char)(i * 31);
	t->outer = (char *)pattern;
	t->outside += !is_on(t, (const void *)pattern);
	while (t->inner < ENOUGH)
		t->failed += some_calls();
	for (int i = 0; i < PATTERN_BYTES; i++)
		t->spoilt += pattern[i] != (unsigned char)(i * 31);
	t->outer = NULL;
}

static void set_handler(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	/* The outer one waits for the inner one, so not inside it. */
	if (handler == inner)
		sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(sig, &action, NULL);
}

static void use_stack(struct told *t, int flags)
{
	stack_t stack = {.ss_size = STACK_BYTES, .ss_flags = flags};

	*t = (struct told){.low = malloc(STACK_BYTES)};
	stack.ss_sp = t->low;
	told = t;
	see_ok("sigaltstack", sigaltstack(&stack, NULL));
}

static void see_told(const struct told *t)
{
	see("came %d, elsewhere %d, above the outer %d, spoilt %d, failed %d", t->inner >= ENOUGH,
	    t->outside, t->above, t->spoilt, t->failed);
}

static void see_stack(const struct told *t, const char *label)
{
	stack_t old;

	if (sigaltstack(NULL, &old) < 0)
		see("%s: %s", label, errno_name(errno));
	else
		see("%s: ours %d, flags %x, size %d", label, old.ss_sp == t->low,
		    (unsigned)old.ss_flags, (int)old.ss_size);
}

static void run_nested(int flags)
{
	struct told t;

	use_stack(&t, flags);
	set_handler(SIGUSR1, outer, SA_ONSTACK);
	set_handler(SIGALRM, inner, SA_ONSTACK | SA_RESTART);
	soon(100);
	raise(SIGUSR1);
	signal(SIGALRM, SIG_IGN);
	see_told(&t);
	see_stack(&t, "afterwards");
}

static void nested(void)
{
	run_nested(0);
}

static void disarmed(void)
{
	run_nested((int)SS_AUTODISARM);
}

/* Also when the first handler itself came inside a call. */
static void in_call(void)
{
	struct told t;

	use_stack(&t, 0);
	mkfifo("fifo", 0644);
	set_handler(SIGUSR1, outer, SA_ONSTACK);
	set_handler(SIGALRM, inner, SA_ONSTACK | SA_RESTART);
	soon(100);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		while (kill(parent, SIGUSR1) == 0)
			usleep(20000);
		_exit(0);
	}
	see_result("open", open("fifo", O_RDONLY));
	kill(pid, SIGKILL);
	see_child("sender", pid);
	signal(SIGALRM, SIG_IGN);
	see_told(&t);
}

static void asks(int sig)
{
	const struct told *t = told;
	stack_t other = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};

	(void)sig;
	see_stack(t, "in a handler");
	some_calls();
	see_stack(t, "after a call");
	see_ok("another", sigaltstack(&other, NULL));
	other.ss_flags = SS_DISABLE;
	see_ok("none", sigaltstack(&other, NULL));
}

static void asked(void)
{
	struct told t;
	stack_t bad = {.ss_sp = NULL, .ss_size = 1};

	use_stack(&t, 0);
	see_stack(&t, "before");
	set_handler(SIGUSR1, asks, SA_ONSTACK);
	raise(SIGUSR1);
	see_stack(&t, "behind it");
	see_ok("too small", sigaltstack(&bad, NULL));
	bad = (stack_t){.ss_flags = 77, .ss_size = STACK_BYTES};
	see_ok("bad flags", sigaltstack(&bad, NULL));
	see_ok("bad pointer", sigaltstack((const stack_t *)8, NULL));
	see_ok("nowhere to answer", sigaltstack(NULL, (stack_t *)8));
	see_stack(&t, "still");
	bad = (stack_t){.ss_flags = SS_DISABLE};
	see_ok("off", sigaltstack(&bad, NULL));
	stack_t old;
	sigaltstack(NULL, &old);
	see("flags %x", (unsigned)old.ss_flags);
}

static void leave(int sig)
{
	struct told *t = told;
	volatile char local = 0;

	(void)sig;
	t->inner++;
	t->outside += !is_on(t, (const void *)&local);
	t->failed += some_calls();
	siglongjmp(back, 1);
}

/* Out of a handler on the stack by a jump: the next one is on that stack again. */
static void left(void)
{
	struct told t;

	use_stack(&t, 0);
	set_handler(SIGUSR1, leave, SA_ONSTACK);
	for (volatile int i = 0; i < 50; i++)
		if (sigsetjmp(back, 1) == 0)
			raise(SIGUSR1);
		else if (i % 2)
			t.failed += some_calls();
	see("came %d, elsewhere %d, failed %d", t.inner, t.outside, t.failed);
	some_calls();
	see_stack(&t, "afterwards");
}

static void *of_thread(void *arg)
{
	struct told *t = arg;

	use_stack(t, 0);
	raise(SIGUSR1);
	return NULL;
}

/* Each thread has a stack of its own. */
static void of_threads(void)
{
	enum { COUNT = 4 };
	static struct told t[COUNT];
	pthread_t thread[COUNT];

	set_handler(SIGUSR1, outer, SA_ONSTACK);
	set_handler(SIGUSR2, inner, SA_ONSTACK | SA_RESTART);
	for (int i = 0; i < COUNT; i++)
		pthread_create(&thread[i], NULL, of_thread, &t[i]);
	for (int i = 0; i < COUNT; i++)
		while (t[i].inner < ENOUGH) {
			if (t[i].outer)
				pthread_kill(thread[i], SIGUSR2);
			usleep(200);
		}
	for (int i = 0; i < COUNT; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < COUNT; i++)
		see_told(&t[i]);
}

CONFORM_GROUP(stacks, {"stack_nested", nested}, {"stack_nested_disarmed", disarmed},
	      {"stack_nested_in_call", in_call}, {"stack_asked", asked}, {"stack_left", left},
	      {"stack_of_threads", of_threads});
