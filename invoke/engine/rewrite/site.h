/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file site.h
 * A `syscall` instruction of a program, and how it is to be replaced.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_SITE_H
#define SCAR_INVOKE_ENGINE_REWRITE_SITE_H

#include <stdint.h>

/** How a site is patched; in order of preference. */
enum scar_tactic {
	SCAR_TACTIC_NONE = 0, /**< no instruction boundary, hence data: left alone */
	SCAR_TACTIC_SKIP,     /**< its only number needs no translation: left alone */
	/** jmp over at least five bytes before the syscall, which stays intact */
	SCAR_TACTIC_BEFORE,
	/** jmp over less than five bytes before the syscall and the syscall itself */
	SCAR_TACTIC_ACROSS,
	SCAR_TACTIC_AFTER, /**< jmp over the syscall and what follows it */
	SCAR_TACTIC_HOP,   /**< short jmp to padding that holds the long one */
	SCAR_TACTIC_TRAP,  /**< ud2, answered by a signal handler */
	SCAR_TACTICS
};

#define SCAR_SITE_NR_DYNAMIC (-1)
/** The way into the kernel of 32-bit programs: refused, and no number of any call. */
#define SCAR_SITE_NR_FOREIGN 0x40000080

struct scar_site {
	uint32_t offset; /**< of the syscall instruction in the file */
	int32_t nr;      /**< the number if it is the same each time, or _NR_DYNAMIC */
	uint8_t tactic;  /**< enum scar_tactic */
	uint8_t before;  /**< bytes of the instructions taken in before the syscall */
	uint8_t after;   /**< likewise after it */
	int8_t hop;      /**< SCAR_TACTIC_HOP: distance from the end of the syscall */
};

#endif
