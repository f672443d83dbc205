/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file thread.h
 * What the handler keeps for each thread of the guest; how it is found is the architecture's.
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
#define SCAR_THREAD_REGION 24
#define SCAR_THREAD_ALT_LOW 32
#define SCAR_THREAD_ALT_BYTES 40
#define SCAR_THREAD_ALT_MASK 48
/** What one call of the handler may use of the stack, its register frame included. */
#define SCAR_HANDLER_FRAME 65536
/** Calls that signal handlers of the guest may have interrupted, each inside the last; two stay spare. */
#define SCAR_HANDLER_DEPTH 12
#define SCAR_THREAD_STACK (SCAR_HANDLER_FRAME * SCAR_HANDLER_DEPTH)
/** Entries in the table of threads, where the block is found by the thread's number. */
#define SCAR_THREADS_MAX 4096

#include "invoke/engine/rewrite/loader/arch.h"

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scar_regs;

/** One call of the handler in progress; a signal handler of the guest may start another inside. */
struct scar_frame {
	struct scar_regs *regs;
	struct scar_frame *outer;
	int held[2]; /**< descriptors to close when the call is over, or -1 */
};

/** The child of vfork was given a stack of its own. */
#define SCAR_VFORK_ON_STACK UINT64_MAX

struct scar_thread {
	struct scar_thread *self;
	char *top; /**< where the next call of the handler starts, above all frames in use */
	char *low;
	char *region; /**< the mapping that the block is in */
	/** The alternate signal stack; no bytes if there is none. See altstack.c. */
	uint64_t alt_low, alt_bytes;
	/** Of a call that came with a stack pointer there: entry.S has blocked all signals, and these before. */
	uint64_t alt_mask;
	struct scar_thread
		*spare; /**< of a finished vfork child; this thread's next child takes it */
	/** The innermost call; means something only while the thread is inside the handler. */
	struct scar_frame *frame;
	/** aarch64: where this thread calls vfork(2) from, or SCAR_VFORK_ON_STACK, or 0. */
	uint64_t vfork_from;
	uint64_t thread_pointer; /**< aarch64: shared with a child of vfork */
	int pid;                 /**< process it was made in */
	/** A signal that may end the thread came where it could not: see scar_call_point. */
	uint8_t hit;
	bool ill_blocked, ill_pending; /**< what the guest believes of SIGILL, see signal.h */
	bool alt_disarms; /**< SS_AUTODISARM: the kernel itself takes it away from handlers */
	bool alt_is_off;  /**< not the one that the kernel has now */
	bool is_kept;     /**< the first thread's, or a vfork child's: stays when the thread ends */
};

/** A block that the loader was linked with becomes the first thread's. */
void scar_thread_start(struct scar_thread *thread, char *block);

/**
 * At the begin of each call, which came with the stack pointer at `stack`: a block that scar_enter
 * has just made is entered where it is found.
 */
void scar_thread_adopt(struct scar_thread *thread, uint64_t stack);

/**
 * The calling thread is about to make another with these clone(2) flags, which starts on `stack` if
 * that is not 0. @return SCAR_PASS or SCAR_CLONE, or -ENOMEM
 */
long scar_thread_clone(const struct scar_regs *regs, uint64_t flags, uint64_t stack);

/** exit(2). @return SCAR_PASS if the block stays, else it does not return */
long scar_thread_exit(const struct scar_regs *regs);

/** The calling thread's block wherever it is, not only inside the handler; NULL if it has none yet. */
struct scar_thread *scar_thread_anywhere(void);

static inline struct scar_thread *scar_thread_self(void)
{
	return scar_arch_thread();
}
#endif
#endif
