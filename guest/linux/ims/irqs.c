// SPDX-License-Identifier: GPL-2.0-only
/* Taking interrupts, and waiting for them. */

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/jiffies.h>

#include "ims.h"

/* With more virtual CPUs than real ones a handler may run seconds late. */
#define PATIENCE	(60 * HZ)
/* How long nothing may come before we say that nothing will. */
#define QUIET_MS	300

irqreturn_t ims_irq_handler(int virq, void *data)
{
	struct ims_irq *irq = data;

	if (smp_processor_id() != irq->cpu)
		atomic_inc(&irq->astray);
	atomic_inc(&irq->taken);
	atomic_inc(&irq->ims->taken);
	return IRQ_HANDLED;
}
EXPORT_SYMBOL_GPL(ims_irq_handler);

unsigned int ims_irq_effective_cpu(unsigned int virq)
{
	return cpumask_first(irq_data_get_effective_affinity_mask(irq_get_irq_data(virq)));
}
EXPORT_SYMBOL_GPL(ims_irq_effective_cpu);

/* The n-th of the CPUs that are online, round and round. */
unsigned int ims_nth_cpu(unsigned int n)
{
	return cpumask_nth(n % num_online_cpus(), cpu_online_mask);
}
EXPORT_SYMBOL_GPL(ims_nth_cpu);

static void release(struct ims_irq *irq)
{
	free_irq(irq->virq, irq);
	irq_dispose_mapping(irq->virq);
	irq->virq = 0;
}

/*
 * Takes the interrupt of a slot, for `cpu` or one of the kernel's choice. If the
 * device is gone nothing is written to it.
 */
int ims_irq_take(struct ims_store *ims, unsigned int slot, unsigned int cpu)
{
	struct ims_irq *irq = &ims->irqs[slot];
	int virq, ret;

	if (!ims->device->alive(ims))
		return -ENODEV;
	virq = irq_domain_alloc_irqs(ims->domain, 1, dev_to_node(&ims->pdev->dev), &slot);
	if (virq < 0)
		return virq;
	/* Masking means the slot's mask, at once. */
	irq_set_status_flags(virq, IRQ_DISABLE_UNLAZY);
	atomic_set(&irq->taken, 0);
	atomic_set(&irq->astray, 0);
	irq->ims = ims;
	if (cpu != IMS_ANY_CPU) {
		ret = irq_set_affinity(virq, cpumask_of(cpu));
		if (ret)
			goto dispose;
	}
	irq->cpu = cpu;
	ret = request_irq(virq, ims_irq_handler, IRQF_NOBALANCING, "ims", irq);
	if (ret)
		goto dispose;
	irq->virq = virq;
	if (cpu == IMS_ANY_CPU)
		irq->cpu = ims_irq_effective_cpu(virq);
	ret = ims->device->open ? ims->device->open(ims, slot) : 0;
	if (ret)
		release(irq);
	return ret;
dispose:
	irq_dispose_mapping(virq);
	return ret;
}
EXPORT_SYMBOL_GPL(ims_irq_take);

void ims_irq_give(struct ims_store *ims, unsigned int slot)
{
	struct ims_irq *irq = &ims->irqs[slot];

	if (!irq->virq)
		return;
	if (ims->device->close)
		ims->device->close(ims, slot);
	release(irq);
}
EXPORT_SYMBOL_GPL(ims_irq_give);

void ims_irq_give_all(struct ims_store *ims)
{
	unsigned int slot;

	for (slot = 0; slot < ims->slots; slot++)
		ims_irq_give(ims, slot);
}
EXPORT_SYMBOL_GPL(ims_irq_give_all);

/*
 * Waits until `wanted` interrupts have arrived since the count was set to zero,
 * and then whether more come. True if it were exactly so many.
 */
bool ims_wait_taken(struct ims_store *ims, unsigned int wanted)
{
	unsigned long end = jiffies + PATIENCE;
	unsigned int before;

	if (ims->device->settle(ims))
		return false;
	while (atomic_read(&ims->taken) < wanted && time_before(jiffies, end))
		msleep(5);
	do {
		before = atomic_read(&ims->taken);
		msleep(QUIET_MS);
	} while (before != atomic_read(&ims->taken));
	return before == wanted;
}
EXPORT_SYMBOL_GPL(ims_wait_taken);
