/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/stat.h>

#include "invoke/engine/guest/elf.h"
#include "invoke/engine/guest/shebang.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/handle.h"
#include "invoke/engine/rewrite/loader/owners.h"
#include "invoke/engine/rewrite/loader/thread.h"

#define AT_EMPTY_PATH_ 0x1000
#define AT_SYMLINK_NOFOLLOW_ 0x100
/* argv and envp of one program together, in pointers; the kernel's own limit is on bytes. */
#define POINTERS_MAX (1u << 22)
#define INTERPRETER_MAX 192
#define POINTERS_HERE 256
/* Where no process has memory. */
#define NO_POINTER ((char *const *)(uintptr_t)-4096)

/* Where the interpreter that a program asks for really is. */
struct interpreter {
	uint32_t links; /* of the ledger, when it was found */
	char from[64], to[INTERPRETER_MAX];
};

/* The last one. Copied as a whole, and only used where it is whole: see recall_interpreter. */
static struct interpreter last_interpreter;
static uint32_t last_version;

/* One execution being prepared. Too large for the handler's stack, so it is mapped. */
struct exec {
	struct scar_where where;
	struct scar_elf elf;
	char exe[sizeof(SCAR_HANDOVER_EXE) + 2 * SCAR_GUEST_PATH_MAX + INTERPRETER_MAX + 32];
	char config[sizeof(SCAR_HANDOVER_CONFIG) + SCAR_GUEST_TEXT_MAX];
	char script[SCAR_GUEST_PATH_MAX];
	/* First lines of scripts, outermost first; interpreter and argument point into them. */
	char lines[SCAR_SHEBANG_DEPTH_MAX][SCAR_ELF_HEAD_BYTES + 1];
	struct scar_shebang shebangs[SCAR_SHEBANG_DEPTH_MAX];
	unsigned shebang_count;
	const char *reason;
	struct interpreter interpreter; /* of the ELF program, if its place is known */
	int kept_fd; /* a close-on-exec descriptor that is the program, kept open, or -1 */
	char *pointers[POINTERS_HERE];
};

/*
 * What a shell uses again and again, instead of new memory each time. A child of vfork has it from its parent, who
 * waits; it is free again before the program starts, as then nobody could free it. Other threads have no part in it.
 */
static struct exec shared;
static uint8_t is_taken, has_threads;

/* What kernels before 6.9 need: they look for the arguments before they open the program. */
static long check_program(const struct scar_where *where, int fd)
{
	struct stat st;
	long ret = scar_sys(__NR_fstat, fd, &st);

	if (ret == 0 && !S_ISREG(st.st_mode))
		return -EACCES;
	return ret ? ret : scar_sys(__NR_faccessat, where->dir_fd, where->path, 1 /* X_OK */);
}

/*
 * Opens what `where` leads to, if it may be executed. The kernel itself judges that (permissions,
 * kind of file, ETXTBSY) where it opens a program before it finds that there are no arguments to
 * read; elsewhere only ETXTBSY remains unseen.
 */
static long open_program(struct exec *x)
{
	long fd, ret = scar_sys(__NR_execveat, x->where.dir_fd, x->where.path, NO_POINTER, NULL, 0);

	if (ret != -EFAULT)
		return ret;
	fd = scar_sys(__NR_openat, x->where.dir_fd, x->where.path,
		      O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0) {
		x->reason = fd == -EACCES ? "not readable" : "";
		return fd;
	}
	ret = check_program(&x->where, (int)fd);
	if (ret == 0)
		return fd;
	scar_sys(__NR_close, fd);
	return ret;
}

/* As a directory's (known.h), the place of an interpreter holds until a link or a directory is changed. */
static bool recall_interpreter(const char *from, struct interpreter *ret_found)
{
	const uint32_t *links = scar_owners_links();
	uint32_t version = __atomic_load_n(&last_version, __ATOMIC_ACQUIRE);

	if (!links || (version & 1) || !version)
		return false;
	*ret_found = last_interpreter;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&last_version, __ATOMIC_RELAXED) == version &&
	       ret_found->links == __atomic_load_n(links, __ATOMIC_ACQUIRE) &&
	       strcmp(ret_found->from, from) == 0;
}

static void keep_interpreter(const struct interpreter *found)
{
	uint32_t version = __atomic_load_n(&last_version, __ATOMIC_RELAXED);

	if ((version & 1) ||
	    !__atomic_compare_exchange_n(&last_version, &version, version + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	last_interpreter = *found;
	__atomic_store_n(&last_version, version + 2, __ATOMIC_RELEASE);
}

/* Finds the interpreter, and puts its place in x->interpreter if that can be told without links and binds. */
static long find_interpreter(struct exec *x, const char *from, struct scar_where *where)
{
	const uint32_t *links = scar_owners_links();
	struct interpreter *found = &x->interpreter;
	long ret;

	if (recall_interpreter(from, found)) {
		where->dir_fd = scar_loader.guest.root_fd;
		where->path = found->to + 1;
		return 0;
	}
	found->to[0] = '\0';
	found->links = links ? __atomic_load_n(links, __ATOMIC_ACQUIRE) : 0;
	ret = scar_resolve(AT_FDCWD, from, SCAR_PATH_FOLLOW, where);
	if (ret || !links || from[0] != '/' || where->magic ||
	    where->dir_fd != scar_loader.guest.root_fd || where->guest_len >= sizeof(found->to) ||
	    strlen(from) >= sizeof(found->from))
		return ret;
	memcpy(found->from, from, strlen(from) + 1);
	memcpy(found->to, where->guest, where->guest_len);
	found->to[where->guest_len] = '\0';
	keep_interpreter(found);
	return 0;
}

/* An ELF program: it and its interpreter must be for this machine. */
static long check_elf(struct exec *x, int fd)
{
	char interpreter[sizeof(x->elf.interpreter)];
	long ret = scar_elf_read(fd, &x->elf);

	if (ret < 0) {
		x->reason = "not a program for this machine";
		return ret;
	}
	if (!x->elf.interpreter[0])
		return 0;
	memcpy(interpreter, x->elf.interpreter, sizeof(interpreter));
	{
		/* `where` still names the program, so the interpreter needs a place of its own. */
		struct scar_where *where = (struct scar_where *)(void *)x->config;
		_Static_assert(sizeof(x->config) >= sizeof(*where), "config is built later");

		ret = find_interpreter(x, interpreter, where);
		if (ret == 0)
			ret = scar_sys(__NR_faccessat, where->dir_fd, where->path, 1);
	}
	if (ret < 0)
		x->reason = "its interpreter (dynamic linker) is missing";
	return ret;
}

/* Looks at the program in `where`. 1: it is a script, whose line was added; 0: ELF. */
static long inspect(struct exec *x)
{
	long fd = open_program(x), n, ret;
	char *head;

	if (fd < 0)
		return fd;
	if (x->shebang_count == SCAR_SHEBANG_DEPTH_MAX) {
		scar_sys(__NR_close, fd);
		return -ELOOP;
	}
	head = x->lines[x->shebang_count];
	n = scar_sys(__NR_pread64, fd, head, SCAR_ELF_HEAD_BYTES, 0);
	if (n < 0) {
		ret = n;
	} else if (scar_elf_is(head, (size_t)n)) {
		ret = check_elf(x, (int)fd);
	} else if (scar_shebang_is(head, (size_t)n)) {
		ret = scar_shebang_parse(head, (size_t)n, &x->shebangs[x->shebang_count]);
		if (ret == 0) {
			x->shebang_count++;
			ret = 1;
		}
	} else {
		x->reason = "neither an ELF program nor a script";
		ret = -ENOEXEC;
	}
	scar_sys(__NR_close, fd);
	return ret;
}

/* Names the program behind a descriptor: fexecve(3) and scripts need a path. */
static long name_descriptor(int fd, char *buf, size_t size)
{
	struct scar_text t = scar_text_of(buf, size);

	if (fd < 0)
		return -EBADF;
	scar_text_str(&t, "/dev/fd/");
	scar_text_unsigned(&t, (unsigned)fd, 10);
	return 0;
}

static bool is_deleted(const char *link, size_t len)
{
	static const char mark[] = " (deleted)";

	return len >= sizeof(mark) && strcmp(link + len - (sizeof(mark) - 1), mark) == 0;
}

static void put_exe(struct exec *x, const char *exe, const char *mark)
{
	struct scar_text t = scar_text_of(x->exe, sizeof(x->exe));

	scar_text_str(&t, SCAR_HANDOVER_EXE);
	scar_text_unsigned(&t, strlen(exe), 10);
	scar_text_str(&t, ":");
	scar_text_str(&t, exe);
	scar_text_str(&t, mark);
	scar_text_unsigned(&t, strlen(x->interpreter.to), 10);
	scar_text_str(&t, ":");
	scar_text_str(&t, x->interpreter.to);
	scar_text_str(&t, x->script);
}

/*
 * Only a descriptor leads to the program (memfd, a deleted file): the loader opens it again, so
 * it must survive, and is closed there if the guest wanted it closed.
 */
static void name_descriptor_program(struct exec *x)
{
	const char *number = x->where.path + strlen(x->where.path);
	char path[40];
	struct scar_text t = scar_text_of(path, sizeof(path));
	int fd = 0;

	while (number[-1] >= '0' && number[-1] <= '9')
		number--;
	for (const char *at = number; *at; at++)
		fd = fd * 10 + (*at - '0');
	scar_text_str(&t, "/proc/self/fd/");
	scar_text_str(&t, number);
	if (scar_sys(__NR_fcntl, fd, F_GETFD) & FD_CLOEXEC) {
		scar_sys(__NR_fcntl, fd, F_SETFD, 0);
		x->kept_fd = fd;
	}
	put_exe(x, path, x->kept_fd >= 0 ? ";" : ",");
}

/* The canonical guest path of what `where` leads to, for /proc/self/exe. */
static void name_program(struct exec *x)
{
	char link[SCAR_GUEST_PATH_MAX];
	long n;

	if (!x->where.magic) {
		put_exe(x, x->where.guest, ",");
		return;
	}
	n = scar_sys(__NR_readlinkat, AT_FDCWD, x->where.path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	if (link[0] == '/' && !is_deleted(link, (size_t)n) &&
	    scar_path_to_guest(&scar_loader.guest, link, sizeof(link)) > 0)
		put_exe(x, link, ",");
	else
		name_descriptor_program(x);
}

static unsigned count(char *const *list)
{
	unsigned n = 0;

	while (list && list[n] && n < POINTERS_MAX)
		n++;
	return n;
}

/* argv of a script: interpreter, its argument, and so on inwards, the script, argv[1]... */
static unsigned put_arguments(const struct exec *x, char **out, char *const *argv, unsigned argc)
{
	unsigned n = 0;

	for (unsigned i = x->shebang_count; i-- > 0;) {
		out[n++] = x->shebangs[i].interpreter;
		if (x->shebangs[i].argument)
			out[n++] = x->shebangs[i].argument;
	}
	if (x->shebang_count)
		out[n++] = (char *)(uintptr_t)x->script;
	for (unsigned i = x->shebang_count ? 1 : 0; i < argc; i++)
		out[n++] = argv[i];
	/* Linux 5.18: a program never sees an empty argv. */
	if (n == 0)
		out[n++] = (char *)(uintptr_t) "";
	out[n++] = NULL;
	return n;
}

static long execute(struct exec *x, char *const *argv, char *const *envp)
{
	unsigned argc = count(argv), envc = count(envp), n;
	uint64_t bytes = ((uint64_t)argc + envc + 2 * SCAR_SHEBANG_DEPTH_MAX + 8) * sizeof(char *);
	struct scar_thread *self = scar_thread_self();
	char **list, **environment, *top = self->top;
	struct scar_text t = scar_text_of(x->config, sizeof(x->config));
	long ret;

	scar_text_str(&t, SCAR_HANDOVER_CONFIG);
	ret = scar_guest_encode(&scar_loader.guest, x->config + t.len, sizeof(x->config) - t.len);
	if (ret < 0)
		return ret;
	list = x->pointers;
	if (bytes > sizeof(x->pointers))
		list = (char **)scar_sys(__NR_mmap, 0, bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (scar_sys_failed((long)list))
		return (long)list;
	n = put_arguments(x, list, argv, argc);
	environment = list + n;
	for (unsigned i = 0; i < envc; i++)
		environment[i] = envp[i];
	environment[envc] = x->exe;
	environment[envc + 1] = x->config;
	environment[envc + 2] = NULL;
	/* After vfork the block is the parent's, who must find the frame released. */
	self->top += SCAR_HANDLER_FRAME;
	if (x == &shared)
		__atomic_store_n(&is_taken, 0, __ATOMIC_RELEASE);
	ret = scar_sys(__NR_execve, scar_loader.exe_host, list, environment);
	self->top = top;
	if (list != x->pointers)
		scar_sys(__NR_munmap, list, bytes);
	return ret;
}

static bool is_by_descriptor(int dir_fd, const char *path)
{
	return dir_fd != AT_FDCWD && path[0] != '/';
}

static long prepare(struct exec *x, int dir_fd, const char *path, int flags)
{
	struct scar_text t = scar_text_of(x->script, sizeof(x->script));
	const bool nameless = !*path && (flags & AT_EMPTY_PATH_);
	const bool closes_with_exec = is_by_descriptor(dir_fd, path) &&
				      (scar_sys(__NR_fcntl, dir_fd, F_GETFD) & FD_CLOEXEC);
	long ret;

	if (nameless && dir_fd == AT_FDCWD)
		return -EACCES; /* a directory */
	if (nameless) {
		ret = name_descriptor(dir_fd, x->script, sizeof(x->script));
		if (ret)
			return ret;
		dir_fd = AT_FDCWD;
		path = x->script;
	} else {
		if (is_by_descriptor(dir_fd, path)) {
			scar_text_str(&t, "/dev/fd/");
			scar_text_unsigned(&t, (unsigned)dir_fd, 10);
			scar_text_str(&t, "/");
		}
		scar_text_str(&t, path);
	}
	ret = scar_resolve(dir_fd, path,
			   flags & AT_SYMLINK_NOFOLLOW_ ? SCAR_PATH_NOFOLLOW : SCAR_PATH_FOLLOW,
			   &x->where);
	/* A link that may not be followed is all that fails so; the kernel says which way. */
	if (ret == 0 && (flags & AT_SYMLINK_NOFOLLOW_)) {
		char byte;

		if (scar_sys(__NR_readlinkat, x->where.dir_fd, x->where.path, &byte, 1) > 0)
			return -ELOOP;
	}
	while (ret == 0) {
		ret = inspect(x);
		if (ret != 1)
			break;
		/* The interpreter would find that descriptor closed. */
		if (closes_with_exec)
			return -ENOENT;
		if (t.cut)
			return -ENAMETOOLONG;
		ret = scar_resolve(AT_FDCWD, x->shebangs[x->shebang_count - 1].interpreter,
				   SCAR_PATH_FOLLOW, &x->where);
	}
	if (ret == -ENOENT && x->shebang_count && !*x->reason)
		x->reason = "the interpreter of the script is missing";
	if (ret == 0)
		name_program(x);
	return ret;
}

void scar_exec_cloned(uint64_t flags)
{
	has_threads |= (flags & CLONE_VM) && !(flags & CLONE_VFORK);
}

static struct exec *create(void)
{
	long got;

	if (!has_threads && !__atomic_exchange_n(&is_taken, 1, __ATOMIC_ACQUIRE))
		return &shared;
	got = scar_sys(__NR_mmap, 0, sizeof(struct exec), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return scar_sys_failed(got) ? NULL : (struct exec *)got;
}

static void destroy(struct exec *x)
{
	if (x == &shared)
		__atomic_store_n(&is_taken, 0, __ATOMIC_RELEASE);
	else
		scar_sys(__NR_munmap, x, sizeof(*x));
}

long scar_exec(int dir_fd, const char *path, char *const *argv, char *const *envp, int flags,
	       struct scar_exec_failure *ret_failure)
{
	struct exec *x;
	long ret;

	if (flags & ~(AT_EMPTY_PATH_ | AT_SYMLINK_NOFOLLOW_))
		return -EINVAL;
	x = create();
	if (!x)
		return -ENOMEM;
	x->shebang_count = 0;
	x->reason = "";
	x->interpreter.to[0] = '\0';
	x->kept_fd = -1;
	ret = prepare(x, dir_fd, path, flags);
	if (ret == 0)
		ret = execute(x, argv, envp);
	if (x->kept_fd >= 0)
		scar_sys(__NR_fcntl, x->kept_fd, F_SETFD, FD_CLOEXEC);
	if (ret_failure)
		ret_failure->reason = x->reason;
	destroy(x);
	return ret;
}
