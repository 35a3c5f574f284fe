// SPDX-License-Identifier: GPL-2.0-only
/* The device's MSI-X vectors: one when enabling, the others one by one later. */

#include <linux/interrupt.h>

#include "ims_store.h"

static int take(struct ims_store *ims, unsigned int index, unsigned int virq)
{
	struct ims_irq *irq = &ims->msix[index];
	int ret;

	irq->ims = ims;
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

static void give(struct ims_store *ims, unsigned int index)
{
	struct ims_irq *irq = &ims->msix[index];

	if (irq->virq)
		free_irq(irq->virq, irq);
	irq->virq = 0;
}

int ims_msix_take_all(struct ims_store *ims)
{
	struct pci_dev *pdev = ims->pdev;
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
	ret = take(ims, 0, pci_irq_vector(pdev, 0));
	for (n = 1; !ret && n < IMS_MSIX_VECTORS; n++) {
		map = pci_msix_alloc_irq_at(pdev, MSI_ANY_INDEX, NULL);
		if (map.index < 0)
			ret = map.index;
		else
			ret = take(ims, map.index, map.virq);
	}
	if (!ret)
		return 0;
fail:
	ims_msix_give_all(ims);
	return ret;
}

/* Gives back also what was allocated and not taken. */
void ims_msix_give_all(struct ims_store *ims)
{
	unsigned int n;

	for (n = 0; n < IMS_MSIX_VECTORS; n++)
		give(ims, n);
	pci_free_irq_vectors(ims->pdev);
}
