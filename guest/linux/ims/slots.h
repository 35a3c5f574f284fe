/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A slot of a store: little-endian, 32 bits each. The example device and an
 * Intel DSA have the same (DSA: 341204, Interrupt Message Store).
 */
#ifndef IMS_SLOTS_H
#define IMS_SLOTS_H

#include <linux/bits.h>

#define IMS_SLOT_SIZE		16
#define IMS_SLOT_ADDRESS_LO	0x0
#define IMS_SLOT_ADDRESS_HI	0x4
#define IMS_SLOT_DATA		0x8
#define IMS_SLOT_CONTROL	0xc
#define   IMS_CONTROL_MASK	BIT(0)	/* set by reset */
#define   IMS_CONTROL_PENDING	BIT(1)	/* RO */

#endif
