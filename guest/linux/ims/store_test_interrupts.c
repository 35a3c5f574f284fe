// SPDX-License-Identifier: GPL-2.0-only
/* Tests beside which the example device counts, or raises MSI-X. */

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/ktime.h>

#include "store_device.h"

int ims_test_msix(struct ims_store *ims, struct ims_report *report)
{
	struct ims_example *example = to_example(ims);
	struct msi_map map;
	int ret;

	ret = ims_msix_take_all(example);
	if (ret)
		return ims_wrong(report, "taking %d vectors answered %d", IMS_MSIX_VECTORS, ret);
	map = pci_msix_alloc_irq_at(ims->pdev, MSI_ANY_INDEX, NULL);
	if (map.index >= 0)
		ret = ims_wrong(report, "vector %d beyond the table", map.index);
	else
		ret = ims_msix_fire(example, report);
	ims_value(report, "vectors=%d dynamic=%d", IMS_MSIX_VECTORS, IMS_MSIX_VECTORS - 1);
	ims_msix_give_all(example);
	return ret;
}

/* All slots, one by one and in a burst, beside all MSI-X vectors. */
int ims_test_spread(struct ims_store *ims, struct ims_report *report)
{
	struct ims_example *example = to_example(ims);
	u32 sent = ims_example_read(ims, IMS_REG_SENT);
	u32 refused = ims_example_read(ims, IMS_REG_REFUSED);
	ktime_t begin = ktime_get();
	s64 taking;
	int ret;

	ret = ims_take_all(ims, report);
	if (ret)
		return ret;
	ret = ims_msix_take_all(example);
	if (ret)
		return ims_wrong(report, "taking MSI-X vectors answered %d", ret);
	taking = ktime_ms_delta(ktime_get(), begin);
	ret = ims_fire_each(ims, report) ?: ims_msix_fire(example, report) ?:
	      ims_fire_burst(ims, report);
	if (ret)
		goto give;
	sent = ims_example_read(ims, IMS_REG_SENT) - sent;
	refused = ims_example_read(ims, IMS_REG_REFUSED) - refused;
	if (sent != 2 * ims->slots || refused)
		ret = ims_wrong(report, "device counts %u sent, %u refused", sent, refused);
	ims_value(report, "interrupts=%u vectors=%d cpus=%u taking_ms=%lld", ims->slots,
		  IMS_MSIX_VECTORS, num_online_cpus(), taking);
give:
	ims_msix_give_all(example);
	return ret;
}

/* The device must have counted what it held. */
int ims_test_held(struct ims_store *ims, struct ims_report *report)
{
	u32 held = ims_example_read(ims, IMS_REG_HELD);
	int ret = ims_test_hold(ims, report);

	held = ims_example_read(ims, IMS_REG_HELD) - held;
	if (!ret && held != 2)
		ret = ims_wrong(report, "device counts %u held, not 2", held);
	return ret;
}

/* The remapping unit refuses what names an absent entry, and the device is told. */
int ims_test_absent(struct ims_store *ims, struct ims_report *report)
{
	u32 refused = ims_example_read(ims, IMS_REG_REFUSED);
	u32 sent = ims_example_read(ims, IMS_REG_SENT);
	int ret = ims_fire_absent(ims, report);
	u32 error;

	if (ret)
		return ret;
	refused = ims_example_read(ims, IMS_REG_REFUSED) - refused;
	sent = ims_example_read(ims, IMS_REG_SENT) - sent;
	error = ims_example_read(ims, IMS_REG_ERRNO);
	if (refused != 1 || sent)
		return ims_wrong(report, "device counts %u refused, %u accepted", refused, sent);
	if (!error)
		return ims_wrong(report, "refused without an errno");
	ims_value(report, "refused=%u errno=%u", refused, error);
	return 0;
}
