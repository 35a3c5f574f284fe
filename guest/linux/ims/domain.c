// SPDX-License-Identifier: GPL-2.0-only
/*
 * An irq domain whose hardware is a device's store.
 *
 * Its parent is the parent of the device's MSI-X domain: with interrupt
 * remapping that is the remapping unit's, else the vectors of the CPUs.
 */

#include <linux/export.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/slab.h>
#include <asm/hw_irq.h>

#include "ims.h"

static bool unremapped;
module_param(unremapped, bool, 0644);
MODULE_PARM_DESC(unremapped, "Fill slots also with messages that no unit remaps");

static int compose(struct irq_data *data, struct msi_msg *msg)
{
	struct irq_data *parent;

	for (parent = data->parent_data; parent; parent = parent->parent_data) {
		if (parent->chip && parent->chip->irq_compose_msi_msg) {
			parent->chip->irq_compose_msi_msg(parent, msg);
			return 0;
		}
	}
	return -ENOSYS;
}

static int program(struct irq_data *data)
{
	struct ims_store *ims = irq_data_get_irq_chip_data(data);
	struct msi_msg msg = {};
	int ret = compose(data, &msg);

	if (!ret)
		ims_slot_program(ims, data->hwirq, &msg);
	return ret;
}

static void mask(struct irq_data *data)
{
	ims_slot_mask(irq_data_get_irq_chip_data(data), data->hwirq);
}

static void unmask(struct irq_data *data)
{
	ims_slot_unmask(irq_data_get_irq_chip_data(data), data->hwirq);
}

/*
 * A remapping unit writes its own entry and says DONE: the message stays as it
 * is. Without one the message names the CPU, and changes.
 */
static int set_affinity(struct irq_data *data, const struct cpumask *cpus, bool force)
{
	int ret = irq_chip_set_affinity_parent(data, cpus, force);

	if (ret < 0 || ret == IRQ_SET_MASK_OK_DONE)
		return ret;
	return program(data) ?: ret;
}

static struct irq_chip ims_chip = {
	.name			= "IMS",
	.irq_mask		= mask,
	.irq_unmask		= unmask,
	.irq_ack		= irq_chip_ack_parent,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.irq_set_affinity	= set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

/* `arg` is the slot's number. */
static int domain_alloc(struct irq_domain *domain, unsigned int virq,
			unsigned int count, void *arg)
{
	struct ims_store *ims = domain->host_data;
	unsigned int slot = *(unsigned int *)arg;
	/* The parent looks only for whom it is: the requester of its entry. */
	struct msi_desc desc = { .dev = &ims->pdev->dev };
	struct irq_alloc_info info = {
		.type = X86_IRQ_ALLOC_TYPE_PCI_MSIX,
		.desc = &desc,
	};
	int ret;

	if (count != 1 || slot >= ims->slots)
		return -EINVAL;
	ret = irq_domain_alloc_irqs_parent(domain, virq, 1, &info);
	if (ret)
		return ret;
	irq_domain_set_info(domain, virq, slot, &ims_chip, ims, handle_edge_irq,
			    NULL, "edge");
	return 0;
}

static int domain_activate(struct irq_domain *domain, struct irq_data *data, bool early)
{
	struct ims_store *ims = domain->host_data;
	struct msi_msg msg = {};
	struct ims_slot slot;
	int ret = compose(data, &msg);

	if (ret)
		return ret;
	slot.address_lo = msg.address_lo;
	if (!ims_slot_remappable(&slot) && !unremapped)
		return -EPERM;
	ims_slot_program(ims, data->hwirq, &msg);
	return 0;
}

static void domain_deactivate(struct irq_domain *domain, struct irq_data *data)
{
	ims_slot_clear(domain->host_data, data->hwirq);
}

static const struct irq_domain_ops ims_domain_ops = {
	.alloc		= domain_alloc,
	.free		= irq_domain_free_irqs_common,
	.activate	= domain_activate,
	.deactivate	= domain_deactivate,
};

static void free_irqs(void *irqs)
{
	kvfree(irqs);
}

int ims_domain_create(struct ims_store *ims)
{
	struct irq_domain *parent = dev_get_msi_domain(&ims->pdev->dev);
	int ret;

	if (!parent)
		return -ENODEV;
	ims->irqs = kvcalloc(ims->slots, sizeof(*ims->irqs), GFP_KERNEL);
	if (!ims->irqs)
		return -ENOMEM;
	ret = devm_add_action_or_reset(&ims->pdev->dev, free_irqs, ims->irqs);
	if (ret)
		return ret;
	ims->fwnode = irq_domain_alloc_named_id_fwnode("IMS", pci_dev_id(ims->pdev));
	if (!ims->fwnode)
		return -ENOMEM;
	ims->domain = irq_domain_create_hierarchy(parent, 0, ims->slots, ims->fwnode,
						  &ims_domain_ops, ims);
	if (!ims->domain) {
		irq_domain_free_fwnode(ims->fwnode);
		return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ims_domain_create);

void ims_domain_remove(struct ims_store *ims)
{
	irq_domain_remove(ims->domain);
	irq_domain_free_fwnode(ims->fwnode);
}
EXPORT_SYMBOL_GPL(ims_domain_remove);

MODULE_DESCRIPTION("Irq domains on interrupt message stores, and tests of them");
MODULE_LICENSE("GPL");
