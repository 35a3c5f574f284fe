/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the driver for an Intel DSA share. */
#ifndef IMS_DSA_H
#define IMS_DSA_H

#include <linux/container_of.h>
#include <uapi/linux/idxd.h>

#include "dsa_regs.h"
#include "ims.h"

struct ims_dsa {
	struct ims_store ims;
	void __iomem *regs;
	void __iomem *portal;

	/* What it announces, and what of it is used. */
	u64 gencap;
	u64 wqcap;
	unsigned int engines;
	unsigned int queue_size;
	bool by_request;	/* handles are asked for; else they are indices */
	u16 *handles;		/* one a slot */

	/* Descriptor number n tells its end in record n % queue_size. */
	struct dsa_completion_record *records;
	dma_addr_t records_at;
	unsigned int submitted;

	/* The lists of batches: a descriptor a slot. */
	struct dsa_hw_desc *lists;
	dma_addr_t lists_at;
};

static inline struct ims_dsa *to_dsa(struct ims_store *ims)
{
	return container_of(ims, struct ims_dsa, ims);
}

/* dsa_commands.c: commands, each waited for. */
int dsa_command(struct ims_dsa *dsa, enum dsa_command command, u32 operand, u16 *result);
bool dsa_can(struct ims_dsa *dsa, enum dsa_command command);
int dsa_open(struct ims_store *ims, unsigned int slot);
void dsa_close(struct ims_store *ims, unsigned int slot);

/* dsa_configure.c: from reset to a queue that takes descriptors. */
int dsa_identify(struct ims_dsa *dsa);
int dsa_enable(struct ims_dsa *dsa);

/* dsa_submit.c: raising interrupts by descriptors that do nothing else. */
int dsa_alloc_work(struct ims_dsa *dsa);
int dsa_raise(struct ims_store *ims, unsigned int slot);
int dsa_raise_all(struct ims_store *ims);
int dsa_settle(struct ims_store *ims);
int dsa_raise_status(struct ims_dsa *dsa, u16 handle, u8 *status);

/* dsa_tests.c */
extern const struct ims_test dsa_tests[];

#endif
