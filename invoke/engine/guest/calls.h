/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file calls.h
 * What an engine does with each system call of the architecture.
 *
 * One table, so that a call which takes a path cannot be forgotten in one engine: a number
 * the table does not reach (a kernel newer than it) is answered with ENOSYS, never passed on.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_CALLS_H
#define SCAR_INVOKE_ENGINE_GUEST_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/** Numbers from here on are unknown to the table. */
#define SCAR_CALLS_MAX 512
#define SCAR_CALLS_END 472

enum scar_call_kind {
	SCAR_CALL_PASS = 0, /**< names nothing on the host: left alone */
	SCAR_CALL_PATHS,    /**< its paths are translated, then it runs as it is */
	SCAR_CALL_OWN,      /**< the engine has code for it */
	SCAR_CALL_EPERM,    /**< refused, as Lambda does */
	SCAR_CALL_ENOSYS,   /**< answered as by a kernel without it */
};

/** Whether a link as the last component is followed. */
enum scar_call_follow {
	SCAR_FOLLOW_NEVER = 0,
	SCAR_FOLLOW_PARENT, /**< never, not even with a slash behind it */
	SCAR_FOLLOW_ALWAYS,
	SCAR_FOLLOW_UNLESS_AT,   /**< unless AT_SYMLINK_NOFOLLOW is in the flags argument */
	SCAR_FOLLOW_IF_AT,       /**< if AT_SYMLINK_FOLLOW is in the flags argument */
	SCAR_FOLLOW_UNLESS_WATCH /**< unless IN_DONT_FOLLOW is in the flags argument */
};

/** One path argument; argument numbers count from 1, 0 means there is none. */
struct scar_call_path {
	uint8_t path_arg;
	uint8_t dir_arg;   /**< 0: relative to the current directory */
	uint8_t flags_arg; /**< may hold AT_EMPTY_PATH, AT_SYMLINK_* */
	uint8_t follow;    /**< enum scar_call_follow */
};

struct scar_call {
	struct scar_call_path paths[2];
	bool writes; /**< EROFS in a read-only bind */
};

/** enum scar_call_kind by number. */
extern const uint8_t scar_call_kinds[SCAR_CALLS_MAX];

/** Rows of SCAR_CALL_PATHS calls; the others are all zero. */
extern const struct scar_call scar_call_rows[SCAR_CALLS_MAX];

#endif
