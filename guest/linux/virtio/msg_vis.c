// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages by memory that is shared with the device: VIS.
 *
 * Masking is an atomic operation on a word there, and so is unmasking; the device
 * has to be told only if it kept an interrupt meanwhile. A new message is written
 * there, and then the device is told to take it.
 */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/minmax.h>

#include "msg.h"
#include "vis_regs.h"

/* How long a command may take: the device's process may not run for a while. */
#define PATIENCE_US 2000000

static_assert(sizeof(struct vis_header) == 0x80);
static_assert(offsetof(struct vis_header, ask) == 0x28);
static_assert(offsetof(struct vis_header, done) == 0x40);
static_assert(sizeof(struct vis_message) == 16);

static u64 features(void)
{
	return VIS_FEATURE;
}

static struct vis_header *header(struct msg_device *dev)
{
	return dev->area.memory;
}

static struct vis_message *message(struct msg_device *dev, unsigned int vector)
{
	return (struct vis_message *)(dev->area.memory + dev->area.messages) + vector;
}

/* Both sides change it: only as a whole word, atomically. */
static atomic_t *gate(struct msg_device *dev, unsigned int vector)
{
	return dev->area.memory + dev->area.gates + (vector << VIS_GATE_SHIFT);
}

static void fill(struct msg_device *dev)
{
	struct vis_header *head = header(dev);
	__le32 *map = dev->area.memory + dev->area.map;
	unsigned int n;

	head->vectors = cpu_to_le32(dev->vectors);
	head->queues = cpu_to_le32(dev->queues);
	head->config_vector = 0;
	head->gate_shift = cpu_to_le32(VIS_GATE_SHIFT);
	head->messages = cpu_to_le32(dev->area.messages);
	head->map = cpu_to_le32(dev->area.map);
	head->gates = cpu_to_le32(dev->area.gates);
	head->length = cpu_to_le32(dev->area.length);
	for (n = 0; n < dev->queues; n++)
		map[n] = cpu_to_le32(msg_vector_of(dev, n));
	for (n = 0; n < dev->vectors; n++)
		atomic_set(gate(dev, n), VIS_MASK);
}

static int begin(struct msg_device *dev, unsigned int queues)
{
	unsigned int vectors = msg_read(dev, VIS_VECTORS);
	struct msg_area *area = &dev->area;

	if (vectors < 2 || vectors == MSG_GONE)
		return -ENOSPC;
	dev->vectors = min(vectors, queues + 1);
	area->messages = sizeof(struct vis_header);
	area->map = area->messages + dev->vectors * sizeof(struct vis_message);
	area->gates = ALIGN(area->map + queues * sizeof(__le32), 1 << VIS_GATE_SHIFT);
	area->length = area->gates + (dev->vectors << VIS_GATE_SHIFT);
	area->ask = 0;
	/* Zeroed, and of whole pages. */
	area->memory = dma_alloc_coherent(&dev->pdev->dev, area->length, &area->address,
					  GFP_KERNEL);
	if (!area->memory) {
		dev->vectors = 0;
		return -ENOMEM;
	}
	fill(dev);
	return 0;
}

static void end(struct msg_device *dev)
{
	dma_free_coherent(&dev->pdev->dev, dev->area.length, dev->area.memory,
			  dev->area.address);
	dev->area.memory = NULL;
}

/*
 * With the lock. The write of the register is posted: when the command is done says
 * the device, in memory.
 */
static int command(struct msg_device *dev, u32 command)
{
	struct vis_header *head = header(dev);
	unsigned int waited;
	u32 error;

	WRITE_ONCE(head->ask, cpu_to_le32(++dev->area.ask));
	/* Orders what is in memory before. */
	msg_write_vector(dev, command, VIS_COMMAND);
	for (waited = 0; le32_to_cpu(READ_ONCE(head->done)) != dev->area.ask; waited++) {
		if (waited == PATIENCE_US) {
			dev_err(&dev->pdev->dev, "command %#x was not answered\n", command);
			return -ETIMEDOUT;
		}
		udelay(1);
	}
	dma_rmb();
	error = le32_to_cpu(READ_ONCE(head->error));
	if (!error)
		return 0;
	dev_err(&dev->pdev->dev, "command %#x: error %u about %u\n", command, error,
		le32_to_cpu(READ_ONCE(head->error_index)));
	return -EIO;
}

static int enable(struct msg_device *dev)
{
	int ret;

	raw_spin_lock_irq(&dev->lock);
	msg_write_vector(dev, lower_32_bits(dev->area.address), VIS_ADDRESS_LOW);
	msg_write_vector(dev, upper_32_bits(dev->area.address), VIS_ADDRESS_HIGH);
	ret = command(dev, VIS_ENABLE);
	WRITE_ONCE(dev->enabled, !ret);
	raw_spin_unlock_irq(&dev->lock);
	return ret;
}

static void disable(struct msg_device *dev)
{
	raw_spin_lock_irq(&dev->lock);
	command(dev, VIS_DISABLE);
	WRITE_ONCE(dev->enabled, false);
	raw_spin_unlock_irq(&dev->lock);
}

static int program(struct msg_device *dev, unsigned int vector, const struct msi_msg *msg)
{
	struct vis_message *to = message(dev, vector);
	u64 address = (u64)msg->address_hi << 32 | msg->address_lo;
	unsigned long flags;
	int ret = 0;

	raw_spin_lock_irqsave(&dev->lock, flags);
	WRITE_ONCE(to->address, cpu_to_le64(address));
	WRITE_ONCE(to->data, cpu_to_le32(msg->data));
	/* Before it is enabled nobody has read any. */
	if (dev->enabled)
		ret = command(dev, VIS_UPDATE | vector);
	raw_spin_unlock_irqrestore(&dev->lock, flags);
	return ret;
}

static void mask(struct msg_device *dev, unsigned int vector)
{
	atomic_or(VIS_MASK, gate(dev, vector));
}

static void unmask(struct msg_device *dev, unsigned int vector)
{
	/* Fully ordered: what the device keeps from now on it sends by itself. */
	if (!(atomic_fetch_andnot(VIS_MASK, gate(dev, vector)) & VIS_PENDING))
		return;
	atomic_inc(&dev->counts.resent);
	msg_write_vector(dev, VIS_RESEND | vector, VIS_COMMAND);
}

const struct msg_way msg_vis = {
	.name		= "vis",
	.features	= features,
	.begin		= begin,
	.end		= end,
	.enable		= enable,
	.disable	= disable,
	.program	= program,
	.mask		= mask,
	.unmask		= unmask,
};
