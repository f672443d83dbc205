/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/patch.h"

#include <string.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/x86_64/decode.h"

#define SYSCALL_BYTES 2
#define JUMP_BYTES 5

/* The way to the handler, by which a trampoline is known again. */
#define LOAD_RECORD "\x48\x8d\x0d"  /* lea record(%rip),%rcx */
#define JUMP_BY_SLOT "\xff\x24\x25" /* jmp *enter_slot */
#define LOAD_BYTES 7
#define LEAVE_BYTES 14

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

static void emit(struct emitter *e, const void *bytes, size_t len)
{
	memcpy(e->out, bytes, len);
	e->out += len;
}

#define EMIT(e, bytes) emit(e, bytes, sizeof(bytes) - 1)

static void emit_u32(struct emitter *e, uint32_t value)
{
	emit(e, &value, sizeof(value));
}

/* Four bytes of displacement to target, from the end of an instruction `tail` bytes later. */
static void emit_distance(struct emitter *e, uint64_t target, unsigned tail)
{
	int64_t distance = (int64_t)(target - (here(e) + 4 + tail));

	e->far |= distance != (int32_t)distance;
	emit_u32(e, (uint32_t)distance);
}

static void emit_jump(struct emitter *e, uint64_t target)
{
	EMIT(e, "\xe9");
	emit_distance(e, target, 0);
}

/* Moves the instructions of [code, code + len), written for address `from`, to here. */
static void emit_moved(struct emitter *e, const uint8_t *code, uint64_t from, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct scar_instruction in;
		uint64_t next, target;

		if (!scar_decode(code + at, len - at, &in)) {
			e->far = true;
			return;
		}
		next = from + at + in.length;
		target = next + (uint64_t)(int64_t)in.target;
		if (in.flags & SCAR_INS_BRANCH) {
			if (in.condition == 0xff) {
				emit_jump(e, target);
			} else {
				uint8_t op[2] = {0x0f, (uint8_t)(0x80 | in.condition)};

				emit(e, op, sizeof(op));
				emit_distance(e, target, 0);
			}
		} else if (in.flags & SCAR_INS_RIP) {
			int32_t disp;

			memcpy(&disp, code + at + in.disp_offset, sizeof(disp));
			emit(e, code + at, in.disp_offset);
			emit_distance(e, next + (uint64_t)(int64_t)disp,
				      in.length - in.disp_offset - 4u);
			emit(e, code + at + in.disp_offset + 4, in.length - in.disp_offset - 4u);
		} else {
			emit(e, code + at, in.length);
		}
		at += in.length;
	}
}

/*
 * A number that comes in a register: those whose kind is PASS go on, all others (and numbers
 * beyond the table, such as x32's) jump; returns where the jumps' distances must be put.
 */
static void emit_check(struct emitter *e, const struct scar_patch_abi *abi, uint8_t *ret_jumps[2])
{
	EMIT(e, "\x41\x89\xc3"); /* mov %eax,%r11d */
	EMIT(e, "\x41\x81\xfb"); /* cmp $SCAR_CALLS_MAX-1,%r11d */
	emit_u32(e, SCAR_CALLS_MAX - 1);
	EMIT(e, "\x77\x00"); /* ja */
	ret_jumps[0] = e->out - 1;
	EMIT(e, "\x41\x80\xbb"); /* cmpb $0,kinds(%r11) */
	emit_u32(e, abi->kinds);
	EMIT(e, "\x00");
	EMIT(e, "\x75\x00"); /* jne */
	ret_jumps[1] = e->out - 1;
}

static void land(struct emitter *e, uint8_t *jump)
{
	*jump = (uint8_t)(e->out - (jump + 1));
}

static bool may_clone(int32_t nr)
{
	return nr == SCAR_SITE_NR_DYNAMIC || nr == __NR_clone || nr == SCAR_NR_clone3;
}

/* The syscall that makes a thread: %rax is 0 in the child, and flags are the guest's. */
static uint64_t emit_clone(struct emitter *e, const struct scar_patch_abi *abi, uint64_t after)
{
	uint64_t at = here(e);

	EMIT(e, "\x0f\x05");     /* syscall */
	EMIT(e, "\x48\x89\xc1"); /* mov %rax,%rcx */
	EMIT(e, "\xe3\x05");     /* jrcxz over the jump */
	emit_jump(e, after);
	EMIT(e, "\xff\x24\x25"); /* jmp *child_slot */
	emit_u32(e, abi->child_slot);
	return at;
}

/* Writes the trampoline; false if something is out of reach. */
static bool emit_trampoline(struct emitter *e, const struct scar_patch_abi *abi,
			    const struct scar_site *site, const uint8_t *window, uint64_t addr)
{
	const bool intact = site->tactic == SCAR_TACTIC_BEFORE;
	const bool dynamic = site->nr == SCAR_SITE_NR_DYNAMIC;
	uint64_t next = addr + SYSCALL_BYTES + site->after, after, pass, clone;
	struct scar_site_record record;
	uint8_t *jumps[2], *load;
	int32_t displacement;

	emit_moved(e, window, addr - site->before, site->before);
	if (dynamic) {
		emit_check(e, abi, jumps);
	} else {
		EMIT(e, "\xeb\x00");
		jumps[0] = e->out - 1;
	}
	if (intact) {
		pass = addr;
		after = addr + SYSCALL_BYTES;
		emit_jump(e, pass);
	} else {
		pass = here(e);
		EMIT(e, "\x0f\x05");
		after = here(e);
		emit_moved(e, window + site->before + SYSCALL_BYTES, addr + SYSCALL_BYTES,
			   site->after);
		emit_jump(e, next);
	}
	land(e, jumps[0]);
	if (dynamic)
		land(e, jumps[1]);
	if (site->nr == SCAR_SITE_NR_FOREIGN) {
		EMIT(e, "\xb8"); /* mov $nr,%eax */
		emit_u32(e, SCAR_SITE_NR_FOREIGN);
	}
	EMIT(e, LOAD_RECORD);
	load = e->out;
	emit_u32(e, 0);
	EMIT(e, JUMP_BY_SLOT);
	emit_u32(e, abi->enter_slot);
	clone = may_clone(site->nr) ? emit_clone(e, abi, after) : pass;
	while (here(e) % 4)
		EMIT(e, "\xcc");
	displacement = (int32_t)(e->out - (load + 4));
	memcpy(load, &displacement, sizeof(displacement));
	record = (struct scar_site_record){.after = (int32_t)(after - here(e)),
					   .pass = (int32_t)(pass - here(e)),
					   .clone = (int32_t)(clone - here(e)),
					   .site = (int32_t)(addr - here(e))};
	emit(e, &record, sizeof(record));
	return !e->far;
}

/* Puts the jump to the trampoline over the window. */
static void patch_code(const struct scar_site *site, uint8_t *code, uint64_t addr, uint64_t to)
{
	uint8_t *from = code - site->before;
	size_t end = (size_t)site->before + SYSCALL_BYTES + site->after;
	struct emitter e = {.out = from, .start = from, .addr = addr - site->before};

	switch ((enum scar_tactic)site->tactic) {
	case SCAR_TACTIC_BEFORE: end -= SYSCALL_BYTES; break;
	case SCAR_TACTIC_HOP:
		e.out = e.start = code + SYSCALL_BYTES + site->hop;
		e.addr = addr + SYSCALL_BYTES + (uint64_t)(int64_t)site->hop;
		emit_jump(&e, to);
		code[0] = 0xeb;
		code[1] = (uint8_t)site->hop;
		return;
	case SCAR_TACTIC_TRAP:
		code[0] = 0x0f;
		code[1] = 0x0b;
		return;
	case SCAR_TACTIC_NONE:
	case SCAR_TACTIC_SKIP:
	case SCAR_TACTICS: return;
	case SCAR_TACTIC_ACROSS:
	case SCAR_TACTIC_AFTER: break;
	}
	emit_jump(&e, to);
	memset(from + JUMP_BYTES, 0xcc, end - JUMP_BYTES);
}

size_t scar_patch_site(const struct scar_patch_abi *abi, const struct scar_site *site,
		       uint8_t *code, uint64_t code_addr, uint8_t *trampoline,
		       uint64_t trampoline_addr)
{
	struct emitter e = {.out = trampoline, .start = trampoline, .addr = trampoline_addr};
	int64_t reach = (int64_t)(trampoline_addr - code_addr);
	size_t len;

	if (reach > INT32_MAX - 4096 || reach < INT32_MIN + 4096)
		return 0;
	if (!emit_trampoline(&e, abi, site, code - site->before, code_addr))
		return 0;
	patch_code(site, code, code_addr, trampoline_addr);
	len = (size_t)(e.out - e.start);
	return (len + 15) & ~(size_t)15;
}

static bool leaves_here(const struct scar_patch_abi *abi, const uint8_t *code)
{
	return memcmp(code, LOAD_RECORD, 3) == 0 &&
	       memcmp(code + LOAD_BYTES, JUMP_BY_SLOT, 3) == 0 &&
	       memcmp(code + LOAD_BYTES + 3, &abi->enter_slot, sizeof(abi->enter_slot)) == 0;
}

const struct scar_site_record *scar_patch_record(const struct scar_patch_abi *abi,
						 const uint8_t *trampolines, size_t size, size_t at)
{
	size_t end = at + SCAR_TRAMPOLINE_MAX;

	for (size_t i = at > LOAD_BYTES ? at - LOAD_BYTES : 0; i < end && i + LEAVE_BYTES <= size;
	     i++) {
		int32_t distance;

		if (!leaves_here(abi, trampolines + i))
			continue;
		memcpy(&distance, trampolines + i + 3, sizeof(distance));
		i += LOAD_BYTES + (size_t)distance;
		if (distance < 0 || i + sizeof(struct scar_site_record) > size)
			return NULL;
		return (const struct scar_site_record *)(trampolines + i);
	}
	return NULL;
}
