// SPDX-License-Identifier: GPL-2.0-only
/* All tests by name; each says one line that programs read. */

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "ims_store.h"

static const struct {
	const char *name;
	int (*run)(struct ims_store *ims, struct ims_report *report);
} tests[] = {
	{ "registers",	ims_test_registers },
	{ "msix",	ims_test_msix },
	{ "spread",	ims_test_spread },
	{ "move",	ims_test_move },
	{ "hold",	ims_test_hold },
	{ "reuse",	ims_test_reuse },
	{ "absent",	ims_test_absent },
	{ "unasked",	ims_test_unasked },
	{ "exhaust",	ims_test_exhaust },
	{ "gone",	ims_test_gone },
};

int ims_test_run(struct ims_store *ims, const char *name)
{
	struct ims_report *report;
	ktime_t begin = ktime_get();
	unsigned int n;
	int ret;

	for (n = 0; n < ARRAY_SIZE(tests); n++)
		if (!strcmp(tests[n].name, name))
			break;
	if (n == ARRAY_SIZE(tests))
		return -ENOENT;
	report = kzalloc(sizeof(*report), GFP_KERNEL);
	if (!report)
		return -ENOMEM;

	atomic_set(&ims->taken, 0);
	ret = tests[n].run(ims, report);
	/* A device that is gone has no slots to give back. */
	if (ims_alive(ims))
		ims_irq_give_all(ims);
	if (ret)
		pr_err("IMS-TEST %s FAIL %s (%d)\n", name, report->why, ret);
	else
		pr_info("IMS-TEST %s ok%s ms=%lld\n", name, report->values,
			ktime_ms_delta(ktime_get(), begin));
	kfree(report);
	return ret;
}
