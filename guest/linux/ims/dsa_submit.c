// SPDX-License-Identifier: GPL-2.0-only
/* Raising interrupts: descriptors that do nothing but ask for one at their end. */

#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>

#include "dsa.h"

/* With more virtual CPUs than real ones an engine may be seconds late. */
#define PATIENCE (60 * HZ)

/* A descriptor tells its end in its record, also if that is a good one. */
#define TOLD (IDXD_OP_FLAG_CRAV | IDXD_OP_FLAG_RCR)

int dsa_alloc_work(struct ims_dsa *dsa)
{
	struct device *dev = &dsa->ims.pdev->dev;

	dsa->handles = devm_kcalloc(dev, dsa->ims.slots, sizeof(*dsa->handles), GFP_KERNEL);
	dsa->records = dmam_alloc_coherent(dev, dsa->queue_size * sizeof(*dsa->records),
					   &dsa->records_at, GFP_KERNEL);
	dsa->lists = dmam_alloc_coherent(dev, dsa->ims.slots * sizeof(*dsa->lists),
					 &dsa->lists_at, GFP_KERNEL);
	return dsa->handles && dsa->records && dsa->lists ? 0 : -ENOMEM;
}

/* As MOVDIR64B would, but in pieces: the CPU need not have it. */
static void store(struct ims_dsa *dsa, const struct dsa_hw_desc *desc)
{
	const u64 *words = (const u64 *)desc;
	unsigned int n;

	BUILD_BUG_ON(sizeof(*desc) != 8 * sizeof(*words));
	for (n = 0; n < 8; n++)
		writeq(words[n], dsa->portal + n * sizeof(*words));
}

static u8 status_of(struct ims_dsa *dsa, unsigned int number)
{
	return READ_ONCE(dsa->records[number % dsa->queue_size].status);
}

/* The status that descriptor `number` ended with. */
static int wait_for(struct ims_dsa *dsa, unsigned int number, u8 *status)
{
	unsigned long end = jiffies + PATIENCE;

	while (!(*status = status_of(dsa, number))) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(20, 100);
	}
	return 0;
}

/*
 * Submits a descriptor, and says which number it has. The queue never overflows:
 * first the one ends that had its record before. That one must have ended well.
 */
static int submit(struct ims_dsa *dsa, struct dsa_hw_desc *desc, unsigned int *number)
{
	unsigned int n = dsa->submitted;
	unsigned int record = n % dsa->queue_size;
	u8 status = DSA_COMP_SUCCESS;
	int ret = 0;

	if (n >= dsa->queue_size)
		ret = wait_for(dsa, n - dsa->queue_size, &status);
	if (ret)
		return ret;
	if (status != DSA_COMP_SUCCESS)
		return -EIO;
	dsa->records[record].status = DSA_COMP_NONE;
	desc->flags |= TOLD;
	desc->completion_addr = dsa->records_at + record * sizeof(*dsa->records);
	dsa->submitted = n + 1;
	if (number)
		*number = n;
	/* The record, and a list, are in memory before: writeq() orders them. */
	store(dsa, desc);
	return 0;
}

int dsa_raise(struct ims_store *ims, unsigned int slot)
{
	struct ims_dsa *dsa = to_dsa(ims);
	struct dsa_hw_desc desc = {
		.opcode = DSA_OPCODE_NOOP,
		.flags = IDXD_OP_FLAG_RCI,
		.int_handle = dsa->handles[slot],
	};

	return submit(dsa, &desc, NULL);
}

/* Raises by this handle, whatever it is, and says how that ended. */
int dsa_raise_status(struct ims_dsa *dsa, u16 handle, u8 *status)
{
	struct dsa_hw_desc desc = {
		.opcode = DSA_OPCODE_NOOP,
		.flags = IDXD_OP_FLAG_RCI,
		.int_handle = handle,
	};
	unsigned int number;
	int ret = submit(dsa, &desc, &number);

	if (ret)
		return ret;
	ret = wait_for(dsa, number, status);
	/* Here an end that is not a good one is no fault. */
	dsa->records[number % dsa->queue_size].status = DSA_COMP_SUCCESS;
	return ret;
}

/* By batches as large as they may be, all submitted before any is waited for. */
int dsa_raise_all(struct ims_store *ims)
{
	struct ims_dsa *dsa = to_dsa(ims);
	unsigned int largest = BIT(FIELD_GET(DSA_GENCAP_MAX_BATCH, dsa->gencap));
	unsigned int n, count;
	int ret = 0;

	for (n = 0; n < ims->slots; n++)
		dsa->lists[n] = (struct dsa_hw_desc) {
			.opcode = DSA_OPCODE_NOOP,
			.flags = IDXD_OP_FLAG_RCI,
			.int_handle = dsa->handles[n],
		};
	for (n = 0; !ret && n < ims->slots; n += count) {
		struct dsa_hw_desc desc = {
			.opcode = DSA_OPCODE_BATCH,
			.desc_list_addr = dsa->lists_at + n * sizeof(*dsa->lists),
		};

		/*
		 * Never 1, which no batch may be: slots come in multiples of 256,
		 * and the largest batch is a power of two.
		 */
		count = min(largest, ims->slots - n);
		desc.desc_count = count;
		ret = submit(dsa, &desc, NULL);
	}
	return ret;
}

/*
 * A drain ends after the interrupts of what was submitted before were sent, and
 * its answer comes to us after they did.
 */
int dsa_settle(struct ims_store *ims)
{
	struct ims_dsa *dsa = to_dsa(ims);
	unsigned int n = dsa->submitted - min(dsa->submitted, dsa->queue_size);
	int ret = dsa_command(dsa, DSA_DRAIN_ALL, 0, NULL);

	if (ret)
		return ret;
	for (; n < dsa->submitted; n++) {
		if (status_of(dsa, n) == DSA_COMP_SUCCESS)
			continue;
		pci_err(ims->pdev, "descriptor %u ended with %x\n", n, status_of(dsa, n));
		return -EIO;
	}
	return 0;
}
