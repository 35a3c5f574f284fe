// SPDX-License-Identifier: GPL-2.0-only
/* The single interrupt: why it came is in a register, and seeing it is said there. */

#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "msg.h"

static irqreturn_t handler(int virq, void *data)
{
	struct msg_vector *irq = data;
	struct msg_device *dev = irq->dev;
	u32 status = msg_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS);
	irqreturn_t ret = IRQ_NONE;
	unsigned int queue;

	if (!status || status == MSG_GONE)
		return IRQ_NONE;
	msg_write(dev, status, VIRTIO_MMIO_INTERRUPT_ACK);
	/*
	 * In a BAR that write is posted. It must be done before rings are looked into: it
	 * would take away what is said of anything later. A read comes back after it.
	 */
	msg_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS);
	if (status & VIRTIO_MMIO_INT_CONFIG) {
		virtio_config_changed(&dev->vdev);
		ret = IRQ_HANDLED;
	}
	if (status & VIRTIO_MMIO_INT_VRING)
		for (queue = 0; queue < dev->queues; queue++)
			ret |= vring_interrupt(virq, dev->vqs[queue]);
	return ret;
}

int msg_line_take(struct msg_device *dev)
{
	struct msg_vector *irq;
	int ret;

	dev->irqs = irq = kzalloc(sizeof(*irq), GFP_KERNEL);
	if (!irq)
		return -ENOMEM;
	irq->dev = dev;
	irq->name = kstrdup(dev_name(&dev->vdev.dev), GFP_KERNEL);
	ret = irq->name ? pci_alloc_irq_vectors(dev->pdev, 1, 1, PCI_IRQ_ALL_TYPES) : -ENOMEM;
	if (ret > 0) {
		irq->virq = pci_irq_vector(dev->pdev, 0);
		ret = request_irq(irq->virq, handler, IRQF_SHARED, irq->name, irq);
		irq->requested = !ret;
	}
	if (ret)
		msg_line_give(dev);
	return ret;
}

void msg_line_give(struct msg_device *dev)
{
	if (!dev->irqs)
		return;
	mutex_lock(&dev->hold);
	dev->held = false;
	msg_irq_free(dev, 0);
	if (dev->irqs[0].virq)
		pci_free_irq_vectors(dev->pdev);
	kfree(dev->irqs);
	dev->irqs = NULL;
	mutex_unlock(&dev->hold);
}
