// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features, status and configuration: registers of virtio-mmio (virtio 1.3, 4.2).
 */

#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/unaligned.h>
#include <linux/virtio_ring.h>

#include "msg.h"

/* How long a device may take to reset. */
#define PATIENCE_MS 10000

static char *mode = "auto";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "How devices interrupt: auto (what they offer, VIS first), vis, msi, line");

static u64 get_features(struct virtio_device *vdev)
{
	struct msg_device *dev = to_msg(vdev);
	u64 features;

	msg_write(dev, 1, VIRTIO_MMIO_DEVICE_FEATURES_SEL);
	features = (u64)msg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	msg_write(dev, 0, VIRTIO_MMIO_DEVICE_FEATURES_SEL);
	features |= msg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	dev->offered = features;
	return features;
}

/* The way of messages that both sides have; none for the single interrupt. */
static const struct msg_way *choose(u64 offered)
{
	static const struct msg_way *const ways[] = { &msg_vis, &msg_msi };
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(ways); n++) {
		u64 bits = ways[n]->features();

		if (strcmp(mode, "auto") && strcmp(mode, ways[n]->name))
			continue;
		if ((offered & bits) == bits)
			return ways[n];
	}
	return NULL;
}

static int finalize_features(struct virtio_device *vdev)
{
	struct msg_device *dev = to_msg(vdev);
	u64 features;

	vring_transport_features(vdev);
	/* A notification is the queue's number, and nothing else. */
	__virtio_clear_bit(vdev, VIRTIO_F_NOTIFICATION_DATA);
	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vdev->dev, "the device is a legacy one\n");
		return -EINVAL;
	}
	/* The core knows nothing of bits as high as those of messages. */
	dev->way = choose(dev->offered);
	features = vdev->features | (dev->way ? dev->way->features() : 0);
	msg_write(dev, 1, VIRTIO_MMIO_DRIVER_FEATURES_SEL);
	msg_write(dev, upper_32_bits(features), VIRTIO_MMIO_DRIVER_FEATURES);
	msg_write(dev, 0, VIRTIO_MMIO_DRIVER_FEATURES_SEL);
	msg_write(dev, lower_32_bits(features), VIRTIO_MMIO_DRIVER_FEATURES);
	return 0;
}

static u8 get_status(struct virtio_device *vdev)
{
	return msg_read(to_msg(vdev), VIRTIO_MMIO_STATUS);
}

static void set_status(struct virtio_device *vdev, u8 status)
{
	WARN_ON(!status);
	msg_write(to_msg(vdev), status, VIRTIO_MMIO_STATUS);
}

static void reset(struct virtio_device *vdev)
{
	struct msg_device *dev = to_msg(vdev);
	unsigned int waited = 0;
	u32 status;

	msg_write(dev, 0, VIRTIO_MMIO_STATUS);
	while ((status = msg_read(dev, VIRTIO_MMIO_STATUS)) && status != MSG_GONE) {
		if (waited++ == PATIENCE_MS) {
			dev_err(&dev->pdev->dev, "not reset within %d ms\n", PATIENCE_MS);
			break;
		}
		msleep(1);
	}
	/* It sends no messages any more, and answers no commands. */
	raw_spin_lock_irq(&dev->lock);
	WRITE_ONCE(dev->enabled, false);
	raw_spin_unlock_irq(&dev->lock);
}

static u32 generation(struct virtio_device *vdev)
{
	return msg_read(to_msg(vdev), VIRTIO_MMIO_CONFIG_GENERATION);
}

/* A field is read as wide as it is; one of 64 bits as two halves (virtio 1.3, 4.2.2.2). */
static void get(struct virtio_device *vdev, unsigned int offset, void *buf, unsigned int len)
{
	void __iomem *field = to_msg(vdev)->regs + VIRTIO_MMIO_CONFIG + offset;
	unsigned int n;

	switch (len) {
	case 2:
		put_unaligned_le16(readw(field), buf);
		break;
	case 4:
	case 8:
		for (n = 0; n < len; n += 4)
			put_unaligned_le32(readl(field + n), buf + n);
		break;
	default:
		for (n = 0; n < len; n++)
			*(u8 *)(buf + n) = readb(field + n);
	}
}

static void set(struct virtio_device *vdev, unsigned int offset, const void *buf,
		unsigned int len)
{
	void __iomem *field = to_msg(vdev)->regs + VIRTIO_MMIO_CONFIG + offset;
	unsigned int n;

	switch (len) {
	case 2:
		writew(get_unaligned_le16(buf), field);
		break;
	case 4:
	case 8:
		for (n = 0; n < len; n += 4)
			writel(get_unaligned_le32(buf + n), field + n);
		break;
	default:
		for (n = 0; n < len; n++)
			writeb(*(u8 *)(buf + n), field + n);
	}
}

static const char *bus_name(struct virtio_device *vdev)
{
	return pci_name(to_msg(vdev)->pdev);
}

static void synchronize_cbs(struct virtio_device *vdev)
{
	struct msg_device *dev = to_msg(vdev);
	unsigned int n;

	for (n = 0; n < max(dev->vectors, 1U); n++)
		if (dev->irqs && dev->irqs[n].requested)
			synchronize_irq(dev->irqs[n].virq);
}

static int set_vq_affinity(struct virtqueue *vq, const struct cpumask *cpus)
{
	struct msg_device *dev = to_msg(vq->vdev);

	if (!dev->vectors)
		return -EINVAL;
	return irq_set_affinity(dev->irqs[msg_vector_of(dev, vq->index)].virq,
				cpus ?: cpu_online_mask);
}

const struct virtio_config_ops msg_config_ops = {
	.get			= get,
	.set			= set,
	.generation		= generation,
	.get_status		= get_status,
	.set_status		= set_status,
	.reset			= reset,
	.find_vqs		= msg_find_vqs,
	.del_vqs		= msg_del_vqs,
	.synchronize_cbs	= synchronize_cbs,
	.get_features		= get_features,
	.finalize_features	= finalize_features,
	.bus_name		= bus_name,
	.set_vq_affinity	= set_vq_affinity,
};
