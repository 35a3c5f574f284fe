// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sixty-four bytes as eight stores. A device tells descriptors apart by their
 * place in the portal, so no two may be under way at once in this guest: one lock
 * for all, with interrupts off. What the instruction promises beyond that, one
 * write of 64 bytes, eight stores cannot give: the device must put them together.
 */

#include <linux/align.h>
#include <linux/kprobes.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "movdir64b.h"

#define WORDS (MOVDIR64B_BYTES / sizeof(u64))

static DEFINE_RAW_SPINLOCK(portal_lock);

unsigned long movdir64b_counts[MOVDIR64B_WAYS];

static void count(enum movdir64b_way way)
{
	WRITE_ONCE(movdir64b_counts[way], movdir64b_counts[way] + 1);
}
NOKPROBE_SYMBOL(count);

int movdir64b_store_kernel(const struct movdir64b_operands *operands, enum movdir64b_way way)
{
	u64 *dest = (u64 *)operands->dest;
	u64 words[WORDS];
	unsigned long flags;
	unsigned int n;

	if (!IS_ALIGNED(operands->dest, MOVDIR64B_BYTES))
		return -EINVAL;
	if (copy_from_kernel_nofault(words, (const void *)operands->source, sizeof(words)))
		return -EFAULT;
	raw_spin_lock_irqsave(&portal_lock, flags);
	/* A constant address each, ascending: the eighth one completes it. */
	for (n = 0; n < WORDS; n++)
		__put_kernel_nofault(dest + n, &words[n], u64, fault);
	count(way);
	raw_spin_unlock_irqrestore(&portal_lock, flags);
	return 0;
fault:
	raw_spin_unlock_irqrestore(&portal_lock, flags);
	return -EFAULT;
}
NOKPROBE_SYMBOL(movdir64b_store_kernel);

/* The stores with no fault taken; what was stored before one is stored again. */
static int store_user_nofault(u64 __user *dest, const u64 *words)
{
	unsigned long flags;
	unsigned int n;
	int ret = -EFAULT;

	pagefault_disable();
	raw_spin_lock_irqsave(&portal_lock, flags);
	if (!user_write_access_begin(dest, MOVDIR64B_BYTES))
		goto unlock;
	for (n = 0; n < WORDS; n++)
		unsafe_put_user(words[n], dest + n, fault);
	count(MOVDIR64B_UD_USER);
	ret = 0;
fault:
	user_write_access_end();
unlock:
	raw_spin_unlock_irqrestore(&portal_lock, flags);
	pagefault_enable();
	return ret;
}

int movdir64b_store_user(const struct movdir64b_operands *operands)
{
	char __user *dest = (char __user *)operands->dest;
	u64 words[WORDS];

	if (!IS_ALIGNED(operands->dest, MOVDIR64B_BYTES))
		return -EINVAL;
	if (copy_from_user(words, (const void __user *)operands->source, sizeof(words)))
		return -EFAULT;
	/*
	 * A portal that a process mapped has its page only once it was touched, and
	 * may lose it again before we get to it.
	 */
	while (store_user_nofault((u64 __user *)dest, words)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (fault_in_safe_writeable(dest, MOVDIR64B_BYTES))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}
