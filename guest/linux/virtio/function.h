/* SPDX-License-Identifier: GPL-2.0-only */
/* The PCI function that has the registers of a virtio-mmio device. */
#ifndef IMS_VIRTIO_FUNCTION_H
#define IMS_VIRTIO_FUNCTION_H

#define IMS_VIRTIO_VENDOR_ID	0x4d49
#define IMS_VIRTIO_DEVICE_ID	0x0002

/* The BAR that the registers are in, from its beginning. */
#define IMS_VIRTIO_BAR		0

#endif
