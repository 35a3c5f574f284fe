// SPDX-License-Identifier: GPL-2.0-only
/* The steps that tests are made of: take interrupts, raise them, count them. */

#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/sched.h>

#include "ims.h"

/* How many raises may be on their way before we wait for them. */
#define PACE 64

/*
 * A handle whose entry is absent: the kernel hands them out from the lowest.
 * In an address in remappable format its low 15 bits are bits 19:5, bit 4 says
 * the format, and bit 2 is its high bit (VT-d 5.1.2.2).
 */
#define ABSENT_HANDLE	0xfff0U
#define REMAPPABLE(handle) \
	(0xfee00000U | ((handle) & 0x7fff) << 5 | BIT(4) | (handle) >> 15 << 2)

/* Each of `count` interrupts must have been taken `times` times, at home. */
int ims_check_each(struct ims_irq *irqs, unsigned int count, int times, const char *what,
		   struct ims_report *report)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		int taken = atomic_read(&irqs[n].taken);
		int astray = atomic_read(&irqs[n].astray);

		if (taken != times || astray)
			return ims_wrong(report, "%s %u: taken %d times, not %d; %d not on CPU %u",
					 what, n, taken, times, astray, irqs[n].cpu);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ims_check_each);

/* Takes all slots, round and round over the CPUs. */
int ims_take_all(struct ims_store *ims, struct ims_report *report)
{
	unsigned int n;
	int ret;

	for (n = 0; n < ims->slots; n++) {
		ret = ims_irq_take(ims, n, ims_nth_cpu(n));
		if (ret)
			return ims_wrong(report, "taking slot %u answered %d", n, ret);
		if (ims_irq_effective_cpu(ims->irqs[n].virq) != ims->irqs[n].cpu)
			return ims_wrong(report, "slot %u: asked for CPU %u, got %u", n,
					 ims->irqs[n].cpu,
					 ims_irq_effective_cpu(ims->irqs[n].virq));
		cond_resched();
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ims_take_all);

static void forget(struct ims_store *ims, unsigned int count)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		atomic_set(&ims->irqs[n].taken, 0);
		atomic_set(&ims->irqs[n].astray, 0);
	}
	atomic_set(&ims->taken, 0);
}

/* Raises the first `count` slots once each; each must be taken once, and no more. */
int ims_fire_first(struct ims_store *ims, unsigned int count, struct ims_report *report)
{
	unsigned int n;
	int ret;

	forget(ims, count);
	for (n = 0; n < count; n++) {
		ret = ims->device->raise(ims, n);
		if (!ret && n % PACE == PACE - 1)
			ret = ims->device->settle(ims);
		if (ret)
			return ims_wrong(report, "raising slot %u answered %d", n, ret);
	}
	if (!ims_wait_taken(ims, count))
		return ims_wrong(report, "%u raised, %d taken", count, atomic_read(&ims->taken));
	return 0;
}

/* All slots, one by one. */
int ims_fire_each(struct ims_store *ims, struct ims_report *report)
{
	int ret = ims_fire_first(ims, ims->slots, report);

	return ret ?: ims_check_each(ims->irqs, ims->slots, 1, "slot", report);
}
EXPORT_SYMBOL_GPL(ims_fire_each);

/* All slots at once. Each has a vector of its own: nothing may coalesce. */
int ims_fire_burst(struct ims_store *ims, struct ims_report *report)
{
	int ret;

	forget(ims, ims->slots);
	ret = ims->device->raise_all(ims);
	if (ret)
		return ims_wrong(report, "raising all answered %d", ret);
	if (!ims_wait_taken(ims, ims->slots))
		return ims_wrong(report, "%u raised in a burst, %d taken", ims->slots,
				 atomic_read(&ims->taken));
	return ims_check_each(ims->irqs, ims->slots, 1, "slot of a burst", report);
}
EXPORT_SYMBOL_GPL(ims_fire_burst);

/* Raises a slot whose message names an absent entry: nothing may arrive. */
int ims_fire_absent(struct ims_store *ims, struct ims_report *report)
{
	const struct msi_msg msg = { .address_lo = REMAPPABLE(ABSENT_HANDLE) };
	const unsigned int n = ims->slots - 1;
	int ret;

	ims_slot_program(ims, n, &msg);
	ims_slot_unmask(ims, n);
	ret = ims->device->open ? ims->device->open(ims, n) : 0;
	if (!ret) {
		ret = ims->device->raise(ims, n);
		if (ret)
			ret = ims_wrong(report, "raising slot %u answered %d", n, ret);
		else if (!ims_wait_taken(ims, 0))
			ret = ims_wrong(report, "an interrupt of ours arrived");
		if (ims->device->close)
			ims->device->close(ims, n);
	} else {
		ret = ims_wrong(report, "opening slot %u answered %d", n, ret);
	}
	ims_slot_clear(ims, n);
	ims_value(report, "handle=%x", ABSENT_HANDLE);
	return ret;
}
EXPORT_SYMBOL_GPL(ims_fire_absent);
