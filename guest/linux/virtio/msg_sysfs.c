// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the device interrupts, for whoever asks; and all its interrupts held for a
 * while, for whoever tests that none is lost.
 */

#include <linux/interrupt.h>
#include <linux/sysfs.h>

#include "msg.h"

/* `mode=vis vectors=5 moved=0 masked=0 …` */
static ssize_t interrupts_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct msg_device *dev = dev_get_drvdata(device);
	struct msg_counts *counts = &dev->counts;
	unsigned int vectors;

	mutex_lock(&dev->hold);
	vectors = dev->vectors;
	mutex_unlock(&dev->hold);
	return sysfs_emit(buf, "mode=%s vectors=%u moved=%d masked=%d unmasked=%d resent=%d writes=%d\n",
			  vectors ? dev->way->name : "line", vectors ?: 1,
			  atomic_read(&counts->moved), atomic_read(&counts->masked),
			  atomic_read(&counts->unmasked), atomic_read(&counts->resent),
			  atomic_read(&counts->writes));
}
static DEVICE_ATTR_RO(interrupts);

/* 1: all are disabled, 0: all are enabled again. */
static ssize_t hold_store(struct device *device, struct device_attribute *attr,
			  const char *buf, size_t count)
{
	struct msg_device *dev = dev_get_drvdata(device);
	unsigned int n;
	bool held;
	int ret;

	ret = kstrtobool(buf, &held);
	if (ret)
		return ret;
	mutex_lock(&dev->hold);
	for (n = 0; dev->irqs && held != dev->held && n < max(dev->vectors, 1U); n++) {
		if (held)
			disable_irq(dev->irqs[n].virq);
		else
			enable_irq(dev->irqs[n].virq);
	}
	dev->held = held;
	mutex_unlock(&dev->hold);
	return count;
}
static DEVICE_ATTR_WO(hold);

static struct attribute *msg_attrs[] = {
	&dev_attr_interrupts.attr,
	&dev_attr_hold.attr,
	NULL
};

static const struct attribute_group msg_group = {
	.attrs = msg_attrs,
};

const struct attribute_group *msg_groups[] = {
	&msg_group,
	NULL
};
