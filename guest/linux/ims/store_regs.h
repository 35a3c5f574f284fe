/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of the example device `ims_store`: little-endian, 32 bits
 * unless said otherwise. The example's own source is the other side of this.
 */
#ifndef IMS_STORE_REGS_H
#define IMS_STORE_REGS_H

#include <linux/bits.h>

#define IMS_VENDOR_ID		0x4d49
#define IMS_DEVICE_ID		0x5331
#define IMS_BAR			0

/* What every register of a device reads that is no longer there. */
#define IMS_ALL_ONES		0xffffffffU

#define IMS_REG_MAGIC		0x000	/* RO */
#define   IMS_MAGIC		0x53534d49U	/* "IMSS" */
#define IMS_REG_ABI		0x004	/* RO */
#define   IMS_ABI		1
#define IMS_REG_SLOTS		0x008	/* RO: number of slots */
#define IMS_REG_STORE		0x00c	/* RO: where slot 0 lies in this BAR */
#define IMS_REG_RAISE_MSIX	0x010	/* WO: raises this MSI-X vector */
#define IMS_REG_RAISE_IMS	0x014	/* WO: raises this slot */
#define IMS_REG_RAISE_ALL	0x018	/* WO: raises the slots below this one */
#define IMS_REG_SENT		0x020	/* RO: messages accepted */
#define IMS_REG_REFUSED		0x024	/* RO: messages refused */
#define IMS_REG_ERRNO		0x028	/* RO: why the last one was refused */
#define IMS_REG_HELD		0x02c	/* RO: raises kept pending */
#define IMS_REG_IN_FLIGHT	0x030	/* RO: messages not yet answered */
#define IMS_REG_SCRATCH		0x040	/* RW, 64 bits */

/* The MSI-X capability's table size. */
#define IMS_MSIX_VECTORS	16

#endif
