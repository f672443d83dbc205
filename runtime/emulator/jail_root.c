/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child's half of jail_plan.h. The parent may have had threads, so nothing here allocates or
 * takes a lock of the C library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/jail_plan.h"

/*
 * A directory that exists everywhere. A tmpfs laid over it (in our namespace only) is the floor on
 * which the old root and the new one stand side by side.
 */
#define FLOOR "/tmp"
#define OLD_ROOT "/old"
#define NEW_ROOT "/new"
/* The program, and copies of image files that only their owner may read. */
#define ROOT_OPTIONS "mode=0755,size=4g"

/* Flags that an unprivileged remount must repeat (mount_namespaces(7), "locked"). */
static unsigned long kept_flags(const char *path)
{
	static const unsigned long pairs[][2] = {
		{ST_NOSUID, MS_NOSUID},         {ST_NODEV, MS_NODEV},
		{ST_NOEXEC, MS_NOEXEC},         {ST_NOATIME, MS_NOATIME},
		{ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME},
	};
	struct statvfs st;
	unsigned long flags = 0;

	if (statvfs(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (st.f_flag & pairs[i][0])
			flags |= pairs[i][1];
	}
	return flags;
}

static int bind_host(const struct scar_jail_step *step, bool read_only)
{
	char source[SCAR_LIMIT_PATH_BYTES + sizeof(OLD_ROOT)];

	snprintf(source, sizeof(source), OLD_ROOT "%s", step->source);
	if (mount(source, step->path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -1;
	if (!read_only)
		return 0;
	return mount(NULL, step->path, NULL,
		     MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | kept_flags(step->path), NULL);
}

static int mount_proc(const struct scar_jail_step *step)
{
	if (mount("proc", step->path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	/* Refused to a user namespace in containers that hide parts of /proc: show theirs. */
	if (errno != EPERM)
		return -1;
	return mount(OLD_ROOT "/proc", step->path, NULL, MS_BIND | MS_REC, NULL);
}

static int make_file(const struct scar_jail_step *step, struct scar_err *err)
{
	scar_fd_auto int fd = open(step->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, step->mode);
	scar_fd_auto int opened = -1;
	char piece[16384];
	ssize_t n = 0;

	/* A place for a bind that an earlier one shows already. */
	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return scar_err_errno(err, errno, "%s", step->path);
	if (step->kind == SCAR_JAIL_TEXT)
		return scar_fs_write_all(fd, step->source, strlen(step->source), step->path, err);
	if (step->fd < 0) {
		char source[SCAR_LIMIT_PATH_BYTES + sizeof(OLD_ROOT)];

		snprintf(source, sizeof(source), OLD_ROOT "%s", step->source);
		opened = open(source, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return scar_err_errno(err, errno, "%s", step->source);
	}
	for (off_t at = 0;
	     (n = pread(step->fd < 0 ? opened : step->fd, piece, sizeof(piece), at)) > 0; at += n) {
		if (scar_fs_write_all(fd, piece, (size_t)n, step->path, err) < 0)
			return -1;
	}
	if (n < 0)
		return scar_err_errno(err, errno, "cannot read what becomes %s", step->path);
	return 0;
}

static int execute(const struct scar_jail_step *step, struct scar_err *err)
{
	int result = -1;

	switch (step->kind) {
	case SCAR_JAIL_TEXT:
	case SCAR_JAIL_COPY: return make_file(step, err);
	case SCAR_JAIL_DIR:
		result = mkdir(step->path, step->mode);
		if (result < 0 && errno == EEXIST)
			result = 0;
		break;
	case SCAR_JAIL_LINK: result = symlink(step->source, step->path); break;
	case SCAR_JAIL_TMPFS:
		result = mount("tmpfs", step->path, "tmpfs", MS_NOSUID | MS_NODEV, step->source);
		break;
	case SCAR_JAIL_PROC: result = mount_proc(step); break;
	case SCAR_JAIL_DEVICE: result = bind_host(step, false); break;
	case SCAR_JAIL_OVER: result = mount(step->source, step->path, NULL, MS_BIND, NULL); break;
	case SCAR_JAIL_BIND: result = bind_host(step, true); break;
	}
	return result == 0 ? 0 : scar_err_errno(err, errno, "%s", step->path);
}

static int pivot(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

/* Afterwards "/" is the floor, OLD_ROOT the host, and the working directory the empty new root. */
static int lay_floor(struct scar_err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return scar_err_errno(err, errno, "cannot make the mounts private");
	if (mount("tmpfs", FLOOR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return scar_err_errno(err, errno, "cannot mount a tmpfs over " FLOOR);
	if (mkdir(FLOOR OLD_ROOT, 0755) < 0 || mkdir(FLOOR NEW_ROOT, 0755) < 0)
		return scar_err_errno(err, errno, "cannot make directories");
	if (mount("tmpfs", FLOOR NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, ROOT_OPTIONS) < 0)
		return scar_err_errno(err, errno, "cannot mount the new root");
	if (pivot(FLOOR, FLOOR OLD_ROOT) < 0 || chdir(NEW_ROOT) < 0)
		return scar_err_errno(err, errno, "cannot move to the new root");
	return 0;
}

/* pivot_root(".", "."): the old root lies over the new one and is taken away (pivot_root(2)). */
static int leave_floor(struct scar_err *err)
{
	if (umount2(OLD_ROOT, MNT_DETACH) < 0 || pivot(".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return scar_err_errno(err, errno, "cannot leave the host's root");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) <
	    0)
		return scar_err_errno(err, errno, "cannot make the root read-only");
	return 0;
}

int scar_jail_plan_execute(const struct scar_jail_plan *plan, struct scar_err *err)
{
	/* Modes are meant as given. */
	mode_t mask = umask(0);

	if (lay_floor(err) < 0)
		return -1;
	for (size_t i = 0; i < plan->count; i++) {
		if (execute(&plan->steps[i], err) < 0)
			return scar_err_wrap(err, "cannot build the sandbox's root");
	}
	if (leave_floor(err) < 0)
		return -1;
	umask(mask);
	return 0;
}
