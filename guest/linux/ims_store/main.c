// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the example device `ims_store`: an interrupt message store in a
 * BAR beside 16 MSI-X vectors. It does nothing by itself; writing a test's name
 * to the device's attribute `run` runs that test.
 */

#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#include "ims_store.h"

static DEFINE_MUTEX(one_test_at_a_time);

static ssize_t run_store(struct device *dev, struct device_attribute *attribute,
			 const char *text, size_t count)
{
	struct ims_store *ims = dev_get_drvdata(dev);
	char name[32];
	int ret;

	if (count >= sizeof(name))
		return -EINVAL;
	strscpy(name, text, sizeof(name));
	mutex_lock(&one_test_at_a_time);
	ret = ims_test_run(ims, strim(name));
	mutex_unlock(&one_test_at_a_time);
	return ret ?: count;
}
static DEVICE_ATTR_WO(run);

static struct attribute *ims_attrs[] = {
	&dev_attr_run.attr,
	NULL,
};
ATTRIBUTE_GROUPS(ims);

/* Whether the device is what we know, and its store lies within the BAR. */
static int identify(struct ims_store *ims)
{
	resource_size_t length = pci_resource_len(ims->pdev, IMS_BAR);
	u32 store;

	if (!ims_alive(ims) || ims_read(ims, IMS_REG_ABI) != IMS_ABI)
		return -ENODEV;
	ims->slots = ims_read(ims, IMS_REG_SLOTS);
	store = ims_read(ims, IMS_REG_STORE);
	if (!ims->slots || store > length || ims->slots > (length - store) / IMS_SLOT_SIZE)
		return -ENODEV;
	ims->store = ims->regs + store;
	return 0;
}

static void free_irqs(void *irqs)
{
	kvfree(irqs);
}

static int ims_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ims_store *ims;
	int ret;

	ims = devm_kzalloc(&pdev->dev, sizeof(*ims), GFP_KERNEL);
	if (!ims)
		return -ENOMEM;
	ims->pdev = pdev;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ims->regs = pcim_iomap_region(pdev, IMS_BAR, KBUILD_MODNAME);
	if (IS_ERR(ims->regs))
		return PTR_ERR(ims->regs);
	ret = identify(ims);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "not a device of ABI %d\n", IMS_ABI);
	ims->irqs = kvcalloc(ims->slots, sizeof(*ims->irqs), GFP_KERNEL);
	if (!ims->irqs)
		return -ENOMEM;
	ret = devm_add_action_or_reset(&pdev->dev, free_irqs, ims->irqs);
	if (ret)
		return ret;
	/* A message is a write to memory. */
	pci_set_master(pdev);
	ret = ims_domain_create(ims);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no irq domain\n");
	pci_set_drvdata(pdev, ims);
	return 0;
}

static void ims_remove(struct pci_dev *pdev)
{
	struct ims_store *ims = pci_get_drvdata(pdev);

	ims_irq_give_all(ims);
	ims_domain_remove(ims);
	pci_clear_master(pdev);
}

static const struct pci_device_id ims_ids[] = {
	{ PCI_DEVICE(IMS_VENDOR_ID, IMS_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, ims_ids);

static struct pci_driver ims_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= ims_ids,
	.probe		= ims_probe,
	.remove		= ims_remove,
	.dev_groups	= ims_groups,
};
module_pci_driver(ims_driver);

MODULE_DESCRIPTION("Interrupts from an interrupt message store in a BAR");
MODULE_LICENSE("GPL");
