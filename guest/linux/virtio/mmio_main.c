// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function with the registers of virtio-mmio in a BAR becomes a platform device,
 * which the kernel's own driver of virtio-mmio drives: with its one interrupt.
 */

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "function.h"

static int function_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct resource *bar = &pdev->resource[IMS_VIRTIO_BAR];
	struct resource resources[2] = {};
	struct platform_device_info info = {
		.parent = &pdev->dev,
		.name = "virtio-mmio",
		.id = PLATFORM_DEVID_AUTO,
		.res = resources,
		.num_res = ARRAY_SIZE(resources),
		.dma_mask = DMA_BIT_MASK(64),
	};
	struct platform_device *platform;
	int ret;

	if (!(pci_resource_flags(pdev, IMS_VIRTIO_BAR) & IORESOURCE_MEM))
		return -ENODEV;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	/* A queue is memory, and so is what an interrupt of MSI writes. */
	pci_set_master(pdev);
	ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);
	if (ret < 0)
		goto quiet;

	/* Within the BAR: who takes the region is the driver of the platform device. */
	resources[0] = DEFINE_RES_MEM(bar->start, resource_size(bar));
	resources[0].parent = bar;
	resources[1] = DEFINE_RES_IRQ(pci_irq_vector(pdev, 0));
	platform = platform_device_register_full(&info);
	if (IS_ERR(platform)) {
		ret = PTR_ERR(platform);
		goto free;
	}
	pci_set_drvdata(pdev, platform);
	return 0;
free:
	pci_free_irq_vectors(pdev);
quiet:
	pci_clear_master(pdev);
	return ret;
}

static void function_remove(struct pci_dev *pdev)
{
	platform_device_unregister(pci_get_drvdata(pdev));
	pci_free_irq_vectors(pdev);
	pci_clear_master(pdev);
}

static const struct pci_device_id function_ids[] = {
	{ PCI_DEVICE(IMS_VIRTIO_VENDOR_ID, IMS_VIRTIO_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, function_ids);

static struct pci_driver function_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= function_ids,
	.probe		= function_probe,
	.remove		= function_remove,
};
module_pci_driver(function_driver);

MODULE_DESCRIPTION("A virtio-mmio device whose registers are in a BAR");
MODULE_LICENSE("GPL");
