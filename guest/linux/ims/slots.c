// SPDX-License-Identifier: GPL-2.0-only
/* Reading and writing a store's slots. */

#include <linux/export.h>
#include <linux/io.h>

#include "ims.h"

/* Bit 4 of the low address: remappable format (VT-d 5.1.5.2). */
#define ADDRESS_REMAPPABLE BIT(4)

static void __iomem *slot_at(struct ims_store *ims, unsigned int n)
{
	return ims->store + n * IMS_SLOT_SIZE;
}

void ims_slot_read(struct ims_store *ims, unsigned int n, struct ims_slot *slot)
{
	void __iomem *at = slot_at(ims, n);

	slot->address_lo = readl(at + IMS_SLOT_ADDRESS_LO);
	slot->address_hi = readl(at + IMS_SLOT_ADDRESS_HI);
	slot->data = readl(at + IMS_SLOT_DATA);
	slot->control = readl(at + IMS_SLOT_CONTROL);
}
EXPORT_SYMBOL_GPL(ims_slot_read);

/*
 * Writes address and data, and leaves the mask as it was. While they change the
 * slot is masked: the device must never send half of each message.
 */
void ims_slot_program(struct ims_store *ims, unsigned int n, const struct msi_msg *msg)
{
	void __iomem *at = slot_at(ims, n);
	u32 control = readl(at + IMS_SLOT_CONTROL);

	writel(control | IMS_CONTROL_MASK, at + IMS_SLOT_CONTROL);
	writel(msg->address_lo, at + IMS_SLOT_ADDRESS_LO);
	writel(msg->address_hi, at + IMS_SLOT_ADDRESS_HI);
	writel(msg->data, at + IMS_SLOT_DATA);
	if (!(control & IMS_CONTROL_MASK))
		writel(0, at + IMS_SLOT_CONTROL);
}

/* The other way round: control first. */
void ims_slot_clear(struct ims_store *ims, unsigned int n)
{
	void __iomem *at = slot_at(ims, n);

	ims_slot_mask(ims, n);
	writel(0, at + IMS_SLOT_DATA);
	writel(0, at + IMS_SLOT_ADDRESS_HI);
	writel(0, at + IMS_SLOT_ADDRESS_LO);
}

void ims_slot_mask(struct ims_store *ims, unsigned int n)
{
	void __iomem *control = slot_at(ims, n) + IMS_SLOT_CONTROL;

	writel(IMS_CONTROL_MASK, control);
	/* Writes are posted; a read comes back after them. */
	readl(control);
}

void ims_slot_unmask(struct ims_store *ims, unsigned int n)
{
	writel(0, slot_at(ims, n) + IMS_SLOT_CONTROL);
}

bool ims_slot_remappable(const struct ims_slot *slot)
{
	return slot->address_lo & ADDRESS_REMAPPABLE;
}

bool ims_slot_same_message(const struct ims_slot *a, const struct ims_slot *b)
{
	return a->address_lo == b->address_lo && a->address_hi == b->address_hi &&
	       a->data == b->data;
}
