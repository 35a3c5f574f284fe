// SPDX-License-Identifier: GPL-2.0-only
/*
 * [legacy prefixes] 66 [REX] 0F 38 F8 /r, memory only (Intel SDM, volume 2,
 * MOVDIR64B; chapter 2 for prefixes, ModRM and SIB).
 */

#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/unaligned.h>

#include "movdir64b.h"

/* ModRM: mod 7:6, reg 5:3, rm 2:0. SIB: scale 7:6, index 5:3, base 2:0. */
#define HIGH(byte)	((byte) >> 6)
#define MIDDLE(byte)	(((byte) >> 3) & 7)
#define LOW(byte)	((byte) & 7)

#define MOD_NO_DISPLACEMENT	0
#define MOD_BYTE		1
#define MOD_REGISTER		3
#define RM_SIB			4
#define RM_RIP			5
#define SIB_NO_INDEX		4
#define SIB_NO_BASE		5

#define REX_R	4
#define REX_X	2
#define REX_B	1

struct text {
	const u8 *bytes;
	size_t count;
	size_t at;
};

/* The next byte, or -EAGAIN. */
static int next(struct text *text)
{
	if (text->at >= text->count)
		return text->count < MOVDIR64B_LONGEST ? -EAGAIN : -ENOEXEC;
	return text->bytes[text->at++];
}
NOKPROBE_SYMBOL(next);

/* Takes prefixes; returns the first byte that is none. */
static int prefixes(struct text *text, struct movdir64b_insn *insn)
{
	bool operand_size = false;
	int byte;

	for (;;) {
		byte = next(text);
		switch (byte) {
		case 0x66:
			operand_size = true;
			break;
		case 0x67:
			insn->narrow = true;
			break;
		/* CS, DS, ES and SS have no base in 64-bit code, and end no FS or GS. */
		case 0x2e:
		case 0x3e:
		case 0x26:
		case 0x36:
			break;
		case 0x64:
			insn->segment = MOVDIR64B_FS;
			break;
		case 0x65:
			insn->segment = MOVDIR64B_GS;
			break;
		/* LOCK is refused; REPNE and REP make it ENQCMD and ENQCMDS. */
		default:
			if (byte >= 0 && !operand_size)
				return -ENOEXEC;
			return byte;
		}
	}
}
NOKPROBE_SYMBOL(prefixes);

static int displacement(struct text *text, size_t size, struct movdir64b_insn *insn)
{
	if (text->count - text->at < size)
		return text->count < MOVDIR64B_LONGEST ? -EAGAIN : -ENOEXEC;
	if (size == 1)
		insn->displacement = (s8)text->bytes[text->at];
	else if (size == 4)
		insn->displacement = (s32)get_unaligned_le32(text->bytes + text->at);
	text->at += size;
	return 0;
}
NOKPROBE_SYMBOL(displacement);

static int memory(struct text *text, u8 modrm, u8 rex, struct movdir64b_insn *insn)
{
	u8 mod = HIGH(modrm);
	size_t size = mod == MOD_NO_DISPLACEMENT ? 0 : mod == MOD_BYTE ? 1 : 4;
	u8 high = rex & REX_B ? 8 : 0;
	int sib;

	insn->base = LOW(modrm) | high;
	if (LOW(modrm) == RM_SIB) {
		sib = next(text);
		if (sib < 0)
			return sib;
		insn->scale = HIGH(sib);
		insn->index = MIDDLE(sib) | (rex & REX_X ? 8 : 0);
		if (insn->index == SIB_NO_INDEX)
			insn->index = MOVDIR64B_NO_REG;
		insn->base = LOW(sib) | high;
		if (LOW(sib) == SIB_NO_BASE && mod == MOD_NO_DISPLACEMENT) {
			insn->base = MOVDIR64B_NO_REG;
			size = 4;
		}
	} else if (LOW(modrm) == RM_RIP && mod == MOD_NO_DISPLACEMENT) {
		insn->base = MOVDIR64B_RIP;
		size = 4;
	}
	return displacement(text, size, insn);
}
NOKPROBE_SYMBOL(memory);

int movdir64b_decode(const u8 *bytes, size_t count, struct movdir64b_insn *insn)
{
	static const u8 opcode[] = { 0x0f, 0x38, 0xf8 };
	struct text text = { .bytes = bytes, .count = min_t(size_t, count, MOVDIR64B_LONGEST) };
	unsigned int n;
	int byte, ret;
	u8 rex = 0;

	*insn = (struct movdir64b_insn){ .index = MOVDIR64B_NO_REG };
	byte = prefixes(&text, insn);
	if (byte < 0)
		return byte;
	/* A REX counts only where it is the last before the opcode. */
	if ((byte & 0xf0) == 0x40) {
		rex = byte;
		byte = next(&text);
	}
	for (n = 0; n < sizeof(opcode); n++) {
		if (byte < 0)
			return byte;
		if (byte != opcode[n])
			return -ENOEXEC;
		byte = next(&text);
	}
	if (byte < 0)
		return byte;
	if (HIGH(byte) == MOD_REGISTER)
		return -ENOEXEC;
	insn->dest = MIDDLE(byte) | (rex & REX_R ? 8 : 0);
	ret = memory(&text, byte, rex, insn);
	if (ret)
		return ret;
	insn->length = text.at;
	return 0;
}
NOKPROBE_SYMBOL(movdir64b_decode);
