/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file thread.h
 * What the handler keeps for each thread of the guest, found through %gs.
 *
 * One mapping: the stack the handler runs on, and this struct on top of it. A signal handler
 * of the guest may interrupt ours; its own system calls then continue below on the same stack.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_THREAD_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_THREAD_H

/* Offsets for the assembler; thread.c asserts them. */
#define SCAR_THREAD_SELF 0
#define SCAR_THREAD_TOP 8
#define SCAR_THREAD_LOW 16
/** What one call of the handler may use of the stack, its register frame included. */
#define SCAR_HANDLER_FRAME 65536

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAR_HANDLER_DEPTH 5
#define SCAR_THREAD_STACK (SCAR_HANDLER_FRAME * SCAR_HANDLER_DEPTH)

struct scar_regs;

/** One call of the handler in progress; a signal handler of the guest may start another inside. */
struct scar_frame {
	struct scar_regs *regs;
	struct scar_frame *outer;
	int held[2]; /**< descriptors to close when the call is over, or -1 */
};

struct scar_thread {
	struct scar_thread *self;
	char *top; /**< where the next call of the handler starts, above all frames in use */
	char *low;
	struct scar_thread
		*spare; /**< of a finished vfork child; this thread's next child takes it */
	/** The innermost call; means something only while the thread is inside the handler. */
	struct scar_frame *frame;
	int pid;      /**< process it was made in */
	bool is_main; /**< the first thread of a program: not freed at its end */
};

/** A new block. NULL if out of memory. */
struct scar_thread *scar_thread_create(void);
void scar_thread_free(struct scar_thread *thread);

/** Makes `thread` the calling thread's. */
void scar_thread_install(struct scar_thread *thread, bool has_fsgsbase);

static inline struct scar_thread *scar_thread_self(void)
{
	struct scar_thread *self;

	__asm__("mov %%gs:0,%0" : "=r"(self));
	return self;
}
#endif
#endif
