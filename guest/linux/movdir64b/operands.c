// SPDX-License-Identifier: GPL-2.0-only
/* What an instruction's operands mean for who executes it. */

#include <linux/kprobes.h>
#include <linux/ptrace.h>
#include <linux/stddef.h>
#include <asm/msr.h>

#include "movdir64b.h"

/* In the order of their numbers. */
static const u8 offsets[] = {
	offsetof(struct pt_regs, ax),  offsetof(struct pt_regs, cx),
	offsetof(struct pt_regs, dx),  offsetof(struct pt_regs, bx),
	offsetof(struct pt_regs, sp),  offsetof(struct pt_regs, bp),
	offsetof(struct pt_regs, si),  offsetof(struct pt_regs, di),
	offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
	offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
};

static unsigned long reg(struct pt_regs *regs, u8 number)
{
	return *(unsigned long *)((char *)regs + offsets[number]);
}
NOKPROBE_SYMBOL(reg);

static unsigned long segment_base(enum movdir64b_segment segment, struct pt_regs *regs)
{
	u32 low, high;

	switch (segment) {
	case MOVDIR64B_FS:
		rdmsr(MSR_FS_BASE, low, high);
		break;
	case MOVDIR64B_GS:
		/* In the kernel a process's base is the one that waits for SWAPGS. */
		if (user_mode(regs))
			rdmsr(MSR_KERNEL_GS_BASE, low, high);
		else
			rdmsr(MSR_GS_BASE, low, high);
		break;
	default:
		return 0;
	}
	return (u64)high << 32 | low;
}
NOKPROBE_SYMBOL(segment_base);

void movdir64b_operands(const struct movdir64b_insn *insn, struct pt_regs *regs,
			unsigned long ip, struct movdir64b_operands *operands)
{
	unsigned long dest = reg(regs, insn->dest);
	unsigned long source = insn->displacement;

	if (insn->base == MOVDIR64B_RIP)
		source += ip + insn->length;
	else if (insn->base != MOVDIR64B_NO_REG)
		source += reg(regs, insn->base);
	if (insn->index != MOVDIR64B_NO_REG)
		source += reg(regs, insn->index) << insn->scale;
	if (insn->narrow) {
		dest = (u32)dest;
		source = (u32)source;
	}
	/* The destination is in ES, which has no base; a prefix is the source's. */
	operands->dest = dest;
	operands->source = source + segment_base(insn->segment, regs);
}
NOKPROBE_SYMBOL(movdir64b_operands);
