// SPDX-License-Identifier: GPL-2.0-only
/* The way of a CPU that has no such instruction: it traps, and is carried out. */

#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/uaccess.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "movdir64b.h"

/* True if it was carried out. What cannot be is left to trap as it would. */
static bool kernel_insn(struct pt_regs *regs)
{
	struct movdir64b_operands operands;
	struct movdir64b_insn insn;
	u8 text[MOVDIR64B_LONGEST];

	if (copy_from_kernel_nofault(text, (const void *)regs->ip, sizeof(text)))
		return false;
	if (movdir64b_decode(text, sizeof(text), &insn))
		return false;
	movdir64b_operands(&insn, regs, regs->ip, &operands);
	if (movdir64b_store_kernel(&operands, MOVDIR64B_UD_KERNEL))
		return false;
	regs->ip += insn.length;
	return true;
}
NOKPROBE_SYMBOL(kernel_insn);

/* As much of the text as there is without a fault, a page at a time. */
static size_t fetch_user(u8 *text, unsigned long ip)
{
	size_t first = min_t(size_t, MOVDIR64B_LONGEST, PAGE_SIZE - offset_in_page(ip));

	if (copy_from_user_nofault(text, (const void __user *)ip, first))
		return 0;
	if (first == MOVDIR64B_LONGEST ||
	    copy_from_user_nofault(text + first, (const void __user *)(ip + first),
				   MOVDIR64B_LONGEST - first))
		return first;
	return MOVDIR64B_LONGEST;
}

/*
 * Interrupts are off here and no fault may be taken: only looked at. The rest is
 * done on the way back to user mode, also if too little of it could be seen.
 */
static bool user_insn(struct pt_regs *regs)
{
	struct movdir64b_insn insn;
	u8 text[MOVDIR64B_LONGEST];

	if (regs->cs != __USER_CS)
		return false;
	if (movdir64b_decode(text, fetch_user(text, regs->ip), &insn) == -ENOEXEC)
		return false;
	return !movdir64b_user_defer(regs->ip);
}

static int on_die(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;
	bool done;

	if (event != DIE_TRAP || args->trapnr != X86_TRAP_UD)
		return NOTIFY_DONE;
	done = user_mode(args->regs) ? user_insn(args->regs) : kernel_insn(args->regs);
	return done ? NOTIFY_STOP : NOTIFY_DONE;
}
NOKPROBE_SYMBOL(on_die);

static struct notifier_block die_block = { .notifier_call = on_die };

int movdir64b_trap_begin(void)
{
	return register_die_notifier(&die_block);
}

bool movdir64b_takes_trap(void)
{
	static u8 blocks[2][MOVDIR64B_BYTES] __aligned(MOVDIR64B_BYTES);
	unsigned long *count = &movdir64b_counts[MOVDIR64B_UD_KERNEL];
	bool taken;

	movdir64b_execute(blocks[0], blocks[1]);
	taken = READ_ONCE(*count) != 0;
	/* Nobody's but ours. */
	WRITE_ONCE(*count, 0);
	return taken;
}

void movdir64b_trap_end(void)
{
	unregister_die_notifier(&die_block);
	movdir64b_user_drain();
}
