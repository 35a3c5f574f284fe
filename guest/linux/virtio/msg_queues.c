// SPDX-License-Identifier: GPL-2.0-only
/* Queues: made, told to the device, given interrupts, and taken away again. */

#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "msg.h"

static bool notify(struct virtqueue *vq)
{
	msg_write(to_msg(vq->vdev), vq->index, VIRTIO_MMIO_QUEUE_NOTIFY);
	return true;
}

static void write_address(struct msg_device *dev, u64 address, unsigned int reg)
{
	msg_write(dev, lower_32_bits(address), reg);
	msg_write(dev, upper_32_bits(address), reg + 4);
}

static struct virtqueue *make(struct msg_device *dev, unsigned int index,
			      const struct virtqueue_info *info)
{
	struct virtqueue *vq;
	unsigned int size;

	msg_write(dev, index, VIRTIO_MMIO_QUEUE_SEL);
	if (msg_read(dev, VIRTIO_MMIO_QUEUE_READY))
		return ERR_PTR(-EBUSY);
	size = msg_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (!size)
		return ERR_PTR(-ENOENT);
	vq = vring_create_virtqueue(index, size, PAGE_SIZE, &dev->vdev, true, true, info->ctx,
				    notify, info->callback, info->name);
	if (!vq)
		return ERR_PTR(-ENOMEM);
	vq->num_max = size;
	msg_write(dev, virtqueue_get_vring_size(vq), VIRTIO_MMIO_QUEUE_NUM);
	write_address(dev, virtqueue_get_desc_addr(vq), VIRTIO_MMIO_QUEUE_DESC_LOW);
	write_address(dev, virtqueue_get_avail_addr(vq), VIRTIO_MMIO_QUEUE_AVAIL_LOW);
	write_address(dev, virtqueue_get_used_addr(vq), VIRTIO_MMIO_QUEUE_USED_LOW);
	msg_write(dev, 1, VIRTIO_MMIO_QUEUE_READY);
	return vq;
}

static void remove_all(struct msg_device *dev)
{
	unsigned int n;

	for (n = 0; n < dev->queues; n++) {
		if (!dev->vqs[n])
			continue;
		msg_write(dev, n, VIRTIO_MMIO_QUEUE_SEL);
		msg_write(dev, 0, VIRTIO_MMIO_QUEUE_READY);
		/* Only when it reads so the device leaves the queue's memory alone. */
		WARN_ON(msg_read(dev, VIRTIO_MMIO_QUEUE_READY) == 1);
		vring_del_virtqueue(dev->vqs[n]);
	}
	kfree(dev->vqs);
	dev->vqs = NULL;
	dev->queues = 0;
}

static int make_all(struct msg_device *dev, unsigned int nvqs, struct virtqueue *vqs[],
		    struct virtqueue_info infos[])
{
	unsigned int n;

	dev->vqs = kcalloc(nvqs, sizeof(*dev->vqs), GFP_KERNEL);
	if (!dev->vqs)
		return -ENOMEM;
	for (n = 0; n < nvqs; n++) {
		struct virtqueue *vq;

		vqs[n] = NULL;
		/* One that the driver leaves out has no number either. */
		if (!infos[n].name)
			continue;
		vq = make(dev, dev->queues, &infos[n]);
		if (IS_ERR(vq))
			return PTR_ERR(vq);
		dev->vqs[dev->queues++] = vqs[n] = vq;
	}
	return 0;
}

int msg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		 struct virtqueue_info infos[], struct irq_affinity *desc)
{
	struct msg_device *dev = to_msg(vdev);
	int ret;

	ret = make_all(dev, nvqs, vqs, infos);
	if (!ret) {
		ret = dev->way ? msg_irqs_take(dev) : -ENODEV;
		if (ret) {
			if (dev->way)
				dev_warn(&dev->pdev->dev, "no messages by %s (%d): one interrupt\n",
					 dev->way->name, ret);
			ret = msg_line_take(dev);
		}
	}
	if (ret)
		remove_all(dev);
	return ret;
}

void msg_del_vqs(struct virtio_device *vdev)
{
	struct msg_device *dev = to_msg(vdev);

	if (dev->vectors)
		msg_irqs_give(dev);
	else
		msg_line_give(dev);
	remove_all(dev);
}
