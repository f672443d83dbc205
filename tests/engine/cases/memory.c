/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, generated code, shared memory and locks. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void mapping(void)
{
	enum { SIZE = 1 << 16 };
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 'a', SIZE);
	char *q = mremap(p, SIZE, 4 * SIZE, MREMAP_MAYMOVE);
	see("mremap %d", q != MAP_FAILED && q[SIZE - 1] == 'a');
	see_ok("munmap", munmap(q, 4 * SIZE));
	put_file("f", "file content");
	int fd = open("f", O_RDWR);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(p, "FILE", 4);
	msync(p, 4096, MS_SYNC);
	see_file("shared mapping", "f");
	put_file("new", "replaced");
	rename("new", "f");
	see("mapped text stays: %.4s", p);
	/* By number: musl's sbrk() refuses to grow. */
	char *old = (char *)syscall(SYS_brk, 0);
	char *grown = (char *)syscall(SYS_brk, old + (1 << 20));
	see("brk grew %d", grown == old + (1 << 20));
	if (grown > old)
		memset(old, 1, 1 << 20);
	see_ok("mprotect", mprotect(p, 4096, PROT_READ));
	struct rlimit limit;
	see_ok("getrlimit", getrlimit(RLIMIT_STACK, &limit));
}

/** Code made at run time that does not call the kernel runs as everywhere. */
static void generated(void)
{
#if defined(__x86_64__)
	static const unsigned char answer[] = {0xb8, 42, 0, 0, 0, 0xc3},
				   getpid_code[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(p, answer, sizeof(answer));
	memcpy(p + 64, getpid_code, sizeof(getpid_code));
	see_ok("make it executable", mprotect(p, 4096, PROT_READ | PROT_EXEC));
	see("generated code answers %d", ((int (*)(void))(void *)p)());
	see("its own system call works %d", ((int (*)(void))(void *)(p + 64))() == getpid());
	/* The same from a file, mapped private and made executable later. */
	int fd = open("code", O_RDWR | O_CREAT, 0755);
	write(fd, p, 4096);
	char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	see_ok("mprotect a file mapping", mprotect(m, 4096, PROT_READ | PROT_EXEC));
	see("code of a file answers %d", ((int (*)(void))(void *)m)());
	see("with a system call %d", ((int (*)(void))(void *)(m + 64))() == getpid());
	see_ok("munmap", munmap(m, 4096));
#endif
}

#define CANARY "/scar-canary-of-the-host"

typedef int (*open_function)(const char *, int, int);

/* mov $2,%eax; syscall; ret: open(2) in code that the engine has not seen on any disk. */
static const unsigned char open_code[] = {0xb8, 2, 0, 0, 0, 0x0f, 0x05, 0xc3};

static void see_opened(const char *label, void *code)
{
	open_function run = (open_function)code;
	int found = run("/conform/memory_late_code/file", O_RDONLY, 0),
	    not = run(CANARY, O_RDONLY, 0);

	see("%s: a file %d, the host's %d", label, found >= 0, not );
	close(found);
}

/* Unpackers and loaders: code becomes executable after it was written, in every way there is. */
static void late_code(void)
{
#if defined(__x86_64__)
	put_file("file", "text");
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(p + 100, open_code, sizeof(open_code));
	see_ok("mprotect", mprotect(p, 8192, PROT_READ | PROT_EXEC));
	see_opened("anonymous", p + 100);
	int fd = open("code", O_RDWR | O_CREAT, 0755);
	ftruncate(fd, 4096);
	pwrite(fd, open_code, sizeof(open_code), 100);
	char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	see_ok("mprotect", mprotect(m, 4096, PROT_READ | PROT_EXEC));
	see_opened("of a file", m + 100);
	fd = memfd_create("code", MFD_CLOEXEC);
	ftruncate(fd, 4096);
	pwrite(fd, open_code, sizeof(open_code), 100);
	m = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	see_opened("of a memory file", m + 100);
	/* The same pages again and again, as compilers at run time do. */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 200; i++) {
		const unsigned char code[] = {0xb8, (unsigned char)i, 0, 0, 0, 0xc3};

		mprotect(p, 4096, PROT_READ | PROT_WRITE);
		memcpy(p + i, code, sizeof(code));
		mprotect(p, 4096, PROT_READ | PROT_EXEC);
		if (((int (*)(void))(void *)(p + i))() != i)
			see("wrong at %d", i);
	}
	/* Much room for code, of which little is used: looking for calls must not fill the rest. */
	enum { ROOM = 64 << 20, PLACE = 40 << 20 };
	static unsigned char resident[ROOM / 4096];
	int used = 0;
	char *r = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memcpy(r + PLACE, open_code, sizeof(open_code));
	r[ROOM - 1] = 1;
	see_ok("mprotect", mprotect(r, ROOM, PROT_READ | PROT_EXEC));
	see_opened("in much room", r + PLACE);
	mincore(r, ROOM, resident);
	for (int i = 0; i < ROOM / 4096; i++)
		used += resident[i] & 1;
	see("pages in use %d", used);
	see_result("execute only", mprotect(p, 4096, PROT_EXEC));
	see_result("nothing there", mprotect((void *)4096, 4096, PROT_EXEC));
	see_result("not aligned", mprotect(p + 1, 4096, PROT_READ | PROT_EXEC));
#endif
}

/* Text relocations: the program's own text is writable for a while, and works afterwards. */
static void text_relocation(void)
{
	char *page = (char *)((uintptr_t)&put_file & ~4095ul);

	see_ok("writable", mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	*(volatile char *)page = *(volatile char *)page;
	see_ok("executable", mprotect(page, 4096, PROT_READ | PROT_EXEC));
	see_ok("the host's", access(CANARY, F_OK));
	put_file("f", "still works");
	see_file("f", "f");
}

/* Text that comes and goes must leave nothing behind. */
static void text_comes_and_goes(void)
{
	int fd = open(conform_self, O_RDONLY | O_CLOEXEC), lost = 0;
	struct stat st;

	fstat(fd, &st);
	for (int i = 0; i < 1500; i++) {
		char *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

		lost += p == MAP_FAILED;
		/* Unmapped, mapped over, moved over. */
		if (i % 3 == 1)
			lost += mmap(p, (size_t)st.st_size, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p;
		lost += munmap(p, (size_t)st.st_size) != 0;
	}
	see("%d lost", lost);
	see_ok("the host's", access(CANARY, F_OK));
}

/*
 * A guest that maps or unmaps where it has nothing: whatever of the engine lies there stays. The addresses
 * are those that invoke/engine/rewrite/layout.h and the Makefile give it.
 */
static void engine_places(void)
{
	const uintptr_t text = (uintptr_t)&put_file & ~0xfffffull,
			libc = (uintptr_t)&memcpy & ~0xfffffull,
			places[] = {0x60000000, text - 0x20000000, libc - 0x20000000,
				    text + 0x38000000};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (uintptr_t at = places[i] - 0x400000; at < places[i] + 0x400000;
		     at += 0x10000) {
			mmap((void *)at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			     -1, 0);
			mprotect((void *)at, 0x10000, PROT_NONE);
			munmap((void *)at, 0x10000);
		}
	see_ok("the host's", access(CANARY, F_OK));
	put_file("f", "still works");
	see_file("f", "f");
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 3", NULL);
		_exit(1);
	}
	see_child("programs still start", pid);
}

static void shared(void)
{
	int fd = shm_open("/scar-conform", O_RDWR | O_CREAT | O_EXCL, 0600);

	see_ok("shm_open", fd);
	see_ok("ftruncate", ftruncate(fd, 4096));
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	see_ok("shm mmap", p == MAP_FAILED ? -1 : 0);
	pid_t pid = fork();
	if (pid == 0) {
		strcpy(p, "from the child");
		_exit(0);
	}
	see_child("child", pid);
	see("shared: %s", p);
	see_ok("in /dev/shm", access("/dev/shm/scar-conform", F_OK));
	see_ok("shm_unlink", shm_unlink("/scar-conform"));
	sem_t *sem = sem_open("/scar-sem", O_CREAT | O_EXCL, 0600, 0);
	see_ok("sem_open", sem == SEM_FAILED ? -1 : 0);
	if (sem == SEM_FAILED)
		return;
	pid = fork();
	if (pid == 0) {
		sem_post(sem);
		_exit(0);
	}
	see_ok("sem_wait", sem_wait(sem));
	see_child("poster", pid);
	see_ok("sem_unlink", sem_unlink("/scar-sem"));
}

static void locks(void)
{
	int fd = open("lock", O_RDWR | O_CREAT, 0644);

	see_ok("flock", flock(fd, LOCK_EX));
	pid_t pid = fork();
	if (pid == 0) {
		int other = open("lock", O_RDWR);
		see_ok("flock of another", flock(other, LOCK_EX | LOCK_NB));
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		see_ok("fcntl lock of another", fcntl(other, F_SETLK, &lock));
		_exit(0);
	}
	see_child("other", pid);
	see_ok("lockf", lockf(fd, F_TLOCK, 0));
	see_ok("ftruncate", ftruncate(fd, 100));
	see_result("lseek SEEK_HOLE", lseek(fd, 0, SEEK_HOLE));
	see_ok("fsync", fsync(fd));
	int copy = open("copy", O_RDWR | O_CREAT, 0644);
	see_result("copy_file_range",
		   copy_file_range(fd, NULL, copy, NULL, 100, 0) >= 0 ? 100 : -1);
}

static void clocks(void)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	clock_gettime(CLOCK_MONOTONIC, &b);
	see("monotonic %d", b.tv_sec > a.tv_sec || b.tv_nsec >= a.tv_nsec);
	see("time %d", time(NULL) > 1700000000);
	see("getrandom %ld", syscall(SYS_getrandom, &a, 8, 0));
	see("processors %d", sysconf(_SC_NPROCESSORS_ONLN) > 0);
}

/** Room for a file: Lambda refuses fallocate(2), and databases do not start without it. */
static void allocated(void)
{
	struct stat st;
	char bytes[8] = "";
	int pipes[2], fd = open("f", O_RDWR | O_CREAT, 0600);

	write(fd, "content", 7);
	see_ok("within the file", fallocate(fd, 0, 2, 3));
	fstat(fd, &st);
	see("size %ld", (long)st.st_size);
	see_ok("beyond its end", fallocate(fd, 0, 5000, 3000000));
	fstat(fd, &st);
	see("size %ld, room %d", (long)st.st_size, st.st_blocks * 512 >= 3000000);
	pread(fd, bytes, 7, 0);
	see("begins with %s", bytes);
	see("then zero %d", pread(fd, bytes, 1, 6000) == 1 && !bytes[0]);
	see("position %ld", (long)lseek(fd, 0, SEEK_CUR));
	see_ok("nothing", fallocate(fd, 0, 0, 0));
	see_ok("before the start", fallocate(fd, 0, -1, 5));
	see_ok("beyond all files", fallocate(fd, 0, 5, INT64_MAX));
	see("more than there is %d", fallocate(fd, 0, 0, 1ll << 50) < 0);
	fd = open("f", O_RDONLY);
	see_ok("of a descriptor for reading", fallocate(fd, 0, 0, 1));
	fd = open("a", O_WRONLY | O_APPEND | O_CREAT, 0600);
	see_ok("of one that appends", fallocate(fd, 0, 0, 10000));
	write(fd, "end", 3);
	fstat(fd, &st);
	see("size %ld", (long)st.st_size);
	pipe(pipes);
	see_ok("of a pipe", fallocate(pipes[1], 0, 0, 1));
	see_ok("of a directory", fallocate(open(".", O_RDONLY), 0, 0, 1));
	see_ok("of no descriptor", fallocate(-1, 0, 0, 1));
	fd = open("s", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 1 << 20);
	see("posix_fallocate of a hole %s", errno_name(posix_fallocate(fd, 0, 1 << 20)));
	fstat(fd, &st);
	see("size %ld, room %d", (long)st.st_size, st.st_blocks * 512 >= 1 << 20);
	fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	see_ok("of memory", fallocate(fd, 0, 0, 100));
	fcntl(fd, F_ADD_SEALS, F_SEAL_GROW);
	see_ok("of sealed memory", fallocate(fd, 0, 0, 10000));
}

CONFORM_GROUP(memory, {"memory_mapping", mapping}, {"memory_generated", generated},
	      {"memory_late_code", late_code}, {"memory_text_relocation", text_relocation},
	      {"memory_text_comes_and_goes", text_comes_and_goes},
	      {"memory_engine_places", engine_places}, {"memory_shared", shared},
	      {"memory_allocated", allocated}, {"memory_locks", locks}, {"memory_clocks", clocks});
