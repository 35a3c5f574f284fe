// SPDX-License-Identifier: GPL-2.0-only
/*
 * An irq domain whose hardware is the device's way of messages.
 *
 * Its parent is the parent of the device's MSI domains: with interrupt remapping
 * that is the remapping unit's, else the vectors of the CPUs.
 */

#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <asm/hw_irq.h>

#include "msg.h"

static int program(struct irq_data *data)
{
	struct msg_device *dev = irq_data_get_irq_chip_data(data);
	struct irq_data *parent;
	struct msi_msg msg = {};

	for (parent = data->parent_data; parent; parent = parent->parent_data) {
		if (parent->chip && parent->chip->irq_compose_msi_msg) {
			parent->chip->irq_compose_msi_msg(parent, &msg);
			return dev->way->program(dev, data->hwirq, &msg);
		}
	}
	return -ENOSYS;
}

static void mask(struct irq_data *data)
{
	struct msg_device *dev = irq_data_get_irq_chip_data(data);

	atomic_inc(&dev->counts.masked);
	dev->way->mask(dev, data->hwirq);
}

static void unmask(struct irq_data *data)
{
	struct msg_device *dev = irq_data_get_irq_chip_data(data);

	atomic_inc(&dev->counts.unmasked);
	dev->way->unmask(dev, data->hwirq);
}

/* A remapping unit writes its own entry and says DONE: the message stays as it is. */
static int set_affinity(struct irq_data *data, const struct cpumask *cpus, bool force)
{
	struct msg_device *dev = irq_data_get_irq_chip_data(data);
	int ret = irq_chip_set_affinity_parent(data, cpus, force);

	if (ret < 0 || ret == IRQ_SET_MASK_OK_DONE)
		return ret;
	if (READ_ONCE(dev->enabled))
		atomic_inc(&dev->counts.moved);
	return program(data) ?: ret;
}

static struct irq_chip msg_chip = {
	.name			= "virtio",
	.irq_mask		= mask,
	.irq_unmask		= unmask,
	.irq_ack		= irq_chip_ack_parent,
	.irq_retrigger		= irq_chip_retrigger_hierarchy,
	.irq_set_affinity	= set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

/* `arg` is the vector's number. */
static int domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int count,
			void *arg)
{
	struct msg_device *dev = domain->host_data;
	unsigned int vector = *(unsigned int *)arg;
	/* The parent looks only for whom it is: the requester of its entry. */
	struct msi_desc desc = { .dev = &dev->pdev->dev };
	struct irq_alloc_info info = {
		.type = X86_IRQ_ALLOC_TYPE_PCI_MSIX,
		.desc = &desc,
	};
	int ret;

	if (count != 1 || vector >= dev->vectors)
		return -EINVAL;
	ret = irq_domain_alloc_irqs_parent(domain, virq, 1, &info);
	if (ret)
		return ret;
	irq_domain_set_info(domain, virq, vector, &msg_chip, dev, handle_edge_irq, NULL, "edge");
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
	/*
	 * A message changes as a whole: it need not wait for an interrupt to be moved.
	 * Newer kernels take that for granted.
	 */
	irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);
#endif
	return 0;
}

static int domain_activate(struct irq_domain *domain, struct irq_data *data, bool early)
{
	return program(data);
}

/* The last message stays, masked. */
static void domain_deactivate(struct irq_domain *domain, struct irq_data *data)
{
	struct msg_device *dev = domain->host_data;

	dev->way->mask(dev, data->hwirq);
}

static const struct irq_domain_ops domain_ops = {
	.alloc		= domain_alloc,
	.free		= irq_domain_free_irqs_common,
	.activate	= domain_activate,
	.deactivate	= domain_deactivate,
};

int msg_domain_create(struct msg_device *dev)
{
	struct irq_domain *parent = dev_get_msi_domain(&dev->pdev->dev);

	if (!parent)
		return -ENODEV;
	dev->fwnode = irq_domain_alloc_named_id_fwnode("VIRTIO", pci_dev_id(dev->pdev));
	if (!dev->fwnode)
		return -ENOMEM;
	dev->domain = irq_domain_create_hierarchy(parent, 0, dev->vectors, dev->fwnode,
						  &domain_ops, dev);
	if (!dev->domain) {
		irq_domain_free_fwnode(dev->fwnode);
		return -ENOMEM;
	}
	return 0;
}

void msg_domain_remove(struct msg_device *dev)
{
	irq_domain_remove(dev->domain);
	irq_domain_free_fwnode(dev->fwnode);
}
