/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallocate(2), which Lambda refuses. What it stands for in most programs, posix_fallocate(3), is
 * done with other calls; C libraries do that too where a file system lacks it, but not where it is
 * not permitted, nor does musl at all, and databases do not start without.
 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/stat.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"

#define PAGE 4096ull
#define WINDOW (32ull << 20)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The kernel itself would look at the descriptor first. */
static bool is_refused(void)
{
	return scar_sys(__NR_fallocate, -1, 0, 0, 0) == -EPERM;
}

/* As the kernel judges a call that asks for room. Else the file's status is in *ret_st. */
static long check(long fd, int64_t offset, int64_t len, struct stat *ret_st)
{
	long flags = scar_sys(__NR_fcntl, fd, F_GETFL), ret;

	if (flags < 0)
		return flags;
	if (offset < 0 || len <= 0)
		return -EINVAL;
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	ret = scar_sys(__NR_fstat, fd, ret_st);
	if (ret)
		return ret;
	if (S_ISFIFO(ret_st->st_mode))
		return -ESPIPE;
	if (!S_ISREG(ret_st->st_mode))
		return -ENODEV;
	return offset > INT64_MAX - len ? -EFBIG : 0;
}

/* Only what is mapped can be given room without a write that might undo one by somebody else. */
static long populate(uint64_t start, uint64_t size)
{
	long ret = scar_sys(__NR_madvise, start, size, MADV_POPULATE_WRITE);

	if (ret == -EFAULT)
		return -ENOSPC;
	if (ret != -EINVAL)
		return ret;
	/* Linux before 5.14 */
	for (uint64_t at = start; at < start + size; at += PAGE)
		__atomic_fetch_or((uint8_t *)at, 0, __ATOMIC_RELAXED);
	return 0;
}

static long reserve(long fd, uint64_t start, uint64_t end)
{
	long ret = 0;

	while (start < end && ret == 0) {
		uint64_t size = end - start < WINDOW ? end - start : WINDOW;
		long window = scar_sys(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				       start);

		if (scar_sys_failed(window))
			return window;
		ret = populate((uint64_t)window, size);
		scar_sys(__NR_munmap, window, size);
		start += size;
	}
	return ret;
}

/* The guest's descriptor may be for writing only, which cannot be mapped, or append. */
static long open_again(long fd)
{
	char path[40];
	struct scar_text t = scar_text_of(path, sizeof(path));

	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (uint64_t)fd, 10);
	return scar_sys(__NR_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
}

/* Touching a page for which there is no room is a signal, not an error. */
static bool has_room(long fd, uint64_t size, const struct stat *st)
{
	const uint64_t has = (uint64_t)st->st_blocks * 512;
	struct statfs space = {.f_blocks = 0};

	/* Memory files have no limit of their own. */
	if (size <= has || scar_sys(__NR_fstatfs, fd, &space) || !space.f_blocks)
		return true;
	return (size - has) / (uint64_t)space.f_bsize < (uint64_t)space.f_bavail;
}

static long allocate(long fd, uint64_t offset, uint64_t end, const struct stat *st)
{
	long again, ret = 0;

	if (!has_room(fd, end - offset, st))
		return -ENOSPC;
	again = open_again(fd);
	if (again < 0)
		return -EOPNOTSUPP;
	if (end > (uint64_t)st->st_size) {
		ret = scar_sys(__NR_pwrite64, again, "", 1, end - 1);
		ret = ret == 1 ? 0 : ret;
	}
	if (ret == 0)
		ret = reserve(again, offset & ~(PAGE - 1), end);
	scar_sys(__NR_close, again);
	return ret;
}

long scar_call_allocate(struct scar_regs *r)
{
	const long fd = (int)r->arg[0], mode = (int)r->arg[1];
	struct stat st = {.st_mode = 0};
	long ret = scar_sys(__NR_fallocate, fd, mode, r->arg[2], r->arg[3]);

	if (ret != -EPERM || !is_refused())
		return ret;
	ret = check(fd, r->arg[2], r->arg[3], &st);
	if (ret)
		return ret;
	/* Holes and the like are a saving; who asks for them can do without. */
	if (mode)
		return -EOPNOTSUPP;
	return allocate(fd, (uint64_t)r->arg[2], (uint64_t)(r->arg[2] + r->arg[3]), &st);
}
