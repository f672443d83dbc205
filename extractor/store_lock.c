/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"

/* flock(2) has no time-out, and a signal that would end it may come just before it: so it is asked again and again. */
#define ASK_AGAIN_MS 10

int scar_store_lock_try(int fd, enum scar_store_lock how, struct scar_err *err)
{
	int operation = how == SCAR_STORE_SHARED ? LOCK_SH : LOCK_EX;

	while (flock(fd, operation | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return scar_err_errno(err, errno, "cannot lock a part of the store");
	}
	return 1;
}

int scar_store_lock_wait(const struct scar_store *store, int fd, enum scar_store_lock how,
			 struct scar_err *err)
{
	const volatile int *cancel = store->options.cancel;
	int got;

	while ((got = scar_store_lock_try(fd, how, err)) == 0) {
		if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
			return scar_err_set(err, SCAR_ERR_INTERRUPTED,
					    "told to stop while another process uses the store");
		scar_clock_sleep_ms(ASK_AGAIN_MS);
	}
	return got < 0 ? -1 : 0;
}

bool scar_store_is_still(int fd, int dirfd, const char *name)
{
	struct stat open, named;

	return fstat(fd, &open) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

int scar_store_open_lock(const struct scar_store *store, struct scar_err *err)
{
	scar_fd_auto int fd = openat(store->dir_fd, SCAR_STORE_LOCK,
				     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open the store's lock");
	if (scar_store_lock_wait(store, fd, SCAR_STORE_EXCLUSIVE, err) < 0)
		return -1;
	return scar_steal_fd(&fd);
}
