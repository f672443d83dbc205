/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/x86_64/decode.h"

#include <Zydis/Decoder.h>
#include <string.h>

static unsigned flags_of_one_byte(const ZydisDecodedInstruction *in)
{
	uint8_t op = in->opcode;

	if (op >= 0x70 && op <= 0x7f)
		return SCAR_INS_BRANCH;
	if (op >= 0xe0 && op <= 0xe3)
		return SCAR_INS_BRANCH | SCAR_INS_PINNED;
	switch (op) {
	case 0xe8: return SCAR_INS_BRANCH | SCAR_INS_PINNED;
	case 0xeb:
	case 0xe9: return SCAR_INS_BRANCH | SCAR_INS_END;
	case 0xc2:
	case 0xc3:
	case 0xcf:
	case 0xf4: return SCAR_INS_END;
	case 0x90:
	case 0xcc: return SCAR_INS_PADDING;
	case 0xcd: return SCAR_INS_PINNED;
	case 0xff:
		if (in->raw.modrm.reg == 2 || in->raw.modrm.reg == 3)
			return SCAR_INS_PINNED;
		return in->raw.modrm.reg == 4 || in->raw.modrm.reg == 5 ? SCAR_INS_END : 0;
	default: return 0;
	}
}

static unsigned flags_of_two_bytes(const ZydisDecodedInstruction *in, const uint8_t *code)
{
	if (in->opcode >= 0x80 && in->opcode <= 0x8f)
		return SCAR_INS_BRANCH;
	switch (in->opcode) {
	case 0x05: return SCAR_INS_SYSCALL;
	case 0x0b: return SCAR_INS_END;
	case 0x1e:
		if (memcmp(code, "\xf3\x0f\x1e\xfa", 4) == 0)
			return SCAR_INS_ENDBR;
		return SCAR_INS_PADDING;
	case 0x1f: return SCAR_INS_PADDING;
	default: return 0;
	}
}

bool scar_decode(const uint8_t *code, size_t len, struct scar_instruction *ret_ins)
{
	ZydisDecoder decoder;
	ZydisDecoderContext context;
	ZydisDecodedInstruction in;
	unsigned flags = 0;

	if (len > ZYDIS_MAX_INSTRUCTION_LENGTH)
		len = ZYDIS_MAX_INSTRUCTION_LENGTH;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, &context, code, len, &in)))
		return false;
	if (in.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		flags = flags_of_one_byte(&in);
	else if (in.opcode_map == ZYDIS_OPCODE_MAP_0F)
		flags = flags_of_two_bytes(&in, code);
	if ((in.attributes & ZYDIS_ATTRIB_HAS_MODRM) && in.raw.modrm.mod == 0 &&
	    in.raw.modrm.rm == 5)
		flags |= SCAR_INS_RIP;
	*ret_ins = (struct scar_instruction){
		.length = in.length,
		.flags = (uint8_t)flags,
		.disp_offset = in.raw.disp.offset,
		.condition = 0xff,
		.target = flags & SCAR_INS_BRANCH ? (int32_t)in.raw.imm[0].value.s : 0,
	};
	if ((flags & SCAR_INS_BRANCH) && !(flags & (SCAR_INS_END | SCAR_INS_PINNED)))
		ret_ins->condition = in.opcode & 15;
	return true;
}

/* The parts of an instruction that tell its first operand, as far as this needs them. */
struct fields {
	const uint8_t *op; /* opcode, after a REX prefix */
	unsigned reg, rm, mod;
};

static struct fields fields_of(const uint8_t *code)
{
	unsigned rex = 0;

	if ((*code & 0xf0) == 0x40)
		rex = *code++;
	return (struct fields){.op = code,
			       .reg = ((code[1] >> 3) & 7u) | ((rex & 4) << 1),
			       .rm = (code[1] & 7u) | ((rex & 1) << 3),
			       .mod = code[1] >> 6};
}

/* A store to a register or memory operand changes %eax only if that operand is it. */
static enum scar_eax stored_to_rm(const struct fields *f)
{
	return f->mod == 3 && f->rm == 0 ? SCAR_EAX_CHANGED : SCAR_EAX_KEPT;
}

static enum scar_eax eax_of_xor(const struct fields *f, int32_t *ret_constant)
{
	unsigned to = f->op[0] == 0x31 ? f->rm : f->reg;

	if (f->mod != 3)
		return f->op[0] == 0x31 || f->reg ? SCAR_EAX_KEPT : SCAR_EAX_CHANGED;
	if (to != 0)
		return SCAR_EAX_KEPT;
	if (f->reg != f->rm)
		return SCAR_EAX_CHANGED;
	*ret_constant = 0;
	return SCAR_EAX_CONSTANT;
}

enum scar_eax scar_decode_eax(const uint8_t *code, int32_t *ret_constant)
{
	struct fields f = fields_of(code);
	uint8_t op = f.op[0];

	if (op >= 0xb8 && op <= 0xbf) {
		if ((op & 7) || (code != f.op && (code[0] & 1)))
			return SCAR_EAX_KEPT;
		memcpy(ret_constant, f.op + 1, sizeof(*ret_constant));
		return SCAR_EAX_CONSTANT;
	}
	if (op >= 0x50 && op <= 0x57)
		return SCAR_EAX_KEPT;
	switch (op) {
	case 0x31:
	case 0x33: return eax_of_xor(&f, ret_constant);
	case 0xc7:
		if (f.mod == 3 && f.rm == 0) {
			memcpy(ret_constant, f.op + 2, sizeof(*ret_constant));
			return SCAR_EAX_CONSTANT;
		}
		return SCAR_EAX_KEPT;
	case 0x88:
	case 0x89:
	case 0xc6:
	case 0x01:
	case 0x09:
	case 0x21:
	case 0x29: return stored_to_rm(&f);
	case 0x81:
	case 0x83: /* /7 is cmp */ return f.reg % 8 == 7 ? SCAR_EAX_KEPT : stored_to_rm(&f);
	case 0x8b:
	case 0x8d:
	case 0x63: return f.reg ? SCAR_EAX_KEPT : SCAR_EAX_CHANGED;
	case 0x38:
	case 0x39:
	case 0x3b:
	case 0x84:
	case 0x85:
	case 0x90: return SCAR_EAX_KEPT;
	case 0x0f:
		switch (f.op[1]) {
		case 0x10: /* moves of vector registers, and long nops */
		case 0x11:
		case 0x1e:
		case 0x1f:
		case 0x28:
		case 0x29: return SCAR_EAX_KEPT;
		default: return SCAR_EAX_CHANGED;
		}
	default: return SCAR_EAX_CHANGED;
	}
}

bool scar_decode_loads_argument(const uint8_t *code)
{
	if ((*code & 0xf8) == 0x48)
		code++;
	return *code == 0xb0 || *code == 0x89 || *code == 0x8b;
}
