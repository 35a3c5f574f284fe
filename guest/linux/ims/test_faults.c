// SPDX-License-Identifier: GPL-2.0-only
/* Tests of what must fail: messages nobody asked for, vectors that run out. */

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "ims.h"

/* Messages that nobody remaps must have been asked for. */
int ims_test_unasked(struct ims_store *ims, struct ims_report *report)
{
	int ret = ims_irq_take(ims, 0, IMS_ANY_CPU);

	if (ret != -EPERM)
		return ims_wrong(report, "taking an interrupt answered %d, not %d", ret, -EPERM);
	ims_value(report, "errno=%d", -ret);
	return 0;
}
EXPORT_SYMBOL_GPL(ims_test_unasked);

/* Takes interrupts until the CPUs have no vector left; each taken one works. */
int ims_test_exhaust(struct ims_store *ims, struct ims_report *report)
{
	unsigned int count;
	int ret = 0, again;

	for (count = 0; count < ims->slots; count++) {
		ret = ims_irq_take(ims, count, IMS_ANY_CPU);
		if (ret)
			break;
		cond_resched();
	}
	if (!ret)
		return ims_wrong(report, "all %u slots taken by %u CPUs", count,
				 num_online_cpus());
	if (ret != -ENOSPC)
		return ims_wrong(report, "after %u interrupts the next answered %d", count, ret);
	again = ims_fire_first(ims, count, report) ?:
		ims_check_each(ims->irqs, count, 1, "slot", report);
	if (again)
		return again;
	/* One given back is one that can be had. */
	ims_irq_give(ims, count - 1);
	again = ims_irq_take(ims, count, IMS_ANY_CPU);
	if (again)
		return ims_wrong(report, "one given back, yet taking answered %d", again);
	ims_value(report, "interrupts=%u cpus=%u errno=%d", count, num_online_cpus(), -ret);
	return 0;
}
EXPORT_SYMBOL_GPL(ims_test_exhaust);
