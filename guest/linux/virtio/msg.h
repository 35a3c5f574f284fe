/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-mmio with interrupts that are messages, and what to do without.
 *
 *	virtio core, virtio_ring
 *	        |
 *	  msg_config.c, msg_queues.c
 *	        |
 *	  msg_irqs.c ----------------- msg_line.c      the single interrupt
 *	        |
 *	  msg_domain.c                                 an irq domain: mask, unmask, move
 *	        |  struct msg_way
 *	  msg_msi.c    msg_vis.c                       by registers, by shared memory
 */
#ifndef IMS_VIRTIO_MSG_H
#define IMS_VIRTIO_MSG_H

#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/io.h>
#include <linux/irqdomain.h>
#include <linux/mutex.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_mmio.h>

struct msg_device;

/* How messages get into the device. */
struct msg_way {
	const char *name;
	/* The feature bits that it is negotiated by. */
	u64 (*features)(void);
	/*
	 * Makes ready for `queues` queues, and says in `vectors` how many vectors there
	 * are: the first is that of configuration, the others are dealt to the queues.
	 */
	int (*begin)(struct msg_device *dev, unsigned int queues);
	void (*end)(struct msg_device *dev);
	/* All messages are programmed; from now on they are sent. */
	int (*enable)(struct msg_device *dev);
	void (*disable)(struct msg_device *dev);
	/* In any context. When it returns 0 no message of before is sent any more. */
	int (*program)(struct msg_device *dev, unsigned int vector, const struct msi_msg *msg);
	void (*mask)(struct msg_device *dev, unsigned int vector);
	/* What the vector has kept is sent. */
	void (*unmask)(struct msg_device *dev, unsigned int vector);
};

/* What was done with vectors, for whoever asks in sysfs. */
struct msg_counts {
	atomic_t moved;		/* messages programmed after enabling */
	atomic_t masked;
	atomic_t unmasked;
	atomic_t resent;	/* what was kept had to be asked for */
	atomic_t writes;	/* register writes that all that took */
};

/* A vector, or the single interrupt. */
struct msg_vector {
	struct msg_device *dev;
	unsigned int virq;	/* 0: none */
	char *name;
	bool requested;
};

/* The area of VIS. */
struct msg_area {
	void *memory;
	dma_addr_t address;
	u32 length;
	u32 messages;		/* offsets of its parts */
	u32 map;
	u32 gates;
	u32 ask;		/* the number of the last command */
};

struct msg_device {
	struct virtio_device vdev;
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 offered;		/* feature bits of the device */

	/* How it is to interrupt; none by the single interrupt. */
	const struct msg_way *way;
	/* `vectors` messages, once they are set up; 0 for the single interrupt. */
	unsigned int vectors;
	unsigned int queues;
	struct virtqueue **vqs;	/* by their number */
	struct msg_vector *irqs;
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;

	/* Registers that several vectors share, commands, and `enabled`. */
	raw_spinlock_t lock;
	bool enabled;		/* messages are sent */

	struct mutex hold;	/* `held`, and that interrupts are not freed meanwhile */
	bool held;		/* all interrupts are disabled by whoever asked in sysfs */
	struct msg_area area;
	struct msg_counts counts;
};

static inline struct msg_device *to_msg(struct virtio_device *vdev)
{
	return container_of(vdev, struct msg_device, vdev);
}

static inline void msg_write(struct msg_device *dev, u32 value, unsigned int reg)
{
	writel(value, dev->regs + reg);
}

/* A write that changes how one vector interrupts: counted. */
static inline void msg_write_vector(struct msg_device *dev, u32 value, unsigned int reg)
{
	atomic_inc(&dev->counts.writes);
	msg_write(dev, value, reg);
}

static inline u32 msg_read(struct msg_device *dev, unsigned int reg)
{
	return readl(dev->regs + reg);
}

/* What every register reads when the device is gone. */
#define MSG_GONE 0xffffffffU

/* Which vector queue `queue` has. */
static inline unsigned int msg_vector_of(const struct msg_device *dev, unsigned int queue)
{
	return 1 + queue % (dev->vectors - 1);
}

/* msg_config.c: features, status and configuration. */
extern const struct virtio_config_ops msg_config_ops;

/* msg_queues.c */
int msg_find_vqs(struct virtio_device *vdev, unsigned int nvqs, struct virtqueue *vqs[],
		 struct virtqueue_info infos[], struct irq_affinity *desc);
void msg_del_vqs(struct virtio_device *vdev);

/* msg_irqs.c: a vector for each queue, and one for configuration. */
int msg_irqs_take(struct msg_device *dev);
void msg_irqs_give(struct msg_device *dev);
/* The part of it that any interrupt does: frees vector `n` if it was requested. */
void msg_irq_free(struct msg_device *dev, unsigned int n);

/* msg_line.c: one interrupt for everything. */
int msg_line_take(struct msg_device *dev);
void msg_line_give(struct msg_device *dev);

/* msg_domain.c: the irq domain whose hardware is a way. */
int msg_domain_create(struct msg_device *dev);
void msg_domain_remove(struct msg_device *dev);

/* msg_msi.c, msg_vis.c */
extern const struct msg_way msg_msi, msg_vis;

/* msg_sysfs.c: attributes `interrupts` and `hold` of the PCI device. */
extern const struct attribute_group *msg_groups[];

#endif
