// SPDX-License-Identifier: GPL-2.0-only
/* Tests of what the kernel does with an interrupt: move it, mask it, free it. */

#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>

#include "ims.h"

/* How many interrupts are moved. */
#define MOVES 32

/* Each goes to the next CPU; with remapping that must not touch its slot. */
int ims_test_move(struct ims_store *ims, struct ims_report *report)
{
	struct ims_slot before[MOVES], after;
	bool remapped;
	unsigned int n;
	int ret;

	if (num_online_cpus() < 2)
		return ims_wrong(report, "one CPU only");
	for (n = 0; n < MOVES; n++) {
		ret = ims_irq_take(ims, n, ims_nth_cpu(n));
		if (ret)
			return ims_wrong(report, "taking slot %u answered %d", n, ret);
		ims_slot_read(ims, n, &before[n]);
		ret = irq_set_affinity(ims->irqs[n].virq, cpumask_of(ims_nth_cpu(n + 1)));
		if (ret)
			return ims_wrong(report, "moving slot %u answered %d", n, ret);
	}
	remapped = ims_slot_remappable(&before[0]);
	/* Without remapping the kernel moves an interrupt when it next arrives. */
	if (!remapped && ims_fire_first(ims, MOVES, report))
		return -EIO;
	for (n = 0; n < MOVES; n++) {
		struct ims_irq *irq = &ims->irqs[n];
		unsigned int from = irq->cpu, on = ims_irq_effective_cpu(irq->virq);

		irq->cpu = ims_nth_cpu(n + 1);
		if (on != irq->cpu)
			return ims_wrong(report, "slot %u: moved from CPU %u to %u, is on %u", n,
					 from, irq->cpu, on);
		ims_slot_read(ims, n, &after);
		if (ims_slot_same_message(&before[n], &after) != remapped)
			return ims_wrong(report, "slot %u moved, its message %s", n,
					 remapped ? "changed" : "did not change");
	}
	ret = ims_fire_first(ims, MOVES, report);
	if (ret)
		return ret;
	ims_value(report, "moves=%d slot=%s", MOVES, remapped ? "unchanged" : "rewritten");
	return ims_check_each(ims->irqs, MOVES, 1, "moved slot", report);
}
EXPORT_SYMBOL_GPL(ims_test_move);

/* What is raised while masked arrives once, when the mask goes. */
int ims_test_hold(struct ims_store *ims, struct ims_report *report)
{
	const unsigned int n = ims->slots / 2;
	struct ims_irq *irq = &ims->irqs[n];
	struct ims_slot slot;
	int ret;

	ret = ims_irq_take(ims, n, ims_nth_cpu(1));
	if (ret)
		return ims_wrong(report, "taking slot %u answered %d", n, ret);
	disable_irq(irq->virq);
	ret = ims->device->raise(ims, n) ?: ims->device->raise(ims, n);
	if (ret)
		return ims_wrong(report, "raising it masked answered %d", ret);
	if (!ims_wait_taken(ims, 0))
		return ims_wrong(report, "taken although masked");
	ims_slot_read(ims, n, &slot);
	if (slot.control != (IMS_CONTROL_MASK | IMS_CONTROL_PENDING))
		return ims_wrong(report, "control %x, not masked and pending", slot.control);
	enable_irq(irq->virq);
	if (!ims_wait_taken(ims, 1))
		return ims_wrong(report, "unmasked: taken %d times", atomic_read(&ims->taken));
	ims_slot_read(ims, n, &slot);
	if (slot.control)
		return ims_wrong(report, "control %x after unmasking", slot.control);
	ims_value(report, "raised=2 delivered=1");
	return ims_check_each(irq, 1, 1, "held slot", report);
}
EXPORT_SYMBOL_GPL(ims_test_hold);

/* A slot given back is masked and empty, and can be taken again. */
int ims_test_reuse(struct ims_store *ims, struct ims_report *report)
{
	const unsigned int n = ims->slots - 1, times = 4;
	struct ims_slot slot;
	unsigned int round;
	int ret;

	for (round = 0; round < times; round++) {
		ret = ims_irq_take(ims, n, ims_nth_cpu(round));
		if (ret)
			return ims_wrong(report, "round %u: taking answered %d", round, ret);
		atomic_set(&ims->taken, 0);
		ret = ims->device->raise(ims, n);
		if (ret)
			return ims_wrong(report, "round %u: raising answered %d", round, ret);
		if (!ims_wait_taken(ims, 1))
			return ims_wrong(report, "round %u: not taken once", round);
		ret = ims_check_each(&ims->irqs[n], 1, 1, "slot taken anew", report);
		if (ret)
			return ret;
		ims_irq_give(ims, n);
		ims_slot_read(ims, n, &slot);
		if (slot.address_lo || slot.address_hi || slot.data ||
		    slot.control != IMS_CONTROL_MASK)
			return ims_wrong(report, "given back: %x %x %x %x", slot.address_lo,
					 slot.address_hi, slot.data, slot.control);
	}
	ims_value(report, "rounds=%u", times);
	return 0;
}
EXPORT_SYMBOL_GPL(ims_test_reuse);
