/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/patch.h"

#include <string.h>

#include "invoke/engine/guest/calls.h"

/* Instructions; registers and distances are or-ed in. */
#define INS_SVC 0xd4000001u
#define INS_UDF 0x00000000u
#define INS_B 0x14000000u
#define INS_PUSH 0xa9bf47f0u    /* stp x16,x17,[sp,#-16]! */
#define INS_POP 0xa8c147f0u     /* ldp x16,x17,[sp],#16 */
#define INS_MOVZ 0xd2800000u    /* movz xd,#imm16 */
#define INS_MOVK_16 0xf2a00000u /* movk xd,#imm16,lsl #16 */
#define INS_LSR_17_8_9 0x53097d11u
#define INS_LDRB_KIND 0x38684a10u /* ldrb w16,[x16,w8,uxtw] */
#define INS_CBNZ 0x35000000u
#define INS_ADR 0x10000000u
#define INS_LDR_17 0xf9400231u /* ldr x17,[x17] */
#define INS_BR_17 0xd61f0220u

#define X16 16u
#define X17 17u
#define WORD 4u

_Static_assert(SCAR_CALLS_MAX == 1 << 9, "INS_LSR_17_8_9 leaves what lies beyond the table");

/* Code being written: `out` is at address `addr`. */
struct emitter {
	uint8_t *out, *start;
	uint64_t addr;
	bool far; /* a distance did not fit */
};

static uint64_t here(const struct emitter *e)
{
	return e->addr + (uint64_t)(e->out - e->start);
}

static void emit(struct emitter *e, uint32_t word)
{
	memcpy(e->out, &word, WORD);
	e->out += WORD;
}

static void emit_branch(struct emitter *e, uint64_t target)
{
	int64_t words = (int64_t)(target - here(e)) / WORD;

	e->far |= words < -(1 << 25) || words >= 1 << 25;
	emit(e, INS_B | ((uint32_t)words & 0x3ffffff));
}

static void emit_address(struct emitter *e, uint32_t reg, uint32_t address)
{
	emit(e, INS_MOVZ | (address & 0xffff) << 5 | reg);
	emit(e, INS_MOVK_16 | address >> 16 << 5 | reg);
}

/* Room for a conditional jump or an address, filled in by land_*. */
static uint8_t *emit_later(struct emitter *e)
{
	uint8_t *at = e->out;

	emit(e, 0);
	return at;
}

static void put(uint8_t *at, uint32_t word)
{
	memcpy(at, &word, WORD);
}

static void land_cbnz(const struct emitter *e, uint8_t *jump, uint32_t reg)
{
	put(jump, INS_CBNZ | (uint32_t)((e->out - jump) / WORD) << 5 | reg);
}

static void land_adr(const struct emitter *e, uint8_t *at, uint32_t reg)
{
	uint32_t distance = (uint32_t)(e->out - at);

	put(at, INS_ADR | (distance & 3) << 29 | distance >> 2 << 5 | reg);
}

/*
 * A number that comes in a register: those whose kind is PASS fall through, with x16 and x17 as
 * they were; all others, and numbers beyond the table, jump. Flags stay: the guest may rely on
 * them across a system call.
 */
static void emit_check(struct emitter *e, const struct scar_patch_abi *abi, uint8_t *ret_jumps[2])
{
	emit_address(e, X16, abi->kinds);
	emit(e, INS_LSR_17_8_9);
	ret_jumps[0] = emit_later(e);
	emit(e, INS_LDRB_KIND);
	ret_jumps[1] = emit_later(e);
	emit(e, INS_POP);
}

/* Writes the trampoline; false if something is out of reach. */
static bool emit_trampoline(struct emitter *e, const struct scar_patch_abi *abi,
			    const struct scar_site *site, const uint8_t *window, uint64_t addr)
{
	const bool intact = site->tactic == SCAR_TACTIC_BEFORE;
	const bool dynamic = site->nr == SCAR_SITE_NR_DYNAMIC;
	uint64_t native, pass, after;
	struct scar_site_record record;
	uint8_t *jumps[2], *skip = NULL, *load;

	if (intact) {
		memcpy(e->out, window, WORD);
		e->out += WORD;
	}
	emit(e, INS_PUSH);
	if (dynamic)
		emit_check(e, abi, jumps);
	else
		skip = emit_later(e);
	native = here(e);
	if (intact) {
		emit_branch(e, addr);
	} else {
		emit(e, INS_SVC);
		emit_branch(e, addr + WORD);
	}
	if (dynamic) {
		land_cbnz(e, jumps[0], X17);
		land_cbnz(e, jumps[1], X16);
	} else {
		put(skip, INS_B | (uint32_t)((e->out - skip) / WORD));
	}
	load = emit_later(e);
	emit_address(e, X17, abi->enter_slot);
	emit(e, INS_LDR_17);
	emit(e, INS_BR_17);
	pass = here(e);
	emit(e, INS_POP);
	emit_branch(e, native);
	after = here(e);
	emit(e, INS_POP);
	emit_branch(e, addr + WORD);
	land_adr(e, load, X16);
	record = (struct scar_site_record){.after = (int32_t)(after - here(e)),
					   .pass = (int32_t)(pass - here(e)),
					   .clone = (int32_t)(pass - here(e)),
					   .site = (int32_t)(addr - here(e))};
	memcpy(e->out, &record, sizeof(record));
	e->out += sizeof(record);
	return !e->far;
}

size_t scar_patch_site(const struct scar_patch_abi *abi, const struct scar_site *site,
		       uint8_t *code, uint64_t code_addr, uint8_t *trampoline,
		       uint64_t trampoline_addr)
{
	struct emitter e = {.out = trampoline, .start = trampoline, .addr = trampoline_addr};
	struct emitter jump = {.out = code - site->before,
			       .start = code - site->before,
			       .addr = code_addr - site->before};
	uint8_t old[WORD];

	if (!emit_trampoline(&e, abi, site, code - site->before, code_addr))
		return 0;
	memcpy(old, jump.out, WORD);
	if (site->tactic == SCAR_TACTIC_TRAP)
		emit(&jump, INS_UDF);
	else
		emit_branch(&jump, trampoline_addr);
	if (jump.far) {
		memcpy(jump.start, old, WORD);
		return 0;
	}
	return ((size_t)(e.out - e.start) + 15) & ~(size_t)15;
}
