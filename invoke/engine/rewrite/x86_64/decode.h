/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file decode.h
 * The few facts about x86-64 instructions that finding and moving them needs.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_X86_64_DECODE_H
#define SCAR_INVOKE_ENGINE_REWRITE_X86_64_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scar_instruction_flag {
	SCAR_INS_BRANCH = 1,   /**< relative jump; target is set */
	SCAR_INS_RIP = 2,      /**< addresses memory relative to itself */
	SCAR_INS_PINNED = 4,   /**< cannot be moved: call, loop, jrcxz */
	SCAR_INS_END = 8,      /**< control never reaches the next instruction */
	SCAR_INS_PADDING = 16, /**< nop or int3 */
	SCAR_INS_SYSCALL = 32,
	SCAR_INS_ENDBR = 64, /**< landing pad of an indirect jump: must stay where it is */
};

/** What an instruction does to %eax. */
enum scar_eax {
	SCAR_EAX_KEPT,
	SCAR_EAX_CONSTANT, /**< set to `constant` */
	SCAR_EAX_CHANGED,
};

struct scar_instruction {
	uint8_t length;
	uint8_t flags;       /**< enum scar_instruction_flag */
	uint8_t disp_offset; /**< SCAR_INS_RIP: where the four bytes of displacement are */
	uint8_t condition;   /**< conditional branch: low four bits of its opcode, else 0xff */
	int32_t target;      /**< SCAR_INS_BRANCH, and call: distance from the next instruction */
};

/** Decodes one 64-bit instruction. @return false if the bytes are none */
bool scar_decode(const uint8_t *code, size_t len, struct scar_instruction *ret_ins);

enum scar_eax scar_decode_eax(const uint8_t *code, int32_t *ret_constant);

/** True if the instruction is one of those compilers put just before a call: a register's load. */
bool scar_decode_loads_argument(const uint8_t *code);

#endif
