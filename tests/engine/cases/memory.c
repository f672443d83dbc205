/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, generated code, shared memory and locks. */
#define _GNU_SOURCE
#include "conform.h"

#include <fcntl.h>
#include <semaphore.h>
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

CONFORM_GROUP(memory, {"memory_mapping", mapping}, {"memory_generated", generated},
	      {"memory_shared", shared}, {"memory_locks", locks}, {"memory_clocks", clocks});
