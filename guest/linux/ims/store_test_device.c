// SPDX-License-Identifier: GPL-2.0-only
/* Tests of the device as such: that it is there, and that it is gone. */

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>

#include "store_device.h"

/* How long someone may take to kill the device. */
#define PATIENCE (60 * HZ)

int ims_test_registers(struct ims_store *ims, struct ims_report *report)
{
	static const u64 patterns[] = { 0x0123456789abcdefULL, ~0ULL - 1, 0 };
	struct ims_slot slot;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(patterns); n++) {
		u64 found;

		writeq(patterns[n], to_example(ims)->regs + IMS_REG_SCRATCH);
		found = readq(to_example(ims)->regs + IMS_REG_SCRATCH);
		if (found != patterns[n])
			return ims_wrong(report, "scratch: wrote %llx, read %llx", patterns[n],
					 found);
	}
	for (n = 0; n < ims->slots; n += ims->slots - 1) {
		ims_slot_read(ims, n, &slot);
		if (slot.control != IMS_CONTROL_MASK)
			return ims_wrong(report, "slot %u: control %x after reset", n,
					 slot.control);
	}
	if (ims_example_read(ims, IMS_REG_IN_FLIGHT))
		return ims_wrong(report, "messages on their way that nobody asked for");
	ims_value(report, "slots=%u", ims->slots);
	return 0;
}

/*
 * Reads until the device no longer answers. It does so alone, so that no write
 * of ours is under way when it dies.
 */
int ims_test_gone(struct ims_store *ims, struct ims_report *report)
{
	static const unsigned int regs[] = {
		IMS_REG_MAGIC, IMS_REG_ABI, IMS_REG_SLOTS, IMS_REG_SENT, IMS_REG_SCRATCH,
	};
	unsigned long end = jiffies + PATIENCE;
	unsigned long reads = 0;
	struct ims_slot slot;
	unsigned int n;
	int ret;

	pr_info("IMS-READY gone\n");
	while (ims_example_alive(ims)) {
		if (time_after(jiffies, end))
			return ims_wrong(report, "the device answered all the time");
		reads++;
		usleep_range(500, 1000);
	}
	for (n = 0; n < ARRAY_SIZE(regs); n++) {
		u32 value = ims_example_read(ims, regs[n]);

		if (value != IMS_ALL_ONES)
			return ims_wrong(report, "register %x reads %x", regs[n], value);
	}
	ims_slot_read(ims, 0, &slot);
	if ((slot.address_lo & slot.address_hi & slot.data & slot.control) != IMS_ALL_ONES)
		return ims_wrong(report, "slot 0 reads %x %x %x %x", slot.address_lo,
				 slot.address_hi, slot.data, slot.control);
	ret = ims_irq_take(ims, 0, IMS_ANY_CPU);
	if (ret != -ENODEV)
		return ims_wrong(report, "taking an interrupt answered %d", ret);
	dev_err(&ims->pdev->dev, "the device is gone: reads give all ones\n");
	ims_value(report, "reads=%lu errno=%d", reads, -ret);
	return 0;
}
