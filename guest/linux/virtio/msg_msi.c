// SPDX-License-Identifier: GPL-2.0-only
/* Messages by registers: MSI of virtio-mmio. */

#include <linux/module.h>

#include "msg.h"
#include "msi_regs.h"

/*
 * The proposed offsets and bits have meanwhile been given to others (0x0c0 is
 * QueueReset), so there is a layout that is clear of them. Patch and text disagreed
 * on the bits of the state.
 */
static const struct msi_layout layouts[] = {
	{ "clear", BIT_ULL(47), 0x0c4, 0x0c8, 0x0cc, BIT(0), BIT(1) },
	{ "text", BIT_ULL(40), 0x0c0, 0x0c4, 0x0c8, BIT(0), BIT(1) },
	{ "kernel", BIT_ULL(40), 0x0c0, 0x0c4, 0x0c8, BIT(31), BIT(30) },
};

static char *layout = "clear";
module_param(layout, charp, 0444);
MODULE_PARM_DESC(layout, "Where the registers of MSI are: clear, text or kernel");

static const struct msi_layout *regs(void)
{
	unsigned int n;

	for (n = 1; n < ARRAY_SIZE(layouts); n++)
		if (!strcmp(layout, layouts[n].name))
			return &layouts[n];
	return &layouts[0];
}

static u64 features(void)
{
	return regs()->feature;
}

static int begin(struct msg_device *dev, unsigned int queues)
{
	unsigned int vectors = msg_read(dev, regs()->vectors);
	bool sharing = msg_read(dev, regs()->state) & regs()->sharing;

	/* Without sharing queue n has vector n + 1, as it is. */
	if (vectors < (sharing ? 2 : queues + 1))
		return -ENOSPC;
	dev->vectors = min(vectors, queues + 1);
	return 0;
}

static void end(struct msg_device *dev)
{
}

/* With the lock: the registers it takes are there once for all vectors. */
static void command(struct msg_device *dev, unsigned int vector, u32 command)
{
	msg_write_vector(dev, vector, MSI_VECTOR_SEL);
	msg_write_vector(dev, command, regs()->command);
}

/* With the lock. Writes are posted; a read comes back after them. */
static u32 flush(struct msg_device *dev)
{
	return msg_read(dev, regs()->state);
}

static void map(struct msg_device *dev)
{
	unsigned int queue;

	command(dev, 0, MSI_MAP_CONFIG);
	for (queue = 0; queue < dev->queues; queue++) {
		msg_write(dev, queue, VIRTIO_MMIO_QUEUE_SEL);
		command(dev, msg_vector_of(dev, queue), MSI_MAP_QUEUE);
	}
}

static int enable(struct msg_device *dev)
{
	raw_spin_lock_irq(&dev->lock);
	if (msg_read(dev, regs()->state) & regs()->sharing)
		map(dev);
	msg_write(dev, MSI_ENABLE, regs()->command);
	WRITE_ONCE(dev->enabled, flush(dev) & regs()->enabled);
	raw_spin_unlock_irq(&dev->lock);
	return dev->enabled ? 0 : -EIO;
}

static void disable(struct msg_device *dev)
{
	raw_spin_lock_irq(&dev->lock);
	msg_write(dev, MSI_DISABLE, regs()->command);
	flush(dev);
	WRITE_ONCE(dev->enabled, false);
	raw_spin_unlock_irq(&dev->lock);
}

/* The device takes the three together, when it is told to. */
static int program(struct msg_device *dev, unsigned int vector, const struct msi_msg *msg)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->lock, flags);
	msg_write_vector(dev, msg->address_lo, MSI_ADDRESS_LOW);
	msg_write_vector(dev, msg->address_hi, MSI_ADDRESS_HIGH);
	msg_write_vector(dev, msg->data, MSI_DATA);
	command(dev, vector, MSI_CONFIGURE);
	flush(dev);
	raw_spin_unlock_irqrestore(&dev->lock, flags);
	return 0;
}

static void mask(struct msg_device *dev, unsigned int vector)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->lock, flags);
	command(dev, vector, MSI_MASK);
	flush(dev);
	raw_spin_unlock_irqrestore(&dev->lock, flags);
}

static void unmask(struct msg_device *dev, unsigned int vector)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&dev->lock, flags);
	command(dev, vector, MSI_UNMASK);
	raw_spin_unlock_irqrestore(&dev->lock, flags);
}

const struct msg_way msg_msi = {
	.name		= "msi",
	.features	= features,
	.begin		= begin,
	.end		= end,
	.enable		= enable,
	.disable	= disable,
	.program	= program,
	.mask		= mask,
	.unmask		= unmask,
};
