// SPDX-License-Identifier: GPL-2.0-only
/* /sys/module/movdir64b/parameters: how many instructions went which way. */

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "movdir64b.h"

static int get(char *text, const struct kernel_param *param)
{
	const unsigned long *count = param->arg;

	return sysfs_emit(text, "%lu\n", READ_ONCE(*count));
}

static int set(const char *text, const struct kernel_param *param)
{
	return -EPERM;
}

static const struct kernel_param_ops read_only = { .set = set, .get = get };

module_param_cb(ud_kernel, &read_only, &movdir64b_counts[MOVDIR64B_UD_KERNEL], 0444);
MODULE_PARM_DESC(ud_kernel, "Read only: instructions of the kernel carried out on #UD");
module_param_cb(ud_user, &read_only, &movdir64b_counts[MOVDIR64B_UD_USER], 0444);
MODULE_PARM_DESC(ud_user, "Read only: instructions of processes carried out on #UD");
module_param_cb(kprobe, &read_only, &movdir64b_counts[MOVDIR64B_KPROBE], 0444);
MODULE_PARM_DESC(kprobe, "Read only: instructions of the driver carried out in a probe");
