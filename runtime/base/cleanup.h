/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cleanup.h
 * Clean-up at the end of a scope (`__attribute__((cleanup))`) and giving away what it owns.
 *
 *   scar_fd_auto int fd = open(...);
 *   ...
 *   *ret_fd = scar_steal_fd(&fd);
 */
#ifndef SCAR_RUNTIME_BASE_CLEANUP_H
#define SCAR_RUNTIME_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define scar_auto(fn) __attribute__((cleanup(fn)))

static inline void scar_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void scar_cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scar_cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void scar_cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define scar_free_auto scar_auto(scar_cleanup_free)
#define scar_fd_auto scar_auto(scar_cleanup_fd)
#define scar_dir_auto scar_auto(scar_cleanup_dir)
#define scar_file_auto scar_auto(scar_cleanup_file)

/** Gives the pointer away: the scope no longer owns it. */
#define scar_steal(ptr)                        \
	__extension__({                        \
		__typeof__(ptr) *p_ = &(ptr);  \
		__typeof__(ptr) stolen_ = *p_; \
		*p_ = NULL;                    \
		stolen_;                       \
	})

static inline int scar_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#endif
