// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts that are messages: the first for configuration, the others for queues. */

#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "msg.h"

static irqreturn_t config_handler(int virq, void *data)
{
	struct msg_vector *irq = data;

	virtio_config_changed(&irq->dev->vdev);
	return IRQ_HANDLED;
}

/* Those of the queues whose vector it is. */
static irqreturn_t queue_handler(int virq, void *data)
{
	struct msg_vector *irq = data;
	struct msg_device *dev = irq->dev;
	unsigned int queue;
	irqreturn_t ret = IRQ_NONE;

	for (queue = irq - dev->irqs - 1; queue < dev->queues; queue += dev->vectors - 1)
		ret |= vring_interrupt(virq, dev->vqs[queue]);
	return ret;
}

static char *name_of(struct msg_device *dev, unsigned int vector)
{
	const char *device = dev_name(&dev->vdev.dev);

	if (!vector)
		return kasprintf(GFP_KERNEL, "%s-config", device);
	/* With more queues than vectors the first of those that share one. */
	return kasprintf(GFP_KERNEL, "%s-%s", device, dev->vqs[vector - 1]->name);
}

static int take(struct msg_device *dev, unsigned int vector)
{
	struct msg_vector *irq = &dev->irqs[vector];
	unsigned int cpu = (vector ?: 1) - 1;
	int virq, ret;

	irq->dev = dev;
	irq->name = name_of(dev, vector);
	if (!irq->name)
		return -ENOMEM;
	virq = irq_domain_alloc_irqs(dev->domain, 1, dev_to_node(&dev->pdev->dev), &vector);
	if (virq < 0)
		return virq;
	irq->virq = virq;
	/* A mask costs nothing that one would put off. */
	irq_set_status_flags(virq, IRQ_DISABLE_UNLAZY);
	/* Queue n is that of the n-th CPU to begin with, as blk-mq deals them. */
	ret = irq_set_affinity(virq, cpumask_of(cpumask_nth(cpu % num_online_cpus(),
							    cpu_online_mask)));
	if (ret)
		return ret;
	ret = request_irq(virq, vector ? queue_handler : config_handler, 0, irq->name, irq);
	irq->requested = !ret;
	return ret;
}

void msg_irq_free(struct msg_device *dev, unsigned int n)
{
	struct msg_vector *irq = &dev->irqs[n];

	if (irq->requested)
		free_irq(irq->virq, irq);
	irq->requested = false;
	kfree(irq->name);
	irq->name = NULL;
}

static void disable(struct msg_device *dev)
{
	if (dev->enabled)
		dev->way->disable(dev);
}

void msg_irqs_give(struct msg_device *dev)
{
	unsigned int n;

	mutex_lock(&dev->hold);
	dev->held = false;
	disable(dev);
	for (n = 0; n < dev->vectors; n++) {
		msg_irq_free(dev, n);
		if (dev->irqs[n].virq)
			irq_dispose_mapping(dev->irqs[n].virq);
	}
	msg_domain_remove(dev);
	kfree(dev->irqs);
	dev->irqs = NULL;
	dev->way->end(dev);
	dev->vectors = 0;
	mutex_unlock(&dev->hold);
}

int msg_irqs_take(struct msg_device *dev)
{
	unsigned int n;
	int ret;

	ret = dev->way->begin(dev, dev->queues);
	if (ret)
		return ret;
	dev->irqs = kcalloc(dev->vectors, sizeof(*dev->irqs), GFP_KERNEL);
	ret = dev->irqs ? msg_domain_create(dev) : -ENOMEM;
	if (ret) {
		kfree(dev->irqs);
		dev->irqs = NULL;
		dev->way->end(dev);
		dev->vectors = 0;
		return ret;
	}
	for (n = 0; !ret && n < dev->vectors; n++)
		ret = take(dev, n);
	if (!ret)
		ret = dev->way->enable(dev);
	if (ret)
		msg_irqs_give(dev);
	return ret;
}
