// SPDX-License-Identifier: GPL-2.0-only
/* A driver of the PCI function that makes a virtio device of its registers. */

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "function.h"
#include "msg.h"

static void release(struct device *vdev)
{
	kfree(to_msg(dev_to_virtio(vdev)));
}

static int identify(struct msg_device *dev)
{
	if (msg_read(dev, VIRTIO_MMIO_MAGIC_VALUE) != ('v' | 'i' << 8 | 'r' << 16 | 't' << 24) ||
	    msg_read(dev, VIRTIO_MMIO_VERSION) != 2)
		return -ENODEV;
	dev->vdev.id.device = msg_read(dev, VIRTIO_MMIO_DEVICE_ID);
	dev->vdev.id.vendor = msg_read(dev, VIRTIO_MMIO_VENDOR_ID);
	return dev->vdev.id.device ? 0 : -ENODEV;
}

static int function_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct msg_device *dev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	dev->pdev = pdev;
	dev->vdev.dev.parent = &pdev->dev;
	dev->vdev.dev.release = release;
	dev->vdev.config = &msg_config_ops;
	raw_spin_lock_init(&dev->lock);
	mutex_init(&dev->hold);
	dev->regs = pcim_iomap_region(pdev, IMS_VIRTIO_BAR, KBUILD_MODNAME);
	ret = PTR_ERR_OR_ZERO(dev->regs);
	if (!ret)
		ret = identify(dev);
	if (ret) {
		kfree(dev);
		return dev_err_probe(&pdev->dev, ret, "no registers of virtio-mmio, version 2\n");
	}
	/* A queue is memory, and so is what a message writes. */
	pci_set_master(pdev);
	pci_set_drvdata(pdev, dev);
	ret = register_virtio_device(&dev->vdev);
	if (ret) {
		pci_set_drvdata(pdev, NULL);
		pci_clear_master(pdev);
		put_device(&dev->vdev.dev);
	}
	return ret;
}

static void function_remove(struct pci_dev *pdev)
{
	struct msg_device *dev = pci_get_drvdata(pdev);

	unregister_virtio_device(&dev->vdev);
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
	.dev_groups	= msg_groups,
};
module_pci_driver(function_driver);

MODULE_DESCRIPTION("virtio-mmio whose queues have interrupts of their own");
MODULE_LICENSE("GPL");
