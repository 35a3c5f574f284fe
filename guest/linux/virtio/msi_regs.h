/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSI for virtio-mmio as proposed in 2020: virtio-comment, "virtio-mmio: add MSI
 * interrupt feature support", v2, January 2020; linux-kernel, "virtio-mmio: add
 * features for virtio-mmio specification version 3", v2, February 2020.
 */
#ifndef IMS_VIRTIO_MSI_REGS_H
#define IMS_VIRTIO_MSI_REGS_H

#include <linux/types.h>

/* What the layouts differ in. */
struct msi_layout {
	const char *name;
	u64 feature;
	unsigned int vectors;	/* R: how many */
	unsigned int state;	/* R */
	unsigned int command;	/* W */
	u32 enabled;		/* bits of the state */
	u32 sharing;
};

#define MSI_VECTOR_SEL		0x0d0	/* W */
#define MSI_ADDRESS_LOW		0x0d4	/* W */
#define MSI_ADDRESS_HIGH	0x0d8	/* W */
#define MSI_DATA		0x0dc	/* W */

#define MSI_ENABLE		1
#define MSI_DISABLE		2
#define MSI_CONFIGURE		3
#define MSI_MASK		4
#define MSI_UNMASK		5
#define MSI_MAP_CONFIG		6
#define MSI_MAP_QUEUE		7

#endif
