/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file jail.h
 * One sandbox as Lambda's: starts a program in it, ends it with everything it has started, and
 * measures its memory. Used where Lambda itself is not: laptops and continuous integration.
 *
 * On (the default) it denies what Lambda denies:
 *  - its own mount namespace whose root is a small read-only tmpfs with only what Lambda has
 *    (/dev of six nodes and no /dev/shm, /proc, /sys, some files of /etc, /opt, /var/task); nothing
 *    else of the host can be seen, so a path that escapes its own root fails loudly; /tmp is a
 *    private tmpfs of a given size;
 *  - its own process namespace: nothing outlives the sandbox;
 *  - user 993, group 990, no capabilities, not even in the bounding set;
 *  - a system call filter (jail_filter.h);
 *  - 1,024 descriptors and processes, and a memory limit where a control group can be made.
 * The network stays the host's, for the program must reach the Runtime API and registries.
 *
 * Without privilege the same is built in a user namespace. Where the kernel permits neither
 * (plain containers), what can be had is had, and the rest is named in `missing`.
 * It is made to show a program what Lambda would refuse, not to hold an attacker.
 */
#ifndef SCAR_RUNTIME_EMULATOR_JAIL_H
#define SCAR_RUNTIME_EMULATOR_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/emulator/jail_filter.h"

struct scar_err;
struct scar_jail; /**< a running sandbox */

#define SCAR_JAIL_UID 993
#define SCAR_JAIL_GID 990
/** Where the program is, as the program itself sees it. */
#define SCAR_JAIL_PROGRAM "/opt/bootstrap"
#define SCAR_JAIL_TASK_ROOT "/var/task"
#define SCAR_JAIL_LAYERS "/opt"
/** Where Lambda has a managed runtime's own program. */
#define SCAR_JAIL_RUNTIME "/var/runtime/bootstrap"

/** What could not be had; see scar_jail_missing_text(). */
enum scar_jail_missing {
	SCAR_JAIL_NO_MOUNTS = 1 << 0,    /**< read-only root, private sized /tmp, no /dev/shm */
	SCAR_JAIL_NO_PROCESSES = 1 << 1, /**< process namespace */
	SCAR_JAIL_NO_USER = 1 << 2,      /**< user 993 */
	SCAR_JAIL_NO_CAPS = 1 << 3,      /**< empty bounding set */
	SCAR_JAIL_NO_FILTER = 1 << 4,    /**< system call filter */
	SCAR_JAIL_NO_LIMITS = 1 << 5,    /**< 1,024 descriptors and processes */
	SCAR_JAIL_NO_MEMORY = 1 << 6     /**< memory limit */
};

/** The text for one bit, e.g. "user 993". */
const char *scar_jail_missing_text(enum scar_jail_missing bit);

struct scar_jail_options {
	bool off; /**< no restriction at all; only what ends the program stays */
	enum scar_jail_kernel kernel; /**< which calls seem not to exist yet */
	uint64_t memory_bytes;        /**< 0: no limit */
	uint64_t tmp_bytes;           /**< size of /tmp; 0: 512 MiB */
	/** Path on the host; in the jail SCAR_JAIL_PROGRAM, or, beside layers that it is not of, SCAR_JAIL_RUNTIME. */
	const char *program;
	char *const *args; /**< arguments after argv[0]; NULL: none */
	char *const *envp; /**< the whole environment */
	/** Absolute host paths that the program may read at the same place; NULL-terminated or NULL. */
	const char *const *binds;
	/** Host directory shown, read-only, as SCAR_JAIL_TASK_ROOT; NULL: an empty one. */
	const char *task;
	/** Host directory shown, read-only, as SCAR_JAIL_LAYERS; NULL: one with the program alone. */
	const char *layers;
	int stdout_fd, stderr_fd; /**< borrowed */
};

/** How the program ended. */
struct scar_jail_exit {
	bool killed; /**< the sandbox was ended by scar_jail_kill() or from outside before */
	int status;  /**< as waitpid(2) gives it, if not killed */
};

/**
 * Starts the program; returns when it has been executed, or with the reason why not. Safe in a
 * process with threads.
 */
int scar_jail_start(const struct scar_jail_options *options, struct scar_jail **ret_jail,
		    struct scar_err *err);
/** Bits of enum scar_jail_missing. */
unsigned scar_jail_missing(const struct scar_jail *jail);
/** Becomes readable when the program has ended; then scar_jail_wait() does not block. */
int scar_jail_fd(const struct scar_jail *jail);
/** Waits for the end of the program and of all it started. */
int scar_jail_wait(struct scar_jail *jail, struct scar_jail_exit *ret_exit, struct scar_err *err);
/** SIGKILL to everything inside, now; scar_jail_wait() must follow. */
void scar_jail_kill(struct scar_jail *jail);
/** Stops everything inside, or lets it go on; as Lambda does between invocations, but for signals' traces. */
void scar_jail_freeze(struct scar_jail *jail, bool freeze);
/** Looks at the memory in use, which moves the peak. */
void scar_jail_sample(struct scar_jail *jail);
/** The largest use of memory seen by samples, /tmp not counted (Lambda's is a disk). */
uint64_t scar_jail_peak_bytes(const struct scar_jail *jail);
/** Kills, waits and frees. */
void scar_jail_free(struct scar_jail *jail);

#endif
