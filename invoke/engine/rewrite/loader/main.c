/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/openat2.h>
#include <string.h>

#include "invoke/engine/guest/elf.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/exec.h"
#include "invoke/engine/rewrite/loader/procfs.h"
#include "invoke/engine/rewrite/loader/signal.h"
#include "invoke/engine/rewrite/loader/text.h"
#include "invoke/engine/rewrite/loader/thread.h"

#define PAGE 4096u
#define HWCAP2_FSGSBASE 2u

struct scar_loader scar_loader = {.status_fd = -1};
uint8_t scar_has_fsgsbase;

/* The first thread's block: entry.S starts on its stack. */
extern char scar_main_block[];
char scar_main_block[SCAR_THREAD_STACK + 4096] __attribute__((aligned(SCAR_THREAD_ALIGN)));

/* What trampolines jump through. */
extern void scar_enter(void), scar_child(void);
extern const uint64_t scar_enter_slot, scar_child_slot;
const uint64_t scar_enter_slot = (uint64_t)(uintptr_t)&scar_enter;
const uint64_t scar_child_slot = (uint64_t)(uintptr_t)&scar_child;

/* The stack as the kernel left it. */
struct start {
	uint64_t *argc;
	char **argv, **envp;
	unsigned envc;
	Elf64_auxv_t *auxv;
	const char *execfn;    /* path as execve got it */
	char interpreter[256]; /* where it really is, or "" */
	int close_fd;          /* to be closed once the program is mapped, or -1 */
};

struct scar_entry {
	uint64_t entry, stack;
};

/* A program in memory. */
struct loaded {
	uint64_t bias, entry, phdrs;
	unsigned phdr_count;
	bool exec_stack;
	char interpreter[256];
};

void scar_loader_note(const char *what, const char *which, long value)
{
	char line[512];
	struct scar_text t = scar_text_of(line, sizeof(line) - 1);

	scar_text_str(&t, "scar: ");
	scar_text_str(&t, what);
	scar_text_str(&t, " ");
	scar_text_put(&t, which ? which : "", which ? strnlen(which, 400) : 0);
	scar_text_str(&t, value < 0 ? " -" : " ");
	scar_text_unsigned(&t, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
	line[t.len++] = '\n';
	scar_sys(__NR_write, 2, line, t.len);
}

/* A start that the host waits for is told why; else there is only stderr. */
static void report(bool is_engine, const char *path, long error, const char *reason)
{
	struct scar_handover_failure failure = {.error = (int)-error, .is_engine = is_engine};
	struct scar_text t = scar_text_of(failure.path, sizeof(failure.path));

	scar_text_str(&t, path ? path : "");
	t = scar_text_of(failure.reason, sizeof(failure.reason));
	scar_text_str(&t, reason);
	scar_sys(__NR_write, scar_loader.status_fd, &failure, sizeof(failure));
	scar_sys(__NR_exit_group, 127);
}

void scar_loader_die(const char *what, const char *which, long error)
{
	if (scar_loader.status_fd >= 0)
		report(true, which, error, what);
	scar_loader_note(what, which, error);
	for (;;)
		scar_sys(__NR_exit_group, 127);
}

void scar_lock_take(struct scar_lock *lock)
{
	int self = (int)scar_sys(__NR_getpid);

	for (unsigned tries = 0;; tries++) {
		int holder = 0;

		if (__atomic_compare_exchange_n(&lock->held, &holder, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		/* After a fork the holder is a thread of the parent, which will never release it. */
		if (holder != self &&
		    __atomic_compare_exchange_n(&lock->held, &holder, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		if (tries % 64 == 63)
			scar_sys(__NR_sched_yield);
	}
}

void scar_lock_release(struct scar_lock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

static struct start read_stack(uint64_t *stack)
{
	struct start s = {.argc = stack, .argv = (char **)(stack + 1), .close_fd = -1};

	s.envp = s.argv + *stack + 1;
	while (s.envp[s.envc])
		s.envc++;
	s.auxv = (Elf64_auxv_t *)(s.envp + s.envc + 1);
	return s;
}

static uint64_t auxv_value(const struct start *s, uint64_t type)
{
	for (const Elf64_auxv_t *a = s->auxv; a->a_type != AT_NULL; a++)
		if (a->a_type == type)
			return a->a_un.a_val;
	return 0;
}

static int segment_protection(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The part of a segment beyond its file contents reads as zero. */
static long clear_tail(const Elf64_Phdr *p, uint64_t bias, int prot)
{
	uint64_t file_end = bias + p->p_vaddr + p->p_filesz, end = bias + p->p_vaddr + p->p_memsz;
	uint64_t page_end = (file_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);

	if (!p->p_filesz)
		page_end = file_end & ~(uint64_t)(PAGE - 1);
	else if ((prot & PROT_WRITE) && page_end > file_end)
		memset((void *)file_end, 0, page_end - file_end);
	if (end <= page_end)
		return 0;
	return scar_sys(__NR_mmap, page_end, end - page_end, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static long map_segment(int fd, const Elf64_Phdr *p, uint64_t bias)
{
	uint64_t start = (bias + p->p_vaddr) & ~(uint64_t)(PAGE - 1);
	uint64_t slack = bias + p->p_vaddr - start;
	int prot = segment_protection(p);
	long ret;

	if (p->p_filesz) {
		ret = scar_sys(__NR_mmap, start, p->p_filesz + slack, prot, MAP_PRIVATE | MAP_FIXED,
			       fd, p->p_offset - slack);
		if (scar_sys_failed(ret))
			return ret;
		if (prot & PROT_EXEC) {
			ret = scar_text_map(start, p->p_filesz + slack, fd, p->p_offset - slack,
					    prot);
			if (ret < 0)
				return ret;
		}
	}
	ret = p->p_memsz > p->p_filesz ? clear_tail(p, bias, prot) : 0;
	return scar_sys_failed(ret) ? ret : 0;
}

static long map_program(int fd, struct scar_elf *elf, struct loaded *ret_loaded)
{
	uint64_t bias = 0;
	long ret;

	/* Reserves the whole span, so that segments keep their distances. */
	ret = scar_sys(__NR_mmap, elf->is_pie ? 0 : elf->low, elf->high - elf->low, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			       (elf->is_pie ? 0 : MAP_FIXED_NOREPLACE),
		       -1, 0);
	if (scar_sys_failed(ret))
		return ret;
	if (elf->is_pie)
		bias = (uint64_t)ret - elf->low;
	else if ((uint64_t)ret != elf->low)
		return -ENOMEM;
	*ret_loaded = (struct loaded){.bias = bias,
				      .entry = bias + elf->entry,
				      .phdr_count = elf->phdr_count,
				      .exec_stack = elf->exec_stack};
	memcpy(ret_loaded->interpreter, elf->interpreter, sizeof(elf->interpreter));
	for (unsigned i = 0; i < elf->phdr_count; i++) {
		const Elf64_Phdr *p = &elf->phdrs[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset <= elf->phdr_offset && elf->phdr_offset - p->p_offset < p->p_filesz)
			ret_loaded->phdrs = bias + p->p_vaddr + (elf->phdr_offset - p->p_offset);
		ret = map_segment(fd, p, bias);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* One look instead of one at each component, for a path that needs no more; else -errno. */
static long open_plain(const char *path)
{
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC,
				     .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};

	if ((scar_loader.guest.flags & SCAR_GUEST_NO_OPENAT2) || path[0] != '/' ||
	    !scar_path_is_plain(&scar_loader.guest, path))
		return -ELOOP;
	return scar_sys(SCAR_NR_openat2, scar_loader.guest.root_fd, path + 1, &how, sizeof(how));
}

static long open_file(const char *path)
{
	static struct scar_where where;
	long fd = open_plain(path), ret;

	if (fd >= 0)
		return fd;
	ret = scar_path_resolve(&scar_loader.paths, AT_FDCWD, path, SCAR_PATH_FOLLOW, &where);
	if (ret < 0)
		scar_loader_die("cannot find", path, ret);
	fd = scar_sys(__NR_openat, where.dir_fd, where.path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		scar_loader_die("cannot open", path, fd);
	return fd;
}

static void load(const char *path, struct loaded *ret_loaded)
{
	static struct scar_elf elf;
	long fd = open_file(path), ret;

	ret = scar_elf_read((int)fd, &elf);
	if (ret == 0)
		ret = map_program((int)fd, &elf, ret_loaded);
	if (ret < 0)
		scar_loader_die("cannot load", path, ret);
	scar_sys(__NR_close, fd);
}

static void set_auxv(struct start *s, const struct loaded *program, const struct loaded *linker)
{
	const struct scar_guest_ids *ids = &scar_loader.guest.ids;

	for (Elf64_auxv_t *a = s->auxv; a->a_type != AT_NULL; a++) {
		uint64_t *value = &a->a_un.a_val;

		switch (a->a_type) {
		case AT_PHDR: *value = program->phdrs; break;
		case AT_PHENT: *value = sizeof(Elf64_Phdr); break;
		case AT_PHNUM: *value = program->phdr_count; break;
		case AT_BASE: *value = linker ? linker->bias : 0; break;
		case AT_ENTRY: *value = program->entry; break;
		case AT_UID: *value = ids->ruid; break;
		case AT_EUID: *value = ids->euid; break;
		case AT_GID: *value = ids->rgid; break;
		case AT_EGID: *value = ids->egid; break;
		case AT_SECURE: *value = 0; break;
		case AT_EXECFN: *value = (uint64_t)(uintptr_t)s->execfn; break;
		default: break;
		}
	}
}

/* The name in ps and /proc/self/comm, that of a link or script; Lambda refuses the prctl but not the file. */
static void set_name(const char *name)
{
	char comm[16] = "";

	for (const char *at = name; *at; at++)
		if (*at == '/')
			name = at + 1;
	memcpy(comm, name, strnlen(name, sizeof(comm) - 1));
	if (scar_sys(__NR_prctl, 15 /* PR_SET_NAME */, comm) < 0) {
		long fd = scar_sys(__NR_openat, AT_FDCWD, "/proc/self/comm", O_WRONLY | O_CLOEXEC,
				   0);

		if (fd >= 0) {
			scar_sys(__NR_write, fd, comm, strlen(comm));
			scar_sys(__NR_close, fd);
		}
	}
}

/* Removes our two entries: everything below them on the stack moves up by their pointers. */
static uint64_t drop_handover(struct start *s)
{
	uint64_t *from = s->argc;
	uint64_t words = (uint64_t)((uint64_t *)(s->envp + s->envc - 2) - from);

	memmove(from + 2, from, words * sizeof(*from));
	s->envp[s->envc] = NULL;
	return (uint64_t)(uintptr_t)(from + 2);
}

static unsigned take_number(const char **at)
{
	unsigned value = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		value = value * 10 + (unsigned)(**at - '0');
	return value;
}

/* The last entry but one: see handover.h. True at the first start. */
static bool take_exe(struct start *s, const char *exe)
{
	unsigned number = take_number(&exe), length, fd = 0;
	const char *digits;

	if (*exe == '!') {
		scar_loader.status_fd = (int)number;
		/* Its closing tells the host that the program runs. */
		scar_sys(__NR_fcntl, number, F_SETFD, FD_CLOEXEC);
		return true;
	}
	if (*exe != ':' || number >= sizeof(scar_loader.exe) || strnlen(exe + 1, number) < number)
		scar_loader_die("state is malformed", NULL, -EINVAL);
	memcpy(scar_loader.exe, exe + 1, number);
	scar_loader.exe[number] = '\0';
	s->execfn = exe + 1 + number + 1;
	length = take_number(&s->execfn);
	if (*s->execfn++ != ':' || length >= sizeof(s->interpreter) ||
	    strnlen(s->execfn, length) < length)
		scar_loader_die("state is malformed", NULL, -EINVAL);
	memcpy(s->interpreter, s->execfn, length);
	s->execfn += length;
	if (exe[1 + number] == ';') {
		for (digits = scar_loader.exe + number; digits[-1] >= '0' && digits[-1] <= '9';)
			digits--;
		fd = take_number(&digits);
		s->close_fd = (int)fd;
	}
	return false;
}

/* Reads the hand-over. True at the first start, where argv[0] is yet to be found. */
static bool take_state(struct start *s)
{
	const char *exe, *config;

	if (s->envc < 2)
		scar_loader_die("not started by scar", NULL, -EINVAL);
	exe = s->envp[s->envc - 2];
	config = s->envp[s->envc - 1];
	if (strncmp(exe, SCAR_HANDOVER_EXE, strlen(SCAR_HANDOVER_EXE)) != 0 ||
	    strncmp(config, SCAR_HANDOVER_CONFIG, strlen(SCAR_HANDOVER_CONFIG)) != 0)
		scar_loader_die("not started by scar", NULL, -EINVAL);
	config += strlen(SCAR_HANDOVER_CONFIG);
	if (strnlen(config, SCAR_GUEST_TEXT_MAX) == SCAR_GUEST_TEXT_MAX)
		scar_loader_die("state too long", NULL, -E2BIG);
	memcpy(scar_loader.config_text, config, strlen(config) + 1);
	if (scar_guest_decode(&scar_loader.guest, scar_loader.config_text))
		scar_loader_die("state is malformed", NULL, -EINVAL);
	return take_exe(s, exe + strlen(SCAR_HANDOVER_EXE));
}

static void init_state(void)
{
	struct scar_text t = scar_text_of(scar_loader.exe_host, sizeof(scar_loader.exe_host));
	int ret;

	scar_loader.pid = (int)scar_sys(__NR_getpid);
	scar_text_str(&t, scar_loader.guest.state_dir);
	scar_text_str(&t, SCAR_HANDOVER_LOADER);
	scar_loader.paths = (struct scar_path_context){.guest = &scar_loader.guest,
						       .exe = scar_loader.exe,
						       .exe_host = scar_loader.exe_host,
						       .exe_of = scar_procfs_exe_of};
	ret = scar_root_reopen();
	if (ret)
		scar_loader_die("cannot open the root", scar_loader.guest.root, ret);
}

/* argv[0] holds the path to execute, and argv[1] what the program is to see as argv[0]. */
static void start_first(const struct start *s) __attribute__((noreturn));
static void start_first(const struct start *s)
{
	struct scar_exec_failure failure = {.reason = ""};
	long ret;

	/* The working directory first: a relative path counts from it. */
	s->envp[s->envc - 2] = NULL;
	ret = *s->argc < 2 ? -EINVAL
			   : scar_exec(AT_FDCWD, s->argv[0], s->argv + 1, s->envp, 0, &failure);
	report(false, s->argv[0], ret, failure.reason);
	__builtin_unreachable();
}

struct scar_entry scar_loader_main(uint64_t *stack);
struct scar_entry scar_loader_main(uint64_t *stack)
{
	struct start s = read_stack(stack);
	struct scar_thread *thread = (struct scar_thread *)(scar_main_block + SCAR_THREAD_STACK);
	static struct loaded program, linker;
	bool first;

	scar_has_fsgsbase = auxv_value(&s, 26 /* AT_HWCAP2 */) & HWCAP2_FSGSBASE;
	scar_thread_start(thread, scar_main_block);
	first = take_state(&s);
	if (scar_loader.guest.flags & SCAR_GUEST_NO_FSGSBASE) {
		scar_has_fsgsbase = false;
		scar_thread_start(thread, scar_main_block);
	}
	init_state();
	/* We are on this stack: what execve and signals use must lie below. */
	thread->top -= SCAR_HANDLER_FRAME;
	if (first)
		start_first(&s);
	load(scar_loader.exe, &program);
	if (program.interpreter[0])
		load(s.interpreter[0] ? s.interpreter : program.interpreter, &linker);
	set_auxv(&s, &program, program.interpreter[0] ? &linker : NULL);
	set_name(s.execfn);
	if (s.close_fd >= 0)
		scar_sys(__NR_close, s.close_fd);
	scar_signal_start();
	thread->top = (char *)thread;
	return (struct scar_entry){program.interpreter[0] ? linker.entry : program.entry,
				   drop_handover(&s)};
}
