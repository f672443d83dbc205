/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file loader.h
 * The state of one guest process, shared by all of its threads.
 *
 * The loader is an ordinary program to the kernel and stays in the guest's address space as
 * the handler of its system calls. It has no C library and no thread-local storage, uses no
 * floating point or vector register, and returns -errno to the guest.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_LOADER_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "invoke/engine/guest/config.h"
#include "invoke/engine/guest/path.h"
#include "invoke/engine/rewrite/handover.h"
#include "invoke/engine/rewrite/loader/arch.h"
#include "invoke/engine/rewrite/patch.h"

/** The guest's registers at a system call, as entry.S saves them. */
struct scar_regs {
	long nr; /**< number of the call; where numbers and results share a register, then the result */
	long arg[6];
	uint64_t resume; /**< in: the site's record; out: where the guest goes on */
	uint64_t sp;
	uint64_t saved_top; /**< thread's top before this call */
	uint64_t kept[SCAR_ARCH_KEPT];
};

struct scar_loader {
	struct scar_guest guest;
	struct scar_path_context paths;
	char exe[SCAR_GUEST_PATH_MAX];           /**< guest path of the running program */
	char exe_host[SCAR_GUEST_ROOT_MAX + 16]; /**< of the loader itself */
	char config_text[SCAR_GUEST_TEXT_MAX];   /**< guest's strings live here */
	int pid;             /**< of the process that was executed; its children differ */
	int status_fd;       /**< where a first start reports its failure, else -1 */
	uint32_t page_traps; /**< sites patched with ud2 */
};

/** The only mutable global besides thread blocks and the tables of text.c and signal.c. */
extern struct scar_loader scar_loader;
/** FSGSBASE may be used (AT_HWCAP2); read by entry.S. */
extern uint8_t scar_has_fsgsbase;

/** Ends the process with a line on stderr: the engine itself cannot go on. */
void scar_loader_die(const char *what, const char *which, long error) __attribute__((noreturn));
/** A line on stderr, for SCAR_GUEST_TRACE. */
void scar_loader_note(const char *what, const char *which, long value);

/** A lock between threads of this process; never held while guest code can run. */
struct scar_lock {
	volatile int held;
};
void scar_lock_take(struct scar_lock *lock);
void scar_lock_release(struct scar_lock *lock);

/** True if a guest pointer is certainly no memory: what the kernel answers with EFAULT. */
static inline bool scar_is_bad_pointer(const void *pointer)
{
	return (uintptr_t)pointer < 4096 || (uintptr_t)pointer >> SCAR_ADDRESS_BITS;
}

/** The root's descriptor was closed by the guest: opens it again. @return 0 or -errno */
int scar_root_reopen(void);
/** Moves the root's descriptor out of the way if it is in [first, last]. */
void scar_root_evade(unsigned first, unsigned last);

#endif
