/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/loader/known.h"
#include "invoke/engine/rewrite/loader/owners.h"
#include "invoke/engine/rewrite/loader/procfs.h"
#include "invoke/engine/rewrite/loader/signal.h"
#include "invoke/engine/rewrite/loader/undo.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_SYMLINK_FOLLOW_ 0x400
#define AT_EMPTY_PATH_ 0x1000
#define AT_REMOVEDIR_ 0x200
/* RENAME_NOREPLACE, _EXCHANGE, _WHITEOUT */
#define RENAME_FLAGS 7
#define IN_DONT_FOLLOW_ 0x02000000

long scar_resolve(int dir_fd, const char *path, enum scar_path_follow follow,
		  struct scar_where *ret_where)
{
	long ret;

	if (scar_is_bad_pointer(path))
		return -EFAULT;
	ret = scar_known_resolve(dir_fd, path, follow, ret_where);
	if (ret)
		return ret < 0 ? ret : 0;
	ret = scar_path_resolve(&scar_loader.paths, dir_fd, path, follow, ret_where);
	/* Our root may be what is no descriptor; the guest's is looked up again too. */
	if (ret == -EBADF && scar_sys(__NR_fcntl, scar_loader.guest.root_fd, F_GETFD) == -EBADF &&
	    scar_root_reopen() == 0)
		ret = scar_path_resolve(&scar_loader.paths, dir_fd, path, follow, ret_where);
	if (ret == -ENAMETOOLONG && *path != '/')
		ret = scar_resolve_deep(dir_fd, path, follow, ret_where);
	if (ret == 0 && (ret_where->bind_flags & SCAR_BIND_PROC) &&
	    scar_procfs_is_hidden(ret_where))
		return -ENOENT;
	return ret;
}

void scar_hold(int fd)
{
	struct scar_frame *frame = scar_thread_self()->frame;

	/* Of the two paths of a call each may need one. */
	frame->held[frame->held[0] >= 0] = fd;
}

void scar_frame_end(const struct scar_frame *frame)
{
	struct scar_thread *thread = scar_thread_self();

	for (int i = 0; i < 2; i++)
		if (frame->held[i] >= 0)
			scar_sys(__NR_close, frame->held[i]);
	thread->frame = frame->outer;
	if (thread->alt_bytes)
		scar_altstack_leave(thread, frame->regs->sp);
}

#if SCAR_ARCH_HAS_POINTS
extern long scar_point(const long call[7], uint8_t *hit);

long scar_call_point(long nr, long a, long b, long c, long d, long e, long f)
{
	const long call[7] = {nr, a, b, c, d, e, f};

	return scar_point(call, &scar_thread_self()->hit);
}
#else
long scar_call_point(long nr, long a, long b, long c, long d, long e, long f)
{
	return scar_sys6(nr, a, b, c, d, e, f);
}
#endif

const char *scar_flatten(const struct scar_where *where, char buf[SCAR_GUEST_PATH_MAX])
{
	const char *flat = scar_where_flat(&scar_loader.guest, where, buf), *name = where->path;
	char parent[SCAR_GUEST_PATH_MAX];
	size_t slash = strlen(where->path);
	struct scar_text t;
	long fd;

	if (strnlen(flat, SCAR_GUEST_PATH_MAX) < SCAR_GUEST_PATH_MAX - 1)
		return flat;
	/* A slash at the end belongs to the name. */
	while (slash > 1 && name[slash - 1] == '/')
		slash--;
	while (slash && name[slash - 1] != '/')
		slash--;
	memcpy(parent, name, slash);
	parent[slash] = '\0';
	fd = scar_sys(__NR_openat, where->dir_fd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	scar_hold((int)fd);
	t = scar_text_of(buf, SCAR_GUEST_PATH_MAX);
	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (unsigned)fd, 10);
	scar_text_str(&t, "/");
	scar_text_str(&t, name + slash);
	return buf;
}

bool scar_root_was_lost(long result, const struct scar_where *where)
{
	if (result != -EBADF || where->dir_fd != scar_loader.guest.root_fd ||
	    scar_sys(__NR_fcntl, where->dir_fd, F_GETFD) != -EBADF)
		return false;
	return scar_root_reopen() == 0;
}

/* One name in the directory at hand that no bind hides. */
static bool is_near(const char *path)
{
	size_t len = 0;

	for (; path[len]; len++)
		if (path[len] == '/')
			return false;
	if (!len)
		return false;
	if (path[0] != '.' && !(scar_loader.guest.bind_marks & scar_guest_name_mark(path, len)))
		return true;
	return scar_path_is_plain(&scar_loader.guest, path);
}

bool scar_is_direct(int *dir_fd, const char **path)
{
	if (is_near(*path))
		return true;
	if (!scar_known_is_straight(*dir_fd, *path))
		return false;
	if (**path == '/') {
		*dir_fd = scar_loader.guest.root_fd;
		++*path;
	}
	return true;
}

static bool has_read_only_binds(void)
{
	for (uint32_t i = 0; i < scar_loader.guest.bind_count; i++)
		if (scar_loader.guest.binds[i].flags & SCAR_BIND_READ_ONLY)
			return true;
	return false;
}

long scar_resolve_near(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where)
{
	int at = dir_fd;
	const char *name = path;
	long ret;
	char byte;

	if (has_read_only_binds() || !scar_is_direct(&at, &name))
		return scar_resolve(dir_fd, path, follow, ret_where);
	if (follow == SCAR_PATH_FOLLOW) {
		ret = scar_sys(__NR_readlinkat, at, name, &byte, 1);
		if (ret != -EINVAL)
			return scar_resolve(dir_fd, path, follow, ret_where);
	}
	ret_where->dir_fd = at;
	ret_where->path = name;
	ret_where->guest_len = SCAR_GUEST_PATH_MAX; /* not the root */
	ret_where->read_only = ret_where->magic = false;
	ret_where->bind_flags = 0;
	return 0;
}

static enum scar_path_follow follows(const struct scar_call_path *p, long flags)
{
	switch ((enum scar_call_follow)p->follow) {
	case SCAR_FOLLOW_NEVER: return SCAR_PATH_NOFOLLOW;
	case SCAR_FOLLOW_PARENT: return SCAR_PATH_PARENT;
	case SCAR_FOLLOW_ALWAYS: return SCAR_PATH_FOLLOW;
	case SCAR_FOLLOW_UNLESS_AT:
		return flags & AT_SYMLINK_NOFOLLOW_ ? SCAR_PATH_NOFOLLOW : SCAR_PATH_FOLLOW;
	case SCAR_FOLLOW_IF_AT:
		return flags & AT_SYMLINK_FOLLOW_ ? SCAR_PATH_FOLLOW : SCAR_PATH_NOFOLLOW;
	case SCAR_FOLLOW_UNLESS_WATCH:
		return flags & IN_DONT_FOLLOW_ ? SCAR_PATH_NOFOLLOW : SCAR_PATH_FOLLOW;
	}
	return SCAR_PATH_FOLLOW;
}

/* Replaces path argument p of args by its place on the host. */
static long translate(const struct scar_call *row, const struct scar_call_path *p, long args[6],
		      struct scar_where *where, char flat[SCAR_GUEST_PATH_MAX])
{
	const char *path = (const char *)args[p->path_arg - 1];
	long flags = p->flags_arg ? args[p->flags_arg - 1] : 0, ret;
	int dir_fd = p->dir_arg ? (int)args[p->dir_arg - 1] : AT_FDCWD;
	enum scar_path_follow follow = follows(p, flags);

	where->dir_fd = AT_FDCWD;
	/* utimensat(2) and futimesat(2) without a path mean the descriptor. */
	if (!path)
		return p->dir_arg ? 0 : -EFAULT;
	if (scar_is_bad_pointer(path))
		return -EFAULT;
	if (!*path && (flags & AT_EMPTY_PATH_))
		return 0;
	ret = scar_resolve_near(dir_fd, path, follow, where);
	if (ret)
		return ret;
	if (row->writes && where->read_only)
		return -EROFS;
	if (p->dir_arg) {
		args[p->dir_arg - 1] = where->dir_fd;
		args[p->path_arg - 1] = (long)where->path;
	} else {
		args[p->path_arg - 1] = (long)scar_flatten(where, flat);
		if (!args[p->path_arg - 1])
			return -ENOMEM;
	}
	return 0;
}

/* Old calls in their "at" form, which takes a place as a directory and a name. */
static long modern_form(long nr, long a[6])
{
	const long one[6] = {AT_FDCWD, a[0], a[1], a[2]};
	const long two[6] = {AT_FDCWD, a[0], AT_FDCWD, a[1]};
	long flags = 0;

	switch (nr) {
	case __NR_mkdir: nr = __NR_mkdirat; break;
	case __NR_mknod: nr = __NR_mknodat; break;
	case __NR_chmod: nr = __NR_fchmodat; break;
	case __NR_utimes: nr = __NR_futimesat; break;
	case __NR_unlink: nr = __NR_unlinkat; break;
	case __NR_rmdir:
		nr = __NR_unlinkat;
		flags = AT_REMOVEDIR_;
		break;
	case __NR_symlink: nr = __NR_symlinkat; break;
	case __NR_rename: nr = __NR_renameat; break;
	case __NR_link: nr = __NR_linkat; break;
	default: return nr;
	}
	if (nr == __NR_renameat || nr == __NR_linkat) {
		memcpy(a, two, sizeof(two));
	} else if (nr == __NR_symlinkat) {
		a[2] = a[1];
		a[1] = AT_FDCWD;
	} else {
		memcpy(a, one, sizeof(one));
		if (nr == __NR_unlinkat)
			a[2] = flags;
	}
	return nr;
}

static bool is_root(const struct scar_where *where)
{
	return where->dir_fd == scar_loader.guest.root_fd && where->guest_len == 0;
}

/*
 * linkat(2) of a descriptor itself: kernels before 6.10 want a privilege for it which root in a real
 * chroot has. The name of the descriptor does as well.
 */
static long link_descriptor(const long args[6])
{
	char path[40];
	struct scar_text t = scar_text_of(path, sizeof(path));

	if ((int)args[0] == AT_FDCWD) {
		scar_text_str(&t, "/proc/self/cwd");
	} else if ((int)args[0] < 0) {
		return -ENOENT;
	} else {
		scar_text_str(&t, "/proc/self/fd/");
		scar_text_unsigned(&t, (uint64_t)args[0], 10);
	}
	return scar_sys(__NR_linkat, AT_FDCWD, path, args[2], args[3], AT_SYMLINK_FOLLOW_);
}

static long run_row(const struct scar_regs *r, bool *ret_retry)
{
	long args[6] = {r->arg[0], r->arg[1], r->arg[2], r->arg[3], r->arg[4], r->arg[5]}, ret;
	const long nr = modern_form(r->nr, args);
	const struct scar_call *row = &scar_call_rows[nr];
	struct scar_where where[2];
	struct scar_owners_change change;
	struct scar_undo_change undo;
	char flat[2][SCAR_GUEST_PATH_MAX];
	bool moves;

	/* These two look at their flags before anything else. */
	if ((nr == __NR_unlinkat && (args[2] & ~AT_REMOVEDIR_)) ||
	    (nr == __NR_renameat2 && (args[4] & ~RENAME_FLAGS)))
		return -EINVAL;
	where[0].magic = false;
	where[1].dir_fd = AT_FDCWD;
	for (int i = 0; i < 2 && row->paths[i].path_arg; i++) {
		ret = translate(row, &row->paths[i], args, &where[i], flat[i]);
		if (ret)
			return ret;
	}
	/* The flag alone, beside a path, needs a privilege that root in a real chroot has. */
	if (nr == __NR_linkat && args[1] && *(const char *)args[1])
		args[4] &= ~AT_EMPTY_PATH_;
	/* To the kernel our root is a directory like any other. */
	if (nr == __NR_unlinkat && (args[2] & AT_REMOVEDIR_) && is_root(&where[0]))
		return -EBUSY;
	if (row->writes) {
		/* First, so that a file that loses its last name still has one of ours. */
		ret = scar_undo_before(nr, args, where[0].magic, &undo);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	moves = row->writes && scar_known_is_changed_by(nr, args);
	scar_owners_before(nr, args, &change);
	ret = scar_sys6(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (ret == -ENOENT && nr == __NR_linkat && (args[4] & AT_EMPTY_PATH_) && !*(char *)args[1])
		ret = link_descriptor(args);
	if (ret == 0 && moves)
		scar_known_changed();
	if (ret == 0 && nr == __NR_chdir)
		scar_known_moved();
	if (ret == 0)
		scar_owners_after(&change);
	if (row->writes)
		scar_undo_after(ret, &undo);
	*ret_retry = scar_root_was_lost(ret, &where[0]) || scar_root_was_lost(ret, &where[1]);
	return ret;
}

long scar_call_paths(struct scar_regs *regs)
{
	bool retry = false;
	long ret = run_row(regs, &retry);

	return retry ? run_row(regs, &retry) : ret;
}

static long change_directory(const struct scar_regs *r)
{
	long ret;

	/* The engine's own descriptor is none of the guest's. */
	if ((int)r->arg[0] == scar_loader.guest.root_fd)
		return -EBADF;
	ret = scar_sys(__NR_fchdir, r->arg[0]);
	scar_known_moved();
	return ret;
}

static long run_own(struct scar_regs *r)
{
	switch (r->nr) {
	case __NR_open:
	case __NR_creat:
	case __NR_openat:
	case SCAR_NR_openat2: return scar_call_open(r);
	case __NR_stat:
	case __NR_lstat:
	case __NR_fstat:
	case __NR_newfstatat:
	case __NR_statx: return scar_call_stat(r);
	case __NR_access:
	case __NR_faccessat:
	case SCAR_NR_faccessat2: return scar_call_access(r);
	case __NR_readlink:
	case __NR_readlinkat: return scar_call_readlink(r);
	case __NR_getcwd: return scar_call_getcwd(r);
	case __NR_getdents:
	case __NR_getdents64: return scar_call_list(r);
	case __NR_statfs:
	case __NR_fstatfs: return scar_call_statfs(r);
	case __NR_chown:
	case __NR_lchown:
	case __NR_fchown:
	case __NR_fchownat: return scar_call_chown(r);
	case __NR_fsetxattr:
	case __NR_fremovexattr: return scar_call_attribute(r->nr, r->arg);
	case __NR_fchdir: return change_directory(r);
	case __NR_fchmod: return scar_owners_fchmod((int)r->arg[0], (uint32_t)r->arg[1]);
	case __NR_chroot: return scar_call_chroot(r);
	case __NR_dup2:
	case __NR_dup3:
	case SCAR_NR_close_range: return scar_call_descriptors(r);
	case __NR_bind:
	case __NR_connect:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_getsockname:
	case __NR_getpeername:
	case __NR_accept:
	case __NR_accept4:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_getsockopt: return scar_call_socket(r);
	case __NR_mmap:
	case __NR_munmap:
	case __NR_mremap:
	case __NR_mprotect:
	case __NR_pkey_mprotect: return scar_call_memory(r);
	case __NR_fallocate: return scar_call_allocate(r);
	case __NR_execve:
	case __NR_execveat:
	case __NR_clone:
	case SCAR_NR_clone3:
	case __NR_exit:
	case __NR_prctl:
	case __NR_arch_prctl: return scar_call_process(r);
	case __NR_rt_sigaction: return scar_call_sigaction(r);
	case __NR_rt_sigprocmask: return scar_call_sigprocmask(r);
	case __NR_rt_sigsuspend: return scar_call_sigsuspend(r);
	case __NR_sigaltstack: return scar_call_sigaltstack(r);
	default: return scar_call_identity(r);
	}
}

/*
 * The thread's stack was in use, yet the guest is on its own: either on its alternate stack in
 * a signal handler that interrupted us, or it left one by siglongjmp, and the frames are dead.
 * No system call here: a handler that jumps out of it too, again and again, would use up the stack.
 */
static bool are_frames_dead(const struct scar_regs *r, const struct scar_thread *thread)
{
	return !scar_stack_holds(thread, r->sp) && !scar_altstack_holds(thread, r->sp);
}

struct scar_regs *scar_frames_begin(struct scar_regs *regs)
{
	struct scar_thread *thread = scar_thread_self();
	struct scar_regs *first;

	if (regs->saved_top == (uint64_t)thread)
		return regs;
	if (!are_frames_dead(regs, thread)) {
		if (regs->saved_top < (uint64_t)thread->low + 2 * SCAR_HANDLER_FRAME)
			scar_loader_die("signal handlers interrupt each other too deeply", NULL, 0);
		return regs;
	}
	/* Anew from the top, or each call that is left by a jump would begin a frame lower. */
	first = (struct scar_regs *)(((uint64_t)thread - 256 - SCAR_ARCH_REGS_BYTES) & ~15ull);
	memcpy(first, regs, SCAR_ARCH_REGS_BYTES);
	first->saved_top = (uint64_t)thread;
	return first;
}

/* It would name files behind our back; a program that tries it is told why it does not work. */
static void refuse_foreign(void)
{
	static uint8_t told;

	if (!__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED))
		scar_loader_note("32-bit system calls (int 0x80) do not work here, in",
				 scar_loader.exe, -ENOSYS);
}

/* What the guest gets, or SCAR_PASS or SCAR_CLONE. */
static long answer(struct scar_regs *regs)
{
	struct scar_thread *thread = scar_thread_self();
	struct scar_frame frame = {.regs = regs, .held = {-1, -1}};
	unsigned nr = (unsigned)regs->nr;
	enum scar_call_kind kind = nr < SCAR_CALLS_MAX ? scar_call_kinds[nr] : SCAR_CALL_ENOSYS;
	long ret = -ENOSYS;

	scar_thread_adopt(thread, regs->sp);
	if (regs->saved_top != (uint64_t)thread)
		frame.outer = thread->frame;
	thread->frame = &frame;
	if (thread->alt_bytes)
		scar_altstack_enter(thread, regs->sp);
	regs->nr = nr;
	switch (kind) {
	case SCAR_CALL_PASS: ret = SCAR_PASS; break;
	case SCAR_CALL_PATHS: ret = scar_call_paths(regs); break;
	case SCAR_CALL_OWN: ret = run_own(regs); break;
	case SCAR_CALL_EPERM: ret = -EPERM; break;
	case SCAR_CALL_ENOSYS:
		if (nr == SCAR_SITE_NR_FOREIGN)
			refuse_foreign();
		break;
	}
	scar_frame_end(&frame);
	if (scar_loader.guest.flags & SCAR_GUEST_TRACE)
		scar_loader_note("call", nr == __NR_openat ? (const char *)regs->arg[1] : "",
				 (long)nr * 100000 + (ret > 0 || ret < -4096 ? 0 : -ret));
	return ret;
}

uint64_t scar_resume_after(const struct scar_regs *regs)
{
	const struct scar_site_record *record = (const struct scar_site_record *)regs->resume;

	return scar_loader.guest.flags & SCAR_GUEST_TRACED
		       ? regs->resume
		       : regs->resume + (uint64_t)(int64_t)record->after;
}

uint64_t scar_resume_site(const struct scar_regs *regs)
{
	const struct scar_site_record *record = (const struct scar_site_record *)regs->resume;

	return scar_loader.guest.flags & SCAR_GUEST_TRACED
		       ? regs->resume - SCAR_CALL_BYTES
		       : regs->resume + (uint64_t)(int64_t)record->site;
}

void scar_handle(struct scar_regs *regs)
{
	const struct scar_site_record *record = (const struct scar_site_record *)regs->resume;
	long ret = answer(regs);

	if (ret == SCAR_PASS) {
		regs->resume += (uint64_t)(int64_t)record->pass;
	} else if (ret == SCAR_CLONE) {
		regs->resume += (uint64_t)(int64_t)record->clone;
	} else {
		regs->resume = scar_resume_after(regs);
		scar_arch_set_result(regs, ret);
	}
}

/* Calls that neither block nor make a process: nobody can tell where they run. */
static bool may_run_here(long nr)
{
	switch (nr) {
#ifdef __x86_64__
	case __NR_getdents:
	case __NR_dup2:
	case __NR_arch_prctl:
#endif
	case __NR_getdents64:
	case __NR_dup3:
	case SCAR_NR_close_range:
	case __NR_mmap:
	case __NR_munmap:
	case __NR_mremap: return true;
	default: return false;
	}
}

_Static_assert(SCAR_TRACED_PASS == 1 && SCAR_TRACED_CLONE > SCAR_TRACED_PASS, "entry.S");
_Static_assert(offsetof(struct scar_regs, saved_top) == 72, "entry.S");
_Static_assert(sizeof(struct scar_regs) <= SCAR_ARCH_REGS_BYTES, "arch.h");

int scar_handle_traced(struct scar_regs *regs)
{
	const long *a = regs->arg;
	long ret = answer(regs);

	if (ret == SCAR_PASS && may_run_here(regs->nr))
		ret = scar_sys6(regs->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (ret == SCAR_PASS)
		return SCAR_TRACED_PASS;
	if (ret == SCAR_CLONE)
		return SCAR_TRACED_CLONE;
	scar_arch_set_result(regs, ret);
	return SCAR_TRACED_DONE;
}

void scar_handle_abort(struct scar_regs *regs)
{
	scar_frame_end(scar_thread_self()->frame);
	regs->resume = scar_resume_after(regs);
	scar_arch_set_result(regs, -EFAULT);
}
