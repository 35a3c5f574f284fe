// SPDX-License-Identifier: GPL-2.0-only
/* Tests of an Intel DSA, beside those of any device. */

#include <linux/bitfield.h>
#include <linux/cpumask.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/kernel.h>
#include <linux/ktime.h>

#include "dsa.h"

/* What is there after enabling: a device that works, a store that is masked. */
static int test_enabled(struct ims_store *ims, struct ims_report *report)
{
	struct ims_dsa *dsa = to_dsa(ims);
	u32 state = FIELD_GET(DSA_GENSTS_STATE, readl(dsa->regs + DSA_GENSTS));
	struct ims_slot slot;
	unsigned int n;

	if (state != DSA_GENSTS_ENABLED)
		return ims_wrong(report, "state %u", state);
	for (n = 0; n < ims->slots; n += ims->slots - 1) {
		ims_slot_read(ims, n, &slot);
		if (slot.control != IMS_CONTROL_MASK)
			return ims_wrong(report, "slot %u: control %x after reset", n,
					 slot.control);
	}
	ims_value(report, "slots=%u engines=%u queue=%u handles=%s", ims->slots, dsa->engines,
		  dsa->queue_size, dsa->by_request ? "requested" : "indices");
	return 0;
}

/* All slots, by a descriptor each, and by batches. */
static int test_spread(struct ims_store *ims, struct ims_report *report)
{
	ktime_t begin = ktime_get();
	s64 taking;
	int ret;

	ret = ims_take_all(ims, report);
	if (ret)
		return ret;
	taking = ktime_ms_delta(ktime_get(), begin);
	ret = ims_fire_each(ims, report) ?: ims_fire_burst(ims, report);
	ims_value(report, "interrupts=%u cpus=%u taking_ms=%lld", ims->slots, num_online_cpus(),
		  taking);
	return ret;
}

/* The device must refuse `handle`, in the record and in SWERROR, and raise nothing. */
static int refuses(struct ims_dsa *dsa, u16 handle, struct ims_report *report)
{
	void __iomem *error = dsa->regs + DSA_SWERROR;
	u64 told;
	u8 status;
	int ret;

	/* An earlier one would hide this one. */
	writeq(DSA_SWERROR_VALID | DSA_SWERROR_OVERFLOW, error);
	atomic_set(&dsa->ims.taken, 0);
	ret = dsa_raise_status(dsa, handle, &status);
	if (ret)
		return ims_wrong(report, "raising by handle %x answered %d", handle, ret);
	if (status != DSA_COMP_INT_HANDLE_INVAL)
		return ims_wrong(report, "handle %x: status %x", handle, status);
	told = readq(error);
	if (!(told & DSA_SWERROR_VALID) ||
	    FIELD_GET(DSA_SWERROR_ERROR, told) != DSA_COMP_INT_HANDLE_INVAL)
		return ims_wrong(report, "handle %x: SWERROR %llx", handle, told);
	writeq(DSA_SWERROR_VALID | DSA_SWERROR_OVERFLOW, error);
	if (!ims_wait_taken(&dsa->ims, 0))
		return ims_wrong(report, "handle %x: an interrupt arrived", handle);
	return 0;
}

/* A handle given back names nothing, though its slot would still deliver. */
static int test_released(struct ims_store *ims, struct ims_report *report)
{
	struct ims_dsa *dsa = to_dsa(ims);
	const unsigned int n = 1;
	u16 handle;
	int ret;

	if (!dsa->by_request)
		return ims_wrong(report, "handles are indices");
	ret = ims_irq_take(ims, n, ims_nth_cpu(n));
	if (ret)
		return ims_wrong(report, "taking slot %u answered %d", n, ret);
	handle = dsa->handles[n];
	dsa_close(ims, n);
	ret = refuses(dsa, handle, report) ?: refuses(dsa, ims->slots, report);
	/* The interrupt is given back with a handle, as the others are. */
	if (dsa_open(ims, n) && !ret)
		ret = ims_wrong(report, "no handle a second time");
	if (ret)
		return ret;
	ret = dsa_raise(ims, n);
	if (ret)
		return ims_wrong(report, "raising slot %u answered %d", n, ret);
	if (!ims_wait_taken(ims, 1))
		return ims_wrong(report, "taken %d times, not once", atomic_read(&ims->taken));
	ims_value(report, "status=%x", DSA_COMP_INT_HANDLE_INVAL);
	return 0;
}

const struct ims_test dsa_tests[] = {
	{ "enabled",	test_enabled },
	{ "spread",	test_spread },
	{ "move",	ims_test_move },
	{ "hold",	ims_test_hold },
	{ "reuse",	ims_test_reuse },
	{ "released",	test_released },
	/* It is the server that learns of the refusal. */
	{ "absent",	ims_fire_absent },
	{}
};
