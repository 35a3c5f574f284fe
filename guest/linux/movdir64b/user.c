// SPDX-License-Identifier: GPL-2.0-only
/* A process's instruction, carried out where its memory may be waited for. */

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/wait_bit.h>

#include "movdir64b.h"

struct deferred {
	struct callback_head work;
	unsigned long ip;
};

static atomic_t under_way = ATOMIC_INIT(0);

/* The signal that the CPU's own exception would end in; 0: it is done. */
static int emulate(struct pt_regs *regs)
{
	struct movdir64b_operands operands;
	struct movdir64b_insn insn;
	u8 text[MOVDIR64B_LONGEST];
	size_t count = sizeof(text);

	count -= copy_from_user(text, (const void __user *)regs->ip, count);
	if (movdir64b_decode(text, count, &insn))
		return SIGILL;
	movdir64b_operands(&insn, regs, regs->ip, &operands);
	if (movdir64b_store_user(&operands))
		return SIGSEGV;
	regs->ip += insn.length;
	return 0;
}

static void run(struct callback_head *work)
{
	struct deferred *deferred = container_of(work, struct deferred, work);
	struct pt_regs *regs = current_pt_regs();
	unsigned long ip = deferred->ip;
	int signal;

	kfree(deferred);
	/* It may be dying, or a debugger has sent it elsewhere. */
	if (!(current->flags & PF_EXITING) && regs->ip == ip) {
		signal = emulate(regs);
		if (signal && !fatal_signal_pending(current))
			force_sig(signal);
	}
	if (atomic_dec_and_test(&under_way))
		wake_up_var(&under_way);
}

int movdir64b_user_defer(unsigned long ip)
{
	struct deferred *deferred = kmalloc(sizeof(*deferred), GFP_NOWAIT);
	int ret;

	/* Unchanged it is executed, and traps, once more. */
	if (!deferred)
		return 0;
	init_task_work(&deferred->work, run);
	deferred->ip = ip;
	atomic_inc(&under_way);
	ret = task_work_add(current, &deferred->work, TWA_RESUME);
	if (ret) {
		atomic_dec(&under_way);
		kfree(deferred);
	}
	return ret;
}

void movdir64b_user_drain(void)
{
	wait_var_event(&under_way, !atomic_read(&under_way));
	/* The last one may still have a few instructions of run() before it. */
	synchronize_rcu_tasks();
}
