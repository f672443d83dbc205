/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/capabilities.h"
#include "invoke/engine/rewrite/loader/exec.h"
#include "invoke/engine/rewrite/loader/known.h"
#include "invoke/engine/rewrite/loader/text.h"
#include "invoke/engine/rewrite/loader/thread.h"

#define PAGE 4096u
/* Beyond what select(2), and hence most programs, can use. */
#define HIGH_DESCRIPTOR 1024
#define SET_SYSCALL_USER_DISPATCH 59 /* PR_*, which older headers lack */
/* Larger than any code that is made at run time in one piece. */
#define CODE_MAX (256ull << 20)

/* ---- descriptors ------------------------------------------------------------------------ */

int scar_root_reopen(void)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	uint64_t limit[2] = {1024, 1024};
	long fd = scar_sys(__NR_openat, AT_FDCWD, scar_loader.guest.root, flags, 0), high;
	int old = scar_loader.guest.root_fd;

	if (fd < 0)
		return (int)fd;
	/* The same number if it is free: a vfork child shares our memory, but not its descriptors. */
	if (old >= 0) {
		high = scar_sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, old);
		if (high >= 0) {
			scar_sys(__NR_close, fd);
			scar_loader.guest.root_fd = (int)high;
			return 0;
		}
	}
	/*
	 * Out of the way: programs count on small numbers, and close all they know of. But not far, for each
	 * child gets a table that reaches up to here.
	 */
	scar_sys(__NR_prlimit64, 0, 7 /* RLIMIT_NOFILE */, NULL, limit);
	if (limit[0] > HIGH_DESCRIPTOR + 1)
		limit[0] = HIGH_DESCRIPTOR + 1;
	for (uint64_t low = limit[0]; low > 4; low -= low / 8 + 1) {
		high = scar_sys(__NR_fcntl, fd, F_DUPFD_CLOEXEC, low - 1);
		if (high >= 0) {
			scar_sys(__NR_close, fd);
			fd = high;
			break;
		}
	}
	scar_loader.guest.root_fd = (int)fd;
	return 0;
}

/* dup2 and dup3 onto our root: it moves away first. */
static long duplicate(struct scar_regs *r)
{
	if ((int)r->arg[1] == scar_loader.guest.root_fd && r->arg[0] != r->arg[1]) {
		long other = scar_sys(__NR_fcntl, scar_loader.guest.root_fd, F_DUPFD_CLOEXEC, 3);

		if (other < 0)
			return other;
		scar_loader.guest.root_fd = (int)other;
	}
	return SCAR_PASS;
}

/* All but our root is closed. */
static long close_range(struct scar_regs *r)
{
	unsigned first = (unsigned)r->arg[0], last = (unsigned)r->arg[1];
	unsigned root = (unsigned)scar_loader.guest.root_fd;
	long ret = 0;

	if (root < first || root > last || first > last)
		return SCAR_PASS;
	if (first < root)
		ret = scar_sys(SCAR_NR_close_range, first, root - 1, r->arg[2]);
	if (ret == 0 && root < last)
		ret = scar_sys(SCAR_NR_close_range, root + 1, last, r->arg[2]);
	return ret;
}

long scar_call_descriptors(struct scar_regs *r)
{
	return r->nr == SCAR_NR_close_range ? close_range(r) : duplicate(r);
}

/* ---- memory ----------------------------------------------------------------------------- */

static long map(struct scar_regs *r)
{
	const bool text = (r->arg[2] & PROT_EXEC) && !(r->arg[3] & MAP_ANONYMOUS) &&
			  (int)r->arg[4] >= 0;
	const uint64_t addr = (uint64_t)r->arg[0], len = (uint64_t)r->arg[1];
	struct scar_range engine;
	long ret, patched;

	if (r->arg[3] & MAP_FIXED) {
		if (scar_text_engine_range(addr, len, &engine))
			return -ENOMEM;
		scar_text_unmap(addr, len);
	}
	if (!text)
		return SCAR_PASS;
	ret = scar_sys(__NR_mmap, addr, len, r->arg[2], r->arg[3], r->arg[4], r->arg[5]);
	if (scar_sys_failed(ret))
		return ret;
	/* Shared text cannot be patched without changing the file; nobody links like that. */
	if ((r->arg[3] & MAP_TYPE) != MAP_PRIVATE)
		return ret;
	patched = scar_text_map((uint64_t)ret, len, (int)r->arg[4], (uint64_t)r->arg[5],
				(int)r->arg[2]);
	if (patched < 0) {
		scar_sys(__NR_munmap, ret, len);
		return patched == -ENOMEM ? patched : -EACCES;
	}
	return ret;
}

/* What is the engine's stays, as if it were not there. */
static long unmap(const struct scar_regs *r)
{
	uint64_t addr = (uint64_t)r->arg[0], end = addr + (uint64_t)r->arg[1];
	struct scar_range engine;
	long ret;

	if (addr % PAGE || end < addr)
		return SCAR_PASS;
	scar_text_unmap(addr, end - addr);
	if (!scar_text_engine_range(addr, end - addr, &engine))
		return SCAR_PASS;
	do {
		if (addr < engine.start) {
			ret = scar_sys(__NR_munmap, addr, engine.start - addr);
			if (ret)
				return ret;
		}
		addr = (engine.end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	} while (addr < end && scar_text_engine_range(addr, end - addr, &engine));
	return addr < end ? scar_sys(__NR_munmap, addr, end - addr) : 0;
}

static long remap(const struct scar_regs *r)
{
	struct scar_range engine;
	const bool moves = r->arg[3] & MREMAP_FIXED;

	if (scar_text_engine_range((uint64_t)r->arg[0], (uint64_t)r->arg[1], &engine))
		return -EFAULT;
	/* Moved text would jump to trampolines that are elsewhere. */
	if (scar_text_touches((uint64_t)r->arg[0], (uint64_t)r->arg[1]))
		return -EINVAL;
	if (moves && scar_text_engine_range((uint64_t)r->arg[4], (uint64_t)r->arg[2], &engine))
		return -ENOMEM;
	if (moves)
		scar_text_unmap((uint64_t)r->arg[4], (uint64_t)r->arg[2]);
	return SCAR_PASS;
}

/* Code that becomes executable only now. Patched text stays so when relocations make it writable for a while. */
static long protect(const struct scar_regs *r)
{
	const uint64_t addr = (uint64_t)r->arg[0], len = (uint64_t)r->arg[1];
	struct scar_range engine;
	long ret;

	if (len && scar_text_engine_range(addr, len, &engine))
		return -ENOMEM;
	/* A tracer sees the calls of any code. */
	if (!(r->arg[2] & PROT_EXEC) || (scar_loader.guest.flags & SCAR_GUEST_TRACED) || !len ||
	    addr % PAGE || len > CODE_MAX || scar_text_touches(addr, len))
		return SCAR_PASS;
	ret = scar_sys(r->nr, addr, len, r->arg[2] | PROT_READ, r->arg[3]);
	if (ret)
		return ret;
	ret = scar_text_protect(addr, (len + PAGE - 1) & ~(uint64_t)(PAGE - 1),
				(int)r->arg[2] | PROT_READ);
	return ret == 0 || ret == -ENOMEM ? ret : -EACCES;
}

long scar_call_memory(struct scar_regs *r)
{
	switch (r->nr) {
	case __NR_mmap: return map(r);
	case __NR_munmap: return unmap(r);
	case __NR_mremap: return remap(r);
	default: return protect(r);
	}
}

/* ---- threads and programs --------------------------------------------------------------- */

#define NAMESPACES                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	 CLONE_NEWPID | CLONE_NEWNET)

static long make_thread(const struct scar_regs *r, uint64_t flags, uint64_t stack)
{
	scar_known_cloned(flags);
	scar_exec_cloned(flags);
	return flags & NAMESPACES ? -EPERM : scar_thread_clone(r, flags, stack);
}

static long clone3(const struct scar_regs *r)
{
	const struct clone_args *args = (const struct clone_args *)r->arg[0];

	if (scar_is_bad_pointer(args) || r->arg[1] < CLONE_ARGS_SIZE_VER0)
		return SCAR_PASS;
	/* What comes without its tracer would find each of its calls missing; C libraries take clone then. */
	if ((scar_loader.guest.flags & SCAR_GUEST_TRACED) && (args->flags & CLONE_UNTRACED))
		return -ENOSYS;
	return make_thread(r, args->flags, args->stack ? args->stack + args->stack_size : 0);
}

/* What Lambda refuses, though it does nothing that matters, succeeds. */
static long process_control(const struct scar_regs *r)
{
	long ret;

	/* Either would be about our calls, not the guest's. */
	if (r->arg[0] == PR_SET_SECCOMP || r->arg[0] == SET_SYSCALL_USER_DISPATCH)
		return -EPERM;
	ret = scar_sys(__NR_prctl, r->arg[0], r->arg[1], r->arg[2], r->arg[3], r->arg[4]);

	if (r->arg[0] == PR_SET_KEEPCAPS && (ret == 0 || ret == -EPERM))
		scar_capabilities_keep(r->arg[1]);
	switch (r->arg[0]) {
	case PR_SET_NO_NEW_PRIVS:
		return ret == -EPERM && r->arg[1] == 1 && !r->arg[2] && !r->arg[3] && !r->arg[4]
			       ? 0
			       : ret;
	case PR_SET_PDEATHSIG:
	case PR_SET_DUMPABLE:
	case PR_SET_KEEPCAPS:
	case PR_SET_CHILD_SUBREAPER:
	case PR_SET_TIMERSLACK:
	case PR_CAPBSET_DROP:
	case PR_SET_SECUREBITS: return ret == -EPERM ? 0 : ret;
	case PR_SET_NAME: {
		const char *name = (const char *)r->arg[1];
		char path[64];
		struct scar_text t = scar_text_of(path, sizeof(path));
		long fd;

		if (ret != -EPERM || scar_is_bad_pointer(name))
			return ret;
		scar_text_str(&t, "/proc/self/task/");
		scar_text_unsigned(&t, (uint64_t)scar_sys(__NR_gettid), 10);
		scar_text_str(&t, "/comm");
		fd = scar_sys(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
		if (fd >= 0) {
			scar_sys(__NR_write, fd, name, strnlen(name, 15));
			scar_sys(__NR_close, fd);
		}
		return 0;
	}
	default: return ret;
	}
}

/* %gs is how we find the thread; 64-bit programs leave it alone. */
static long architecture_control(const struct scar_regs *r)
{
	switch (r->arg[0]) {
	case 0x1001 /* ARCH_SET_GS */: return -EPERM;
	case 0x1004 /* ARCH_GET_GS */: *(uint64_t *)r->arg[1] = 0; return 0;
	default: return SCAR_PASS;
	}
}

long scar_call_process(struct scar_regs *r)
{
	switch (r->nr) {
	case __NR_execve:
		if (scar_is_bad_pointer((void *)r->arg[0]))
			return -EFAULT;
		return scar_exec(AT_FDCWD, (const char *)r->arg[0], (char *const *)r->arg[1],
				 (char *const *)r->arg[2], 0, NULL);
	case __NR_execveat:
		if (scar_is_bad_pointer((void *)r->arg[1]))
			return -EFAULT;
		return scar_exec((int)r->arg[0], (const char *)r->arg[1], (char *const *)r->arg[2],
				 (char *const *)r->arg[3], (int)r->arg[4], NULL);
	case __NR_clone:
		if (scar_loader.guest.flags & SCAR_GUEST_TRACED)
			r->arg[0] &= ~(long)CLONE_UNTRACED;
		return make_thread(r, (uint64_t)r->arg[0], (uint64_t)r->arg[1]);
	case SCAR_NR_clone3: return clone3(r);
	case __NR_exit: return scar_thread_exit(r);
	case __NR_arch_prctl: return architecture_control(r);
	default: return process_control(r);
	}
}
