// SPDX-License-Identifier: GPL-2.0-only
/* Tests of what must fail: an entry that is absent, vectors that run out. */

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "ims_store.h"

/*
 * A handle whose entry is absent: the kernel hands them out from the lowest.
 * In an address in remappable format its low 15 bits are bits 19:5, bit 4 says
 * the format, and bit 2 is its high bit (VT-d 5.1.2.2).
 */
#define ABSENT_HANDLE	0xfff0U
#define REMAPPABLE(handle) \
	(0xfee00000U | ((handle) & 0x7fff) << 5 | BIT(4) | (handle) >> 15 << 2)

/* The remapping unit refuses what names an absent entry, and says so. */
int ims_test_absent(struct ims_store *ims, struct ims_report *report)
{
	const struct msi_msg msg = { .address_lo = REMAPPABLE(ABSENT_HANDLE) };
	const unsigned int n = ims->slots - 1;
	u32 refused = ims_read(ims, IMS_REG_REFUSED);
	u32 sent = ims_read(ims, IMS_REG_SENT);
	u32 error;

	ims_slot_program(ims, n, &msg);
	ims_slot_unmask(ims, n);
	ims_write(ims, IMS_REG_RAISE_IMS, n);
	if (!ims_wait_taken(ims, 0))
		return ims_wrong(report, "an interrupt of ours arrived");
	ims_slot_clear(ims, n);
	refused = ims_read(ims, IMS_REG_REFUSED) - refused;
	sent = ims_read(ims, IMS_REG_SENT) - sent;
	error = ims_read(ims, IMS_REG_ERRNO);
	if (refused != 1 || sent)
		return ims_wrong(report, "device counts %u refused, %u accepted", refused, sent);
	if (!error)
		return ims_wrong(report, "refused without an errno");
	ims_value(report, "handle=%x refused=%u errno=%u", ABSENT_HANDLE, refused, error);
	return 0;
}

/* Messages that nobody remaps must have been asked for. */
int ims_test_unasked(struct ims_store *ims, struct ims_report *report)
{
	int ret = ims_irq_take(ims, 0, IMS_ANY_CPU);

	if (ret != -EPERM)
		return ims_wrong(report, "taking an interrupt answered %d, not %d", ret, -EPERM);
	ims_value(report, "errno=%d", -ret);
	return 0;
}

/* Takes interrupts until the CPUs have no vector left; each taken one works. */
int ims_test_exhaust(struct ims_store *ims, struct ims_report *report)
{
	unsigned int count, n;
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
	for (n = 0; n < count; n++)
		ims_write(ims, IMS_REG_RAISE_IMS, n);
	if (!ims_wait_taken(ims, count))
		return ims_wrong(report, "%u raised, %d taken", count, atomic_read(&ims->taken));
	for (n = 0; n < count; n++) {
		int taken = atomic_read(&ims->irqs[n].taken);

		if (taken != 1 || atomic_read(&ims->irqs[n].astray))
			return ims_wrong(report, "slot %u: taken %d times, %d not on CPU %u", n,
					 taken, atomic_read(&ims->irqs[n].astray),
					 ims->irqs[n].cpu);
	}
	/* One given back is one that can be had. */
	ims_irq_give(ims, count - 1);
	again = ims_irq_take(ims, count, IMS_ANY_CPU);
	if (again)
		return ims_wrong(report, "one given back, yet taking answered %d", again);
	ims_value(report, "interrupts=%u cpus=%u errno=%d", count, num_online_cpus(), -ret);
	return 0;
}
