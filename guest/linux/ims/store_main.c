// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the example device `ims_store`: an interrupt message store in a
 * BAR beside 16 MSI-X vectors. It does nothing by itself but run tests.
 */

#include <linux/delay.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "store_device.h"

/* With more virtual CPUs than real ones an answer may be seconds late. */
#define PATIENCE (60 * HZ)

bool ims_example_alive(struct ims_store *ims)
{
	return ims_example_read(ims, IMS_REG_MAGIC) == IMS_MAGIC;
}

u32 ims_example_read(struct ims_store *ims, unsigned int reg)
{
	return readl(to_example(ims)->regs + reg);
}

void ims_example_write(struct ims_store *ims, unsigned int reg, u32 value)
{
	writel(value, to_example(ims)->regs + reg);
}

static int raise(struct ims_store *ims, unsigned int slot)
{
	ims_example_write(ims, IMS_REG_RAISE_IMS, slot);
	return 0;
}

static int raise_all(struct ims_store *ims)
{
	ims_example_write(ims, IMS_REG_RAISE_ALL, ims->slots);
	return 0;
}

/* Waits until every message the device sent has been answered. */
static int settle(struct ims_store *ims)
{
	unsigned long end = jiffies + PATIENCE;

	while (ims_example_read(ims, IMS_REG_IN_FLIGHT)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(100, 500);
	}
	return 0;
}

static const struct ims_test tests[] = {
	{ "registers",	ims_test_registers },
	{ "msix",	ims_test_msix },
	{ "spread",	ims_test_spread },
	{ "move",	ims_test_move },
	{ "hold",	ims_test_held },
	{ "reuse",	ims_test_reuse },
	{ "absent",	ims_test_absent },
	{ "unasked",	ims_test_unasked },
	{ "exhaust",	ims_test_exhaust },
	{ "gone",	ims_test_gone },
	{}
};

static const struct ims_device example_device = {
	.alive		= ims_example_alive,
	.raise		= raise,
	.raise_all	= raise_all,
	.settle		= settle,
	.tests		= tests,
};

/* Whether the device is what we know, and its store lies within the BAR. */
static int identify(struct ims_example *example)
{
	struct ims_store *ims = &example->ims;
	resource_size_t length = pci_resource_len(ims->pdev, IMS_BAR);
	u32 store;

	if (!ims_example_alive(ims) || ims_example_read(ims, IMS_REG_ABI) != IMS_ABI)
		return -ENODEV;
	ims->slots = ims_example_read(ims, IMS_REG_SLOTS);
	store = ims_example_read(ims, IMS_REG_STORE);
	if (!ims->slots || store > length || ims->slots > (length - store) / IMS_SLOT_SIZE)
		return -ENODEV;
	ims->store = example->regs + store;
	return 0;
}

static int example_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ims_example *example;
	int ret;

	example = devm_kzalloc(&pdev->dev, sizeof(*example), GFP_KERNEL);
	if (!example)
		return -ENOMEM;
	example->ims.device = &example_device;
	example->ims.pdev = pdev;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	example->regs = pcim_iomap_region(pdev, IMS_BAR, KBUILD_MODNAME);
	if (IS_ERR(example->regs))
		return PTR_ERR(example->regs);
	ret = identify(example);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "not a device of ABI %d\n", IMS_ABI);
	/* A message is a write to memory. */
	pci_set_master(pdev);
	ret = ims_domain_create(&example->ims);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "no irq domain\n");
	pci_set_drvdata(pdev, &example->ims);
	return 0;
}

static void example_remove(struct pci_dev *pdev)
{
	struct ims_store *ims = pci_get_drvdata(pdev);

	ims_irq_give_all(ims);
	ims_domain_remove(ims);
	pci_clear_master(pdev);
}

static const struct pci_device_id example_ids[] = {
	{ PCI_DEVICE(IMS_VENDOR_ID, IMS_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, example_ids);

static struct pci_driver example_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= example_ids,
	.probe		= example_probe,
	.remove		= example_remove,
	.dev_groups	= ims_groups,
};
module_pci_driver(example_driver);

MODULE_DESCRIPTION("Interrupts from an interrupt message store in a BAR");
MODULE_LICENSE("GPL");
