// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device's attribute `run`: a test's name written there runs that test, which
 * says one line that programs read.
 */

#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "ims.h"

static DEFINE_MUTEX(one_test_at_a_time);

static int run(struct ims_store *ims, const char *name)
{
	const struct ims_test *test = ims->device->tests;
	ktime_t begin = ktime_get();
	struct ims_report *report;
	int ret;

	while (test->name && strcmp(test->name, name))
		test++;
	if (!test->name)
		return -ENOENT;
	report = kzalloc(sizeof(*report), GFP_KERNEL);
	if (!report)
		return -ENOMEM;

	atomic_set(&ims->taken, 0);
	ret = test->run(ims, report);
	/* A device that is gone has no slots to give back. */
	if (ims->device->alive(ims))
		ims_irq_give_all(ims);
	if (ret)
		pr_err("IMS-TEST %s FAIL %s (%d)\n", name, report->why, ret);
	else
		pr_info("IMS-TEST %s ok%s ms=%lld\n", name, report->values,
			ktime_ms_delta(ktime_get(), begin));
	kfree(report);
	return ret;
}

static ssize_t run_store(struct device *dev, struct device_attribute *attribute,
			 const char *text, size_t count)
{
	struct ims_store *ims = dev_get_drvdata(dev);
	char name[32];
	int ret;

	if (count >= sizeof(name))
		return -EINVAL;
	strscpy(name, text, sizeof(name));
	mutex_lock(&one_test_at_a_time);
	ret = run(ims, strim(name));
	mutex_unlock(&one_test_at_a_time);
	return ret ?: count;
}
static DEVICE_ATTR_WO(run);

static struct attribute *ims_attrs[] = {
	&dev_attr_run.attr,
	NULL,
};

static const struct attribute_group ims_group = {
	.attrs = ims_attrs,
};

const struct attribute_group *ims_groups[] = {
	&ims_group,
	NULL,
};
EXPORT_SYMBOL_GPL(ims_groups);
