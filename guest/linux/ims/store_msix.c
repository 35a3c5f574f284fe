// SPDX-License-Identifier: GPL-2.0-only
/* The device's MSI-X vectors: one when enabling, the others one by one later. */

#include <linux/interrupt.h>

#include "store_device.h"

static int take(struct ims_example *example, unsigned int index, unsigned int virq)
{
	struct ims_irq *irq = &example->msix[index];
	int ret;

	irq->ims = &example->ims;
	irq->cpu = ims_nth_cpu(index);
	atomic_set(&irq->taken, 0);
	atomic_set(&irq->astray, 0);
	ret = irq_set_affinity(virq, cpumask_of(irq->cpu));
	if (ret)
		return ret;
	ret = request_irq(virq, ims_irq_handler, IRQF_NOBALANCING, "ims_store-msix", irq);
	if (!ret)
		irq->virq = virq;
	return ret;
}

static void give(struct ims_example *example, unsigned int index)
{
	struct ims_irq *irq = &example->msix[index];

	if (irq->virq)
		free_irq(irq->virq, irq);
	irq->virq = 0;
}

int ims_msix_take_all(struct ims_example *example)
{
	struct pci_dev *pdev = example->ims.pdev;
	struct msi_map map;
	unsigned int n;
	int ret;

	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;
	if (!pci_msix_can_alloc_dyn(pdev)) {
		ret = -EOPNOTSUPP;
		goto fail;
	}
	ret = take(example, 0, pci_irq_vector(pdev, 0));
	for (n = 1; !ret && n < IMS_MSIX_VECTORS; n++) {
		map = pci_msix_alloc_irq_at(pdev, MSI_ANY_INDEX, NULL);
		if (map.index < 0)
			ret = map.index;
		else
			ret = take(example, map.index, map.virq);
	}
	if (!ret)
		return 0;
fail:
	ims_msix_give_all(example);
	return ret;
}

/* Gives back also what was allocated and not taken. */
void ims_msix_give_all(struct ims_example *example)
{
	unsigned int n;

	for (n = 0; n < IMS_MSIX_VECTORS; n++)
		give(example, n);
	pci_free_irq_vectors(example->ims.pdev);
}

/* Raises each once; each must be taken once, on its CPU. */
int ims_msix_fire(struct ims_example *example, struct ims_report *report)
{
	struct ims_store *ims = &example->ims;
	unsigned int n;

	atomic_set(&ims->taken, 0);
	for (n = 0; n < IMS_MSIX_VECTORS; n++)
		ims_example_write(ims, IMS_REG_RAISE_MSIX, n);
	if (!ims_wait_taken(ims, IMS_MSIX_VECTORS))
		return ims_wrong(report, "%d raised, %d taken", IMS_MSIX_VECTORS,
				 atomic_read(&ims->taken));
	return ims_check_each(example->msix, IMS_MSIX_VECTORS, 1, "vector", report);
}
