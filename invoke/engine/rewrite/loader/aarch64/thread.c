/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/thread.h"

#include <errno.h>
#include <linux/mman.h>
#include <linux/sched.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/handle.h"

#define REGION_BYTES (2ul * SCAR_THREAD_ALIGN)
/* A thread that ended: the search goes on behind it. */
#define GONE (-1)
/* A vfork child that shares its parent's stack is not far from where the parent called. */
#define NEAR 65536u
/* Threads that a new one looks at. */
#define RECLAIM 8

_Static_assert(offsetof(struct scar_thread, self) == SCAR_THREAD_SELF, "thread.h");
_Static_assert(offsetof(struct scar_thread, top) == SCAR_THREAD_TOP, "thread.h");
_Static_assert(offsetof(struct scar_thread, low) == SCAR_THREAD_LOW, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_low) == SCAR_THREAD_ALT_LOW, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_bytes) == SCAR_THREAD_ALT_BYTES, "thread.h");
_Static_assert(offsetof(struct scar_thread, alt_mask) == SCAR_THREAD_ALT_MASK, "thread.h");
_Static_assert(offsetof(struct scar_thread, region) == SCAR_THREAD_REGION, "thread.h");
_Static_assert(SCAR_THREAD_STACK == SCAR_THREAD_OFFSET, "arch.h");
_Static_assert(SCAR_THREAD_OFFSET + sizeof(struct scar_thread) <= SCAR_THREAD_ALIGN, "arch.h");
_Static_assert(offsetof(struct scar_regs, resume) == 56, "entry.S");
_Static_assert(offsetof(struct scar_regs, saved_top) == 72, "entry.S");

struct slot {
	int tid; /* 0: never used, and the search ends */
	struct scar_thread *thread;
};
_Static_assert(sizeof(struct slot) == 16, "entry.S");

/* Open addressing by thread number; entry.S reads it. */
extern struct slot scar_threads[];
struct slot scar_threads[SCAR_THREADS_MAX];
static struct scar_lock lock;

static struct slot *find(int tid)
{
	for (unsigned i = 0; i < SCAR_THREADS_MAX; i++) {
		struct slot *slot = &scar_threads[((unsigned)tid + i) % SCAR_THREADS_MAX];

		if (slot->tid == tid)
			return slot;
		if (slot->tid == 0)
			return NULL;
	}
	return NULL;
}

static void insert(int tid, struct scar_thread *thread)
{
	for (unsigned i = 0; i < SCAR_THREADS_MAX; i++) {
		struct slot *slot = &scar_threads[((unsigned)tid + i) % SCAR_THREADS_MAX];

		if (slot->tid == 0 || slot->tid == GONE) {
			slot->thread = thread;
			__atomic_store_n(&slot->tid, tid, __ATOMIC_RELEASE);
			return;
		}
	}
	scar_loader_die("too many threads", NULL, SCAR_THREADS_MAX);
}

static uint64_t thread_pointer(void)
{
	uint64_t value;

	__asm__("mrs %0, tpidr_el0" : "=r"(value));
	return value;
}

/* Its parent, which waits until the child has left our memory, frees the block after that. */
static void leave_to_parent(struct scar_thread *thread, uint64_t stack)
{
	struct scar_thread *parent = NULL;

	for (unsigned i = 0; i < SCAR_THREADS_MAX; i++) {
		struct scar_thread *t = scar_threads[i].tid > 0 ? scar_threads[i].thread : NULL;

		if (!t || !t->vfork_from || t->pid == thread->pid ||
		    t->thread_pointer != thread->thread_pointer ||
		    (t->vfork_from != SCAR_VFORK_ON_STACK &&
		     t->vfork_from - stack + NEAR > 2 * NEAR))
			continue;
		/* Not to be told apart: better lose a block than share one. */
		if (parent)
			return;
		parent = t;
	}
	if (!parent || parent->spare)
		return;
	parent->spare = thread;
	thread->is_kept = true;
}

static void discard(struct scar_thread *thread)
{
	for (unsigned i = 0; i < SCAR_THREADS_MAX; i++)
		if (scar_threads[i].tid > 0 && scar_threads[i].thread == thread)
			__atomic_store_n(&scar_threads[i].tid, GONE, __ATOMIC_RELEASE);
	scar_sys(__NR_munmap, thread->region, REGION_BYTES);
}

/* Threads end without a word. Each new one looks at some of the others, so that all are seen in time. */
static void reclaim(int pid)
{
	static unsigned next;

	for (unsigned looked = 0, i = 0; looked < RECLAIM && i < SCAR_THREADS_MAX; i++) {
		struct slot *slot = &scar_threads[next++ % SCAR_THREADS_MAX];
		struct scar_thread *thread = slot->thread;

		if (slot->tid <= 0 || thread->is_kept || thread->pid != pid)
			continue;
		looked++;
		if (scar_sys(__NR_tgkill, pid, slot->tid, 0) != -ESRCH)
			continue;
		slot->tid = GONE;
		scar_sys(__NR_munmap, thread->region, REGION_BYTES);
	}
}

void scar_thread_start(struct scar_thread *thread, char *block)
{
	*thread = (struct scar_thread){.self = thread,
				       .top = (char *)thread,
				       .low = block,
				       .region = block,
				       .pid = (int)scar_sys(__NR_getpid),
				       .is_kept = true};
	if (!find((int)scar_sys(__NR_gettid)))
		insert((int)scar_sys(__NR_gettid), thread);
}

void scar_thread_adopt(struct scar_thread *thread, uint64_t stack)
{
	uint64_t all = ~0ull, old;
	int tid;

	/* It runs, so it waits for no child. */
	thread->vfork_from = 0;
	if (thread->pid)
		return;
	/* A handler of the guest that came in between would wait for the lock forever. */
	scar_sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &all, &old, sizeof(all));
	scar_lock_take(&lock);
	tid = (int)scar_sys(__NR_gettid);
	thread->pid = (int)scar_sys(__NR_getpid);
	thread->thread_pointer = thread_pointer();
	reclaim(thread->pid);
	if (!find(tid))
		insert(tid, thread);
	leave_to_parent(thread, stack);
	scar_lock_release(&lock);
	scar_sys(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, &old, NULL, sizeof(old));
}

struct scar_thread *scar_thread_anywhere(void)
{
	const struct slot *slot = find((int)scar_sys(__NR_gettid));

	return slot ? slot->thread : NULL;
}

/* The child starts where the guest's instruction leaves off, and gets its block at its first call. */
long scar_thread_clone(const struct scar_regs *r, uint64_t flags, uint64_t stack)
{
	struct scar_thread *self = scar_thread_self();

	/* The last vfork child has left our memory, or this thread would not run. */
	if (self->spare) {
		discard(self->spare);
		self->spare = NULL;
	}
	if ((flags & CLONE_VM) && (flags & CLONE_VFORK)) {
		self->thread_pointer = thread_pointer();
		self->vfork_from = stack ? SCAR_VFORK_ON_STACK : r->sp;
	}
	return SCAR_PASS;
}

/* Not called: the guest may have unmapped its stack before, so such sites are left alone. */
long scar_thread_exit(const struct scar_regs *r)
{
	(void)r;
	return SCAR_PASS;
}
