/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtio Interrupt Storage: registers, and the area in memory. Source: docs/vis.md. */
#ifndef IMS_VIRTIO_VIS_REGS_H
#define IMS_VIRTIO_VIS_REGS_H

#include <linux/bits.h>
#include <linux/types.h>

#define VIS_FEATURE		BIT_ULL(48)

#define VIS_VECTORS		0x0e0	/* R: the most there may be */
#define VIS_ADDRESS_LOW		0x0e8	/* W: where the area is */
#define VIS_ADDRESS_HIGH	0x0ec	/* W */
#define VIS_COMMAND		0x0f0	/* W: number in 31:28, argument below */
#define   VIS_ENABLE		(1U << 28)
#define   VIS_DISABLE		(2U << 28)
#define   VIS_UPDATE		(3U << 28)
#define   VIS_RESEND		(6U << 28)

/* The driver's line and the device's line of the header, 64 bytes each. */
struct vis_header {
	__le32 vectors;
	__le32 queues;
	__le32 config_vector;
	__le32 gate_shift;
	__le32 messages;
	__le32 map;
	__le32 gates;
	__le32 length;
	__le32 first;
	__le32 count;
	__le32 ask;
	__le32 reserved[5];

	__le32 done;
	__le32 error;
	__le32 error_index;
	__le32 reserved_too[13];
};

struct vis_message {
	__le64 address;
	__le32 data;
	__le32 reserved;
};

/* A gate. */
#define VIS_MASK		BIT(0)
#define VIS_PENDING		BIT(1)
/* A cache line each. */
#define VIS_GATE_SHIFT		6

#endif
