// SPDX-License-Identifier: GPL-2.0-only
/* From reset to a queue that takes descriptors: one group, all engines, one queue. */

#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>

#include "dsa.h"

#define PRIORITY 10

/* Reads what the device announces, and whether its store lies within the BAR. */
int dsa_identify(struct ims_dsa *dsa)
{
	struct ims_store *ims = &dsa->ims;
	resource_size_t length = pci_resource_len(ims->pdev, DSA_REGISTERS_BAR);
	u64 store;

	if (!~readl(dsa->regs + DSA_VERSION))
		return -ENODEV;
	dsa->gencap = readq(dsa->regs + DSA_GENCAP);
	dsa->wqcap = readq(dsa->regs + DSA_WQCAP);
	dsa->engines = FIELD_GET(DSA_ENGCAP_ENGINES, readq(dsa->regs + DSA_ENGCAP));
	dsa->queue_size = FIELD_GET(DSA_WQCAP_SIZE, dsa->wqcap);
	if (!dsa->engines || dsa->engines > 64 || !dsa->queue_size ||
	    !FIELD_GET(DSA_WQCAP_WQS, dsa->wqcap) || !(dsa->wqcap & DSA_WQCAP_DEDICATED))
		return -ENODEV;
	ims->slots = FIELD_GET(DSA_GENCAP_IMS, dsa->gencap) * DSA_IMS_UNIT;
	store = FIELD_GET(DSA_OFFSETS_IMS, readq(dsa->regs + DSA_OFFSETS)) * DSA_OFFSET_UNIT;
	if (!ims->slots || store > length || ims->slots > (length - store) / IMS_SLOT_SIZE)
		return -ENODEV;
	ims->store = dsa->regs + store;
	dsa->by_request = dsa_can(dsa, DSA_REQUEST_HANDLE);
	return 0;
}

static void write_group(struct ims_dsa *dsa, void __iomem *group)
{
	u64 buffers = FIELD_GET(DSA_GRPCAP_READ_BUFFERS, readq(dsa->regs + DSA_GRPCAP));

	writeq(BIT_ULL(0), group + DSA_GRPCFG_WQS);
	writeq(GENMASK_ULL(dsa->engines - 1, 0), group + DSA_GRPCFG_ENGINES);
	writeq(FIELD_PREP(DSA_GRPCFG_READ_BUFFERS_ALLOWED, buffers), group + DSA_GRPCFG_FLAGS);
}

static void write_queue(struct ims_dsa *dsa, void __iomem *queue)
{
	unsigned int at;

	writel(dsa->queue_size, queue + DSA_WQCFG_SIZE);
	writel(0, queue + DSA_WQCFG_THRESHOLD);
	writel(DSA_WQCFG_DEDICATED | FIELD_PREP(DSA_WQCFG_PRIORITY, PRIORITY),
	       queue + DSA_WQCFG_MODE);
	writel(FIELD_PREP(DSA_WQCFG_MAX_XFER, FIELD_GET(DSA_GENCAP_MAX_XFER, dsa->gencap)) |
	       FIELD_PREP(DSA_WQCFG_MAX_BATCH, FIELD_GET(DSA_GENCAP_MAX_BATCH, dsa->gencap)),
	       queue + DSA_WQCFG_LIMITS);
	if (!(dsa->wqcap & DSA_WQCAP_OP_CONFIG))
		return;
	/* All operations there are. */
	for (at = DSA_WQCFG_OPERATIONS; at < DSA_WQCFG_OPERATIONS_END; at += sizeof(u64))
		writeq(readq(dsa->regs + DSA_OPCAP + at - DSA_WQCFG_OPERATIONS), queue + at);
}

int dsa_enable(struct ims_dsa *dsa)
{
	u64 offsets = readq(dsa->regs + DSA_OFFSETS);
	int ret;

	/* Whatever it was left with is gone. */
	ret = dsa_command(dsa, DSA_RESET_DEVICE, 0, NULL);
	if (ret)
		return ret;
	write_group(dsa, dsa->regs + FIELD_GET(DSA_OFFSETS_GRPCFG, offsets) * DSA_OFFSET_UNIT);
	write_queue(dsa, dsa->regs + FIELD_GET(DSA_OFFSETS_WQCFG, offsets) * DSA_OFFSET_UNIT);
	return dsa_command(dsa, DSA_ENABLE_DEVICE, 0, NULL) ?:
	       dsa_command(dsa, DSA_ENABLE_WQ, 0, NULL);
}
