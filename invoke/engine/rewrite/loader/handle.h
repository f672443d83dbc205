/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file handle.h
 * The engine's own versions of system calls, one file per topic (call_*.c).
 *
 * Each takes the guest's registers and returns what the guest gets: a result or
 * -errno; or one of the two values below, which no system call returns.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_HANDLE_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_HANDLE_H

#include <limits.h>

#include "invoke/engine/rewrite/loader/loader.h"
#include "invoke/engine/rewrite/loader/thread.h"

/** The guest's own system call instruction runs it, with the registers as they are now. */
#define SCAR_PASS LONG_MIN
/** Likewise, and the child starts at scar_child. */
#define SCAR_CLONE (LONG_MIN + 1)

/**
 * Called by entry.S when the handler's stack was in use already: where the registers shall be, which is
 * higher up if what used it will never go on.
 */
struct scar_regs *scar_frames_begin(struct scar_regs *regs);
/** Called by entry.S. */
void scar_handle(struct scar_regs *regs);
/** Likewise, when a pointer of the guest led nowhere: the call in progress returns -EFAULT. */
void scar_handle_abort(struct scar_regs *regs);
/** What a call in progress holds is released, and it is over. */
void scar_frame_end(const struct scar_frame *frame);
/**
 * A system call that may wait. The signal by which a C library cancels a thread finds the guest at
 * its own instruction while nothing has happened yet, and past it afterwards.
 */
long scar_call_point(long nr, long a, long b, long c, long d, long e, long f);
/** Gives an interrupted thread the registers that the guest had when it made the call. */
void scar_context_guest(ucontext_t *context, const struct scar_regs *regs);

/** What entry.S does after scar_handle_traced. */
enum scar_traced {
	SCAR_TRACED_DONE, /**< the guest goes on, with its result */
	SCAR_TRACED_PASS, /**< the tracer puts the guest back before its system call, which then runs */
	SCAR_TRACED_CLONE, /**< runs the call here; the child starts at scar_child */
};

/** Likewise, where a tracer brought the call: regs->resume is the guest's own address. */
int scar_handle_traced(struct scar_regs *regs);

/** Where the guest goes on after its system call. */
uint64_t scar_resume_after(const struct scar_regs *regs);
/** The guest's system call instruction itself. */
uint64_t scar_resume_site(const struct scar_regs *regs);

/** A call whose row in scar_call_rows tells all. */
long scar_call_paths(struct scar_regs *regs);

long scar_call_open(struct scar_regs *regs);
long scar_call_stat(struct scar_regs *regs);
long scar_call_access(struct scar_regs *regs);
long scar_call_readlink(struct scar_regs *regs);
long scar_call_getcwd(struct scar_regs *regs);
long scar_call_statfs(struct scar_regs *regs);
long scar_call_chown(struct scar_regs *regs);
long scar_call_chroot(struct scar_regs *regs);
long scar_call_descriptors(struct scar_regs *regs);
long scar_call_socket(struct scar_regs *regs);
long scar_call_identity(struct scar_regs *regs);
long scar_call_memory(struct scar_regs *regs);
long scar_call_allocate(struct scar_regs *regs);
long scar_call_process(struct scar_regs *regs);
long scar_call_sigaltstack(struct scar_regs *regs);

/** True if a stack pointer is on the handler's own stack, as that of a signal handler which interrupted it. */
static inline bool scar_stack_holds(const struct scar_thread *thread, uint64_t sp)
{
	return sp >= (uint64_t)thread->low && sp <= (uint64_t)thread;
}
/** True if a stack pointer is on the thread's alternate signal stack, by the kernel's own rule. */
static inline bool scar_altstack_holds(const struct scar_thread *thread, uint64_t sp)
{
	return sp - thread->alt_low - 1 < thread->alt_bytes;
}
/** At the begin and the end of a call that came with this stack pointer, of a thread that has such a stack. */
void scar_altstack_enter(struct scar_thread *thread, uint64_t sp);
void scar_altstack_leave(const struct scar_thread *thread, uint64_t sp);

/** Resolves for a call; a path pointer that cannot be one is -EFAULT. */
long scar_resolve(int dir_fd, const char *path, enum scar_path_follow follow,
		  struct scar_where *ret_where);
/**
 * True if the kernel finds a name without our help, unless the name itself is a link: it is one in the directory
 * at hand that no bind hides, or the way to it is known to be straight. Then both are changed to what the kernel
 * has to be given.
 */
bool scar_is_direct(int *dir_fd, const char **path);
/**
 * Likewise, but a direct name that is no link stays as it is, however deep its directory lies.
 * Only dir_fd, path and read_only of the result count.
 */
long scar_resolve_near(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where);
/** Keeps a descriptor open until the call in progress is over. */
void scar_hold(int fd);
/**
 * A name for calls without a directory descriptor: scar_where_flat, or through a held descriptor
 * where that would be longer than the kernel takes. NULL if there is no descriptor left.
 */
const char *scar_flatten(const struct scar_where *where, char buf[SCAR_GUEST_PATH_MAX]);
/**
 * Resolves a relative path from a directory whose own name is longer than PATH_MAX, step by step
 * through descriptors; the result holds one.
 */
long scar_resolve_deep(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where);
/** True if -EBADF may stem from the guest having closed our root, which is open again now. */
bool scar_root_was_lost(long result, const struct scar_where *where);
/** Owner and group of a file as the guest sees them. */
uint32_t scar_shown_uid(uint32_t host_uid);
uint32_t scar_shown_gid(uint32_t host_gid);

#endif
