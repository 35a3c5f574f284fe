// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for an Intel DSA whose completion interrupts are slots of its
 * interrupt message store: one group, one dedicated queue, no MSI-X. It does
 * nothing by itself but run tests. The kernel's own driver must not be loaded.
 */

#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "dsa.h"

/* One that is gone reads all ones. */
static bool alive(struct ims_store *ims)
{
	return ~readl(to_dsa(ims)->regs + DSA_VERSION);
}

static const struct ims_device dsa_device = {
	.alive		= alive,
	.open		= dsa_open,
	.close		= dsa_close,
	.raise		= dsa_raise,
	.raise_all	= dsa_raise_all,
	.settle		= dsa_settle,
	.tests		= dsa_tests,
};

static int map(struct ims_dsa *dsa)
{
	struct pci_dev *pdev = dsa->ims.pdev;
	void __iomem *portals;

	dsa->regs = pcim_iomap_region(pdev, DSA_REGISTERS_BAR, KBUILD_MODNAME);
	if (IS_ERR(dsa->regs))
		return PTR_ERR(dsa->regs);
	portals = pcim_iomap_region(pdev, DSA_PORTALS_BAR, KBUILD_MODNAME);
	if (IS_ERR(portals))
		return PTR_ERR(portals);
	if (pci_resource_len(pdev, DSA_PORTALS_BAR) < DSA_PORTAL_IMS_LIMITED + DSA_PORTAL_SIZE)
		return -ENODEV;
	dsa->portal = portals + DSA_PORTAL_IMS_LIMITED;
	return 0;
}

static int dsa_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ims_dsa *dsa;
	int ret;

	dsa = devm_kzalloc(&pdev->dev, sizeof(*dsa), GFP_KERNEL);
	if (!dsa)
		return -ENOMEM;
	dsa->ims.device = &dsa_device;
	dsa->ims.pdev = pdev;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = map(dsa);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ret = dsa_identify(dsa);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no DSA with an interrupt message store\n");
	ret = dsa_alloc_work(dsa);
	if (ret)
		return ret;
	/* A message is a write to memory. */
	pci_set_master(pdev);
	ret = dsa_enable(dsa);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "cannot be enabled\n");
	ret = ims_domain_create(&dsa->ims);
	if (ret) {
		dsa_command(dsa, DSA_RESET_DEVICE, 0, NULL);
		return dev_err_probe(&pdev->dev, ret, "no irq domain\n");
	}
	pci_set_drvdata(pdev, &dsa->ims);
	return 0;
}

static void dsa_remove(struct pci_dev *pdev)
{
	struct ims_store *ims = pci_get_drvdata(pdev);

	ims_irq_give_all(ims);
	ims_domain_remove(ims);
	/* It must write to nothing that is freed now. */
	dsa_command(to_dsa(ims), DSA_RESET_DEVICE, 0, NULL);
	pci_clear_master(pdev);
}

static const struct pci_device_id dsa_ids[] = {
	{ PCI_DEVICE(DSA_VENDOR_ID, DSA_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, dsa_ids);

static struct pci_driver dsa_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= dsa_ids,
	.probe		= dsa_probe,
	.remove		= dsa_remove,
	.dev_groups	= ims_groups,
};
module_pci_driver(dsa_driver);

MODULE_DESCRIPTION("Completion interrupts of an Intel DSA from its interrupt message store");
MODULE_LICENSE("GPL");
