// SPDX-License-Identifier: GPL-2.0-only
/* Tests of interrupts that arrive: once, and where they should. */

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "ims_store.h"

/* How many raises may be on their way before we look how many are left. */
#define PACE 64
/* How many interrupts are moved. */
#define MOVES 32

/* Each of `count` interrupts must have been taken `times` times, at home. */
static int check_each(struct ims_irq *irqs, unsigned int count, int times, const char *what,
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

/* Raises one slot and waits until everything is quiet. */
static bool raise_once(struct ims_store *ims, unsigned int slot)
{
	unsigned int before = atomic_read(&ims->taken);

	ims_write(ims, IMS_REG_RAISE_IMS, slot);
	return ims_wait_taken(ims, before + 1);
}

int ims_test_msix(struct ims_store *ims, struct ims_report *report)
{
	struct msi_map map;
	unsigned int n;
	int ret;

	ret = ims_msix_take_all(ims);
	if (ret)
		return ims_wrong(report, "taking %d vectors answered %d", IMS_MSIX_VECTORS, ret);
	map = pci_msix_alloc_irq_at(ims->pdev, MSI_ANY_INDEX, NULL);
	if (map.index >= 0) {
		ret = ims_wrong(report, "vector %d beyond the table", map.index);
		goto give;
	}
	for (n = 0; n < IMS_MSIX_VECTORS; n++)
		ims_write(ims, IMS_REG_RAISE_MSIX, n);
	if (!ims_wait_taken(ims, IMS_MSIX_VECTORS))
		ret = ims_wrong(report, "%d raised, %d taken", IMS_MSIX_VECTORS,
				atomic_read(&ims->taken));
	else
		ret = check_each(ims->msix, IMS_MSIX_VECTORS, 1, "vector", report);
	ims_value(report, "vectors=%d dynamic=%d", IMS_MSIX_VECTORS, IMS_MSIX_VECTORS - 1);
give:
	ims_msix_give_all(ims);
	return ret;
}

static int take_all(struct ims_store *ims, struct ims_report *report)
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

/* All slots at once, beside all MSI-X vectors. */
int ims_test_spread(struct ims_store *ims, struct ims_report *report)
{
	u32 sent = ims_read(ims, IMS_REG_SENT);
	u32 refused = ims_read(ims, IMS_REG_REFUSED);
	ktime_t begin = ktime_get();
	s64 taking;
	unsigned int n;
	int ret;

	ret = take_all(ims, report);
	if (ret)
		return ret;
	ret = ims_msix_take_all(ims);
	if (ret)
		return ims_wrong(report, "taking MSI-X vectors answered %d", ret);
	taking = ktime_ms_delta(ktime_get(), begin);

	/* One by one. */
	for (n = 0; n < ims->slots; n++) {
		ims_write(ims, IMS_REG_RAISE_IMS, n);
		if (n % PACE == PACE - 1 && !ims_in_flight_none(ims))
			break;
	}
	for (n = 0; n < IMS_MSIX_VECTORS; n++)
		ims_write(ims, IMS_REG_RAISE_MSIX, n);
	if (!ims_wait_taken(ims, ims->slots + IMS_MSIX_VECTORS)) {
		ret = ims_wrong(report, "%u raised, %d taken", ims->slots + IMS_MSIX_VECTORS,
				atomic_read(&ims->taken));
		goto give;
	}
	ret = check_each(ims->irqs, ims->slots, 1, "slot", report);
	if (!ret)
		ret = check_each(ims->msix, IMS_MSIX_VECTORS, 1, "vector", report);
	if (ret)
		goto give;

	/* As one burst. Each has a vector of its own: nothing may coalesce. */
	atomic_set(&ims->taken, 0);
	ims_write(ims, IMS_REG_RAISE_ALL, ims->slots);
	if (!ims_wait_taken(ims, ims->slots)) {
		ret = ims_wrong(report, "%u raised in a burst, %d taken", ims->slots,
				atomic_read(&ims->taken));
		goto give;
	}
	ret = check_each(ims->irqs, ims->slots, 2, "slot", report);
	if (ret)
		goto give;
	sent = ims_read(ims, IMS_REG_SENT) - sent;
	refused = ims_read(ims, IMS_REG_REFUSED) - refused;
	if (sent != 2 * ims->slots || refused)
		ret = ims_wrong(report, "device counts %u sent, %u refused", sent, refused);
	ims_value(report, "interrupts=%u vectors=%d cpus=%u taking_ms=%lld", ims->slots,
		  IMS_MSIX_VECTORS, num_online_cpus(), taking);
give:
	ims_msix_give_all(ims);
	return ret;
}

/* Raises the first `count` slots once each and waits until everything is quiet. */
static bool raise_first(struct ims_store *ims, unsigned int count)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		atomic_set(&ims->irqs[n].taken, 0);
		atomic_set(&ims->irqs[n].astray, 0);
	}
	atomic_set(&ims->taken, 0);
	for (n = 0; n < count; n++)
		ims_write(ims, IMS_REG_RAISE_IMS, n);
	return ims_wait_taken(ims, count);
}

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
	if (!remapped && !raise_first(ims, MOVES))
		return ims_wrong(report, "not all arrived that were to move");
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
	if (!raise_first(ims, MOVES))
		return ims_wrong(report, "%d moved and raised, %d taken", MOVES,
				 atomic_read(&ims->taken));
	ims_value(report, "moves=%d slot=%s", MOVES, remapped ? "unchanged" : "rewritten");
	return check_each(ims->irqs, MOVES, 1, "moved slot", report);
}

/* What is raised while masked arrives once, when the mask goes. */
int ims_test_hold(struct ims_store *ims, struct ims_report *report)
{
	const unsigned int n = ims->slots / 2;
	struct ims_irq *irq = &ims->irqs[n];
	u32 held = ims_read(ims, IMS_REG_HELD);
	struct ims_slot slot;
	int ret;

	ret = ims_irq_take(ims, n, ims_nth_cpu(1));
	if (ret)
		return ims_wrong(report, "taking slot %u answered %d", n, ret);
	disable_irq(irq->virq);
	ims_write(ims, IMS_REG_RAISE_IMS, n);
	ims_write(ims, IMS_REG_RAISE_IMS, n);
	if (!ims_wait_taken(ims, 0))
		return ims_wrong(report, "taken although masked");
	ims_slot_read(ims, n, &slot);
	if (slot.control != (IMS_CONTROL_MASK | IMS_CONTROL_PENDING))
		return ims_wrong(report, "control %x, not masked and pending", slot.control);
	held = ims_read(ims, IMS_REG_HELD) - held;
	if (held != 2)
		return ims_wrong(report, "device counts %u held, not 2", held);
	enable_irq(irq->virq);
	if (!ims_wait_taken(ims, 1))
		return ims_wrong(report, "unmasked: taken %d times", atomic_read(&ims->taken));
	ims_slot_read(ims, n, &slot);
	if (slot.control)
		return ims_wrong(report, "control %x after unmasking", slot.control);
	ims_value(report, "held=%u delivered=1", held);
	return check_each(irq, 1, 1, "held slot", report);
}

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
		if (!raise_once(ims, n))
			return ims_wrong(report, "round %u: not taken once", round);
		ret = check_each(&ims->irqs[n], 1, 1, "slot taken anew", report);
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
