/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of an Intel DSA (architecture specification 341204, chapter 9), as
 * far as they are needed here: little-endian, 64 bits unless said otherwise.
 */
#ifndef IMS_DSA_REGS_H
#define IMS_DSA_REGS_H

#include <linux/bits.h>

#define DSA_VENDOR_ID		0x8086
#define DSA_DEVICE_ID		0x0b25
#define DSA_REGISTERS_BAR	0
#define DSA_PORTALS_BAR		2

#define DSA_VERSION		0x00	/* 32 bits */
#define DSA_GENCAP		0x10
#define   DSA_GENCAP_CMDCAP	BIT_ULL(4)
#define   DSA_GENCAP_MAX_XFER	GENMASK_ULL(20, 16)	/* log2 */
#define   DSA_GENCAP_MAX_BATCH	GENMASK_ULL(24, 21)	/* log2 */
#define   DSA_GENCAP_IMS	GENMASK_ULL(30, 25)	/* times 256 */
#define   DSA_IMS_UNIT		256
#define DSA_WQCAP		0x20
#define   DSA_WQCAP_SIZE	GENMASK_ULL(15, 0)
#define   DSA_WQCAP_WQS		GENMASK_ULL(23, 16)
#define   DSA_WQCAP_CFG_SIZE	GENMASK_ULL(27, 24)	/* 32 bytes << this */
#define   DSA_WQCAP_DEDICATED	BIT_ULL(49)
#define   DSA_WQCAP_OP_CONFIG	BIT_ULL(54)
#define DSA_GRPCAP		0x30
#define   DSA_GRPCAP_READ_BUFFERS GENMASK_ULL(15, 8)
#define DSA_ENGCAP		0x38
#define   DSA_ENGCAP_ENGINES	GENMASK_ULL(7, 0)
#define DSA_OPCAP		0x40	/* 256 bits */
#define DSA_OFFSETS		0x60	/* 128 bits, each times 256 */
#define   DSA_OFFSETS_GRPCFG	GENMASK_ULL(15, 0)
#define   DSA_OFFSETS_WQCFG	GENMASK_ULL(31, 16)
#define   DSA_OFFSETS_IMS	GENMASK_ULL(63, 48)
#define   DSA_OFFSET_UNIT	0x100
#define DSA_GENSTS		0x90	/* 32 bits */
#define   DSA_GENSTS_STATE	GENMASK(1, 0)
#define   DSA_GENSTS_ENABLED	1
#define DSA_CMD			0xa0	/* 32 bits */
#define   DSA_CMD_OPERAND	GENMASK(19, 0)
#define   DSA_CMD_CODE		GENMASK(24, 20)
#define DSA_CMDSTATUS		0xa8	/* 32 bits */
#define   DSA_CMDSTATUS_ERROR	GENMASK(7, 0)
#define   DSA_CMDSTATUS_RESULT	GENMASK(23, 8)
#define   DSA_CMDSTATUS_ACTIVE	BIT(31)
#define DSA_CMDCAP		0xb0	/* 32 bits: one a command */
#define DSA_SWERROR		0xc0	/* 256 bits */
#define   DSA_SWERROR_VALID	BIT_ULL(0)
#define   DSA_SWERROR_OVERFLOW	BIT_ULL(1)
#define   DSA_SWERROR_ERROR	GENMASK_ULL(15, 8)

enum dsa_command {
	DSA_ENABLE_DEVICE	= 1,
	DSA_DRAIN_ALL		= 3,
	DSA_RESET_DEVICE	= 5,
	DSA_ENABLE_WQ		= 6,
	DSA_REQUEST_HANDLE	= 13,
	DSA_RELEASE_HANDLE	= 14,
};

/* The operand of the commands for handles: the table is the IMS, not MSI-X. */
#define DSA_HANDLE_IMS		BIT(16)

/* A group's configuration, 64 bytes; the first one. */
#define DSA_GRPCFG_WQS		0x00
#define DSA_GRPCFG_ENGINES	0x20
#define DSA_GRPCFG_FLAGS	0x28
#define   DSA_GRPCFG_READ_BUFFERS_ALLOWED GENMASK_ULL(27, 20)

/* A work queue's configuration; the first one. 32 bits each. */
#define DSA_WQCFG_SIZE		0x00
#define DSA_WQCFG_THRESHOLD	0x04
#define DSA_WQCFG_MODE		0x08
#define   DSA_WQCFG_DEDICATED	BIT(0)
#define   DSA_WQCFG_PRIORITY	GENMASK(7, 4)
#define DSA_WQCFG_LIMITS	0x0c
#define   DSA_WQCFG_MAX_XFER	GENMASK(4, 0)
#define   DSA_WQCFG_MAX_BATCH	GENMASK(8, 5)
#define DSA_WQCFG_OPERATIONS	0x20	/* 256 bits */
#define   DSA_WQCFG_OPERATIONS_END 0x40

/* The portal of queue 0 that is limited and whose handles are of the IMS. */
#define DSA_PORTAL_IMS_LIMITED	0x3000
#define DSA_PORTAL_SIZE		0x1000

#endif
